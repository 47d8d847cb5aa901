"""The score of the tuning runs against each setting that is tuned, a line for each hue, the winners marked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from harness.errors import nearest
from harness.figures import appearance, panels, texts
from harness.figures.kind import ROW, SERIES_HUE, FigureKind
from harness.figures.score import SHARES
from harness.study import labels
from harness.study.matching import canonical
from harness.study.section import plain
from harness.study.spec import StudySpec
from harness.verdicts.choosing import TunedCombination, combinations_of
from harness.verdicts.metrics import Metric, metric_named, parts

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from harness.statistics.frames import Frames

Others = Literal["best", "mean"]

MOST_TICKS = 8  # different values of a setting at equal distances; more are drawn at their places on a scale
DECADES = 20.0  # largest / smallest of positive values from which on their scale is logarithmic
DODGE = 0.3  # share of the distance between two values over which the hues are spread


class Sensitivity(FigureKind):
    """What tuning found: the score on the tuning seeds against each tuned setting."""

    kind: Literal["sensitivity"]
    hue: str | None = Field("cell", description=SERIES_HUE)
    row: str | None = Field(None, description=ROW)
    others: Others = Field(
        "best", description="the other tuned settings at a value of one: as in the best candidate with it, or the mean"
    )

    def draw(self, frames: Frames, study: StudySpec) -> Figure:
        combinations = combinations_of(study, frames.select(self.where).tuning)
        return sensitivity(combinations, hue=self.hue, row=self.row, others=self.others)

    def caption(self, study: StudySpec) -> str:
        tuning = study.tuning
        if tuning is None:
            return "The study tunes nothing."
        metric = metric_named(tuning.by)
        others = "at their best for it" if self.others == "best" else "averaged over all their values"
        several = f", the other tuned settings {others}" if len(tuning.axes) > 1 else ""
        shown = (self.hue, self.row, *self.where)
        pooled = [labels.short(name) for name in tuning.per if name not in shown]
        return (
            f"{metric.label[0].upper()}{metric.label[1:]} of the tuning runs (mean over the seeds "
            f"{', '.join(map(str, tuning.seeds))}) against each setting that is tuned{several}. Rings are winners: "
            "their settings are those of the judged runs, which are not shown here."
            + (
                f" Combinations that differ in {', '.join(pooled)} are averaged, and have a ring each."
                if pooled
                else ""
            )
            + (f" Runs with {labels.condition(self.where)}." if self.where else "")
        )

    def misfits(self, study: StudySpec) -> list[str]:
        tuning = study.tuning
        if tuning is None:
            return ["shows what is tuned, and the study has no tune:"]
        return [
            f"{key}: winners are not chosen per {name}{nearest(name, tuning.per)}"
            for key, name in (("hue", self.hue), ("row", self.row))
            if name is not None and name not in tuning.per
        ]


def curves(combinations: Sequence[TunedCombination], others: Others = "best") -> pd.DataFrame:
    """The score at each value of each tuned setting, a row for each combination: the columns of `per`, axis, value,
    score, and whether the winner has that value.

    Args:
        combinations: with the scores of their candidates; those without a score yet have no row.
        others: the score at a value is that of the best candidate with it, or the mean over all candidates with it.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for each in combinations:
        for axis in each.candidates[0]:
            at: dict[object, list[float]] = {}
            values: dict[object, Any] = {}
            for candidate, score in zip(each.candidates, each.scores, strict=True):
                value = plain(candidate[axis])
                values.setdefault(canonical(value), value)
                at.setdefault(canonical(value), []).extend([] if math.isnan(score) else [score])
            won = None if each.index is None else canonical(plain(each.candidates[each.index][axis]))
            for name, scores in at.items():
                if scores:
                    best = max(scores, key=lambda score: each.metric.better * score)
                    score = best if others == "best" else sum(scores) / len(scores)
                    chosen = each.index is not None and name == won
                    rows.append({**each.group.per, "axis": axis, "value": values[name], "score": score, "won": chosen})
    return pd.DataFrame(rows)


def sensitivity(
    combinations: Sequence[TunedCombination],
    *,
    hue: str | None = "cell",
    row: str | None = None,
    others: Others = "best",
) -> Figure:
    """Draw the scores of the tuning runs, a panel for each tuned setting.

    Args:
        combinations: as `curves` takes them.
        hue, row: columns of `per`.
        others: as of `curves`.

    Raises:
        HarnessError: no candidate has a score yet.
    """
    import pandas as pd
    from matplotlib.lines import Line2D

    from harness.figures import fitting, style

    table = curves(combinations, others) if combinations else pd.DataFrame()
    panels.demand(table, "candidate has all its tuning runs yet")
    metric = combinations[0].metric
    axes, hues = list(dict.fromkeys(table["axis"])), panels.levels(table, hue)
    table["place"] = [axes.index(axis) for axis in table["axis"]]  # panels in the order of the study
    colours, marks = style.colours(hue, hues), [style.MARKERS[i % len(style.MARKERS)] for i in range(len(hues))]
    with style.context():
        figure, grid = panels.panels(table, row, "place", share_x=False)
        rows = panels.levels(table, row)
        for panel in grid:
            if panel.frame.empty:
                continue
            axis = str(panel.frame["axis"].iloc[0])
            column = axis.partition(".")[2]
            values = appearance.levels(column, table.loc[table["axis"] == axis, "value"].unique())
            scale = _scale(values)
            for i, level in enumerate(hues):
                shift = DODGE * (i - (len(hues) - 1) / 2) / len(hues) if scale == "ticks" else 0.0
                own = panels.part(panel.frame, hue, level)
                _series(panel.ax, own, values, scale, shift, colours[i], marks[i])
            panel.ax.set_title(texts.title({row: rows[panel.row]}) if row is not None else "")
            style.guide(panel.ax)
            if scale == "ticks":
                ticks = fitting.ticks([texts.value(column, value) for value in values], panel.points / len(values))
                panel.ax.set_xticks(range(len(values)), ticks.texts, rotation=ticks.rotation)
                panel.ax.set_xlim(-0.5, len(values) - 0.5)
            elif scale == "log":
                panel.ax.set_xscale("log")
            panel.ax.set_xlabel(fitting.label(texts.axis(column), panel.points))
            _limits(panel, metric)
        handles = [
            Line2D([], [], color=colours[i], marker=marks[i], label=texts.value(hue, level))
            for i, level in enumerate(hues)
            if hue is not None
        ]
        if table["won"].any():
            handles.append(Line2D([], [], label="winner", **_ring(style.ink())))
        panels.legend(figure, handles, title=panels.hue_title(hue))
    return figure


def _scale(values: Sequence[object]) -> Literal["ticks", "linear", "log"]:
    """Values at equal distances where they are few or no numbers; else at their places."""
    numbers = [float(v) for v in map(canonical, values) if isinstance(v, int | float)]
    if len(values) <= MOST_TICKS or len(numbers) < len(values):
        return "ticks"
    return "log" if min(numbers) > 0 and max(numbers) / min(numbers) > DECADES else "linear"


def _series(
    ax: Axes, rows: pd.DataFrame, values: Sequence[Any], scale: str, shift: float, colour: str, marker: str
) -> None:
    """The mean score of some combinations at each value, joined where values are numbers; a ring for each winner."""
    import numpy as np

    from harness.figures import style

    names = [canonical(value) for value in values]

    def place(value: object) -> float:
        known = canonical(value)
        return names.index(known) + shift if scale == "ticks" else float(known)  # type: ignore[arg-type]

    means = {name: rows.loc[[canonical(v) == name for v in rows["value"]], "score"].mean() for name in names}
    known = [name for name in names if np.isfinite(means[name])]
    joined = [name for name in known if isinstance(name, int | float)] if scale == "ticks" else []
    ax.plot(
        [place(name) for name in joined], [means[name] for name in joined],
        color=colour, linewidth=style.scaled(0.8), alpha=0.6, zorder=2,
    )  # fmt: skip
    ax.plot(
        [place(name) for name in known], [means[name] for name in known],
        color=colour, marker=marker, linestyle="none", zorder=3,
    )  # fmt: skip
    for value in dict.fromkeys(canonical(v) for v in rows.loc[rows["won"], "value"]):
        if np.isfinite(means[value]):
            ax.plot([place(value)], [means[value]], zorder=4, **_ring(colour))


def _ring(colour: str) -> dict[str, Any]:
    from harness.figures import style

    size, width = style.scaled(9), style.scaled(1.0)
    return {
        "color": colour, "marker": "o", "markersize": size, "markerfacecolor": "none", "markeredgewidth": width,
        "linestyle": "none",
    }  # fmt: skip


def _limits(panel: panels.Panel, metric: Metric) -> None:
    if parts(metric.name)[0] in SHARES:
        panel.ax.set_ylim(-0.03, 1.03)
        panel.ax.set_yticks([0, 0.25, 0.5, 0.75, 1.0])
    if panel.left:
        panel.ax.set_ylabel(texts.literal(texts.loss_named(f"{metric.label} (tuning runs)")))
