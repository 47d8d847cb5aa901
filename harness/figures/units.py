"""Heat map of single units: time step × hidden unit, coloured by log10 |∂L/∂h_t,i|."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from harness.figures import panels, texts
from harness.figures.kind import COL, FigureKind
from harness.figures.layered import OWN_STEPS
from harness.figures.selection import RecordedUpdate, one_run, unprobed
from harness.study.matching import Value, canonical, matches
from harness.study.pooling import of_settings
from harness.study.spec import StudySpec

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

    from harness.schema import Values
    from harness.statistics.frames import Frames

PROBE = "unit_gradients"
QUANTITY = "log10_gradient of "  # h, unit 0


class Units(FigureKind):
    """Size of the gradient of every hidden unit at every step, of one run: where it goes on, and in how many units."""

    pooling = "Runs that differ in {} are not told apart: one of them is shown."
    kind: Literal["units"]
    col: str | None = Field("cell", description=COL)
    updates: Annotated[tuple[RecordedUpdate, ...], Field(strict=False, min_length=1)] = Field(
        ("first", "last"), description="which records, one below another: first, last, or that of one recorded update"
    )

    def draw(self, frames: Frames, study: StudySpec) -> Figure:
        return units(frames.select(self.where).table("profiles"), col=self.col, updates=self.updates)

    def caption(self, study: StudySpec) -> str:
        return (
            "Mean over four sequences of |∂L/∂h_t,i| at each time step t (the last at the right), a row "
            f"for each hidden unit i, of one run: that with the lowest seed.{self._about_layers(study)} "
            "Units are sorted in each panel by the mean "
            "of the logarithm over the steps, the largest on top. Below one another: records of the same run, after as "
            "many updates as the title says. All panels have one colour scale; grey is an exact zero."
            f"{self.about(study)}"
        )

    def _about_layers(self, study: StudySpec) -> str:
        """The sentences about the names of layers and directions; empty where networks have one."""
        rows = [row for point in study.points if matches(row := point.columns(), of_settings(self.where))]
        several = any(canonical(row.get("layers")) not in (None, 1) for row in rows)
        both = any(row.get("bidirectional") for row in rows)
        layers = " Of layer ℓ above the first h is h.ℓ." if several else ""
        return layers + (f" Of a backward direction h is h.ℓr. {OWN_STEPS}" if both else "")

    def crowded(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        panel: dict[Value, int] = {}
        for row in rows:
            value = canonical(row.get(self.col)) if self.col else None
            panel[value] = panel.get(value, 0) + 1
        several = any(count > 1 for count in panel.values())
        return ["a panel shows one run, here are several settings in one: name one in where"] if several else []

    def misfits(self, study: StudySpec) -> list[str]:
        return unprobed(study, PROBE)


@dataclass(frozen=True)
class UnitMap:
    """One panel's data: log10 of every unit's gradient (H, T), the largest mean first; `units` names the rows."""

    title: str
    levels: Values
    units: list[int]

    @property
    def empty(self) -> bool:
        """Whether the run has no such layer."""
        return not self.units


def by_unit(profiles: pd.DataFrame) -> pd.DataFrame:
    """The rows of the table of profiles that are of a hidden unit, with the state it belongs to and its number."""
    rows = profiles[profiles["quantity"].str.startswith(QUANTITY)]
    parts = rows["quantity"].map(lambda quantity: quantity.removeprefix(QUANTITY).rpartition(", unit "))
    return rows.assign(state=parts.str[0], unit=parts.str[2].astype(int))


def unit_map(rows: pd.DataFrame, title: str = "") -> UnitMap:
    """The units of one record, sorted by their mean over the steps that have a gradient; NaN, an overflow, is +∞."""
    import numpy as np

    from harness.statistics.frames import overflow
    from harness.statistics.intervals import finite_mean

    levels = overflow(np.stack([np.asarray(entries, dtype=np.float64) for entries in rows["measured"]]))
    mean = finite_mean(levels.T)
    order = np.argsort(-np.where(np.isnan(mean), -np.inf, mean), kind="stable")
    return UnitMap(title, levels[order], rows["unit"].iloc[order].tolist())


def units(
    profiles: pd.DataFrame, *, col: str | None = "cell", updates: Sequence[RecordedUpdate] = ("first", "last")
) -> Figure:
    """Draw log10 |∂L/∂h_t,i| over time step and unit; all panels share the colours.

    Args:
        profiles: rows of the table of profiles, joined with their runs; of several runs of a panel the lowest seed's is
            drawn.
        col: a column, with a panel for each value.
        updates: which records of each run, one below another; of a stack every layer has its row, empty where a
            column's network has fewer.

    Raises:
        HarnessError: nothing was recorded, or not at this update, or a column does not exist.
    """
    import numpy as np

    from harness.figures import fitting, style
    from harness.figures.canvas import across as canvas_across
    from harness.figures.canvas import canvas, is_stacked

    known = by_unit(profiles)
    panels.demand(known, f"gradient of a unit was recorded (record.probes: [{PROBE}])")
    levels, states = panels.levels(known, col), list(dict.fromkeys(known["state"]))
    across = 1 if is_stacked() else len(levels)
    points = fitting.panel_points(canvas_across(style.strips_size(across, 1)), across, style.BAR)
    maps = []
    for update in updates:
        for state in states:
            for level in levels:
                run = one_run(panels.part(known, col, level))
                number = {"first": run["update"].min(), "last": run["update"].max()}.get(str(update), update)
                rows = run[(run["update"] == number) & (run["state"] == state)]
                if state in set(run["state"]):
                    panels.demand(rows, f"gradient of the units of {state} was recorded at update {number}")
                setting = panels.named(col, level) if len(levels) > 1 else ""
                title = fitting.title([setting, state * (len(states) > 1), f"update {number}"], points)
                maps.append(UnitMap(title, np.empty((0, 0)), []) if rows.empty else unit_map(rows, title))
    with style.context():
        width, height = style.strips_size(across, len(maps) // across, height=1.4)
        rows = [[each.title for each in maps[i : i + across]] for i in range(0, len(maps), across)]
        figure = canvas((width, height + sum(map(fitting.more_height, rows))))
        axes = figure.subplots(len(maps) // across, across, squeeze=False)
        norm = style.log_norm([each.levels for each in maps])
        places = list(zip(axes.flat, maps, strict=True))
        images = [_image(ax, each, norm, points) for ax, each in places if not each.empty]
        for ax in (ax for ax, each in places if each.empty):
            _no_layer(ax)
        size = style.scaled(style.LENGTHS["axes.labelsize"] * style.letters())
        figure.supxlabel(texts.axis("t"), fontsize=size)
        figure.supylabel("hidden unit, sorted", fontsize=size)
        bar = figure.colorbar(images[0], ax=axes.ravel().tolist(), pad=0.01, aspect=24 * len(axes) / 2)
        bar.outline.set_linewidth(style.scaled(0.5))
        style.powers_of_ten(bar.ax.yaxis)
        bar.set_label("mean |∂L/∂h$_{t,i}$|")
        stacked = np.concatenate([each.levels.ravel() for each in maps])
        panels.legend(figure, _handles(zero=bool((stacked == -np.inf).any()), broken=bool((stacked == np.inf).any())))
    return figure


def _no_layer(ax: Axes) -> None:
    from harness.figures import style

    text: dict[str, Any] = {"transform": ax.transAxes, "ha": "center", "va": "center", "fontsize": style.small()}
    ax.text(0.5, 0.5, "no such layer", color=style.faint(), **text)
    ax.set_xticks([])
    ax.set_yticks([])
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)


def _image(ax: Axes, each: UnitMap, norm: Any, points: float) -> ScalarMappable:
    import numpy as np
    from matplotlib.colors import ListedColormap

    from harness.figures import fitting, style

    H, T = each.levels.shape
    layout: dict[str, Any] = {"aspect": "auto", "interpolation": "none", "extent": (0.5, T + 0.5, H + 0.5, 0.5)}
    # What is no number of a logarithmic scale is an image of its own, below.
    for value, colour in ((-np.inf, style.ZERO), (np.inf, style.faint())):
        ax.imshow(np.where(each.levels == value, 0.0, np.nan), cmap=ListedColormap([colour]), **layout)
    finite = np.where(np.isfinite(each.levels), each.levels, np.nan)
    image = ax.imshow(finite, cmap=style.magnitude_map(), norm=norm, **layout)
    ax.set_title(each.title)
    ax.tick_params(length=0)
    for side in ("top", "right", "left", "bottom"):
        ax.spines[side].set_visible(False)
    ax.set_xticks(fitting.steps(T, points))
    ax.set_yticks(sorted({1, H}))
    return image


def _handles(*, zero: bool, broken: bool) -> list[Any]:
    from matplotlib.patches import Patch

    from harness.figures import style

    handles = [Patch(facecolor=style.ZERO, label="exact zero")] if zero else []
    return handles + ([Patch(facecolor=style.faint(), label="not finite")] if broken else [])
