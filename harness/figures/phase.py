"""Phase diagram: the share of runs solved over a grid of two settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from harness.figures import panels, texts
from harness.figures.kind import COL, ROW, FigureKind
from harness.figures.memory_curve import MemoryCurve
from harness.figures.success import rates
from harness.study import labels
from harness.study.matching import canonical
from harness.study.spec import StudySpec
from harness.verdicts.metrics import finished

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from harness.figures import fitting
    from harness.statistics.frames import Frames


MOST_LETTERS = 16  # in a line of a value on the vertical axis


class Phase(FigureKind):
    """Success rate over a grid of two settings."""

    pooling = "Runs that differ in {} are pooled: a rate is over all of them."
    kind: Literal["phase"]
    x: str = Field("sequence_length", description="setting across, its values at equal distances")
    y: str = Field("spectral_radius", description="setting upwards, its values at equal distances")
    col: str | None = Field("cell", description=COL)
    row: str | None = Field(None, description=ROW)
    theory: MemoryCurve | None = Field(
        None, description="the mean field's memory drawn on top; x is a spectral radius, y a length"
    )

    def draw(self, frames: Frames, study: StudySpec) -> Figure:
        runs = frames.select(self.where).runs
        return phase(runs, x=self.x, y=self.y, col=self.col, row=self.row, theory=self.theory)

    def caption(self, study: StudySpec) -> str:
        return (
            f"Share of runs solved over {labels.axis(self.x)} and {labels.axis(self.y)}; in each cell the runs solved "
            f"of those with a result, diverged ones among them. Empty: not run."
            f"{self.theory.caption() if self.theory else ''}{self.about(study)}"
        )

    def faults(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        if self.theory is not None and (self.x, self.y) != ("spectral_radius", "sequence_length"):
            return ["theory is drawn over x: spectral_radius and y: sequence_length alone"]
        return []


def phase(
    runs: pd.DataFrame,
    *,
    x: str = "sequence_length",
    y: str = "spectral_radius",
    col: str | None = "cell",
    row: str | None = None,
    theory: MemoryCurve | None = None,
) -> Figure:
    """Draw the success rate of each combination of two settings as a coloured cell with 'solved/n' in it.

    Args:
        runs: rows of the table of runs.
        x, y, col, row: columns.
        theory: drawn over each panel; x is a spectral radius then, and y a length.

    Raises:
        HarnessError: no run has a result, or a column does not exist.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    from harness.figures import fitting, style

    done = finished(runs)
    panels.demand(done, "run has a result yet")
    xs, ys = panels.levels(done, x), panels.levels(done, y)  # of all panels, so that cells stand at the same places
    with style.context():
        points = panels.across(done, row, col, bar=style.BAR)
        ticks = fitting.ticks([texts.value(x, value) for value in xs], points / len(xs))
        figure, grid = panels.panels(done, row, col, bar=style.BAR, below=ticks.extra)
        for panel in grid:
            if len(panel.frame):
                _cells(panel, rates(panel.frame, by=[x, y]), x, y, xs, ys)
            _axes(panel, x, y, ticks, ys)
            if theory is not None:
                theory.draw(panel.ax, xs, ys)
        scale = ScalarMappable(Normalize(0, 1), style.rate_map())
        bar = figure.colorbar(scale, ax=[panel.ax for panel in grid], pad=0.02, aspect=24)
        bar.outline.set_linewidth(style.scaled(0.5))
        bar.set_label("success rate")
    return figure


def _cells(panel: panels.Panel, table: pd.DataFrame, x: str, y: str, xs: list[Any], ys: list[Any]) -> None:
    import numpy as np
    import seaborn as sns

    from harness.figures import style

    columns, rows = [canonical(value) for value in xs], [canonical(value) for value in ys]
    rate = np.full((len(ys), len(xs)), np.nan)
    text = np.full(rate.shape, "", dtype=object)
    for cell in table.to_dict("records"):
        at = rows.index(canonical(cell[y])), columns.index(canonical(cell[x]))
        rate[at], text[at] = cell["rate"], f"{cell['solved']}/{cell['n']}"
    # Letters shrink to the width of a cell: about .65 of their size each, in three quarters of the panel's width.
    letters = max(1, *map(len, text.flat))
    points = 0.75 * 72 * _width(panel.ax) / len(xs)
    size = min(style.small(), points / (0.65 * letters))
    sns.heatmap(
        rate, ax=panel.ax, vmin=0, vmax=1, cmap=style.rate_map(), cbar=False, annot=text, fmt="",
        linewidths=style.scaled(0.8), linecolor=style.paper(), annot_kws={"fontsize": size},
    )  # fmt: skip


def _width(ax: Axes) -> float:
    """Inches of a panel with its labels."""
    figure, grid = ax.get_figure(root=True), ax.get_gridspec()
    return figure.get_figwidth() / grid.ncols if figure is not None and grid is not None else 1.0


def _axes(panel: panels.Panel, x: str, y: str, ticks: fitting.Ticks, ys: list[Any]) -> None:
    from harness.figures import fitting

    ax = panel.ax
    ax.set_xlim(0, len(ticks.texts))
    ax.set_ylim(0, len(ys))
    ax.set_xticks([i + 0.5 for i in range(len(ticks.texts))], ticks.texts, rotation=ticks.rotation)
    names = ["\n".join(fitting.lines(texts.value(y, value), MOST_LETTERS)) for value in ys]
    ax.set_yticks([i + 0.5 for i in range(len(ys))], names, rotation=0)
    ax.tick_params(length=0, labelbottom=panel.bottom, labelleft=panel.left)
    panel.label_x(texts.axis(x))
    ax.set_ylabel(texts.axis(y) if panel.left else "")
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
