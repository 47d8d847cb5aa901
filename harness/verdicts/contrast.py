"""The verdict on a contrast: the metric of one group of runs lies above that of another."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from harness.study import labels
from harness.study.spec import Expectation
from harness.verdicts.deciding import by_ends, by_test, ground
from harness.verdicts.enough import enough_for_ends, enough_for_test
from harness.verdicts.feasibility import describe
from harness.verdicts.group import finished_and_gap, measure, no_value
from harness.verdicts.metrics import Measured, Metric, metric_named
from harness.verdicts.verdict import Verdict, VerdictState

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class PairedTest:
    """The paired comparison of two groups: over how many shared seeds, the mean difference, p, and it all in words.

    Where a value is infinite, the difference is the number of seeds for which the first is higher, less those for which
    it is lower. p is NaN where there are fewer than two pairs.
    """

    pairs: int
    difference: float
    p: float
    words: str

    def text(self, corrected: float, contrasts: int) -> str:
        """The test as it stands beside a verdict, with its corrected p where there are several contrasts."""
        if math.isnan(self.p):
            return self.words
        holm = f", {corrected:.3g} by Holm over {contrasts}" if contrasts > 1 else ""
        return f"{self.words}, p = {self.p:.3g} (permutation){holm}"


@dataclass(frozen=True)
class Compared:
    """Both groups of a contrast, measured, before the contrasts of its other combinations are known."""

    verdict: Verdict
    test: PairedTest | None


def compare_groups(
    expectation: Expectation, combination: Mapping[str, Any], runs: pd.DataFrame, planned: pd.DataFrame, seed: int
) -> Compared:
    """Measure both groups of a contrast, and test their difference; without a test where it cannot be judged."""
    from harness.statistics.frames import select

    metric, text = metric_named(expectation.metric), describe(expectation, combination)
    on, level = ground(expectation, metric), expectation.confidence
    column, pair = next(iter((expectation.contrast or {}).items()))
    names = (labels.value(column, pair[0]), labels.value(column, pair[1]))
    verdict = Verdict(text, "incomplete", "", metric.name, names=names, ground=on, confidence=level)
    sides = [select(planned, {column: value}) for value in pair]
    if any(side.empty for side in sides):
        return Compared(replace(verdict, state="not asked", reason="no planned run matches"), None)
    (first, blocked), (second, also_blocked) = (finished_and_gap(runs, side) for side in sides)
    a, b = measure(metric, first, seed, level), measure(metric, second, seed, level)
    verdict = replace(verdict, measured=a, other=b)
    reasons = [f"{name}: {reason}" for name, reason in zip(names, (blocked, also_blocked), strict=True) if reason]
    if not reasons:
        reasons = [
            f"{name}: {no_value(metric, done)}"
            for name, group, done in zip(names, (a, b), (first, second), strict=True)
            if group is None or math.isnan(group.value)
        ]
    if reasons:
        return Compared(replace(verdict, reason="; ".join(reasons)), None)
    return Compared(verdict, paired_test(metric, first, second, seed))


def judge_contrasts(expectation: Expectation, compared: list[Compared]) -> list[Verdict]:
    """The verdicts on a contrast in all combinations of `per`, their paired p corrected together by Holm."""
    from harness.statistics.significance import holm

    planned = [each for each in compared if each.verdict.state != "not asked"]
    # One without a test (its runs are missing) counts as one that shows nothing: that it comes later must not undo
    # what holds now.
    tests = [each.test for each in planned]
    corrected = holm([1.0 if test is None or math.isnan(test.p) else test.p for test in tests])
    p_of = {id(test): p for test, p in zip(tests, corrected, strict=True) if test is not None}
    return [
        each.verdict if each.test is None else _judged(
            expectation, each.verdict, each.test, p_of[id(each.test)], len(planned)
        )
        for each in compared
    ]  # fmt: skip


def _judged(expectation: Expectation, verdict: Verdict, test: PairedTest, p: float, contrasts: int) -> Verdict:
    a, b, names = verdict.measured, verdict.other, verdict.names
    if a is None or b is None:
        raise ValueError("a contrast is tested where both groups are measured")
    words, more, reason = test.text(p, contrasts), None, ""
    state: VerdictState
    if verdict.ground != "interval":
        state, reason = _by_estimate(expectation, a, b, names)
    elif expectation.apart:
        state = by_ends((a.low, a.high), (b.low, b.high))
        if state == "undecided":
            more = enough_for_ends(a, b)
            without = " and ".join(
                name for name, group in zip(names, (a, b), strict=True) if math.isnan(group.low + group.high)
            )
            reason = f"no interval of {without}" if without else "the intervals touch"
        elif state == "fails":
            reason = f"{names[0]} is below {names[1]}"
    else:
        difference = test.difference if (a.value > b.value) == (test.difference > 0) else 0.0
        state = by_test(p, difference, 1 - expectation.confidence)
        if state == "undecided":
            more = enough_for_test(test.pairs, test.p, expectation.confidence, contrasts) if difference else None
            reason = "" if math.isnan(test.p) else "the difference is not significant"
        elif state == "fails":
            reason = f"{names[0]} is below {names[1]}"
    if more is not None:
        reason += f"; about {more:,} seeds would decide it at these values"
    reason = "; ".join(part for part in (reason, words) if part)
    return replace(verdict, state=state, reason=reason, p=math.nan if math.isnan(test.p) else p, enough_seeds=more)


def _by_estimate(
    expectation: Expectation, a: Measured, b: Measured, names: tuple[str, str]
) -> tuple[VerdictState, str]:
    """The rule of `judge: estimate`: the first value above the second, and with `apart` their intervals too."""
    if not a.value > b.value:
        return "fails", f"{names[0]} is not above {names[1]}"
    if expectation.apart and (math.isnan(a.low) or math.isnan(b.high)):
        without = " and ".join(name for name, end in zip(names, (a.low, b.high), strict=True) if math.isnan(end))
        return "incomplete", f"no interval of {without}"
    if expectation.apart and not a.low > b.high:
        return "fails", "the intervals touch"
    return "holds", ""


def paired_test(metric: Metric, first: pd.DataFrame, second: pd.DataFrame, seed: int) -> PairedTest:
    """The permutation test of the mean difference over the seeds that both groups share.

    Where a value is infinite no mean can be taken: the test is that of the signed ranks of the differences, in which an
    infinite one has the highest rank.
    """
    import numpy as np

    from harness.statistics.intervals import paired_permutation, paired_ranks

    both = metric.per_seed(first).to_frame("a").join(metric.per_seed(second).rename("b"), how="inner")
    if len(both) < 2:
        return PairedTest(len(both), math.nan, math.nan, "fewer than two shared seeds, so no paired test")
    values = both.to_numpy(dtype=np.float64)
    infinite = int((~np.isfinite(values)).any(axis=1).sum())
    first_values, second_values, generator = values[:, 0], values[:, 1], np.random.default_rng(seed)
    if infinite:
        higher, lower = int((first_values > second_values).sum()), int((first_values < second_values).sum())
        p = paired_ranks(first_values, second_values, generator)
        words = (
            f"higher for {higher} and lower for {lower} of {len(both)} shared seeds (by ranks: {metric.label} is "
            f"infinite for {infinite})"
        )
        return PairedTest(len(both), float(higher - lower), p, words)
    difference = float((first_values - second_values).mean())
    p = paired_permutation(first_values, second_values, generator)
    words = f"paired difference {difference:+.{metric.decimals}f} over {len(both)} shared seeds"
    return PairedTest(len(both), difference, p, words)
