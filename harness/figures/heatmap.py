"""Where the gradient is, and when: time step × update, coloured by log10 ‖∂L/∂h_t‖."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from harness.errors import HarnessError
from harness.figures import panels
from harness.figures.kind import FigureKind
from harness.study import labels
from harness.study.matching import ordered
from harness.study.spec import StudySpec

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

    from harness.statistics.frames import Frames

COLUMN: Mapping[str, str] = {"hidden": "log10_adjoint", "cell": "log10_adjoint_cell"}


class Heatmap(FigureKind):
    """Size of the gradient over time step and update, small multiples."""

    kind: Literal["heatmap"]
    col: str | None = Field("cell", description="setting with a panel for each value, side by side")
    row: str | None = Field(None, description="setting with a panel for each value, one below another")
    path: Literal["hidden", "cell"] = Field(
        "hidden", description="gradient of the hidden state, or of the cell state (gated cells)"
    )

    def draw(self, frames: Frames, study: StudySpec) -> Figure:
        return heatmap(frames.select(self.where).gradients, col=self.col, row=self.row, path=self.path)

    def caption(self, study: StudySpec) -> str:
        symbol = "∂L/∂h_t" if self.path == "hidden" else "∂L/∂c_t"
        return (
            f"Batch mean of ‖{symbol}‖ at each time step t (the first input at the left, the end of the sequence at "
            "the right) and each recorded update, one row a record, not to scale between them. Colour is the mean of "
            "the logarithm over the n runs still training at that update (a run's own last record is shown only if it "
            "is on the schedule); grey is an exact zero in all of them, a white dot one in some, which the mean leaves "
            f"out.{self.about(study)}"
        )

    def faults(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        lengths: dict[tuple[str, ...], list[Any]] = {}
        for row in rows:
            panel = tuple(labels.value(name, row.get(name)) for name in self.columns())
            lengths.setdefault(panel, []).append(row.get("sequence_length"))
        mixed = next((ordered(held) for held in lengths.values() if len(ordered(held)) > 1), None)
        return [] if mixed is None else [_mixed(mixed)]


@dataclass(frozen=True)
class Map:
    """One panel's data: rows are updates, columns time steps 1 … T."""

    updates: list[int]
    n: list[int]
    mean: npt.NDArray[np.float64]
    zero: npt.NDArray[np.float64]  # share of the runs with an exact zero there


def scheduled(gradients: pd.DataFrame) -> pd.DataFrame:
    """The records that belong to the schedule, without a run's own last one.

    Every run records where it ends; as rows of a map those would be means over one run. A last record stays
    where another run, or the budget, has its update too.
    """
    inner = gradients["update"] < gradients["updates"]
    known = set(gradients.loc[inner, "update"])
    if "max_updates" in gradients.columns:
        known |= set(gradients.loc[gradients["update"] == gradients["max_updates"], "update"])
    kept = gradients[gradients["update"].isin(known)]
    return kept if len(kept) else gradients


def averaged(gradients: pd.DataFrame, column: str) -> Map:
    """Mean over runs of a list column for each scheduled update.

    Raises:
        HarnessError: if the runs differ in their number of time steps.
    """
    import numpy as np

    there = gradients[gradients[column].notna()]
    lengths = ordered(len(cell) for cell in there[column])
    if len(lengths) > 1:
        raise HarnessError(_mixed(lengths))
    there = scheduled(there)
    updates, n, means, zeros = [], [], [], []
    for update, rows in there.groupby("update", sort=True):
        stack = np.stack([np.asarray(cell, dtype=np.float64) for cell in rows[column]])
        finite = np.isfinite(stack)
        count = finite.sum(axis=0)
        sums = np.where(finite, stack, 0.0).sum(axis=0)
        updates.append(int(str(update)))
        n.append(len(rows))
        means.append(np.divide(sums, count, out=np.full(stack.shape[1], np.nan), where=count > 0))
        zeros.append((stack == -np.inf).mean(axis=0))
    return Map(updates, n, np.stack(means), np.stack(zeros))


def heatmap(
    gradients: pd.DataFrame,
    *,
    col: str | None = "cell",
    row: str | None = None,
    path: Literal["hidden", "cell"] = "hidden",
) -> Figure:
    """Draw log10 of the adjoint over time step and update; all panels share the colours.

    Args:
        gradients: rows of `Frames.gradients`.
        col, row: columns; the runs of one panel must share their sequence length.
        path: gradient of the hidden state or of the cell state.

    Raises:
        HarnessError: if nothing was recorded, a column is not there, or a panel mixes sequence lengths.
    """
    import numpy as np
    from matplotlib.colors import Normalize

    from harness.figures import style

    known = gradients[gradients[COLUMN[path]].notna()]
    panels.demand(known, f"gradient of the {path} state was recorded")
    with style.context():
        figure, made = panels.panels(known, row, col, share_x=False, share_y=False)
        maps = [(panel, averaged(panel.frame, COLUMN[path])) for panel in made if len(panel.frame)]
        drawn = np.concatenate([each.mean[np.isfinite(each.mean)] for _, each in maps])
        low, high = (float(drawn.min()), float(drawn.max())) if drawn.size else (-1.0, 0.0)
        norm = Normalize(low, high if high > low else low + 1)
        images = [_image(panel, each, norm) for panel, each in maps]
        bar = figure.colorbar(images[0], ax=[panel.ax for panel in made], pad=0.01, aspect=24)
        bar.outline.set_linewidth(style.scaled(0.5))
        style.powers_of_ten(bar.ax.yaxis)
        symbol = r"\partial L/\partial h_t" if path == "hidden" else r"\partial L/\partial c_t"
        bar.set_label(rf"batch mean of $\|{symbol}\|$")
        panels.legend(figure, _handles([each for _, each in maps]))
    return figure


def _mixed(lengths: Sequence[Any]) -> str:
    shown = ", ".join(str(length) for length in lengths)
    return (
        f"a heat map needs one sequence length a panel, here are {shown}: "
        "name one in where, or use col or row: sequence_length"
    )


def _image(panel: panels.Panel, each: Map, norm: Any) -> ScalarMappable:
    import numpy as np
    from matplotlib.colors import ListedColormap

    from harness.figures import style

    ax: Axes = panel.ax
    T, rows = each.mean.shape[1], len(each.updates)
    box = (0.5, T + 0.5, -0.5, rows - 0.5)
    zero = np.where(each.zero == 1, 0.0, np.nan)
    ax.imshow(
        zero, cmap=ListedColormap([style.ZERO_COLOUR]), extent=box, origin="lower", aspect="auto", interpolation="none"
    )
    image = ax.imshow(
        each.mean,
        cmap=style.magnitude_map(),
        norm=norm,
        extent=box,
        origin="lower",
        aspect="auto",
        interpolation="none",
    )
    some = np.argwhere((each.zero > 0) & (each.zero < 1))
    if len(some):
        ax.plot(some[:, 1] + 1, some[:, 0], ".", color="white", markersize=style.scaled(1.2), markeredgewidth=0)
    _axes(panel, each)
    return image


def _axes(panel: panels.Panel, each: Map) -> None:
    from harness.figures import style

    step = -(-len(each.updates) // 14)  # no more labels than fit
    shown = range(0, len(each.updates), step)
    panel.ax.set_yticks(list(shown), [f"{each.updates[i]}" for i in shown])
    panel.ax.tick_params(length=0)
    for side in ("top", "right", "left", "bottom"):
        panel.ax.spines[side].set_visible(False)
    T = each.mean.shape[1]
    panel.ax.set_xticks(sorted({1, *(round(T * k / 4) for k in (1, 2, 3)), T}))
    for i in shown:
        panel.ax.text(
            1.015, (i + 0.5) / len(each.updates), f"{each.n[i]}", transform=panel.ax.transAxes,
            fontsize=style.scaled(style.SMALL), color=style.FAINT, va="center", ha="left",
        )  # fmt: skip
    panel.ax.text(
        1.015,
        1.0,
        "n",
        transform=panel.ax.transAxes,
        fontsize=style.scaled(style.SMALL),
        color=style.FAINT,
        va="bottom",
        ha="left",
    )
    if panel.bottom:
        panel.ax.set_xlabel(labels.axis("t"))
    if panel.left:
        panel.ax.set_ylabel("parameter updates (one row a record)")


def _handles(maps: Sequence[Map]) -> list[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    from harness.figures import style

    handles: list[Any] = []
    if any((each.zero == 1).any() for each in maps):
        handles.append(Patch(facecolor=style.ZERO_COLOUR, label="exact zero"))
    if any(((each.zero > 0) & (each.zero < 1)).any() for each in maps):
        handles.append(Line2D([], [], color=style.FAINT, marker=".", linestyle="none", label="exact zero in some runs"))
    return handles
