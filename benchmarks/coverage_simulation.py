"""How often each interval holds the truth, and how often a verdict says what is not so, by simulation.

Whole arrays of samples at a time; what is a loop over samples in the harness has its own function called for each.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from benchmarks.coverage_shapes import BY_NAME, SHAPES, Shape
from harness.schema import Values
from harness.statistics.intervals import LEVEL, mean_band, median_time, rate_interval
from harness.statistics.order_statistics import median_rank, quartile_weights
from harness.statistics.significance import difference_interval, probability_of_improvement

COUNTS = (3, 5, 8, 10, 20, 30)
TAIL = round((1 - LEVEL) / 2, 12)
Ends = tuple[Values, Values]


@dataclass(frozen=True)
class Effort:
    """Samples of what is computed for whole arrays, of what takes a loop over them, and of what is slow beside.

    `resamples` are those of the bootstrap that is shown for comparison.
    """

    samples: int
    loops: int
    slow: int
    resamples: int


FULL = Effort(samples=10_000, loops=500, slow=100, resamples=400)


@dataclass(frozen=True)
class Share:
    """A share of samples, or a probability where `samples` is 0; NaN where there is no interval."""

    value: float
    samples: int = 0

    @property
    def error(self) -> float:
        """Monte Carlo standard error."""
        return math.sqrt(self.value * (1 - self.value) / self.samples) if self.samples else 0.0

    def __str__(self) -> str:
        if math.isnan(self.value):
            return "–"
        return f"{100 * self.value:.1f}" + (f" ± {100 * self.error:.1f}" if self.samples else "")


@dataclass(frozen=True)
class Row:
    """One method at one distribution: a share for each of COUNTS."""

    name: str
    shares: tuple[Share, ...]


def interquartile_ends(samples: Values, limits: tuple[float, float], level: float = LEVEL) -> Ends:
    """`iqm_interval` of every row of (samples, n) at once; NaN where it has none."""
    n, tail = samples.shape[1], round((1 - level) / 2, 12)
    ordered = np.sort(samples, axis=1)

    def bound(rows: Values, largest: float) -> Values:
        weights = quartile_weights(n, tail, math.isfinite(largest))
        if weights is None:
            return np.full(len(rows), largest)
        return rows @ weights[:n] + (weights[n] * largest if weights[n] else 0.0)

    if all(quartile_weights(n, tail, math.isfinite(end)) is None for end in limits):
        return np.full(len(samples), np.nan), np.full(len(samples), np.nan)
    return -bound(-ordered[:, ::-1], -limits[0]), bound(ordered, limits[1])


def bootstrap_ends(samples: Values, effort: Effort, generator: np.random.Generator) -> Ends:
    """BCa intervals of the interquartile mean; a sample whose values agree has one point."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scipy warns of every sample for which BCa is undefined
        ends = stats.bootstrap(
            (samples,), lambda x, axis: stats.trim_mean(x, 0.25, axis=axis), axis=1, n_resamples=effort.resamples,
            confidence_level=LEVEL, method="BCa", rng=generator, vectorized=True, batch=100,
        ).confidence_interval  # fmt: skip
    same = np.ptp(samples, axis=1) == 0
    return tuple(np.where(same, samples[:, 0], end) for end in (ends.low, ends.high))


def coverage(ends: Ends, truth: float) -> Share:
    """Share of samples whose interval holds the truth; of those that have an interval."""
    low, high = ends
    known = ~(np.isnan(low) | np.isnan(high))
    if not known.any():
        return Share(math.nan)
    slack = 1e-9 * max(1.0, abs(truth))  # a sum of equal values misses them by rounding
    return Share(float(np.mean((low[known] <= truth + slack) & (truth - slack <= high[known]))), int(known.sum()))


def by_count(name: str, share: Callable[[int], Share]) -> Row:
    return Row(name, tuple(share(n) for n in COUNTS))


def interquartile_rows(effort: Effort, generator: np.random.Generator) -> Iterator[Row]:
    """Coverage of `iqm_interval` at every shape, with the limits that a metric would know, and without."""
    for shape in SHAPES:
        for limits, words in _known_limits(shape):

            def share(n: int, shape: Shape = shape, limits: tuple[float, float] = limits) -> Share:
                ends = interquartile_ends(shape.draw(generator, (effort.samples, n)), limits)
                return coverage(ends, shape.interquartile_mean)

            yield by_count(f"{shape.name}, {words}", share)


def width_rows(effort: Effort, generator: np.random.Generator) -> Iterator[tuple[str, tuple[float, ...]]]:
    """Mean width of `iqm_interval` against 2 · 1.96 standard deviations of the estimate, shapes with a spread."""
    for shape in SHAPES[:6]:
        ratios = []
        for n in COUNTS:
            samples = shape.draw(generator, (effort.samples, n))
            low, high = interquartile_ends(samples, shape.limits)
            spread = float(stats.trim_mean(samples, 0.25, axis=1).std())
            ratios.append(float(np.mean(high - low)) / (2 * stats.norm.ppf(1 - TAIL) * spread))
        yield shape.name, tuple(ratios)


def bootstrap_rows(effort: Effort, generator: np.random.Generator) -> Iterator[Row]:
    """Coverage of the bootstrap's BCa interval of the interquartile mean."""
    for shape in SHAPES[:-1]:

        def share(n: int, shape: Shape = shape) -> Share:
            samples = shape.draw(generator, (effort.loops, n))
            return coverage(bootstrap_ends(samples, effort, generator), shape.interquartile_mean)

        yield by_count(shape.name, share)


def median_rows(effort: Effort, generator: np.random.Generator) -> Iterator[Row]:
    """Coverage of `median_interval`."""
    for shape in SHAPES:

        def share(n: int, shape: Shape = shape) -> Share:
            k = median_rank(n, LEVEL)
            if not k:
                return Share(math.nan)
            ordered = np.sort(shape.draw(generator, (effort.samples, n)), axis=1)
            return coverage((ordered[:, k - 1], ordered[:, n - k]), shape.median)

        yield by_count(shape.name, share)


def rate_rows() -> Iterator[Row]:
    """Coverage of the intervals of a rate, exactly: over the rates .01 … .99, their mean and their least."""
    rates = np.arange(1, 100) / 100
    for method, words in (("wilson", "Wilson"), ("exact", "Clopper–Pearson")):
        ends = {n: np.array([rate_interval(k, n, method, LEVEL) for k in range(n + 1)]) for n in COUNTS}
        for statistic, statistic_words in ((np.mean, "mean over rates"), (np.min, "least")):

            def share(
                n: int, ends: dict[int, Values] = ends, statistic: Callable[[Values], float] = statistic
            ) -> Share:
                inside = (ends[n][:, :1] <= rates) & (rates <= ends[n][:, 1:])
                return Share(float(statistic((inside * probabilities(n, rates)).sum(axis=0))))

            yield by_count(f"{words}, {statistic_words}", share)


def time_rows(effort: Effort, generator: np.random.Generator) -> Iterator[Row]:
    """Coverage of the interval of the median time to solve, of exponential times."""
    for budget, words in ((math.inf, "all solved in the end"), (-math.log(0.3), "three in ten beyond the budget")):

        def share(n: int, budget: float = budget) -> Share:
            times = generator.exponential(size=(effort.loops, n))
            ends = [median_time(t[t <= budget], np.full((t > budget).sum(), budget))[1] for t in times]
            low, high = np.array(ends).T
            return coverage((low, high), math.log(2))

        yield by_count(words, share)


def band_rows(effort: Effort, generator: np.random.Generator) -> Iterator[Row]:
    """Coverage of the bands of mean curves: each position of a curve is a sample of its own."""
    for name in ("normal", "exponential", "half near .5, half near 1", "a tenth near .5, others near 1"):
        shape = BY_NAME[name]

        def share(n: int, shape: Shape = shape) -> Share:
            # Bands of one call share their resamples: several calls, so that chance does not sit in those.
            bands = [mean_band(shape.draw(generator, (n, effort.loops // 10)), generator) for _ in range(10)]
            low, high = (np.concatenate([getattr(band, end) for band in bands]) for end in ("low", "high"))
            return coverage((low, high), shape.mean)

        yield by_count(name, share)


def comparison_rows(effort: Effort, generator: np.random.Generator) -> Iterator[Row]:
    """Coverage of the two intervals of a comparison of two results, one cell of n pairs without a change."""
    for name in ("exponential", "half near .5, half near 1"):
        shape = BY_NAME[name]

        def difference(n: int, shape: Shape = shape) -> Share:
            first, second = (shape.draw(generator, (effort.slow, n)) for _ in range(2))
            low, high = np.array([difference_interval([d], generator) for d in second - first]).T
            return coverage((low, high), 0.0)

        def improvement(n: int, shape: Shape = shape) -> Share:
            first, second = (shape.draw(generator, (effort.slow, n)) for _ in range(2))
            pairs = zip(first, second, strict=True)
            low, high = np.array([probability_of_improvement([a], [b], generator)[1] for a, b in pairs]).T
            return coverage((low, high), 0.5)

        yield by_count(f"mean paired difference, {name}", difference)
        yield by_count(f"probability of improvement, {name}", improvement)


def bound_rows(effort: Effort, generator: np.random.Generator) -> Iterator[Row]:
    """Probability that a bound holds that the truth does not exceed: on the estimate, and on the interval."""
    for truth in (0.5, 0.8):
        where = "at the bound" if truth == 0.8 else f"{truth:g}"
        yield by_count(
            f"success rate at least .8, truth {where}: on the estimate",
            lambda n, truth=truth: rate_holds(n, truth, lambda k, n: k / n >= 0.8),
        )
        yield by_count(
            f"success rate at least .8, truth {where}: on the interval",
            lambda n, truth=truth: rate_holds(n, truth, lambda k, n: rate_interval(k, n).low >= 0.8),
        )
    for name, sign in (("uniform", 1), ("a tenth near .5, others near 1", 1), ("exponential", -1)):
        shape = BY_NAME[name]
        words = f"interquartile mean at {'least' if sign > 0 else 'most'} its true value, {name}"

        def estimate(n: int, shape: Shape = shape, sign: int = sign) -> Share:
            values = stats.trim_mean(shape.draw(generator, (effort.samples, n)), 0.25, axis=1)
            return Share(float(np.mean(sign * (values - shape.interquartile_mean) >= 0)), effort.samples)

        def interval(n: int, shape: Shape = shape, sign: int = sign) -> Share:
            low, high = interquartile_ends(shape.draw(generator, (effort.samples, n)), shape.limits)
            beyond = low >= shape.interquartile_mean if sign > 0 else high <= shape.interquartile_mean
            return Share(float(np.mean(beyond)), effort.samples)

        yield by_count(f"{words}: on the estimate", estimate)
        yield by_count(f"{words}: on the interval", interval)


def contrast_rows(effort: Effort, generator: np.random.Generator) -> Iterator[Row]:
    """Probability that the first of two groups without a difference is above the second, by each rule."""
    for rate in (0.5, 0.8):
        yield by_count(f"success rates, both {rate:g}: the estimate is higher", lambda n, p=rate: _rates(n, p, _higher))
        yield by_count(f"success rates, both {rate:g}: intervals apart", lambda n, p=rate: _rates(n, p, _apart))
        yield by_count(
            f"success rates, both {rate:g}: paired p < .05",
            lambda n, p=rate: _permuted(lambda size: (generator.random(size) < p).astype(float), n, effort, generator),
        )
    for name in ("uniform", "exponential", "half near .5, half near 1"):
        shape = BY_NAME[name]

        def pair(n: int, shape: Shape = shape) -> tuple[Values, Values]:
            first, second = (shape.draw(generator, (effort.samples, n)) for _ in range(2))
            return first, second

        def higher(n: int, pair: Callable[[int], tuple[Values, Values]] = pair) -> Share:
            first, second = (stats.trim_mean(each, 0.25, axis=1) for each in pair(n))
            return Share(float(np.mean(first > second)), effort.samples)

        def apart(n: int, pair: Callable[[int], tuple[Values, Values]] = pair, shape: Shape = shape) -> Share:
            first, second = (interquartile_ends(each, shape.limits) for each in pair(n))
            return Share(float(np.mean(first[0] > second[1])), effort.samples)

        def permuted(n: int, shape: Shape = shape) -> Share:
            return _permuted(lambda size: shape.draw(generator, size), n, effort, generator)

        yield by_count(f"interquartile means, {name}: the estimate is higher", higher)
        yield by_count(f"interquartile means, {name}: intervals apart", apart)
        yield by_count(f"interquartile means, {name}: paired p < .05", permuted)


def probabilities(n: int, rates: npt.ArrayLike) -> Values:
    """P(k of n solved), (n + 1, rates)."""
    return np.asarray(stats.binom.pmf(np.arange(n + 1)[:, None], n, np.atleast_1d(rates)), dtype=np.float64)


def rate_holds(n: int, truth: float, holds: Callable[[int, int], bool]) -> Share:
    """Probability that a rule holds at a true rate, by summing over all outcomes."""
    return Share(float(sum(p for k, p in enumerate(probabilities(n, truth)[:, 0]) if holds(k, n))))


def paired_p(differences: Values, generator: np.random.Generator) -> Values:
    """`paired_permutation` of every row of paired differences (samples, n) at once."""
    n = differences.shape[1]
    patterns = (
        np.array(list(itertools.product((-1.0, 1.0), repeat=n)))
        if n <= 13
        else np.concatenate([np.ones((1, n)), generator.choice([-1.0, 1.0], size=(2**13 - 1, n))])
    )
    sums = np.abs(differences @ patterns.T)
    return np.mean(sums >= np.abs(differences.sum(axis=1, keepdims=True)) - 1e-9, axis=1)


def _permuted(
    draw: Callable[[tuple[int, int]], Values], n: int, effort: Effort, generator: np.random.Generator
) -> Share:
    difference = draw((effort.loops, n)) - draw((effort.loops, n))
    above = (difference.mean(axis=1) > 0) & (paired_p(difference, generator) < 1 - LEVEL)
    return Share(float(above.mean()), effort.loops)


def _rates(n: int, rate: float, rule: Callable[[int, int, int], bool]) -> Share:
    p = probabilities(n, rate)[:, 0]
    return Share(float(sum(p[a] * p[b] for a in range(n + 1) for b in range(n + 1) if rule(a, b, n))))


def _higher(a: int, b: int, n: int) -> bool:
    return a > b


def _apart(a: int, b: int, n: int) -> bool:
    return rate_interval(a, n).low > rate_interval(b, n).high


def _known_limits(shape: Shape) -> Iterator[tuple[tuple[float, float], str]]:
    if shape.limits != (-math.inf, math.inf):
        yield shape.limits, f"limits [{shape.limits[0]:g}, {'∞)' if math.isinf(shape.limits[1]) else '1]'}"
    yield (-math.inf, math.inf), "no limits"
