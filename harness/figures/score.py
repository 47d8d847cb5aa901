"""Any metric against a setting: value, interval and seeds, with a reference (guessing, no memory) dotted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from harness.errors import HarnessError
from harness.figures import appearance, panels, texts
from harness.figures.kind import COL, ROW, SEED, SERIES_HUE, FigureKind
from harness.figures.reference import Reference, of_metric
from harness.study import labels
from harness.study.matching import canonical
from harness.study.spec import StudySpec
from harness.verdicts.feasibility import unmeasured
from harness.verdicts.metrics import Metric, finished, metric_named, parts

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from harness.figures import fitting
    from harness.statistics.frames import Frames

DODGE = 0.5  # share of the distance between two values of x over which the hues are spread
DOT_SHIFT = 0.05  # at most, of a seed's dot, so that it lies neither under its bar nor at the next series
SHARES = frozenset({"success_rate", "final_accuracy", "accuracy_at_length"})  # drawn on the whole of [0, 1]
COUNTED = frozenset({"success_rate", "solved_at"})  # a single seed has no value of these to show as a dot


class Score(FigureKind):
    """A metric against a setting, one series per hue."""

    kind: Literal["score"]
    metric: str = Field(
        "final_accuracy", description="what is drawn, by its name in docs/metrics.md, as in an expectation"
    )
    x: str = Field("sequence_length", description="setting on the x axis, its values at equal distances")
    hue: str | None = Field("cell", description=SERIES_HUE)
    col: str | None = Field(None, description=COL)
    row: str | None = Field(None, description=ROW)

    def draw(self, frames: Frames, study: StudySpec) -> Figure:
        runs = frames.select(self.where).runs_at_lengths
        return score(runs, metric=self.metric, x=self.x, hue=self.hue, col=self.col, row=self.row)

    def caption(self, study: StudySpec) -> str:
        metric = metric_named(self.metric)
        dots = "" if self.metric in COUNTED else " Small dots are seeds."
        reference = of_metric(self.metric)
        about = self.about(study)
        if self.metric in COUNTED:
            about = about.replace("those of a seed are averaged first", "all of them are counted")
        return (
            f"{metric.label[0].upper()}{metric.label[1:]} against {labels.axis(self.x)}: {metric.meaning}.{dots} Lines "
            f"join values that are numbers.{reference.caption if reference else ''} n counts the runs behind each "
            "point (written beside it where it differs). An open triangle at the edge is an infinite value, or an "
            f"infinite end of a bar.{about}"
        )

    def faults(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        try:
            metric_named(self.metric)
        except HarnessError as error:
            return [str(error)]
        return list(unmeasured(self.metric, rows))


def scores(runs: pd.DataFrame, *, metric: Metric, by: str) -> pd.DataFrame:
    """A metric of each value of the column `by`, in reading order: columns `by`, value, low, high, runs, seeds.

    The ends are NaN where the data give no interval; failed runs are left out.
    """
    import numpy as np
    import pandas as pd

    done, rows = finished(runs), []
    for level in appearance.levels(by, done[by].unique()):
        group = metric.of(panels.part(done, by, level), np.random.default_rng(SEED))
        rows.append((level, group.value, group.low, group.high, group.runs, group.seeds))
    return pd.DataFrame(rows, columns=[by, "value", "low", "high", "runs", "seeds"])


def score(
    runs: pd.DataFrame,
    *,
    metric: str = "final_accuracy",
    x: str = "sequence_length",
    hue: str | None = "cell",
    col: str | None = None,
    row: str | None = None,
) -> Figure:
    """Draw a metric with its intervals and its seeds; series are set apart sideways so that equal ones stay visible.

    Args:
        runs: rows of the table of runs; for the accuracy at a length with its columns (`Frames.runs_at_lengths`).
        metric: a name in docs/metrics.md.
        x, hue, col, row: columns; each combination of their values is one point.

    Raises:
        HarnessError: no run has such a score, or a metric or column does not exist.
    """
    from matplotlib.lines import Line2D

    from harness.figures import fitting, reference, style

    measured, done = metric_named(metric), finished(runs)
    panels.demand(done, "run has a result yet")
    xs, hues = panels.levels(done, x), panels.levels(done, hue)
    panels.demand(scores(done, metric=measured, by=x).dropna(subset=["value"]), f"{measured.label} was recorded")
    colours, marks = style.colours(hue, hues), [style.MARKERS[i % len(style.MARKERS)] for i in range(len(hues))]
    compared, any_reference = of_metric(metric), False
    counts: list[set[int]] = [set() for _ in hues]
    drawn: list[tuple[Axes, int, pd.DataFrame]] = []
    with style.context():
        ticks = fitting.ticks([texts.value(x, value) for value in xs], panels.across(done, row, col) / len(xs))
        figure, grid = panels.panels(done, row, col, below=ticks.extra)
        for panel in grid:
            any_reference |= compared is not None and _reference(panel, compared, x, xs)
            for i, level in enumerate(hues):
                rows = panels.part(panel.frame, hue, level)
                if not rows.empty:
                    # Series are set apart sideways: equal rates (0 and 1 above all) would hide one another.
                    shift = DODGE * (i - (len(hues) - 1) / 2) / len(hues)
                    table = scores(rows, metric=measured, by=x)
                    table["at"] = [_index(xs, value) + shift for value in table[x]]
                    _series(panel.ax, table, colours[i], marks[i])
                    if metric not in COUNTED:
                        _dots(panel.ax, rows, table, measured, x, colours[i], min(DOT_SHIFT, DODGE / 3 / len(hues)))
                    counts[i].update(int(n) for n in table["runs"])
                    drawn.append((panel.ax, i, table))
            _axes(panel, measured, x, ticks)
        # n is in the legend; a series whose points differ in n has it beside each point too.
        for ax, i, table in drawn:
            if len(counts[i]) > 1:
                _numbers(ax, table)
        handles = [
            Line2D([], [], color=colours[i], marker=marks[i], label=series_name(hue, level, counts[i]))
            for i, level in enumerate(hues)
        ]
        if compared is not None and any_reference:
            handles.append(reference.handle(compared))
        panels.legend(figure, handles, title=panels.hue_title(hue))
    return figure


def _index(xs: list[Any], value: object) -> int:
    return [canonical(each) for each in xs].index(canonical(value))


def _reference(panel: panels.Panel, compared: Reference, x: str, xs: list[Any]) -> bool:
    """Dotted lines over each value of x, at the reference of the tasks there; whether there are any."""
    from harness.figures.reference import line_style

    drawn = False
    for i, level in enumerate(xs):
        for value in compared.of(panels.part(panel.frame, x, level)).dropna().unique():
            panel.ax.plot([i - 0.5, i + 0.5], [value] * 2, zorder=1, **line_style())
            drawn = True
    return drawn


def _series(ax: Axes, table: pd.DataFrame, colour: str, marker: str) -> None:
    """Values with their intervals, and an open triangle at the edge for an infinite value or end."""
    import numpy as np

    from harness.figures import style

    at, value = (table[name].to_numpy(dtype="float64") for name in ("at", "value"))
    known = np.isfinite(value)
    ends = table[["low", "high"]].to_numpy(dtype="float64").T
    # An infinite end has a triangle at the edge; its bar has no length.
    bars = np.abs(np.where(np.isinf(ends), value, ends)[:, known] - value[known])
    for part in _stretches(table, known):
        ax.plot(at[part], value[part], color=colour, linewidth=style.scaled(0.8), alpha=0.5, zorder=2)
    ax.errorbar(
        at[known], value[known], yerr=bars, color=colour, marker=marker, linestyle="none", elinewidth=style.scaled(1.0),
        capsize=style.scaled(1.8), zorder=3,
    )  # fmt: skip
    for position, *numbers in zip(at, value, *ends, strict=True):
        for edge, mark in ((math.inf, "^"), (-math.inf, "v")):
            if edge in numbers:
                ax.plot(
                    position, float(edge > 0), transform=ax.get_xaxis_transform(), color=colour, marker=mark,
                    markerfacecolor=style.paper(), linestyle="none", clip_on=False, zorder=4,
                )  # fmt: skip


def _stretches(table: pd.DataFrame, known: npt.NDArray[np.bool_]) -> list[list[int]]:
    """The neighbouring points that a line joins: those at numbers; there is nothing between two words, or at a null."""
    numbers = [isinstance(canonical(level), int | float) for level in table[table.columns[0]]]
    joined = [i for i, (number, value) in enumerate(zip(numbers, known, strict=True)) if number and value]
    return [joined] if len(joined) > 1 else []


def _dots(ax: Axes, rows: pd.DataFrame, table: pd.DataFrame, metric: Metric, x: str, colour: str, shift: float) -> None:
    """Each seed's own value beside the bar."""
    import numpy as np

    from harness.figures import style

    for position, level in zip(table["at"], table[x], strict=True):
        seeds = metric.per_seed(panels.part(rows, x, level)).to_numpy(dtype="float64")
        seeds = seeds[np.isfinite(seeds)]
        ax.plot(
            [position + shift] * len(seeds), seeds, color=colour, marker=".", markersize=style.scaled(3), alpha=0.5,
            linestyle="none", zorder=3,
        )  # fmt: skip


def _numbers(ax: Axes, table: pd.DataFrame) -> None:
    """How many runs are behind each point."""
    import numpy as np

    from harness.figures import style

    for x, value, n in zip(table["at"], table["value"], table["runs"], strict=True):
        if np.isfinite(value):
            plate = {"facecolor": style.paper(), "edgecolor": "none", "pad": style.scaled(0.4), "alpha": 0.8}
            ax.annotate(
                f"{n}", (x, value), xytext=(style.scaled(4), 0), textcoords="offset points", va="center", ha="left",
                fontsize=style.small(), color=style.faint(), bbox=plate, zorder=3,
            )  # fmt: skip


def _axes(panel: panels.Panel, metric: Metric, x: str, ticks: fitting.Ticks) -> None:
    from harness.figures import style

    style.guide(panel.ax)
    panel.ax.set_xticks(range(len(ticks.texts)), ticks.texts, rotation=ticks.rotation)
    panel.ax.set_xlim(-0.5, len(ticks.texts) - 0.5)
    if parts(metric.name)[0] in SHARES:
        panel.ax.set_ylim(-0.03, 1.03)
        panel.ax.set_yticks([0, 0.25, 0.5, 0.75, 1.0])
    panel.label_x(texts.axis(x))
    if panel.left:
        panel.ax.set_ylabel(texts.literal(texts.loss_named(metric.label)))


def series_name(hue: str | None, level: object, counts: set[int]) -> str:
    """A series in the legend: its hue and how many runs are behind each of its points."""
    n = "n = " + "–".join(map(str, sorted({min(counts), max(counts)}))) if counts else "no runs"
    return f"{n} per point" if hue is None else f"{texts.value(hue, level)} ({n})"
