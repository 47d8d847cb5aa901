"""Statistics over seeds: numbers in, numbers out. The unit of observation is the seed, never the test sequence.

A thousand test sequences measure how good one trained network is; how good the *method* is takes further seeds.
Generators are arguments; the same generator state gives the same interval.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from harness.schema import Values
from harness.statistics import fewest
from harness.statistics.order_statistics import median_rank, quartile_weights
from harness.statistics.wilson import wilson

LEVEL = fewest.LEVEL
RESAMPLES = 2000
UNLIMITED = (-math.inf, math.inf)


class Interval(NamedTuple):
    """Both ends of a confidence interval; NaN where the data give none."""

    low: float
    high: float


def rate_interval(
    successes: int, n: int, method: Literal["wilson", "exact"] = "wilson", level: float = LEVEL
) -> Interval:
    """Confidence interval of a success probability from `successes` of `n` independent seeds.

    Wilson inverts the score test: all p with |p̂ − p| ≤ z √(p(1−p)/n). It is the default because its coverage is
    close to the nominal level on average even at n = 5; Clopper–Pearson ("exact") guarantees at least the level and is
    wider. Neither has width 0 at 0 of n or n of n, where the textbook interval p̂ ± z·s.e. does.

    Returns:
        the interval within [0, 1]; [0, 1] itself for n = 0.

    Raises:
        ValueError: if not 0 ≤ successes ≤ n.

    Source: Wilson 1927; Clopper & Pearson 1934; Brown, Cai & DasGupta 2001 for the choice.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} of {n} is not a rate")
    if n == 0:
        return Interval(0.0, 1.0)
    ends = stats.binomtest(successes, n).proportion_ci(confidence_level=level, method=method)
    # Wilson's end at 0 of n and n of n is 0 and 1 by its formula; the quotient misses it by a rounding error.
    return Interval(0.0 if successes == 0 else float(ends.low), 1.0 if successes == n else float(ends.high))


def pooled_interval(successes: int, runs: int, seeds: int, level: float = LEVEL) -> Interval:
    """Wilson interval of a success rate over `runs` runs of `seeds` seeds; `rate_interval` where each run has its own.

    Runs of one seed share their data and their initial draws, so they are correlated, by an unknown amount. n is
    therefore the number of seeds, as if all runs of a seed agreed: a conservative interval, never too narrow.

    Raises:
        ValueError: if not 0 ≤ successes ≤ runs, or seeds > runs.
    """
    if not 0 <= successes <= runs or seeds > runs:
        raise ValueError(f"{successes} of {runs} runs of {seeds} seeds is not a rate")
    if seeds == runs:
        return rate_interval(successes, runs, level=level)
    return Interval(*wilson(successes / runs, seeds, level))


def iqm(values: npt.ArrayLike) -> float:
    """Interquartile mean: the mean without the lowest and the highest ⌊n/4⌋ values; NaN for no values.

    NaN where a value is NaN: sorted last, it would be trimmed away. ±∞ is a value, the highest or the lowest.

    Less sensitive to one outlying seed than the mean, less noisy than the median. Below four values it is the mean.

    Source: Agarwal et al. 2021, "Deep reinforcement learning at the edge of the statistical precipice", section 4.3.
    """
    array = np.asarray(values, dtype=np.float64)
    if not array.size or np.isnan(array).any():
        return math.nan
    with np.errstate(invalid="ignore"):  # ∞ − ∞ is NaN
        return float(stats.trim_mean(array, 0.25))


def iqm_interval(values: npt.ArrayLike, level: float = LEVEL, limits: tuple[float, float] = UNLIMITED) -> Interval:
    """Confidence interval of the interquartile mean of the distribution that the seeds are drawn from.

        μ = 2 ∫_¼^¾ Q(u) du,    Σ_i w_i x_(n+1−i) + w_{n+1} L  ≤  μ  ≤  Σ_i w_i x_(i) + w_{n+1} H

    with the quantile function Q, the ordered values x_(i), and weights from exact simultaneous limits of the
    distribution function, (1 − level)/2 an end (`quartile_weights`). It covers with at least the level at every n and
    for every distribution, ties and infinite values included; a bootstrap of so few seeds does not (docs/coverage.md).

    Args:
        values: one number a seed, ±∞ allowed.
        level: probability of covering, at least.
        limits: smallest and largest possible value, L and H: (0, 1) of an accuracy, (0, ∞) of a loss. Known limits give
            an interval where there are few seeds, and a narrower one.

    Returns:
        the interval; an end is infinite where the value has no limit on that side and the seeds are too few for one
        (13 at .95); (NaN, NaN) where neither end says more than the limits (below 3 seeds at .95, without limits below
        13), and where a value is NaN.

    Raises:
        ValueError: a value lies outside the limits.

    Source: as `quartile_weights`.
    """
    x = np.sort(np.asarray(values, dtype=np.float64))
    low, high = limits
    if not x.size or np.isnan(x).any():
        return Interval(math.nan, math.nan)
    if x[0] < low or x[-1] > high:
        raise ValueError(f"values within [{low:g}, {high:g}] are needed: got {x[0]:g} to {x[-1]:g}")
    tail = round((1 - level) / 2, 12)  # .05 is not quite 1 − .95
    above, below = (quartile_weights(x.size, tail, math.isfinite(end)) for end in (high, low))
    if above is None and below is None:
        return Interval(math.nan, math.nan)
    return Interval(-_weighted(-x[::-1], -low, below), _weighted(x, high, above))


def _weighted(ordered: Values, largest: float, weights: Values | None) -> float:
    """Upper bound of the interquartile mean from the weights of ordered values; the largest value without weights."""
    if weights is None:
        return largest
    points = np.append(ordered, largest)[weights > 0]
    return math.inf if points[-1] == math.inf else float(points @ weights[weights > 0])


def median_interval(values: npt.ArrayLike, level: float = LEVEL) -> Interval:
    """Confidence interval of the median by order statistics, for every distribution.

        [x_(k), x_(n+1−k)] with the largest k such that P(Bin(n, ½) ≤ k − 1) ≤ (1 − level)/2

    Args:
        values: one number a seed, ±∞ allowed.
        level: probability of covering, at least.

    Returns:
        the interval; (NaN, NaN) where even the whole range of the values covers less (below 6 seeds at .95), and where
        a value is NaN.

    Source: Thompson 1936, "On confidence ranges for the median and other expectation distributions".
    """
    x = np.sort(np.asarray(values, dtype=np.float64))
    k = median_rank(x.size, level) if x.size else 0
    if not k or np.isnan(x).any():
        return Interval(math.nan, math.nan)
    return Interval(float(x[k - 1]), float(x[x.size - k]))


@dataclass(frozen=True)
class Survival:
    """Share of runs not yet solved after each event time, with its pointwise interval."""

    times: Values
    share: Values
    low: Values
    high: Values


def kaplan_meier(solved: npt.ArrayLike, censored: npt.ArrayLike, level: float = LEVEL) -> Survival:
    """Kaplan–Meier estimate of the share of runs still unsolved, from times of which some are only lower bounds.

        S(t) = Π_{tᵢ ≤ t} (1 − dᵢ/nᵢ),    dᵢ solved at tᵢ of nᵢ still at risk

    with Greenwood's variance on the log(−log S) scale. Where S is 0 or 1 that variance is undefined; the interval is
    S there.

    Args:
        solved: updates at which runs were solved.
        censored: updates up to which the other runs are known not to be solved.

    Raises:
        ValueError: if there is no run at all.

    Source: Kaplan & Meier 1958; Kalbfleisch & Prentice 1980 for the transformation.
    """
    events = np.asarray(solved, dtype=np.float64)
    open_ends = np.asarray(censored, dtype=np.float64)
    if events.size + open_ends.size == 0:
        raise ValueError("no runs, no times")
    curve = stats.ecdf(stats.CensoredData(uncensored=events, right=open_ends)).sf
    # The product carries rounding errors: four of eight solved would otherwise not quite be a half.
    share: Values = np.asarray(curve.probabilities, dtype=np.float64).round(12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # scipy warns that the band is undefined where S is 0 or 1
        band = curve.confidence_interval(confidence_level=level, method="log-log")
    low, high = (np.asarray(end.probabilities, dtype=np.float64) for end in band)
    low, high = np.where(np.isnan(low), share, low), np.where(np.isnan(high), share, high)
    return Survival(np.asarray(curve.quantiles, dtype=np.float64), share, low, high)


def median_time(solved: npt.ArrayLike, censored: npt.ArrayLike, level: float = LEVEL) -> tuple[float, Interval]:
    """Median time to solve and its interval, unsolved runs counted as censored.

    The median is the first time at which S(t) ≤ ½. Where every unsolved run was watched for as long as any took to be
    solved, which is so with one budget, an unsolved run is a time of ∞ and the interval is `median_interval`, exact for
    every distribution. Otherwise it holds the times at which the pointwise band of S includes ½. An end that the data
    never reach is ∞: fewer than half of the runs were solved, so the median lies beyond the budget.

    Returns:
        median and interval; (NaN, NaN) where not even the range of all times covers (`median_interval`).

    Args and raises: as `kaplan_meier`.

    Source: Brookmeyer & Crowley 1982 for what is censored at different times.
    """
    events, open_ends = np.asarray(solved, dtype=np.float64), np.asarray(censored, dtype=np.float64)
    curve = kaplan_meier(events, open_ends, level)

    def first(share: Values) -> float:
        below = np.flatnonzero(share <= 0.5)
        return float(curve.times[below[0]]) if below.size else math.inf

    exact = median_interval(np.concatenate([events, np.full(open_ends.size, np.inf)]), level)
    if math.isnan(exact.low) or not open_ends.size or not events.size or open_ends.min() >= events.max():
        return first(curve.share), exact
    return first(curve.share), Interval(first(curve.low), first(curve.high))


def paired_permutation(first: npt.ArrayLike, second: npt.ArrayLike, generator: np.random.Generator) -> float:
    """Two-sided p-value of the mean difference between pairs that share a seed, under exchange within each pair.

        p = share of the 2ⁿ sign patterns s with |mean s·(a − b)| ≥ |mean (a − b)|

    All 2ⁿ patterns up to n = 13, random ones beyond. The least p is 2/2ⁿ: five pairs never reach .05.

    Args:
        first, second: one number a shared seed, in the same order.
        generator: source of the random patterns.

    Raises:
        ValueError: if the two differ in length or hold fewer than two pairs.

    Source: Fisher 1935, The Design of Experiments, section 21; scipy.stats.permutation_test.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape or a.size < 2:
        raise ValueError(f"pairs are needed, two at least: got {a.size} and {b.size} values")
    test = stats.permutation_test(
        (a, b), lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples", n_resamples=2**13, vectorized=True, rng=generator,
    )  # fmt: skip
    return float(test.pvalue)


def paired_ranks(first: npt.ArrayLike, second: npt.ArrayLike, generator: np.random.Generator) -> float:
    """Two-sided p-value of the signed ranks of paired differences, for values of which some are infinite.

        W = Σ_i sign(d_i) rank(|d_i|),    p = share of the sign patterns s with |W(s)| ≥ |W|

    Ranks of ties are averaged; an infinite difference has the highest rank; two equal values, both infinite included,
    differ by 0, and such pairs get no rank. Patterns and the least p as in `paired_permutation`.

    Args and raises: as `paired_permutation`; 1 where no pair differs.

    Source: Wilcoxon 1945, "Individual comparisons by ranking methods".
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape or a.size < 2:
        raise ValueError(f"pairs are needed, two at least: got {a.size} and {b.size} values")
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        d = np.where(a == b, 0.0, a - b)
    d = d[d != 0]
    if d.size < 2:
        return 1.0
    return paired_permutation(np.sign(d) * stats.rankdata(np.abs(d)), np.zeros(d.size), generator)


class Band(NamedTuple):
    """Mean over seeds at each position, and the ends of its interval (NaN where fewer than two seeds are there)."""

    mean: Values
    low: Values
    high: Values


def mean_band(values: Values, generator: np.random.Generator, level: float = LEVEL) -> Band:
    """Mean over seeds at each position with a percentile bootstrap band; whole seeds are resampled, not single values.

    Args:
        values: (seeds, positions); NaN where a seed has no value, left out of the mean there; +∞ where it diverged, so
            that there is no mean of the others.
        generator: source of the resamples.

    Returns:
        three arrays of length `positions`; NaN where there is nothing to average.

    Source: Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 13.
    """
    known = np.isfinite(values)
    mean = finite_mean(values)
    low, high = np.full_like(mean, np.nan), np.full_like(mean, np.nan)
    several = (known.sum(axis=0) >= 2) & np.isfinite(mean)
    if several.any():
        n, filled = len(values), np.where(known, values, 0.0)
        # How often each seed is drawn into each resample: two matrix products then give all resampled means at once.
        counts = generator.multinomial(n, np.full(n, 1 / n), size=RESAMPLES).astype(np.float64)
        means = _ratio(counts @ filled[:, several], counts @ known[:, several].astype(np.float64))
        tail = (1 - level) / 2
        low[several], high[several] = np.nanquantile(means, [tail, 1 - tail], axis=0)
    return Band(mean, low, high)


def finite_mean(values: Values) -> Values:
    """Mean of the values in each column of (rows, positions), NaN where there is none.

    NaN (nothing was measured there) and −∞ (the logarithm of an exact zero, which figures mark) are left out; +∞ is
    what has diverged, and makes the mean infinite.
    """
    known = np.isfinite(values)
    mean = _ratio(np.where(known, values, 0.0).sum(axis=0), known.sum(axis=0))
    mean[(values == np.inf).any(axis=0)] = np.inf
    return mean


def seed_means(values: Values, seeds: npt.ArrayLike) -> Values:
    """Finite mean over the runs of each seed: (runs, positions) to (seeds, positions), by ascending seed.

    Several runs of a seed (of pooled settings) are one observation, because the seed is the unit.
    """
    labels = np.asarray(seeds)
    return np.stack([finite_mean(values[labels == seed]) for seed in np.unique(labels)])


def _ratio(sums: npt.NDArray[Any], counts: npt.NDArray[Any]) -> Values:
    ratio: Values = np.divide(sums, counts, out=np.full(np.shape(sums), np.nan), where=counts > 0)
    return ratio
