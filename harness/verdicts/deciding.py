"""The rule: what decides an expectation, and its three outcomes. Numbers in, words out."""

from __future__ import annotations

from typing import Literal

from harness.study.spec import Expectation
from harness.verdicts.metrics import Metric

Ground = Literal["interval", "estimate", "value"]
Outcome = Literal["holds", "fails", "undecided"]


def ground(expectation: Expectation, metric: Metric) -> Ground:
    """On what an expectation is judged: what it says, else the interval; of a metric without sampling the value.

    A largest residual is what was computed, not a sample of anything: it has no interval at any number of seeds.
    """
    return (expectation.judge or "interval") if metric.sampled else "value"


def by_interval(low: float, high: float, at_least: float | None, at_most: float | None) -> Outcome:
    """A bound against the two ends of a confidence interval.

        holds      at_least ≤ low  and  high ≤ at_most
        fails      high < at_least  or  low > at_most
        undecided  otherwise: the interval includes a bound

    The interval is two-sided at confidence c. Each verdict uses one end of it, so that a wrong 'holds' and a wrong
    'fails' have probability (1 − c)/2 each at most, as far as the interval covers. An end that is NaN (no interval)
    decides nothing. A value (a point estimate, a metric without sampling) is an interval whose ends are equal, and is
    never undecided. With both bounds this is the test of equivalence by two one-sided tests (Schuirmann 1987).
    """
    above = at_least is None or low >= at_least
    below = at_most is None or high <= at_most
    if above and below:
        return "holds"
    outside = (at_least is not None and high < at_least) or (at_most is not None and low > at_most)
    return "fails" if outside else "undecided"


def by_ends(first: tuple[float, float], second: tuple[float, float]) -> Outcome:
    """A contrast with `apart`: holds if the first interval lies above the second, fails if below, else undecided."""
    if first[0] > second[1]:
        return "holds"
    return "fails" if first[1] < second[0] else "undecided"


def by_test(p: float, difference: float, level: float) -> Outcome:
    """A contrast by its paired test: significant for the first group holds, for the second fails, else undecided.

    Args:
        p: two-sided, corrected for the number of contrasts; NaN without a test.
        difference: of the first group over the second.
        level: of the test, 1 − confidence.
    """
    if not p < level or difference == 0:
        return "undecided"
    return "holds" if difference > 0 else "fails"
