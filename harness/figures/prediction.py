"""One metric against another over a study's settings: does what is measured before training predict what is learnt?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from harness.errors import HarnessError, nearest
from harness.figures import panels, texts
from harness.figures.kind import COL, ROW, SEED, SERIES_HUE, FigureKind
from harness.figures.score import SHARES
from harness.study import labels
from harness.study.spec import StudySpec
from harness.verdicts.metrics import Metric, finished, metric_named

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from harness.statistics.frames import Frames


class Prediction(FigureKind):
    """A metric against another one, a point for each combination of settings, with Spearman's rank correlation."""

    kind: Literal["prediction"]
    x: str = Field("initial_adjoint_slope", description="metric on the x axis, by its name in docs/metrics.md")
    y: str = Field("success_rate", description="metric on the y axis, by its name in docs/metrics.md")
    by: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        ("cell", "sequence_length"), description="settings: a point for each combination of their values"
    )
    times: str | None = Field(
        None,
        description="setting that x is multiplied by: sequence_length makes of a slope the decades over a sequence",
    )
    hue: str | None = Field("cell", description=SERIES_HUE)
    col: str | None = Field(None, description=COL)
    row: str | None = Field(None, description=ROW)

    def columns(self) -> tuple[str, ...]:
        named = (*self.by, self.times, self.hue, self.row, self.col)
        return tuple(dict.fromkeys(name for name in named if name is not None))

    def draw(self, frames: Frames, study: StudySpec) -> Figure:
        runs = frames.select(self.where).runs_at_lengths
        return prediction(
            runs, x=self.x, y=self.y, by=self.by, times=self.times, hue=self.hue, col=self.col, row=self.row
        )

    def caption(self, study: StudySpec) -> str:
        first, second = metric_named(self.x), metric_named(self.y)
        times = f", times {labels.axis(self.times)}" if self.times else ""
        return (
            f"{second.label[0].upper()}{second.label[1:]} against {first.label}{times}: a point for each combination "
            f"of {', '.join(map(labels.short, self.by))}, with the intervals of both over seeds. ρ is Spearman's rank "
            "correlation over the points of a panel (ties have their mean rank); p is of 10,000 random permutations, "
            f"two-sided, as if the points were independent.{self.about(study)}"
        )

    def faults(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        wrong = []
        for name in (self.x, self.y):
            try:
                metric_named(name)
            except HarnessError as error:
                wrong.append(str(error))
        known = sorted({name for row in rows for name in row})
        for name in dict.fromkeys(each for each in (*self.by, self.times) if each is not None):
            if name not in known:
                wrong.append(f"no column '{name}'{nearest(name, known)}")
        if not self.by:
            wrong.append("by is empty: a point needs a setting whose values it stands for")
        return wrong


def points(runs: pd.DataFrame, *, x: Metric, y: Metric, by: Sequence[str], times: str | None = None) -> pd.DataFrame:
    """Both metrics of each combination of values of the columns `by`: x, x_low, x_high, y, y_low, y_high, and `by`.

    Combinations in which either metric has no finite value have no row.

    Args:
        runs: rows of the table of runs.
        x, y: metrics.
        by: columns.
        times: a column of numbers that x and its interval are multiplied by; its mean in each combination.
    """
    import numpy as np
    import pandas as pd

    done, rows = finished(runs), []
    for _, group in done.groupby(list(by), dropna=False, sort=False):
        first, second = (metric.of(group, np.random.default_rng(SEED)) for metric in (x, y))
        factor = 1.0 if times is None else float(group[times].astype("float64").mean())
        ends = sorted((first.low * factor, first.high * factor))  # NaN stays where it is: both ends are, or neither
        values = (first.value * factor, *ends, second.value, second.low, second.high)
        if math.isfinite(values[0]) and math.isfinite(values[3]):
            rows.append((*values, *(group[name].iloc[0] for name in by)))
    return pd.DataFrame(rows, columns=["x", "x_low", "x_high", "y", "y_low", "y_high", *by])


def rank_correlation(table: pd.DataFrame) -> tuple[float, float]:
    """Spearman's ρ of the columns x and y, and its two-sided permutation p.

    Both are NaN for fewer than three points, or where one column has a single value.

    Source: Spearman 1904; scipy.stats.permutation_test over pairings.
    """
    import numpy as np
    from scipy import stats

    a, b = (stats.rankdata(table[name].to_numpy(dtype="float64")) for name in ("x", "y"))
    if len(table) < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return math.nan, math.nan

    def rho(first: Any, axis: int) -> Any:
        # Pearson's correlation of ranks, over all permutations at once: stats.spearmanr takes one pair of columns
        deviations, others = first - first.mean(axis=axis, keepdims=True), b - b.mean()
        return (deviations * others).sum(axis=axis) / np.sqrt((deviations**2).sum(axis=axis) * (others**2).sum())

    test = stats.permutation_test(
        (a,), rho, permutation_type="pairings", n_resamples=9_999, vectorized=True, rng=np.random.default_rng(SEED)
    )
    return float(test.statistic), float(test.pvalue)


def prediction(
    runs: pd.DataFrame,
    *,
    x: str = "initial_adjoint_slope",
    y: str = "success_rate",
    by: Sequence[str] = ("cell", "sequence_length"),
    times: str | None = None,
    hue: str | None = "cell",
    col: str | None = None,
    row: str | None = None,
) -> Figure:
    """Draw a metric against another, a point for each combination of `by`; hue, row and col are among its columns.

    Raises:
        HarnessError: no run has both, or a metric or a column does not exist.
    """
    from matplotlib.lines import Line2D

    from harness.figures import style

    first, second, done = metric_named(x), metric_named(y), finished(runs)
    panels.demand(done, "run has a result yet")
    columns = list(dict.fromkeys(name for name in (*by, hue, col, row) if name is not None))
    for name in [*columns, *([times] if times else [])]:
        panels.levels(done, name)  # an unknown column is an error that names the nearest one
    table = points(done, x=first, y=second, by=columns, times=times)
    panels.demand(table, f"{first.label} and {second.label} were recorded together")
    hues = panels.levels(done, hue)
    colours, marks = style.colours(hue, hues), [style.MARKERS[i % len(style.MARKERS)] for i in range(len(hues))]
    with style.context():
        figure, grid = panels.panels(table, row, col)
        for panel in grid:
            for i, level in enumerate(hues):
                _points(panel.ax, panels.part(panel.frame, hue, level), colours[i], marks[i])
            _correlation(panel.ax, panel.frame)
            style.guide(panel.ax)
            panel.ax.margins(y=0.14)
            if second.name in SHARES:
                panel.ax.set_ylim(-0.03, 1.14)  # above 1 is room for the correlation
                panel.ax.set_yticks([0, 0.25, 0.5, 0.75, 1.0])
            panel.label_x(_axis(first, times))
            if panel.left:
                panel.ax.set_ylabel(texts.literal(texts.loss_named(second.label)))
        handles = [
            Line2D([], [], color=colours[i], marker=marks[i], linestyle="none", label=texts.value(hue, level))
            for i, level in enumerate(hues)
            if hue is not None
        ]
        panels.legend(figure, handles, title=panels.hue_title(hue))
    return figure


def _axis(metric: Metric, times: str | None) -> str:
    label = texts.loss_named(metric.label)
    return texts.literal(f"{label} × {labels.short(times)}" if times else label)


def _points(ax: Axes, rows: pd.DataFrame, colour: str, marker: str) -> None:
    import numpy as np

    from harness.figures import style

    if rows.empty:
        return
    at = {name: rows[name].to_numpy(dtype="float64") for name in ("x", "y")}
    bars = {
        name: np.abs(
            np.nan_to_num(
                rows[[f"{name}_low", f"{name}_high"]].to_numpy("float64").T - at[name], posinf=0.0, neginf=0.0
            )
        )
        for name in at
    }
    ax.errorbar(
        at["x"], at["y"], xerr=bars["x"], yerr=bars["y"], color=colour, marker=marker, linestyle="none",
        elinewidth=style.scaled(0.7), alpha=0.85, zorder=3,
    )  # fmt: skip


def _correlation(ax: Axes, table: pd.DataFrame) -> None:
    from harness.figures import style

    rho, p = rank_correlation(table)
    if math.isnan(rho):
        return
    chance = "p < .001" if p < 0.001 else f"p = {p:.3f}"
    ax.text(
        0.02, 0.985, f"ρ = {rho:.2f}, {len(table)} points, {chance}", transform=ax.transAxes, va="top", ha="left",
        fontsize=style.small(), color=style.faint(), zorder=4,
    )  # fmt: skip
