"""Limits of the distribution function: against scipy, published closed forms, and what they must cover."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.statistics.intervals import Interval, iqm, iqm_interval, median_interval, paired_permutation, paired_ranks
from harness.statistics.order_statistics import LARGE, median_rank, quartile_weights, simultaneous

UNIT = (0.0, 1.0)


@pytest.mark.parametrize("n", [1, 4, 13, 40])
@pytest.mark.parametrize("c", [0.1, 0.5, 0.9])
def test_limits_on_a_ray_hold_by_daniels_theorem(n: int, c: float) -> None:
    """P(U_(i) ≥ c i / n for all i) = 1 − c (Daniels 1945)."""
    assert simultaneous(c * np.arange(1, n + 1) / n) == pytest.approx(1 - c)


@pytest.mark.parametrize(("n", "distance"), [(3, 0.3), (10, 0.2), (50, 0.15)])
def test_parallel_limits_hold_by_the_one_sided_kolmogorov_smirnov_test(n: int, distance: float) -> None:
    limits = np.maximum(np.arange(1, n + 1) / n - distance, 0)
    assert 1 - simultaneous(limits) == pytest.approx(stats.ksone.sf(distance, n))


@pytest.mark.parametrize("i", [1, 3, 7])
def test_one_limit_holds_by_the_beta_distribution(i: int) -> None:
    limits = np.where(np.arange(1, 8) < i, 0.0, 0.4)  # x_(i) above .4 has all above it
    assert simultaneous(limits) == pytest.approx(stats.beta.sf(0.4, i, 8 - i))


@pytest.mark.parametrize("limited", [True, False])
@pytest.mark.parametrize("n", [3, 8, 13, 16, 30, LARGE + 1])
def test_the_limits_behind_the_weights_hold_together_at_their_level(n: int, limited: bool) -> None:
    weights = quartile_weights(n, 0.025, limited)
    if weights is None:
        assert 0.75**n > 0.025
        return
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()
    shares = np.cumsum(weights[:-1])
    limits = np.where(shares > 0, 0.25 + shares / 2, 0.0)
    assert 1 - simultaneous(limits) <= 0.025 + 1e-9


def test_seeds_that_agree_have_an_interval_as_wide_as_the_unseen_part() -> None:
    # All n values at 1: what is not seen has a probability of at most 1 − tail^(1/n), of which a quarter is trimmed.
    low, high = iqm_interval(np.ones(3), limits=UNIT)
    assert (low, high) == pytest.approx((2 * (0.025 ** (1 / 3) - 0.25), 1.0))
    low, high = iqm_interval(np.ones(12), limits=UNIT)
    assert (low, high) == pytest.approx((2 * (0.0125 ** (1 / 12) - 0.25), 1.0))
    assert iqm_interval(np.ones(16), limits=UNIT) == (1.0, 1.0)


@settings(derandomize=True, deadline=None, database=None, max_examples=60)
@given(st.lists(st.floats(0, 1), min_size=3, max_size=24))
def test_the_interval_has_the_estimate_within_and_mirrors(values: list[float]) -> None:
    interval = iqm_interval(values, limits=UNIT)
    assert 0 <= interval.low <= iqm(values) + 1e-12
    assert iqm(values) - 1e-12 <= interval.high <= 1
    mirrored = iqm_interval([1 - value for value in values], limits=UNIT)
    assert interval == pytest.approx((1 - mirrored.high, 1 - mirrored.low))


def test_few_seeds_without_limits_have_no_interval_and_with_one_limit_one_end() -> None:
    values = np.linspace(1, 2, 12)
    assert all(map(math.isnan, iqm_interval(values)))
    low, high = iqm_interval(values, limits=(0, math.inf))
    assert 0 < low < 1.5
    assert high == math.inf
    assert all(map(math.isfinite, iqm_interval([*values, 2.0])))
    assert all(map(math.isnan, iqm_interval([0.5, 0.5], limits=UNIT)))
    assert all(map(math.isnan, iqm_interval([])))


def test_an_infinite_seed_makes_one_end_infinite() -> None:
    low, high = iqm_interval([*range(1, 20), math.inf], limits=(0, math.inf))
    assert low == iqm_interval(range(1, 21), limits=(0, math.inf)).low
    assert high == math.inf


def test_a_value_beyond_its_limits_is_refused() -> None:
    with pytest.raises(ValueError, match=r"within \[0, 1\]"):
        iqm_interval([0.5] * 5 + [1.2], limits=UNIT)


@pytest.mark.parametrize("level", [0.8, 0.95])
@pytest.mark.parametrize("n", [6, 9, 20, 33])
def test_the_median_interval_is_the_set_that_the_sign_test_does_not_reject(n: int, level: float) -> None:
    values = np.random.default_rng(n).normal(size=n)
    interval = median_interval(values, level)
    for median in (*values, *(values + 1e-9), *(values - 1e-9)):
        above, below = int((values > median).sum()), int((values < median).sum())
        p = stats.binomtest(above, above + below).pvalue
        if above + below == n:  # no tie
            assert (interval.low <= median <= interval.high) == (p > 1 - level)


def test_the_rank_of_the_median_interval_is_the_tabulated_one() -> None:
    """Conover 1999, table A3: ranks of the .95 interval of the median."""
    assert [median_rank(n, 0.95) for n in (5, 6, 8, 9, 12, 15, 20)] == [0, 1, 1, 2, 3, 4, 6]


SHAPES = {
    "normal": (stats.norm(), (-math.inf, math.inf)),
    "exponential": (stats.expon(), (0.0, math.inf)),
    "uniform": (stats.uniform(), UNIT),
    "close to one": (stats.beta(8, 0.5), UNIT),
}
LEVEL = 0.8  # where a method that does not cover is seen with few draws


def coverage(ends: np.ndarray, truth: float) -> float:
    return float(np.mean((ends[:, 0] <= truth) & (truth <= ends[:, 1])))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n", [9, 20])
def test_the_interval_of_the_interquartile_mean_covers_it(shape: str, n: int) -> None:
    distribution, limits = SHAPES[shape]
    truth = float(distribution.expect(lambda x: 2 * x, lb=distribution.ppf(0.25), ub=distribution.ppf(0.75)))
    samples = distribution.rvs(size=(500, n), random_state=np.random.default_rng(n))
    ends = np.array([iqm_interval(sample, LEVEL, limits) for sample in samples])
    assert coverage(ends, truth) >= LEVEL


@pytest.mark.parametrize("share", [0.05, 0.25, 0.5, 0.75])
@pytest.mark.parametrize("n", [3, 5, 13])
def test_the_interval_of_two_values_covers_by_summing_over_all_samples(n: int, share: float) -> None:
    """Values 0 and 1 with P(1) = share, where bootstrap intervals are points: exact, without simulation."""
    truth = 2 * min(max(share - 0.25, 0), 0.5)
    inside = 0.0
    for ones in range(n + 1):
        low, high = iqm_interval([0] * (n - ones) + [1] * ones, 0.95, UNIT)
        inside += stats.binom.pmf(ones, n, share) * (low <= truth <= high)
    assert inside >= 0.95


@pytest.mark.parametrize("n", [6, 20])
def test_the_interval_of_the_median_covers_it_and_is_not_wider_than_it_must_be(n: int) -> None:
    samples = np.random.default_rng(n).exponential(size=(1500, n))
    ends = np.array([median_interval(sample, 0.95) for sample in samples])
    k = median_rank(n, 0.95)
    exact = 1 - 2 * stats.binom.cdf(k - 1, n, 0.5)
    error = math.sqrt(exact * (1 - exact) / 1500)
    assert coverage(ends, math.log(2)) == pytest.approx(exact, abs=3 * error)
    assert exact >= 0.95


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def test_signed_ranks_are_those_of_scipys_wilcoxon_test() -> None:
    random = np.random.default_rng(4)
    a, b = random.normal(size=9) + 0.7, random.normal(size=9)
    assert paired_ranks(a, b, generator()) == pytest.approx(stats.wilcoxon(a, b, method="exact").pvalue)
    ties = np.array([1.0, 1, 2, -2, 3, 0, 4, 1])
    theirs = stats.wilcoxon(ties, method=stats.PermutationMethod(n_resamples=2**13)).pvalue
    assert paired_ranks(ties, np.zeros(8), generator()) == pytest.approx(theirs)


def test_infinite_differences_have_the_highest_rank_whatever_the_rest_is() -> None:
    finite = paired_ranks([1, 2, 3, 4, -5, 90, 91], np.zeros(7), generator())
    infinite = paired_ranks([1, 2, 3, 4, -5, math.inf, math.inf], np.zeros(7), generator())
    tied = paired_ranks([1, 2, 3, 4, -5, 90, 90], np.zeros(7), generator())
    assert infinite == tied
    assert finite == pytest.approx(tied)
    assert paired_ranks([math.inf] * 6, [math.inf] * 6, generator()) == 1.0
    assert paired_ranks([math.inf] * 6, [0] * 6, generator()) == pytest.approx(2 / 2**6)


def test_ranks_of_one_pair_are_refused() -> None:
    with pytest.raises(ValueError, match="two at least"):
        paired_ranks([1.0], [0.0], generator())


def test_the_paired_test_rejects_a_true_null_no_more_often_than_its_level() -> None:
    random = np.random.default_rng(7)
    p = [paired_permutation(random.exponential(size=7), random.exponential(size=7), generator()) for _ in range(200)]
    rejected, error = np.mean(np.array(p) <= 0.05), math.sqrt(0.05 * 0.95 / 200)
    assert rejected <= 0.05 + 2 * error


def test_an_interval_is_a_pair() -> None:
    assert iqm_interval(np.arange(13)) == Interval(*iqm_interval(np.arange(13)))
