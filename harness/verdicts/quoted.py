"""Results that are quoted singly: which of those that hold do so after Holm's correction for their number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isnan

from harness.verdicts.expectations import judge
from harness.verdicts.judging import JudgedStudy, planned_runs
from harness.verdicts.verdict import Verdict

FAMILY = 0.05  # the probability that any of the results is wrong, at most


def in_family(judged: JudgedStudy) -> bool:
    """Whether a study is one of those that are corrected for their number.

    It is if it has a verdict by interval and none on a point estimate, which has no level to correct.
    """
    grounds = {verdict.ground for verdict in judged.verdicts if verdict.state != "not asked"}
    return "interval" in grounds and "estimate" not in grounds and not judged.calibrating


def surviving(judged: Sequence[JudgedStudy], family: float = FAMILY) -> list[bool]:
    """Which studies of a family hold after Holm's correction.

        reject the studies with p ≤ α/m, of the m − r that remain those with p ≤ α/(m − r), …, until none is added

    p of a study is the least 1 − confidence at which all its expectations hold, an intersection–union test. It is never
    computed: at each step the study is judged again at confidence 1 − α/(m − r), or its own where that is higher.

    Args:
        judged: the family (`in_family`); one that does not hold at its own confidence counts for the number.
        family: α, of the whole.

    Returns:
        a truth value for each study, in order.

    Source: Holm 1979; Berger 1982 for the p of a conjunction.
    """
    rejected = [False] * len(judged)
    while True:
        level = 1 - family / max(1, rejected.count(False))
        new = [
            i for i, each in enumerate(judged) if not rejected[i] and each.state == "holds" and _holds_at(each, level)
        ]
        if not new:
            return rejected
        for i in new:
            rejected[i] = True


def last_level(stands: Sequence[bool], family: float = FAMILY) -> float:
    """The confidence at which those that do not stand were judged last: 1 − α/(m − r)."""
    return 1 - family / max(1, list(stands).count(False))


def lacks_interval(judged: JudgedStudy, confidence: float) -> bool:
    """Whether a study has too few seeds for an interval at a confidence: no value of theirs could hold there."""
    return any(
        verdict.ground == "interval" and not any(verdict.names) and verdict.measured and isnan(verdict.measured.low)
        for verdict in _judged_at(judged, confidence)
    )


def _holds_at(judged: JudgedStudy, confidence: float) -> bool:
    """Whether all expectations of a study hold at a confidence, or at their own where that is higher."""
    return all(verdict.state in ("holds", "not asked") for verdict in _judged_at(judged, confidence))


def _judged_at(judged: JudgedStudy, confidence: float) -> Iterator[Verdict]:
    runs, planned = judged.frames.runs_at_lengths, planned_runs(judged.plan)
    for expectation in judged.plan.study.expect:
        stricter = expectation.model_copy(update={"confidence": max(confidence, expectation.confidence)})
        yield from judge(stricter, runs, planned)
