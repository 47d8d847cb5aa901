"""One verdict: what an expectation was judged to be, on which numbers; and all verdicts in one sentence."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.verdicts.deciding import Ground
from harness.verdicts.metrics import Measured, Metric, metric_named

VerdictState = Literal["holds", "fails", "undecided", "incomplete", "not asked"]
# The worst first: a conjunction is as good as the worst of its parts. Runs that are missing are to be computed before
# one asks for more seeds.
WORST: tuple[VerdictState, ...] = ("fails", "incomplete", "undecided", "holds")


@dataclass(frozen=True)
class Verdict:
    """The verdict on one expectation, or on one combination of its `per` columns.

    Attributes:
        text: the expectation in a line.
        state: holds; fails; undecided, where the interval includes the bound; incomplete, where a planned run is
            missing, failed or without a value; not asked, where an override leaves no planned run.
        reason: a sentence: why the expectation does not hold, or in a contrast the paired test.
        metric: by name.
        measured: the metric of the group of runs, in a contrast of the first group; None where nothing has run.
        other: in a contrast, that of the second group.
        names: in a contrast, of the two groups.
        warning: a sentence where the planned seeds are too few for the expectation, whatever they give.
        ground: what it was judged on: the interval, the point estimate, or the value of a metric without sampling.
        confidence: of the two-sided intervals shown, and of the verdict where the ground is the interval.
        p: of the paired test of a contrast, corrected by Holm over the combinations of `per`; NaN where there is none.
        enough_seeds: of an undecided verdict, about how many would decide it if the measured values stay; None where no
            number would.
    """

    text: str
    state: VerdictState
    reason: str
    metric: str
    measured: Measured | None = None
    other: Measured | None = None
    names: tuple[str, str] = ("", "")
    warning: str = ""
    ground: Ground = "interval"
    confidence: float = 0.95
    p: float = math.nan
    enough_seeds: int | None = None

    @property
    def remark(self) -> str:
        """The warning as it stands beside the verdict's text, without repeating that."""
        return self.warning.replace(f" for {self.text}", "", 1)

    @property
    def value(self) -> float:
        return self.measured.value if self.measured else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        return (self.measured.low, self.measured.high) if self.measured else (math.nan, math.nan)

    @property
    def n(self) -> int:
        return self.measured.runs if self.measured else 0

    def rows(self) -> Iterator[tuple[str, str, str, str]]:
        """The verdict as table rows, one for each measured group: its name (in a contrast), value, interval and n."""
        metric = metric_named(self.metric)
        for name, group in zip(self.names, (self.measured, self.other), strict=True):
            if group is not None:
                yield name, metric.text(group.value), interval_text(metric, group), count_text(group)


def interval_text(metric: Metric, group: Measured) -> str:
    """'[0.57, 1.00]'; a dash where the data give no interval, or one that lies wholly beyond the budget."""
    if math.isnan(group.low) or math.isnan(group.high) or group.low == math.inf:
        return "–"
    return f"[{metric.text(group.low)}, {metric.text(group.high)}]"


def interval_head(verdicts: Sequence[Verdict]) -> str:
    """The head of a column of intervals: '95 % interval', or 'interval' where they differ in their confidence."""
    levels = {verdict.confidence for verdict in verdicts} or {0.95}
    return f"{percent(levels.pop())} interval" if len(levels) == 1 else "interval"


def percent(level: float) -> str:
    """'95 %', '99.5 %'."""
    return f"{100 * level:.6g} %"


def count_text(group: Measured) -> str:
    """'8', or '24 (8 seeds)' where runs of several settings are pooled."""
    return str(group.runs) if group.runs == group.seeds else f"{group.runs} ({group.seeds} seeds)"


def worst(verdicts: Sequence[Verdict]) -> VerdictState | None:
    """The state of a conjunction: that of its worst part; None where nothing is judged."""
    states = {verdict.state for verdict in verdicts}
    return next((state for state in WORST if state in states), None)


def overall(verdicts: Sequence[Verdict]) -> str:
    """All verdicts in one sentence."""
    counts: Mapping[str, int] = {state: sum(verdict.state == state for verdict in verdicts) for state in WORST}
    total = sum(counts.values())
    if not verdicts:
        return "This study expects nothing."
    if not total:
        return "No run that this study's expectations are about was planned."
    state, rest = worst(verdicts), ""
    if state in ("fails", "incomplete") and counts["undecided"]:
        rest = f"; {counts['undecided']} {_plural(counts['undecided'], 'is', 'are')} undecided"
    if counts["fails"] == total == 1:
        return "The expectation fails."
    if state == "fails":
        fail = _plural(counts["fails"], "fails", "fail")
        return f"{counts['fails']} of {total} expectations {fail}{rest}."
    if state == "incomplete":
        without = f"{counts['incomplete']} of {total} expectations"
        return f"No verdict on {without}: runs are missing, failed, or without a value{rest}."
    if state == "undecided":
        if total == 1:
            return f"The expectation is undecided: {_more(verdicts)}."
        are = _plural(counts["undecided"], "is", "are")
        return f"{counts['undecided']} of {total} expectations {are} undecided: {_more(verdicts)}."
    return f"All {total} expectations hold." if total > 1 else "The expectation holds."


def _more(verdicts: Sequence[Verdict]) -> str:
    """What would decide the undecided ones: the largest number of seeds that one of them needs."""
    needed = [verdict.enough_seeds for verdict in verdicts if verdict.state == "undecided"]
    numbers = [number for number in needed if number is not None]
    if not numbers:
        return (
            "their values are too near the bounds for any number of seeds"
            if len(needed) > 1
            else ("its value is too near the bound for any number of seeds")
        )
    return f"about {max(numbers):,} seeds would decide {_plural(len(needed), 'it', 'them')}" + (
        "" if len(numbers) == len(needed) else f", but for {len(needed) - len(numbers)} of them"
    )


def _plural(count: int, one: str, many: str) -> str:
    return one if count == 1 else many
