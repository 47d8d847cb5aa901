"""Any metric against a setting: value, interval and seeds, beside what guessing or forgetting would score."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import Field

from harness.errors import HarnessError
from harness.figures import panels
from harness.figures.kind import SEED, FigureKind
from harness.study import labels
from harness.study.spec import StudySpec
from harness.verdicts.metrics import Metric, finished, metric_named

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from harness.statistics.frames import Frames

DODGE = 0.5  # share of the distance between two values of x over which the hues are spread
ASIDE = 0.05  # of a seed's dot, so that it does not lie under the bar
SHARES = frozenset({"success_rate", "final_accuracy"})  # drawn on the whole of [0, 1]
COUNTED = frozenset({"success_rate", "solved_at"})  # a seed alone has no value of these that a dot could show


class ReferenceScore(NamedTuple):
    """A score to compare with: its name, and its value for each run from the table of runs."""

    name: str
    of: Callable[[pd.DataFrame], pd.Series[float]]


REFERENCES: Mapping[str, ReferenceScore] = {
    "final_accuracy": ReferenceScore("chance", lambda runs: runs["chance"].astype("float64")),
    "final_loss": ReferenceScore("memoryless", lambda runs: runs["memoryless_loss"].astype("float64")),
    "bits_per_symbol": ReferenceScore(
        "memoryless", lambda runs: runs["memoryless_loss"].astype("float64") / math.log(2)
    ),
    "loss_to_memoryless": ReferenceScore("memoryless", lambda runs: runs["memoryless_loss"].astype("float64") * 0 + 1),
}


class Score(FigureKind):
    """A metric against a setting, one series per hue."""

    kind: Literal["score"]
    metric: str = Field("final_accuracy", description="what is drawn, by name in METRICS, as in an expectation")
    x: str = Field("sequence_length", description="setting on the x axis, its values at equal distances")
    hue: str | None = Field("cell", description="setting that colours the series; null: one series")
    col: str | None = Field(None, description="setting with a panel for each value, side by side")
    row: str | None = Field(None, description="setting with a panel for each value, one below another")

    def draw(self, frames: Frames, study: StudySpec) -> Figure:
        runs = frames.select(self.where).runs
        return score(runs, metric=self.metric, x=self.x, hue=self.hue, col=self.col, row=self.row)

    def caption(self, study: StudySpec) -> str:
        metric = metric_named(self.metric)
        dots = "" if self.metric in COUNTED else " Small dots are seeds."
        dotted = {
            "chance": " Dotted: the accuracy of guessing.",
            "memoryless": " Dotted: the best prediction from the present input alone.",
        }
        known = REFERENCES.get(self.metric)
        return (
            f"{metric.label[0].upper()}{metric.label[1:]} against {labels.axis(self.x)}: {metric.meaning}.{dots}"
            f"{dotted[known.name] if known else ''} n counts the runs behind each point (written beside it where it "
            "differs). An open triangle at the edge is a value, or a bar's end, beyond every number."
            f"{self.about(study)}"
        )

    def faults(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        try:
            metric_named(self.metric)
        except HarnessError as error:
            return [str(error)]
        return []


def scores(runs: pd.DataFrame, *, metric: Metric, by: str) -> pd.DataFrame:
    """A metric of each value of the column `by`, in reading order: columns `by`, value, low, high, runs, seeds.

    The ends are NaN where the data give no interval; failed runs are left out.
    """
    import numpy as np
    import pandas as pd

    done, rows = finished(runs), []
    for held in labels.levels(by, done[by].unique()):
        found = metric.measure(panels.part(done, by, held), np.random.default_rng(SEED))
        rows.append((held, found.value, found.low, found.high, found.runs, found.seeds))
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
        runs: rows of the table of runs.
        metric: a name in METRICS.
        x, hue, col, row: columns; each combination of their values is one point.

    Raises:
        HarnessError: if no run has such a score, or a metric or column is not there.
    """
    from matplotlib.lines import Line2D

    from harness.figures import style

    measured, done = metric_named(metric), finished(runs)
    panels.demand(done, "run has a result yet")
    places, hues = panels.levels(done, x), panels.levels(done, hue)
    panels.demand(scores(done, metric=measured, by=x).dropna(subset=["value"]), f"{measured.label} was recorded")
    tints, marks = style.colours(hue, hues), [style.MARKERS[i % len(style.MARKERS)] for i in range(len(hues))]
    referred = False
    counts: list[set[int]] = [set() for _ in hues]
    drawn: list[tuple[Axes, int, pd.DataFrame]] = []
    with style.context():
        figure, made = panels.panels(done, row, col)
        for panel in made:
            referred |= _reference(panel, metric, x, places)
            for i, level in enumerate(hues):
                rows = panels.part(panel.frame, hue, level)
                if not rows.empty:
                    shift = DODGE * (i - (len(hues) - 1) / 2) / len(hues)
                    table = scores(rows, metric=measured, by=x)
                    table["at"] = [_place(places, x, held) + shift for held in table[x]]
                    _series(panel.ax, table, tints[i], marks[i])
                    if metric not in COUNTED:
                        _dots(panel.ax, rows, table, measured, x, tints[i])
                    counts[i].update(int(n) for n in table["runs"])
                    drawn.append((panel.ax, i, table))
            _axes(panel, measured, x, places)
        for ax, i, table in drawn:
            if len(counts[i]) > 1:  # the legend cannot say one n
                _numbers(ax, table)
        handles = [
            Line2D([], [], color=tints[i], marker=marks[i], label=_name(hue, level, counts[i]))
            for i, level in enumerate(hues)
        ]
        if referred:
            name, width = REFERENCES[metric].name, style.scaled(0.8)
            handles.append(Line2D([], [], color=style.FAINT, linestyle=":", linewidth=width, label=name))
        panels.legend(figure, handles, title=None if hue in (None, "cell") else labels.axis(str(hue)))
    return figure


def _place(places: list[Any], x: str, held: object) -> int:
    return [labels.value(x, place) for place in places].index(labels.value(x, held))


def _reference(panel: panels.Panel, metric: str, x: str, places: list[Any]) -> bool:
    """Dotted lines over each value of x, at what its own tasks say; whether there are any."""
    from harness.figures import style

    if metric not in REFERENCES:
        return False
    drawn, width = False, style.scaled(0.8)
    for i, place in enumerate(places):
        for value in REFERENCES[metric].of(panels.part(panel.frame, x, place)).dropna().unique():
            panel.ax.plot([i - 0.5, i + 0.5], [value] * 2, color=style.FAINT, linestyle=":", linewidth=width, zorder=1)
            drawn = True
    return drawn


def _series(ax: Axes, table: pd.DataFrame, tint: str, marker: str) -> None:
    """Values with their intervals, and an open triangle at the edge for what lies beyond every number."""
    import numpy as np

    from harness.figures import style

    at, value = (table[name].to_numpy(dtype="float64") for name in ("at", "value"))
    there = np.isfinite(value)
    ends = table[["low", "high"]].to_numpy(dtype="float64").T
    # a bar's open end has its own mark at the edge
    bars = np.abs(np.where(np.isinf(ends), value, ends)[:, there] - value[there])
    ax.plot(at[there], value[there], color=tint, linewidth=style.scaled(0.8), alpha=0.5, zorder=2)
    ax.errorbar(
        at[there], value[there], yerr=bars, color=tint, marker=marker, linestyle="none", elinewidth=style.scaled(1.0),
        capsize=style.scaled(1.8), zorder=3,
    )  # fmt: skip
    for left, *found in zip(at, value, *ends, strict=True):
        for edge, mark in ((math.inf, "^"), (-math.inf, "v")):
            if edge in found:
                ax.plot(
                    left, float(edge > 0), transform=ax.get_xaxis_transform(), color=tint, marker=mark,
                    markerfacecolor="white", linestyle="none", clip_on=False, zorder=4,
                )  # fmt: skip


def _dots(ax: Axes, rows: pd.DataFrame, table: pd.DataFrame, metric: Metric, x: str, tint: str) -> None:
    """Each seed's own value beside the bar."""
    import numpy as np

    from harness.figures import style

    for left, held in zip(table["at"], table[x], strict=True):
        seeds = metric.per_seed(panels.part(rows, x, held)).to_numpy(dtype="float64")
        seeds = seeds[np.isfinite(seeds)]
        ax.plot(
            [left + ASIDE] * len(seeds), seeds, color=tint, marker=".", markersize=style.scaled(3), alpha=0.5,
            linestyle="none", zorder=3,
        )  # fmt: skip


def _numbers(ax: Axes, table: pd.DataFrame) -> None:
    """How many runs are behind each point."""
    import numpy as np

    from harness.figures import style

    for x, value, n in zip(table["at"], table["value"], table["runs"], strict=True):
        if np.isfinite(value):
            plate = {"facecolor": "white", "edgecolor": "none", "pad": style.scaled(0.4), "alpha": 0.8}
            ax.annotate(
                f"{n}", (x, value), xytext=(style.scaled(4), 0), textcoords="offset points", va="center", ha="left",
                fontsize=style.scaled(style.SMALL), color=style.FAINT, bbox=plate, zorder=3,
            )  # fmt: skip


def _axes(panel: panels.Panel, metric: Metric, x: str, places: list[Any]) -> None:
    from harness.figures import style

    style.guide(panel.ax)
    panel.ax.set_xticks(range(len(places)), [labels.value(x, held) for held in places])
    panel.ax.set_xlim(-0.5, len(places) - 0.5)
    if metric.name in SHARES:
        panel.ax.set_ylim(-0.03, 1.03)
        panel.ax.set_yticks([0, 0.25, 0.5, 0.75, 1.0])
    if panel.bottom:
        panel.ax.set_xlabel(labels.axis(x))
    if panel.left:
        panel.ax.set_ylabel(metric.label)


def _name(hue: str | None, level: object, counts: set[int]) -> str:
    n = "n = " + "–".join(map(str, sorted({min(counts), max(counts)}))) if counts else "no runs"
    return f"{n} per point" if hue is None else f"{labels.value(hue, level)} ({n})"
