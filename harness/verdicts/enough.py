"""How many seeds an expectation needs: for a perfect result to hold, and to decide what is undecided.

The counts themselves are `harness.statistics.fewest`. Read whenever a study is read: scipy is loaded only for what an
interquartile mean with limits needs.
"""

from __future__ import annotations

import math

from harness.statistics import fewest
from harness.statistics.wilson import quantile
from harness.study import labels
from harness.study.spec import Expectation
from harness.verdicts.deciding import ground
from harness.verdicts.feasibility import describe
from harness.verdicts.metrics import Measured, Metric, metric_named

MOST = 100_000  # seeds that a study may have


def fewest_seeds(expectation: Expectation, contrasts: int = 1) -> int | None:
    """The fewest seeds with which a perfect result could hold; None where no number is enough.

    - a rate, by Wilson's interval of n of n, or of 0 of n: `fewest.rate_holds`, 16 for .8 at .95; rates apart: n > z²;
    - a contrast by its paired test, whose p is 2/2ⁿ at the least, of `contrasts` corrected by Holm: 6 for one at .95;
    - an interquartile mean: 13 at .95, fewer where the metric has limits; a median: 6;
    - a metric of a package: 2, since what its interval needs is not known.

    What is judged on a point estimate, or on the value, can hold with one seed.
    """
    metric, level = metric_named(expectation.metric), expectation.confidence
    if ground(expectation, metric) != "interval":
        return 1
    if expectation.contrast and not expectation.apart:
        return fewest.paired_permutation((1 - level) / max(1, contrasts))
    if metric.statistic == "rate":
        return _fewest_of_rate(expectation)
    if metric.statistic == "iqm":
        return _fewest_of_iqm(expectation, metric.limits)
    return fewest.median(level) if metric.statistic == "median" else 2


def _fewest_of_rate(expectation: Expectation) -> int | None:
    z2, low, high = quantile(expectation.confidence) ** 2, expectation.at_least, expectation.at_most
    if expectation.contrast:
        return math.floor(z2) + 1
    if low is not None and high is not None and 0 < low < high < 1:
        # The interval is {q: (p − q)² ≤ z² q(1 − q)/n}: both its ends are bounds for the p between them where
        # √n (high − low) = z (√(low(1 − low)) + √(high(1 − high))).
        spread = math.sqrt(low * (1 - low)) + math.sqrt(high * (1 - high))
        return math.ceil(z2 * (spread / (high - low)) ** 2 - 1e-9)
    return fewest.rate_holds(at_least=low, at_most=high, level=expectation.confidence)


def _fewest_of_iqm(expectation: Expectation, limits: tuple[float, float]) -> int | None:
    low, high = limits
    level, at_least, at_most = expectation.confidence, expectation.at_least, expectation.at_most
    if expectation.contrast:
        if math.isinf(low) or math.isinf(high):
            return max(fewest.interquartile_mean_end(end, level) for end in limits)
        at_least = (low + high) / 2  # all at one limit against all at the other: both intervals end before the middle
    needed: list[int | None] = []
    if at_least is not None:
        needed.append(
            fewest.interquartile_mean_end(low, level)
            if math.isinf(high)
            else fewest.interquartile_mean_holds(limits, at_least=at_least, level=level)
        )
    if at_most is not None:
        needed.append(
            fewest.interquartile_mean_end(high, level)
            if math.isinf(low) or math.isinf(high)
            else fewest.interquartile_mean_holds(limits, at_most=at_most, level=level)
        )
    numbers = [number for number in needed if number is not None]
    return max(numbers, default=1) if len(numbers) == len(needed) else None


def too_few(expectation: Expectation, n: int, contrasts: int = 1, text: str = "") -> str | None:
    """A sentence if no result of `n` seeds could make an expectation hold; else None.

    Args:
        expectation: as the study states it.
        n: seeds.
        contrasts: among which a paired test is corrected.
        text: names the expectation in the sentence; default: `describe`, and what it is judged for each value of.
    """
    needed = fewest_seeds(expectation, contrasts)
    if needed is not None and n >= needed:
        return None
    each = f" for each {', '.join(expectation.per)}" if expectation.per else ""
    few = f"{n} {'seed is' if n == 1 else 'seeds are'} too few for {text or describe(expectation) + each}"
    if needed is None:
        return f"{few}: no number of seeds is enough, since no interval ends at {_bounds(expectation)}"
    return f"{few}: a perfect result holds with {needed} at the fewest"


def enough_for_bound(expectation: Expectation, metric: Metric, measured: Measured) -> int | None:
    """About how many seeds decide an undecided bound if the measured value stays; None where none do.

    `fewest.rate_decides` of a rate, `fewest.mean_decides` of another metric, whose interval shrinks as 1/√n.
    """
    value, level, n = measured.value, expectation.confidence, measured.seeds
    at_least, at_most = expectation.at_least, expectation.at_most
    # Each bound with the end of the interval that has to move off it.
    bounds = [(at_least, measured.low)] * (at_least is not None) + [(at_most, measured.high)] * (at_most is not None)
    if at_least is not None and value <= at_least:  # below it, it can only fail
        bounds = [(at_least, measured.high)]
    elif at_most is not None and value >= at_most:
        bounds = [(at_most, measured.low)]
    needed = [
        fewest.rate_decides(value * n, n, bound, level)
        if metric.statistic == "rate"
        else fewest.mean_decides(value, end, n, bound, _with_interval(metric, level))
        for bound, end in bounds
        if bound is not None
    ]
    numbers = [number for number in needed if number is not None]
    return _more_than(n, max(numbers)) if numbers and len(numbers) == len(needed) else None


def enough_for_ends(first: Measured, second: Measured) -> int | None:
    """About how many seeds separate two intervals, which shrink as 1/√n, if the values stay; None where none do."""
    gap = first.value - second.value
    widths = (first.value - first.low, second.high - second.value)
    if gap < 0:
        widths = (first.high - first.value, second.value - second.low)
    n = max(first.seeds, second.seeds)
    return _more_than(n, n * (sum(widths) / gap) ** 2) if gap and math.isfinite(gap) else None


def enough_for_test(n: int, p: float, confidence: float, contrasts: int) -> int | None:
    """About how many pairs make a paired test significant among `contrasts`, if the differences stay as they are.

    The statistic of n pairs grows as √n: n (z_needed / z_p)², and never fewer than its least p allows.
    """
    level = (1 - confidence) / contrasts
    z_needed, z = quantile(1 - level), quantile(1 - p) if p < 1 else 0.0
    if z == 0:
        return None
    return _more_than(n, max(n * (z_needed / z) ** 2, fewest.paired_permutation(level)))


def _with_interval(metric: Metric, level: float) -> int:
    """The fewest seeds at which a metric has an interval with both ends."""
    if metric.statistic == "iqm":
        return fewest.interquartile_mean(level, metric.limits)
    return fewest.median(level) if metric.statistic == "median" else 2


def _bounds(expectation: Expectation) -> str:
    return " or ".join(labels.number(b) for b in (expectation.at_least, expectation.at_most) if b is not None)


def _more_than(n: int, number: float) -> int | None:
    """A number of seeds above those that have not decided it; NaN and infinity are no number."""
    return max(n + 1, math.ceil(number - 1e-9)) if number <= MOST else None
