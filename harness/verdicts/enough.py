"""How many seeds an expectation needs: for a perfect result to hold, and to decide what is undecided.

Read whenever a study is read: no scipy.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from harness.study import labels
from harness.study.spec import Expectation
from harness.verdicts.deciding import ground
from harness.verdicts.feasibility import describe
from harness.verdicts.metrics import Measured, Metric, metric_named

MOST = 100_000  # seeds that a study may have


def quantile(confidence: float) -> float:
    """z with P(|N(0, 1)| ≤ z) = confidence: 1.96 at .95."""
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def fewest_seeds(expectation: Expectation, contrasts: int = 1) -> int | None:
    """The fewest seeds with which a perfect result could hold; None where no number is enough.

    - a rate of at least a, by Wilson's interval of n of n, [n/(n + z²), 1]: n ≥ z² a/(1 − a), 16 at .8 and .95;
      at most b, from 0 of n: n ≥ z² (1 − b)/b;
    - rates apart, n of n against 0 of n: n > z²;
    - a contrast by its paired test, whose p is 2/2ⁿ at the least, of `contrasts` corrected by Holm:
      2^(n − 1) ≥ contrasts/(1 − confidence), 6 for one at .95;
    - another metric: its interval needs two seeds.

    What is judged on a point estimate, or on the value, can hold with one seed.
    """
    metric = metric_named(expectation.metric)
    if ground(expectation, metric) != "interval":
        return 1
    z2 = quantile(expectation.confidence) ** 2
    if expectation.contrast and not expectation.apart:
        return _least_pairs(expectation.confidence, contrasts)
    if metric.name != "success_rate":
        return 2
    if expectation.contrast:
        return math.floor(z2) + 1
    needed = [1.0]
    if expectation.at_least is not None:
        needed.append(z2 * _ratio(expectation.at_least, 1 - expectation.at_least))
    if expectation.at_most is not None:
        needed.append(z2 * _ratio(1 - expectation.at_most, expectation.at_most))
    if expectation.at_least is not None and expectation.at_most is not None:
        # The narrowest interval round the middle of the two bounds: low and high end are both beyond by half the gap.
        needed[1:] = [_at_middle(z2, expectation.at_least, expectation.at_most)]
    return _whole(max(needed))


def too_few(expectation: Expectation, n: int, contrasts: int = 1, text: str = "") -> str | None:
    """A sentence if no result of `n` seeds could make an expectation hold; else None.

    Args:
        expectation: as the study states it.
        n: seeds.
        contrasts: among which a paired test is corrected.
        text: names the expectation in the sentence; default: `describe`, and what it is judged for each value of.
    """
    fewest = fewest_seeds(expectation, contrasts)
    if fewest is not None and n >= fewest:
        return None
    each = f" for each {', '.join(expectation.per)}" if expectation.per else ""
    few = f"{n} {'seed is' if n == 1 else 'seeds are'} too few for {text or describe(expectation) + each}"
    if fewest is None:
        return f"{few}: no number of seeds is enough, since no interval ends at {_bounds(expectation)}"
    return f"{few}: a perfect result holds with {fewest} at the fewest"


def enough_for_bound(expectation: Expectation, metric: Metric, measured: Measured) -> int | None:
    """About how many seeds decide an undecided bound if the measured value stays; None where none do.

    A rate p against a, by Wilson: n = z² a(1 − a)/(p − a)². Another metric, whose interval reaches the distance h from
    its value towards the bound a: n (h/|value − a|)², since an interval shrinks as 1/√n.
    """
    value, z2 = measured.value, quantile(expectation.confidence) ** 2
    at_least, at_most = expectation.at_least, expectation.at_most
    # Each bound with the end that has to move off it: towards the bound from the value's side.
    bounds = [(at_least, measured.low)] * (at_least is not None) + [(at_most, measured.high)] * (at_most is not None)
    if at_least is not None and value <= at_least:  # below: it can only fail
        bounds = [(at_least, measured.high)]
    elif at_most is not None and value >= at_most:
        bounds = [(at_most, measured.low)]
    needed = []
    for bound, end in bounds:
        if bound is None or value == bound:
            return None
        gap = (value - bound) ** 2
        rate = metric.name == "success_rate"
        needed.append(z2 * bound * (1 - bound) / gap if rate else measured.seeds * (end - value) ** 2 / gap)
    return _more_than(measured.seeds, max(needed))


def enough_for_ends(first: Measured, second: Measured) -> int | None:
    """About how many seeds separate two intervals, which shrink as 1/√n, if the values stay."""
    gap = first.value - second.value
    widths = (first.value - first.low, second.high - second.value)
    if gap < 0:
        widths = (first.high - first.value, second.value - second.low)
    n = max(first.seeds, second.seeds)
    return _more_than(n, n * (sum(widths) / gap) ** 2) if gap else None


def enough_for_test(n: int, p: float, confidence: float, contrasts: int) -> int | None:
    """About how many pairs make a paired test significant among `contrasts`, if the differences stay as they are.

    The statistic of n pairs grows as √n: n (z_needed / z_p)², and never fewer than its least p allows.
    """
    level = (1 - confidence) / contrasts
    z_needed, z = quantile(1 - level), quantile(1 - p) if p < 1 else 0.0
    if z == 0:
        return None
    return _more_than(n, max(n * (z_needed / z) ** 2, _least_pairs(confidence, contrasts)))


def _least_pairs(confidence: float, contrasts: int) -> int:
    """The fewest pairs whose least p, 2/2ⁿ, is significant among so many contrasts."""
    return math.ceil(1 + math.log2(contrasts / (1 - confidence)) - 1e-9)


def _at_middle(z2: float, low: float, high: float) -> float:
    """Seeds from which Wilson's interval of some rate lies within [low, high], both bounds met with equality.

    The interval is {q: (p − q)² ≤ z² q(1 − q)/n}: both ends are roots of (p − q)² (1) for the p between them.
    """
    if not 0 < low < high < 1:
        return z2 * max(_ratio(low, 1 - low), _ratio(1 - high, high))
    spread = math.sqrt(low * (1 - low)) + math.sqrt(high * (1 - high))
    return z2 * (spread / (high - low)) ** 2


def _bounds(expectation: Expectation) -> str:
    return " or ".join(labels.number(b) for b in (expectation.at_least, expectation.at_most) if b is not None)


def _ratio(a: float, b: float) -> float:
    return a / b if b > 0 else math.inf


def _whole(number: float) -> int | None:
    return math.ceil(number - 1e-9) if number <= MOST else None


def _more_than(n: int, number: float) -> int | None:
    """A number of seeds above those that have not decided it; NaN and infinity are no number."""
    return max(n + 1, math.ceil(number - 1e-9)) if number <= MOST else None
