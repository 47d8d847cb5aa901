"""Gradient of every parameter over training: distribution of its entries, its norm, and the share of the update."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from harness.errors import HarnessError, nearest
from harness.figures import panels, texts
from harness.figures.heatmap import scheduled
from harness.figures.kind import COL, FigureKind
from harness.figures.parameter_map import HISTOGRAM, NORM, SHARE, ParameterMap, Sizes, by_parameter, parameter_map
from harness.figures.selection import unprobed
from harness.study.spec import StudySpec

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

    from harness.schema import Values
    from harness.statistics.frames import Frames

PROBE = "parameter_gradients"
LINES: Mapping[str, str] = {NORM: "norm ‖∂L/∂p‖", SHARE: "update ‖Δp‖/‖p‖"}
WRAPPED = 2  # panels side by side where there is one column of them
MOST_LABELS = 4  # updates that fit below a panel


class Parameters(FigureKind):
    """Gradient of every parameter over training: distribution of its entries, norm, and share of the update."""

    pooling = "Runs that differ in {} are pooled: each counts as one."
    kind: Literal["parameters"]
    col: str | None = Field("cell", description=COL)
    parameters: Annotated[tuple[str, ...], Field(strict=False, min_length=1)] | None = Field(
        None, description="which parameters, by their names and in this order; null: all"
    )

    def draw(self, frames: Frames, study: StudySpec) -> Figure:
        return parameters(frames.select(self.where).table("profiles"), col=self.col, names=self.parameters)

    def caption(self, study: StudySpec) -> str:
        return (
            "A panel for each parameter p, a column for each recorded update, not to scale between them. Shade: the "
            "share of the entries of ∂L/∂p whose magnitude lies in a bin of half a decade, mean over the n runs still "
            "training at that update (a run's own last record is shown only if it is on the schedule). The row 0 has "
            "what is below 10⁻⁴⁵, in float32 exact zeros alone; a row ∞ has what is above 10⁵. Lines: the norm of the "
            "gradient before clipping, and the length of the update that it leads to over that of p, means of the "
            "logarithm without zeros. A cross is where the gradient of one of the runs is not a finite number. All "
            f"panels have the same shades, and panels side by side the same vertical axis.{self.about(study)}"
        )

    def misfits(self, study: StudySpec) -> list[str]:
        return unprobed(study, PROBE)


def parameters(profiles: pd.DataFrame, *, col: str | None = "cell", names: Sequence[str] | None = None) -> Figure:
    """Draw the distribution of each parameter's gradient at the recorded updates, in shades that all panels share.

    Args:
        profiles: rows of the table of profiles, joined with their runs.
        col: a column, whose values stand side by side; where it has one value, parameters do.
        names: of parameters; None: all, in the order of the model.

    Raises:
        HarnessError: nothing was recorded, or a column or a parameter does not exist.
    """
    import numpy as np

    from harness.figures import fitting, style
    from harness.figures.canvas import across as canvas_across
    from harness.figures.canvas import canvas, is_stacked

    known = by_parameter(profiles)
    panels.demand(known, f"gradient of a parameter was recorded (record.probes: [{PROBE}])")
    levels, present = panels.levels(known, col), list(dict.fromkeys(known["parameter"]))
    for name in names or ():
        if name not in present:
            raise HarnessError(f"no parameter '{name}'{nearest(name, present)}; there are {', '.join(present)}")
    known = scheduled(known[known["parameter"].isin(names or present)])
    centres = np.asarray(known.loc[known["measure"] == HISTOGRAM, "at"].iloc[0], dtype=np.float64)
    updates = sorted(set(known["update"]))
    places = [(name, level) for name in names or present for level in levels]
    across = 1 if is_stacked() else len(levels) if len(levels) > 1 else min(len(places), WRAPPED)
    down = -(-len(places) // across)
    points = fitting.panel_points(canvas_across(style.strips_size(across, down)), across, style.BAR)
    titles = [
        fitting.title([texts.literal(name), panels.named(col, level) if len(levels) > 1 else ""], points)
        for name, level in places
    ]
    with style.context():
        width, height = style.strips_size(across, down)
        height += sum(fitting.more_height(titles[i : i + across]) for i in range(0, len(titles), across))
        figure = canvas((width, height))
        axes = figure.subplots(down, across, squeeze=False, sharex=True, sharey="row")
        maps: dict[Axes, ParameterMap] = {}
        for (name, level), title, ax in zip(places, titles, axes.flat, strict=False):
            rows = panels.part(known[known["parameter"] == name], col, level)
            ax.set_title(title)
            if rows.empty:
                text: dict[str, Any] = {"transform": ax.transAxes, "ha": "center", "va": "center"}
                ax.text(0.5, 0.5, "no such parameter", color=style.faint(), fontsize=style.small(), **text)
            else:
                maps[ax] = parameter_map(rows, updates)
        for ax in axes.flat[len(places) :]:
            ax.set_axis_off()
        for ax in axes.flat[len(places) - across : len(places)]:  # the lowest of each column, which may not be full
            ax.tick_params(labelbottom=True)

        _fill(figure, axes, maps, updates, centres, counted=list(axes.flat[: max(across, len(levels))]))
    return figure


def _fill(
    figure: Figure,
    axes: Any,
    maps: Mapping[Axes, ParameterMap],
    updates: Sequence[int],
    centres: Values,
    counted: Sequence[Axes],
) -> None:
    """Draw the maps in their panels.

    Args:
        centres: of the bins.
        counted: panels above which the numbers of runs are written; those below them are of the same runs.
    """
    import numpy as np
    from matplotlib.colors import PowerNorm

    from harness.figures import style

    largest = max(float(np.nanmax(each.shares, initial=0.0)) for each in maps.values())
    norm = PowerNorm(0.5, 0.0, largest or 1.0)  # so that a bin with few entries is seen as well
    colours = dict(zip(LINES, style.colours(None, list(LINES.values())), strict=True))
    shown = range(0, len(updates), -(-len(updates) // MOST_LABELS))
    for row in axes:
        beside = {ax: maps[ax] for ax in row if ax in maps}
        if not beside:
            row[0].set_yticks([])
            continue
        sizes = Sizes.of(centres, list(beside.values()))
        for ax, each in beside.items():
            image = _image(ax, each, sizes, norm)
            _lines(ax, each, colours)
            if ax in counted:
                _counts(ax, each.n, shown)
        _axes(row, updates, shown, sizes)
    size = style.scaled(style.LENGTHS["axes.labelsize"] * style.letters())
    figure.supxlabel("parameter updates (one column a record)", fontsize=size)
    figure.supylabel("|∂L/∂pᵢ|, and lines", fontsize=size)
    bar = figure.colorbar(image, ax=axes.ravel().tolist(), pad=0.01, aspect=14 * len(axes))
    bar.outline.set_linewidth(style.scaled(0.5))
    bar.set_label("share of entries")
    panels.legend(figure, _handles(colours, broken=any(each.broken for each in maps.values())))


def _image(ax: Axes, each: ParameterMap, sizes: Sizes, norm: Any) -> ScalarMappable:
    """Shades of the bins and of the two ends; a share of zero is paper."""
    import numpy as np

    from harness.figures import style

    right, (below, above) = len(each.n) - 0.5, sizes.ends
    inner = (sizes.edges[0], sizes.edges[-1])
    filled = np.where(each.shares > 0, each.shares, np.nan)
    layout: dict[str, Any] = {"origin": "lower", "aspect": "auto", "interpolation": "none", "cmap": style.shade_map()}
    for rows, (low, high) in ((filled[:1], below), (filled[-1:], above), (filled[1:-1], inner)):
        image = ax.imshow(rows, norm=norm, extent=(-0.5, right, low, high), **layout)
    return image


def _lines(ax: Axes, each: ParameterMap, colours: Mapping[str, str]) -> None:
    from matplotlib.patheffects import Normal, Stroke

    from harness.figures import style

    outline = [Stroke(linewidth=style.scaled(2), foreground=style.paper()), Normal()]  # on dark shades too
    marker = "o" if len(each.n) == 1 else ""  # a line needs two points
    for measure, line in each.lines.items():
        ax.plot(
            line, color=colours[measure], linestyle=_dashes(measure), linewidth=style.scaled(1.2), path_effects=outline,
            marker=marker, markersize=style.scaled(3),
        )  # fmt: skip
    if each.broken:
        ax.plot(
            each.broken, [0.5] * len(each.broken), "x", transform=ax.get_xaxis_transform(), color=style.faint(),
            markersize=style.scaled(3),
        )  # fmt: skip


def _dashes(measure: str) -> Any:
    from harness.figures import style

    return style.DASHED if measure == SHARE else "-"


def _counts(ax: Axes, n: Sequence[int], shown: Sequence[int]) -> None:
    """How many runs are behind the columns whose update is written, in a line above them."""
    from harness.figures import style

    text: dict[str, Any] = {"fontsize": style.small(), "color": style.faint(), "va": "bottom"}
    for k in shown:
        ax.text(k, 1.02, f"{n[k] or '–'}", transform=ax.get_xaxis_transform(), ha="center", **text)
    ax.text(-0.02, 1.02, "n", transform=ax.transAxes, ha="right", **text)
    ax.set_title(ax.get_title(), pad=style.scaled(style.LENGTHS["axes.titlepad"]) + style.small())


def _axes(row: Sequence[Axes], updates: Sequence[int], shown: Sequence[int], sizes: Sizes) -> None:
    """Limits and ticks of panels side by side."""
    for ax in row:
        ax.set_xlim(-0.5, len(updates) - 0.5)
        ax.set_ylim(*sizes.limits)
        ax.set_xticks(shown, [str(updates[k]) for k in shown])
        ax.set_yticks(*sizes.ticks())


def _handles(colours: Mapping[str, str], *, broken: bool) -> list[Any]:
    from matplotlib.lines import Line2D

    from harness.figures import style

    handles = [Line2D([], [], color=colours[each], linestyle=_dashes(each), label=LINES[each]) for each in LINES]
    if broken:
        label = "not finite in some runs"
        handles.append(Line2D([], [], color=style.faint(), marker="x", linestyle="none", label=label))
    return handles
