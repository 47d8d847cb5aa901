"""Limits of the distribution function at the order statistics, exact for every distribution.

With the sample x_(1) ≤ … ≤ x_(n) of independent values, Q their quantile function and U_(1) ≤ … ≤ U_(n) ordered
uniform draws, x_(i) = Q(U_(i)). Limits a_i with P(U_(i) ≥ a_i for all i) ≥ 1 − tail therefore bound the whole quantile
function, Q(u) ≤ x_(i) for all u ≤ a_i, whatever the distribution is: continuous, with ties, or two points.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from scipy import special, stats

from harness.schema import Values

LOWER, UPPER = 0.25, 0.75  # the quartiles, between which the interquartile mean is taken
LARGE = 150  # seeds, above which the closed form is used: the exact recursion takes n³ steps
BISECTIONS = 25


def simultaneous(limits: Values) -> float:
    """P(U_(i) ≥ a_i for all i) of n ordered uniform draws, exactly.

        U_(i) ≥ a_i  ⇔  fewer than i draws lie below a_i

    The number of draws below a growing level is a Poisson process of rate n, given that it has n events on [0, 1]: its
    distribution is carried from limit to limit, without the states in which too many draws have come.

    Args:
        limits: a_1 ≤ … ≤ a_n within [0, 1].

    Source: Steck 1971, "Rectangle probabilities for uniform order statistics"; Khmaladze & Shinjikashvili 2001 for the
    Poisson process.
    """
    n = len(limits)
    counts = np.arange(n + 1)
    log_factorials = special.gammaln(counts + 1)

    def poisson(mean: float) -> Values:
        return np.asarray(np.exp(special.xlogy(counts, mean) - mean - log_factorials), dtype=np.float64)

    probability, level = (counts == 0).astype(np.float64), 0.0
    for i, limit in enumerate(limits):  # i draws at most may lie below the limit of order statistic i + 1
        if limit > level:
            probability = np.convolve(probability, poisson(n * (limit - level)))[: n + 1]
            level = float(limit)
        probability[i + 1 :] = 0.0
    return float(probability @ poisson(n * (1 - level))[::-1] / poisson(n)[n])


@lru_cache(maxsize=256)
def quartile_weights(n: int, tail: float, limited: bool) -> Values | None:
    """Weights with which order statistics, and the upper limit of the value, bound the interquartile mean from above.

        P(2 ∫_¼^¾ Q(u) du ≤ Σ_i w_i x_(i) + w_{n+1} H) ≥ 1 − tail,    w_i = 2 |[a_{i−1}, a_i] ∩ [¼, ¾]|

    with a_0 = 0, a_{n+1} = 1 and H the largest possible value. The limits a_i are Clopper–Pearson limits of one local
    tail, quantiles of Beta(i, n + 1 − i), with the local tail chosen so that all hold together with probability
    1 − tail. Limits below ¼ and parts above ¾ say nothing of the middle half and cost nothing. The largest value's
    limit has at least half of the tail, because it alone bounds what lies beyond all seeds; without H it must reach ¾.

    Args:
        n: seeds.
        tail: probability of a value above the bound.
        limited: whether H is finite.

    Returns:
        n + 1 weights that sum to 1; None where n seeds give no bound: without H if ¾ⁿ > tail (all seeds may lie below
        the upper quartile), with it if ¼ⁿ ≥ tail.

    Source: the band is that of Berk & Jones 1979 and Owen 1995, one-sided; Anderson 1969 integrates such a band for
    the mean. Above 150 seeds the band is a_i = i/n − √(−log(tail) / 2n): Massart 1990.
    """
    if (UPPER**n > tail) if not limited else (LOWER**n >= tail):
        return None
    ranks = np.arange(1, n + 1)

    def limits(local: float) -> Values:
        if n > LARGE:
            a = ranks / n - math.sqrt(-math.log(tail) / (2 * n))
        else:
            a = stats.beta.ppf(local, ranks, ranks[::-1])
            a[-1] = max(local, tail / 2) ** (1 / n) if limited else UPPER
        a = np.clip(a, 0.0, UPPER)
        a[a <= LOWER] = 0.0
        return np.asarray(np.maximum.accumulate(a), dtype=np.float64)

    least, most = 0.0, tail
    if n <= LARGE:
        for _ in range(BISECTIONS):
            local = (least + most) / 2
            least, most = (local, most) if simultaneous(limits(local)) >= 1 - tail else (least, local)
    shares = np.clip((limits(least) - LOWER) / (UPPER - LOWER), 0.0, 1.0)
    weights: Values = np.diff(shares, prepend=0.0, append=1.0)
    weights.setflags(write=False)  # the same array is given to every caller
    return weights


def median_rank(n: int, level: float) -> int:
    """The largest k for which [x_(k), x_(n+1−k)] covers the median with probability `level`; 0 where there is none.

    P(x_(k) > median) ≤ P(Bin(n, ½) ≤ k − 1) ≤ (1 − level) / 2
    """
    below = stats.binom.cdf(np.arange(n), n, 0.5)
    return int(np.searchsorted(below, (1 - level) / 2 + 1e-12, side="right"))
