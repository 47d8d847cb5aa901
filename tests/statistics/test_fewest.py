"""The fewest seeds, against the intervals and tests that they are the fewest for."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest

from harness.statistics import fewest
from harness.statistics.intervals import iqm_interval, median_interval, paired_permutation, rate_interval
from harness.statistics.wilson import quantile

LEVELS = (0.8, 0.9, 0.95, 0.99)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("bound", [0.05, 0.3, 0.5, 0.8, 0.9, 0.95])
def test_a_rate_holds_from_the_number_on_and_not_one_seed_earlier(bound: float, level: float) -> None:
    n = fewest.rate_holds(at_least=bound, level=level)
    assert n is not None
    assert rate_interval(n, n, level=level).low >= bound
    assert n == 1 or rate_interval(n - 1, n - 1, level=level).low < bound
    assert fewest.rate_holds(at_most=1 - bound, level=level) == n


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("bound", [0.05, 0.3, 0.5, 0.8, 0.95])
def test_a_rate_fails_from_the_number_on_and_not_one_seed_earlier(bound: float, level: float) -> None:
    n = fewest.rate_fails(at_least=bound, level=level)
    assert n is not None
    assert rate_interval(0, n, level=level).high < bound
    assert n == 1 or rate_interval(0, n - 1, level=level).high >= bound


def test_published_bounds_and_their_flawless_seeds() -> None:
    assert [fewest.rate_holds(at_least=bound) for bound in (0.5, 0.6, 0.8, 0.9)] == [4, 6, 16, 35]
    assert fewest.rate_holds(at_least=0.8, at_most=0.95) == 16
    assert fewest.rate_holds(at_least=1.0) is None
    assert fewest.rate_fails(at_least=0.0) is None


@pytest.mark.parametrize(("successes", "n", "bound"), [(18, 20, 0.8), (1, 4, 0.6), (5, 8, 0.5), (0, 2, 0.1)])
def test_the_rate_is_decided_where_wilsons_end_meets_the_bound(successes: int, n: int, bound: float) -> None:
    decided = fewest.rate_decides(successes, n, bound)
    assert decided is not None
    rate, z = successes / n, quantile(0.95)
    for count, expected in ((decided, False), (decided - 1, True)):
        centre, half = rate + z**2 / (2 * count), z * math.sqrt(rate * (1 - rate) / count + z**2 / (4 * count**2))
        low, high = (centre - half) / (1 + z**2 / count), (centre + half) / (1 + z**2 / count)
        assert (low < bound < high) == expected


def test_an_estimate_on_its_bound_is_never_decided() -> None:
    assert fewest.rate_decides(4, 5, 0.8) is None
    assert fewest.rate_decides(0, 0, 0.8) is None
    assert fewest.mean_decides(0.8, 0.7, 10, 0.8) is None


def test_what_is_decided_takes_no_further_seeds() -> None:
    assert fewest.rate_decides(0, 30, 0.8) == 30
    assert fewest.mean_decides(0.9, 0.85, 20, 0.8) == 20


def test_a_mean_is_decided_by_the_root_law() -> None:
    assert fewest.mean_decides(0.9, 0.7, 20, 0.8) == 80
    assert fewest.mean_decides(3.0, math.inf, 5, 4.0, fewest=13) == 13
    assert fewest.mean_decides(3.0, math.inf, 20, 4.0, fewest=13) is None  # a seed is infinite
    assert fewest.mean_decides(math.inf, math.inf, 20, 4.0) is None


@pytest.mark.parametrize("limits", [(-math.inf, math.inf), (0.0, 1.0), (0.0, math.inf)])
@pytest.mark.parametrize("level", LEVELS)
def test_both_ends_of_an_interquartile_mean_exist_from_the_number_on(level: float, limits: tuple[float, float]) -> None:
    n = fewest.interquartile_mean(level, limits)

    def both(count: int) -> bool:
        ends = iqm_interval(np.linspace(0.4, 0.6, count), level, limits)
        return all(map(math.isfinite, ends))

    assert both(n)
    assert not both(n - 1)
    assert n == max(fewest.interquartile_mean_end(limit, level) for limit in limits)


def test_the_numbers_of_the_usual_level() -> None:
    assert fewest.interquartile_mean() == 13
    assert fewest.interquartile_mean(limits=(0, 1)) == 3
    assert fewest.median() == 6
    assert fewest.paired_permutation() == 6


@pytest.mark.parametrize("bound", [0.05, 0.5, 0.8, 0.9, 0.95, 1.0])
def test_an_accuracy_can_hold_from_the_number_on(bound: float) -> None:
    n = fewest.interquartile_mean_holds((0, 1), at_least=bound)
    assert n is not None
    assert iqm_interval(np.ones(n), limits=(0, 1)).low >= bound
    low = iqm_interval(np.ones(n - 1), limits=(0, 1)).low
    assert math.isnan(low) or low < bound
    assert fewest.interquartile_mean_holds((0, 1), at_most=1 - bound) == n


def test_a_loss_at_most_takes_the_seeds_of_a_value_without_limit_and_at_least_those_of_one_with() -> None:
    loss = (0.0, math.inf)
    assert fewest.interquartile_mean_holds(loss, at_most=0.3) == 13
    assert fewest.interquartile_mean_holds(loss, at_least=0.3) == 3
    assert fewest.interquartile_mean_holds((0, 1), at_least=1.1) is None


@pytest.mark.parametrize("level", LEVELS)
def test_the_median_has_an_interval_from_the_number_on(level: float) -> None:
    n = fewest.median(level)
    assert not math.isnan(median_interval(np.arange(n), level).low)
    assert math.isnan(median_interval(np.arange(n - 1), level).low)


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.1])
def test_the_least_p_of_the_number_of_pairs_is_below_alpha(alpha: float) -> None:
    n = fewest.paired_permutation(alpha)
    least = [paired_permutation(np.ones(m), np.zeros(m), np.random.default_rng(0)) for m in (n - 1, n)]
    assert least[1] < alpha <= least[0]


def test_counting_seeds_loads_neither_numpy_nor_scipy() -> None:
    code = "import sys, harness.statistics.fewest; sys.exit('scipy' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
