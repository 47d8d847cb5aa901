"""Wilson's interval of a success rate in closed form, without scipy: a plan asks for it before anything runs."""

from __future__ import annotations

import math
from statistics import NormalDist


def quantile(level: float) -> float:
    """z of a two-sided interval: the standard normal's quantile at ½ + level/2; 1.96 at .95."""
    return NormalDist().inv_cdf(0.5 + level / 2)


def wilson(share: float, n: int, level: float) -> tuple[float, float]:
    """Both ends of Wilson's interval of a rate: all p with |p̂ − p| ≤ z √(p (1 − p)/n).

        (p̂ + z²/2n ∓ z √(p̂ (1 − p̂)/n + z²/4n²)) / (1 + z²/n)

    Args:
        share: p̂, solved of all; a fraction where a seed has several runs.
        n: independent seeds, at least 1.
        level: two-sided.

    Source: Wilson 1927.
    """
    z2 = quantile(level) ** 2
    centre, half = share + z2 / (2 * n), math.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n**2)))
    # At 0 and 1 the formula's end is 0 and 1, which the quotient misses by a rounding error.
    low = 0.0 if share == 0 else (centre - half) / (1 + z2 / n)
    return low, 1.0 if share == 1 else (centre + half) / (1 + z2 / n)
