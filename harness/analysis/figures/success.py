"""Success rate against a setting, with binomial intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from harness.analysis import labels
from harness.analysis.figures import panels
from harness.analysis.figures.kind import FigureKind
from harness.analysis.metrics import finished
from harness.study.spec import Study

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

    from harness.analysis.frames import Frames

DODGE = 0.5  # share of the distance between two values of x over which the hues are spread


class Success(FigureKind):
    """Success rate against a setting, one series per hue."""

    kind: Literal["success"]
    x: str = Field("sequence_length", description="setting on the x axis, its values at equal distances")
    hue: str | None = Field("cell", description="setting that colours the series; null: one series")
    col: str | None = Field(None, description="setting with a panel for each value, side by side")
    row: str | None = Field(None, description="setting with a panel for each value, one below another")

    def draw(self, frames: Frames, study: Study) -> Drawing:
        return success(frames.select(self.where).runs, x=self.x, hue=self.hue, col=self.col, row=self.row)

    def caption(self, study: Study) -> str:
        return (
            f"Share of runs solved against {labels.axis(self.x)}; a diverged run counts as not solved. Bars are Wilson "
            f"95 % intervals over runs; n counts the runs behind each point (written beside it where it differs)."
            f"{self.about(study)}"
        )


def rates(runs: pd.DataFrame, *, by: list[str]) -> pd.DataFrame:
    """Solved runs, n, success rate and its Wilson interval for each combination of the columns in `by`.

    Failed runs have no result and are left out; combinations without a run have no row.
    """
    import pandas as pd

    from harness.analysis.statistics import pooled_interval

    done = finished(runs)
    solved = (done["outcome"] == "solved").astype(int)
    keys = [done[name] for name in by]
    counted = solved.groupby(keys, dropna=False, sort=True).agg(["sum", "count"]).reset_index()
    counted.columns = pd.Index([*by, "solved", "n"])
    seeds = done["seed"].groupby(keys, dropna=False, sort=True).nunique().to_numpy()
    counts = zip(counted["solved"], counted["n"], seeds, strict=True)
    ends = [pooled_interval(int(k), int(n), int(s)) for k, n, s in counts]
    return counted.assign(
        rate=counted["solved"] / counted["n"], low=[end.low for end in ends], high=[end.high for end in ends]
    )


def success(
    runs: pd.DataFrame,
    *,
    x: str = "sequence_length",
    hue: str | None = "cell",
    col: str | None = None,
    row: str | None = None,
) -> Drawing:
    """Draw success rates with Wilson intervals; series are set apart sideways so that equal rates stay visible.

    Args:
        runs: rows of the table of runs.
        x, hue, col, row: columns; each combination of their values is one point.

    Raises:
        HarnessError: if no run has a result, or a column is not there.
    """
    from matplotlib.lines import Line2D

    from harness.analysis import style

    done = finished(runs)
    panels.demand(done, "run has a result yet")
    places, hues = panels.levels(done, x), panels.levels(done, hue)
    tints = style.colours(hue, hues)
    with style.context():
        figure, made = panels.panels(done, row, col)
        counts: list[set[int]] = [set() for _ in hues]
        drawn: list[tuple[Axes, int, list[float], pd.DataFrame]] = []
        for panel in made:
            for i, level in enumerate(hues):
                shift = DODGE * (i - (len(hues) - 1) / 2) / len(hues)
                rows = panels.part(panel.frame, hue, level)
                if rows.empty:
                    continue
                table = rates(rows, by=[x])
                at = [_index(places, held) + shift for held in table[x]]
                order = sorted(range(len(at)), key=at.__getitem__)
                table, at = table.iloc[order], [at[k] for k in order]
                counts[i].update(int(n) for n in table["n"])
                _series(panel.ax, at, table, tints[i], style.MARKERS[i % len(style.MARKERS)])
                drawn.append((panel.ax, i, at, table))
            _axes(panel, [labels.value(x, held) for held in places], labels.axis(x))
        for ax, i, at, table in drawn:
            if len(counts[i]) > 1:  # the legend cannot say one n
                _numbers(ax, at, table)
        handles = [
            Line2D(
                [], [], color=tints[i], marker=style.MARKERS[i % len(style.MARKERS)], label=_name(hue, level, counts[i])
            )
            for i, level in enumerate(hues)
        ]
        panels.legend(figure, handles, title=None if hue in (None, "cell") else labels.axis(str(hue)))
    return figure


def _index(places: list[object], held: object) -> int:
    return [labels.value("", place) for place in places].index(labels.value("", held))


def _series(ax: Axes, at: list[float], table: pd.DataFrame, colour: str, marker: str) -> None:
    rate = table["rate"].to_numpy()
    bars = [rate - table["low"].to_numpy(), table["high"].to_numpy() - rate]
    ax.plot(at, rate, color=colour, linewidth=0.8, alpha=0.5, zorder=2)
    ax.errorbar(
        at, rate, yerr=bars, color=colour, marker=marker, linestyle="none", elinewidth=1.0, capsize=1.8, zorder=3
    )


def _numbers(ax: Axes, at: list[float], table: pd.DataFrame) -> None:
    from harness.analysis import style

    for x, rate, n in zip(at, table["rate"], table["n"], strict=True):
        plate = {"facecolor": "white", "edgecolor": "none", "pad": 0.4, "alpha": 0.8}
        ax.annotate(
            f"{n}", (x, rate), xytext=(4, 0), textcoords="offset points", fontsize=style.SMALL, color=style.FAINT,
            va="center", ha="left", bbox=plate, zorder=3,
        )  # fmt: skip


def _axes(panel: panels.Panel, ticks: list[str], label: str) -> None:
    from harness.analysis import style

    style.guide(panel.ax)
    panel.ax.set_xticks(range(len(ticks)), ticks)
    panel.ax.set_xlim(-0.5, len(ticks) - 0.5)
    panel.ax.set_ylim(-0.03, 1.03)
    panel.ax.set_yticks([0, 0.25, 0.5, 0.75, 1.0])
    if panel.bottom:
        panel.ax.set_xlabel(label)
    if panel.left:
        panel.ax.set_ylabel("success rate")


def _name(hue: str | None, level: object, counts: set[int]) -> str:
    n = "n = " + "–".join(map(str, sorted({min(counts), max(counts)}))) if counts else "no runs"
    return f"{n} per point" if hue is None else f"{labels.value(hue, level)} ({n})"
