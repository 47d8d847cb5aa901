"""The section 'Tuning' of a report: what was tried, what won and by how much, and the budget of each combination."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.study import labels
from harness.study.spec import StudySpec
from harness.verdicts.choosing import TunedCombination

MOST_CANDIDATES = 30  # of a combination, the best ones


@dataclass(frozen=True)
class TunedRow:
    """One combination: its name, winner, score, lead over the second, runs, and warnings; then all candidates."""

    name: str
    winner: str
    score: str
    lead: str
    runs: str
    warnings: tuple[str, ...]
    candidates: tuple[tuple[str, str, bool], ...]  # settings, score, whether it won
    more: int = 0  # candidates that are not listed


@dataclass(frozen=True)
class TuningSection:
    """The section: a sentence on what was tried, one on the budgets, and a row for each combination."""

    tried: str
    budget: str
    metric: str
    rows: tuple[TunedRow, ...]


def tuning_section(study: StudySpec, tuned: Sequence[TunedCombination]) -> TuningSection | None:
    """The section of a study with tuning; None of others."""
    tuning = study.tuning
    if tuning is None or not tuned:
        return None
    axes = [
        f"{labels.axis(column)} ({_values([labels.value(column, each[key]) for each in tuning.candidates])})"
        for key, column in zip(tuning.axes, tuning.columns, strict=True)
    ]
    kind = "random candidates, the same" if tuning.random else "candidates, the same"
    seeds = ", ".join(map(str, tuning.seeds))
    tried = (
        f"{len(tuning.candidates)} {kind} for every combination, of {'; '.join(axes)}. Each was run on the tuning "
        f"seeds {seeds}, none of which is judged; the best mean of {tuned[0].metric.label} wins, of equal ones the "
        "first."
    )
    return TuningSection(tried, budget(tuned), tuned[0].metric.label, tuple(map(_row, tuned)))


def budget(tuned: Sequence[TunedCombination]) -> str:
    """Whether every combination had as many runs to be tuned by, in a sentence."""
    runs = {each.runs for each in tuned}
    if len(runs) == 1:
        return f"Each combination has the same budget: {runs.pop()} tuning runs."
    unequal = ", ".join(f"{each.runs} for {each.name}" for each in tuned)
    return f"The budgets differ, in tuning runs: {unequal}. A comparison of the winners is not on equal terms."


def _row(each: TunedCombination) -> TunedRow:
    better, scores = each.metric.better, each.scores

    def rank(i: int) -> tuple[bool, float, int]:
        return math.isnan(scores[i]), -better * scores[i] if not math.isnan(scores[i]) else 0.0, i

    order = sorted(range(len(scores)), key=rank)
    listed = tuple((each.words(i), each.metric.text(scores[i]), i == each.index) for i in order[:MOST_CANDIDATES])
    lead = "–" if math.isnan(each.margin) else f"{each.margin:.{each.metric.decimals}f}" if each.margin else "0 (a tie)"
    known = each.index is not None
    return TunedRow(
        each.name,
        each.words(each.index) if each.index is not None else "not chosen yet",
        each.metric.text(scores[each.index]) if each.index is not None else "–",
        lead if known else "–",
        f"{each.done} of {each.runs}" if each.done < each.runs else str(each.runs),
        tuple(each.remarks()),
        listed,
        len(scores) - len(listed),
    )


def _values(texts: Sequence[str]) -> str:
    distinct = list(dict.fromkeys(texts))
    return ", ".join(distinct if len(distinct) <= 8 else [*distinct[:7], f"… {len(distinct)} in all"])
