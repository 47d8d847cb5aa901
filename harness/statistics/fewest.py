"""How many seeds it takes: the fewest at which a perfect result could decide, and those that would at the present one.

Counts only, in closed form; neither numpy nor scipy is imported, because a plan asks before anything is loaded.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from harness.statistics.wilson import quantile

LEVEL = 0.95
MOST = 1_000_000  # seeds; what takes more is out of reach
LOWER, UPPER = 0.25, 0.75  # the quartiles, between which the interquartile mean is taken


def rate_holds(*, at_least: float | None = None, at_most: float | None = None, level: float = LEVEL) -> int | None:
    """Fewest seeds at which a bound on a success rate can hold: all solved (none, of at_most), by Wilson's interval.

        n of n:  n / (n + z²) ≥ b  ⇔  n ≥ z² b / (1 − b)

    .8 at .95 takes 16 seeds, .9 takes 35.

    Args:
        at_least, at_most: the bound; of both the larger number counts (between both it takes more).
        level: of the two-sided interval.

    Returns:
        the number, at least 1; None where no number does (a rate of at least 1).
    """
    needed = [1]
    for bound in _mirrored(at_least, at_most):
        if bound >= 1:
            return None
        needed.append(_ceiling(quantile(level) ** 2 * max(bound, 0.0) / (1 - bound)))
    return max(needed)


def rate_fails(*, at_least: float | None = None, at_most: float | None = None, level: float = LEVEL) -> int | None:
    """Fewest seeds at which a bound on a success rate can fail: none solved (all, of at_most), by Wilson's interval.

        0 of n:  z² / (n + z²) < b  ⇔  n > z² (1 − b) / b

    Args and returns: as `rate_holds`; of both bounds the smaller number counts, and None is a rate of at least 0.
    """
    needed = [_above(quantile(level) ** 2 * (1 - bound) / bound) for bound in _mirrored(at_least, at_most) if bound > 0]
    return min(needed, default=None)


def rate_decides(successes: float, n: int, bound: float, level: float = LEVEL) -> int | None:
    """Seeds at which Wilson's interval no longer holds the bound if the rate stays as it is: p̂ = successes / n.

        (p̂ − b)² = z² b (1 − b) / N,    the score test's equation

    Args:
        successes: solved of the n; a mean over pooled settings may be a fraction.

    Returns:
        the number, n at least; None where the estimate equals the bound, or no seeds were run, or a rate of 1 is to be
        at least 1 (0 at most 0).

    Raises:
        ValueError: if not 0 ≤ successes ≤ n.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes:g} of {n} is not a rate")
    distance = abs(successes / n - bound) if n else 0.0
    if distance < 1e-12:
        return None
    return _within(max(n, _ceiling(quantile(level) ** 2 * bound * (1 - bound) / distance**2)))


def mean_decides(value: float, end: float, n: int, bound: float, fewest: int = 1) -> int | None:
    """Seeds at which an interval no longer holds the bound if value and spread stay, by the root law of its width.

        N = n ((end − value) / (bound − value))²

    An estimate of the order of magnitude: the interval of few seeds shrinks faster than the root.

    Args:
        value, end: the estimate, and the end of its interval on the side of the bound.
        n: seeds that gave them.
        fewest: seeds below which there is no such interval (`interquartile_mean`, `median`).

    Returns:
        the number, n and `fewest` at least; None where the estimate equals the bound; `fewest` where the interval has
        no such end and n is below that, None where it has none in spite of n.
    """
    if math.isnan(value) or math.isinf(value) or value == bound:
        return None
    if not math.isfinite(end):
        return fewest if n < fewest else None
    return _within(max(n, fewest, _ceiling(n * ((end - value) / (bound - value)) ** 2)))


def interquartile_mean(level: float = LEVEL, limits: tuple[float, float] = (-math.inf, math.inf)) -> int:
    """Fewest seeds at which the interquartile mean has an interval that covers, with both ends.

        ¾ⁿ ≤ tail where an end has no limit, ¼ⁿ < tail where both have;    tail = (1 − level)/2

    13 at .95, 3 with both limits. With one limit, the end towards it exists from 3 seeds on (`fewest_one_end`).

    Source: all n values lie below the upper quartile with probability ¾ⁿ, and then nothing bounds the rest.
    """
    tail = _tail(level)
    limited = all(map(math.isfinite, limits))
    return _first(lambda n: (LOWER**n < tail) if limited else (UPPER**n <= tail))


def interquartile_mean_end(limit: float, level: float = LEVEL) -> int:
    """Fewest seeds at which the end of the interval towards a limit says more than the limit: 3 at .95, 13 without."""
    tail = _tail(level)
    return _first(lambda n: (LOWER**n < tail) if math.isfinite(limit) else (UPPER**n <= tail))


def interquartile_mean_holds(
    limits: tuple[float, float], *, at_least: float | None = None, at_most: float | None = None, level: float = LEVEL
) -> int | None:
    """Fewest seeds at which a bound on an interquartile mean can hold: all seeds at the limit on its side.

    An accuracy of at least .9, limits (0, 1), takes 13 seeds at accuracy 1. Here numpy and scipy are loaded.

    Args:
        limits: smallest and largest possible value.
        at_least, at_most: the bound; of both the larger number counts (between both it takes more).
        level: of the two-sided interval.

    Returns:
        the number; None where no number does (a bound beyond the limits).
    """
    from harness.statistics.order_statistics import quartile_weights

    low, high = limits
    # At most b of a value is at least −b of its negative.
    bounds = [] if at_least is None else [(at_least, low, high)]
    bounds += [] if at_most is None else [(-at_most, -high, -low)]
    if any(bound > best for bound, _, best in bounds):
        return None

    def hold(n: int) -> bool:
        for bound, worst, best in bounds:
            weights = quartile_weights(n, _tail(level), math.isfinite(worst))
            if weights is None or best * (1 - weights[-1]) + (worst * weights[-1] if weights[-1] else 0.0) < bound:
                return False
        return True

    return _first(hold)


def median(level: float = LEVEL) -> int:
    """Fewest seeds at which the median has an interval by order statistics: 2 / 2ⁿ ≤ 1 − level, 6 at .95."""
    return _first(lambda n: 2 / 2**n <= 2 * _tail(level))


def paired_permutation(alpha: float = 1 - LEVEL) -> int:
    """Fewest shared seeds at which a paired permutation test can fall below alpha: 2 / 2ⁿ < alpha, 6 at .05."""
    alpha = round(alpha, 12)
    return _first(lambda n: 2 / 2**n < alpha)


def _first(enough: Callable[[int], bool]) -> int:
    return next(n for n in range(1, MOST) if enough(n))


def _mirrored(at_least: float | None, at_most: float | None) -> list[float]:
    """Bounds as such of a rate from below: at most b solved is at least 1 − b unsolved."""
    return [bound for bound in (at_least, None if at_most is None else 1 - at_most) if bound is not None]


def _within(n: int) -> int | None:
    return n if n <= MOST else None


def _tail(level: float) -> float:
    return round((1 - level) / 2, 12)  # .05 is not quite 1 − .95


def _ceiling(value: float) -> int:
    return math.ceil(value - 1e-9)  # rounding makes no further seed


def _above(value: float) -> int:
    return math.floor(value + 1e-9) + 1
