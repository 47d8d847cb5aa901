"""Accuracy of the trained network against the length of the sequences, beside the length that it was trained at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from harness.figures import panels, texts
from harness.figures.kind import COL, ROW, SEED, SERIES_HUE, FigureKind
from harness.figures.reference import CHANCE
from harness.figures.score import series_name
from harness.figures.steps import SHORTEST, about_lengths
from harness.schema import EVALUATIONS
from harness.study import labels
from harness.study.matching import matches
from harness.study.pooling import of_settings
from harness.study.spec import StudySpec
from harness.theory.parity import mean_affine_accuracies
from harness.verdicts.feasibility import judged_lengths
from harness.verdicts.metrics import measured_at_length

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from harness.statistics.frames import Frames

OCTAVES = 3  # between the shortest and the longest length, from which on the axis is logarithmic
TICKS = 0.07  # of the axis' width, at least between two numbers
MARGIN = 0.06  # of the axis' width, at both ends
AFFINE = " Dash-dotted: the largest accuracy of a margin that is affine in the bits, the mean over the steps."
DODGE, WIDEST = 4.0, 16.0  # points between two series at a length, so that equal ones stay visible, and between all


class Generalisation(FigureKind):
    """Accuracy against the lengths of `evaluation.lengths`, one series per hue."""

    kind: Literal["generalisation"]
    hue: str | None = Field("cell", description=SERIES_HUE)
    col: str | None = Field(None, description=COL)
    row: str | None = Field(None, description=ROW)
    theory: Literal["affine_parity"] | None = Field(
        None,
        description="affine_parity: the best accuracy on parity, scored at every step, of a margin that is affine in "
        "the bits, as that of a linear recurrence whose eigenvalues do not depend on its input",
    )

    def draw(self, frames: Frames, study: StudySpec) -> Figure:
        from harness.statistics.frames import select

        evaluations = select(frames.table(EVALUATIONS.name), self.where)
        return generalisation(
            evaluations, hue=self.hue, col=self.col, row=self.row, label=self.axis(study), theory=self.theory
        )

    def caption(self, study: StudySpec) -> str:
        return (
            f"Accuracy of the trained network on fresh sequences against {self.axis(study)}: interquartile mean over "
            "seeds (a seed's mean where several settings are pooled; chance for a run that diverged, or whose loss at "
            "that length is not finite), bars are its 95 % intervals. Dashed: the length in training"
            f"{self._range(study)}.{CHANCE.caption}"
            f"{AFFINE if self.theory else ''} n counts the runs behind each point.{self.about(study)}"
        )

    def _range(self, study: StudySpec) -> str:
        """What the caption says of training on a range of lengths; empty where there is one."""
        return about_lengths(study, self.where, "or its range, shaded, where sequences differ in length")

    def axis(self, study: StudySpec) -> str:
        """What the lengths are: the setting that they are values of, where all tasks that are shown have the same."""
        shown = [point for point in study.points if matches(point.columns(), of_settings(self.where))]
        tasks = [point.sections.by_name().get("task") for point in shown]
        settings = {getattr(task, "length_setting", "") for task in tasks}
        return labels.axis(settings.pop() if len(settings) == 1 and settings != {""} else "length")

    def faults(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        if self.theory and any((row.get("task"), row.get("scored")) != ("parity", "every_step") for row in rows):
            return ["theory: affine_parity is that of task parity, scored at every step"]
        if any(judged_lengths(row) for row in rows):
            return []
        return ["no run is judged at other lengths; set evaluation.lengths, such as [100, 200, 400]"]


def lengths_table(evaluations: pd.DataFrame) -> pd.DataFrame:
    """The accuracy at each length, ascending: columns length, value, low, high, runs.

    The ends are NaN where the data give no interval.

    Args:
        evaluations: rows of the table of evaluations, joined with their runs.
    """
    import numpy as np
    import pandas as pd

    rows = []
    for length, group in evaluations.groupby("length", sort=True):
        measured = measured_at_length(group, np.random.default_rng(SEED))
        rows.append((length, measured.value, measured.low, measured.high, measured.runs))
    return pd.DataFrame(rows, columns=["length", "value", "low", "high", "runs"])


def generalisation(
    evaluations: pd.DataFrame,
    *,
    hue: str | None = "cell",
    col: str | None = None,
    row: str | None = None,
    label: str = "length (steps)",
    theory: Literal["affine_parity"] | None = None,
) -> Figure:
    """Draw accuracy against length with intervals, the length in training dashed and chance dotted.

    Args:
        evaluations: rows of the table of evaluations, joined with their runs.
        hue, col, row: columns.
        label: of the axis of lengths.
        theory: a bound drawn in each panel.

    Raises:
        HarnessError: no run was judged at another length, or a column does not exist.
    """
    from matplotlib.lines import Line2D

    from harness.figures import reference, style

    panels.demand(evaluations, "run was judged at another length")
    hues = panels.levels(evaluations, hue)
    colours, marks = style.colours(hue, hues), [style.MARKERS[i % len(style.MARKERS)] for i in range(len(hues))]
    counts: list[set[int]] = [set() for _ in hues]
    apart = min(DODGE, WIDEST / max(len(hues) - 1, 1))
    with style.context():
        figure, grid = panels.panels(evaluations, row, col)
        for panel in grid:
            groups = {i: panels.part(panel.frame, hue, level) for i, level in enumerate(hues)}
            there = [i for i, group in groups.items() if not group.empty]
            for place, i in enumerate(there):
                table = lengths_table(groups[i])
                _series(panel.ax, table, colours[i], marks[i], apart * (place - (len(there) - 1) / 2))
                counts[i].update(int(n) for n in table["runs"])
            _chance(panel.ax, panel.frame)
            if theory is not None:
                _affine(panel.ax, evaluations["length"])
            _trained(panel.ax, panel.frame, hue, dict(zip(hues, colours, strict=True)))
            _axes(panel, evaluations, label)
        handles = [
            Line2D([], [], color=colours[i], marker=marks[i], label=series_name(hue, level, counts[i]))
            for i, level in enumerate(hues)
        ]
        handles.append(Line2D([], [], label="length in training", **_dashes(style.faint())))
        handles.append(reference.handle(CHANCE))
        if theory is not None:
            handles.append(Line2D([], [], label="best affine margin", **_bound_line()))
        panels.legend(figure, handles, title=panels.hue_title(hue))
    return figure


def _series(ax: Axes, table: pd.DataFrame, colour: str, marker: str, shift: float) -> None:
    """Values, joined by a line, with their intervals, so many points to the right of their lengths."""
    import numpy as np
    from matplotlib.transforms import ScaledTranslation

    from harness.figures import style

    # A shift on paper: one in steps would differ from end to end of a logarithmic axis.
    figure = ax.get_figure(root=True)
    assert figure is not None
    moved = ax.transData + ScaledTranslation(style.scaled(shift) / 72, 0, figure.dpi_scale_trans)
    x, value, low, high = (table[name].to_numpy(dtype="float64") for name in ("length", "value", "low", "high"))
    ax.plot(x, value, color=colour, linewidth=style.scaled(0.8), alpha=0.5, zorder=2, transform=moved)
    ax.errorbar(
        x, value, yerr=np.abs(np.stack([low, high]) - value), color=colour, marker=marker, linestyle="none",
        elinewidth=style.scaled(1.0), capsize=style.scaled(1.8), zorder=3, transform=moved,
    )  # fmt: skip


def _chance(ax: Axes, frame: pd.DataFrame) -> None:
    """Dotted lines at what guessing scores; with some tasks it depends on the length."""
    from harness.figures import reference

    curves = {tuple(zip(run["length"], run["chance"], strict=True)) for _, run in frame.groupby("run_id")}
    levels = {curve: {level for _, level in curve} for curve in sorted(curves)}
    for level in sorted({min(each) for each in levels.values() if len(each) == 1}):
        ax.axhline(level, zorder=1, **reference.line_style())
    for curve in (curve for curve, each in levels.items() if len(each) > 1):
        ax.plot(*zip(*curve, strict=True), zorder=1, **reference.line_style())


def _affine(ax: Axes, lengths: pd.Series[int]) -> None:
    """The bound of affine margins, from the shortest to the longest length."""
    shortest, longest = int(lengths.min()), int(lengths.max())
    bound = mean_affine_accuracies(longest)[shortest - 1 :]
    ax.plot(range(shortest, longest + 1), bound, zorder=1, **_bound_line())


def _bound_line() -> dict[str, Any]:
    from harness.figures import style

    return {"color": style.ink(), "linestyle": "-.", "linewidth": style.scaled(0.8)}


def _trained(ax: Axes, frame: pd.DataFrame, hue: str | None, colours: Mapping[Any, str]) -> None:
    """Vertical lines at the lengths in training, in the colour of the series that alone was trained there.

    A range of them is shaded between lines at its ends.
    """
    from harness.figures import style

    trained = frame[frame["trained_length"].notna()]
    longest = trained["trained_length"].astype("float64")
    shortest = trained[SHORTEST].astype("float64").fillna(longest) if SHORTEST in trained.columns else longest
    ranges = sorted(set(zip(shortest, longest, strict=True)))
    for low, high in ranges:
        there = panels.levels(trained[(shortest == low) & (longest == high)], hue)
        own = len(ranges) > 1 and len(there) == 1 and hue is not None
        colour = colours[there[0]] if own else style.faint()
        for length in sorted({low, high}):
            ax.axvline(length, zorder=1, **_dashes(colour))
        if low < high:
            ax.axvspan(low, high, color=colour, alpha=0.12, linewidth=0, zorder=0)


def _dashes(colour: str) -> dict[str, Any]:
    from harness.figures import style

    return {"color": colour, "linestyle": style.DASHED, "linewidth": style.scaled(0.8)}


def _axes(panel: panels.Panel, evaluations: pd.DataFrame, label: str) -> None:
    from matplotlib.ticker import FixedLocator, NullLocator

    from harness.figures import style

    style.guide(panel.ax)
    named = [name for name in ("length", "trained_length", SHORTEST) if name in evaluations.columns]
    lengths = sorted({int(each) for name in named for each in evaluations[name].dropna()})
    low, high = float(lengths[0]), float(lengths[-1])
    logarithmic = high >= 2**OCTAVES * low
    if logarithmic:
        panel.ax.set_xscale("log", base=2)
        panel.ax.set_xlim(low * (low / high) ** MARGIN, high * (high / low) ** MARGIN)
    else:
        panel.ax.set_xlim(low - MARGIN * ((high - low) or low), high + MARGIN * ((high - low) or low))
    panel.ax.xaxis.set_major_locator(FixedLocator(readable(lengths, logarithmic=logarithmic)))
    panel.ax.xaxis.set_minor_locator(NullLocator())
    panel.ax.xaxis.set_major_formatter(lambda length, _: labels.number(float(length)))
    panel.ax.set_ylim(-0.03, 1.03)
    panel.ax.set_yticks([0, 0.25, 0.5, 0.75, 1.0])
    panel.label_x(texts.literal(label))
    if panel.left:
        panel.ax.set_ylabel("accuracy")


def readable(lengths: Sequence[int], *, logarithmic: bool) -> list[int]:
    """The lengths of an ascending list that can be written below the axis without touching one another."""
    import numpy as np

    at = np.log(lengths) if logarithmic else np.asarray(lengths, float)
    shown = [0]
    for i in range(1, len(lengths)):
        if at[i] - at[shown[-1]] >= TICKS * (at[-1] - at[0]):
            shown.append(i)
    return [lengths[i] for i in shown]
