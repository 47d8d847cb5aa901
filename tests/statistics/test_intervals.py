"""Statistics against scipy, closed forms and published numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.statistics.intervals import (
    finite_mean,
    iqm,
    kaplan_meier,
    mean_band,
    median_time,
    paired_permutation,
    pooled_interval,
    rate_interval,
    seed_means,
)

# Weeks in remission of 21 leukaemia patients on 6-MP and on placebo (Freireich et al. 1963); + is censored.
MERCAPTOPURINE = ([6, 6, 6, 7, 10, 13, 16, 22, 23], [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35])
PLACEBO: tuple[list[int], list[int]] = ([1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23], [])


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_five_of_five_solved_is_no_certainty() -> None:
    assert rate_interval(5, 5) == pytest.approx((0.5655, 1.0), abs=5e-5)


def test_wilson_of_ten_of_hundred_is_the_textbook_one() -> None:
    assert rate_interval(10, 100) == pytest.approx((0.0552, 0.1744), abs=5e-5)


def test_clopper_pearson_of_none_is_its_closed_form() -> None:
    assert rate_interval(0, 8, "exact") == pytest.approx((0.0, 1 - 0.025 ** (1 / 8)))


@settings(derandomize=True, deadline=None, database=None)
@given(st.integers(1, 60), st.data())
def test_intervals_hold_the_rate_and_mirror(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    wilson, other = rate_interval(k, n), rate_interval(n - k, n)
    assert 0 <= wilson.low <= k / n <= wilson.high <= 1
    assert wilson == pytest.approx((1 - other.high, 1 - other.low))


@pytest.mark.parametrize("n", range(1, 30, 4))
def test_intervals_of_all_solved_are_their_closed_forms(n: int) -> None:
    z = stats.norm.ppf(0.975)
    assert rate_interval(n, n).low == pytest.approx(n / (n + z**2))
    assert rate_interval(n, n, "exact").low == pytest.approx(0.025 ** (1 / n))


def test_without_runs_the_interval_of_a_rate_is_zero_to_one() -> None:
    assert rate_interval(0, 0) == (0.0, 1.0)


def test_more_successes_than_runs_are_refused() -> None:
    with pytest.raises(ValueError, match="6 of 5"):
        rate_interval(6, 5)


def test_the_iqm_is_the_mean_of_the_middle_half() -> None:
    assert iqm([0, 1, 2, 3, 4, 5, 6, 100]) == pytest.approx((2 + 3 + 4 + 5) / 4)
    assert iqm([1, 2, 6]) == pytest.approx(3)
    assert math.isnan(iqm([]))


def test_kaplan_meier_gives_the_published_curve() -> None:
    curve = kaplan_meier(*MERCAPTOPURINE)
    share = dict(zip(curve.times, curve.share, strict=True))
    published = {6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}
    assert {t: share[t] for t in published} == pytest.approx(published, abs=5e-4)


def test_medians_are_the_published_ones() -> None:
    assert median_time(*MERCAPTOPURINE)[0] == 23
    assert median_time(*PLACEBO)[0] == 8


def test_median_intervals_on_the_log_log_scale_are_the_published_ones() -> None:
    """SAS's PROC LIFETEST prints 13 to missing and 4 to 11."""
    assert median_time(*MERCAPTOPURINE)[1] == (13, math.inf)
    placebo = kaplan_meier(*PLACEBO)
    assert placebo.times[placebo.low <= 0.5][0] == 4
    assert placebo.times[placebo.high <= 0.5][0] == 11


def test_times_with_one_budget_have_the_interval_of_the_sign_test() -> None:
    assert median_time([100, 150, 170, 200, 260], [400] * 3)[1] == (100, math.inf)
    assert median_time([100, 150, 170, 200, 260, 300, 310, 320], [])[1] == (100, 320)
    assert median_time([], [400] * 6) == (math.inf, (math.inf, math.inf))
    assert all(map(math.isnan, median_time([100, 150, 170, 200], [400])[1]))  # five seeds


def test_without_censoring_the_median_is_the_sample_median() -> None:
    assert median_time([100, 200, 300, 400, 500], [])[0] == 300


def test_exactly_half_solved_is_a_median() -> None:
    assert median_time([100, 200, 300, 400], [900] * 4)[0] == 400


def test_a_median_beyond_the_budget_is_infinite() -> None:
    median, interval = median_time([100], [900] * 7)
    assert median == math.inf
    assert interval.high == math.inf


def test_runs_solved_at_once_have_an_interval_of_one_point() -> None:
    assert median_time([200] * 8, []) == (200, (200, 200))


def test_no_runs_have_no_survival_curve() -> None:
    with pytest.raises(ValueError, match="no runs"):
        kaplan_meier([], [])


@pytest.mark.parametrize("n", [2, 5, 8])
def test_the_least_p_is_two_in_two_to_the_n(n: int) -> None:
    assert paired_permutation(np.ones(n), np.zeros(n), generator()) == pytest.approx(2 / 2**n)


def test_equal_pairs_have_p_one() -> None:
    assert paired_permutation(np.ones(6), np.ones(6), generator()) == 1.0


def test_the_permutation_test_counts_all_sign_patterns() -> None:
    a, b = np.array([0.9, 0.4, 0.7, 0.8]), np.array([0.1, 0.5, 0.2, 0.3])
    signs = np.array(np.meshgrid(*[[-1, 1]] * 4)).reshape(4, -1).T
    means = (signs * (a - b)).mean(axis=1)
    expected = np.mean(np.abs(means) >= abs((a - b).mean()) - 1e-12)
    assert paired_permutation(a, b, generator()) == pytest.approx(expected)


def test_one_pair_is_refused() -> None:
    with pytest.raises(ValueError, match="two at least"):
        paired_permutation([1.0], [0.0], generator())


def test_the_band_is_the_mean_with_the_spread_of_resampled_seeds() -> None:
    values = generator(3).normal(size=(40, 3))
    band = mean_band(values, generator())
    assert band.mean == pytest.approx(values.mean(axis=0))
    half = 1.96 * values.std(axis=0, ddof=1) / math.sqrt(40)
    assert (band.high - band.low) / 2 == pytest.approx(half, rel=0.1)


def test_missing_values_are_left_out_of_the_band() -> None:
    values = np.array([[1.0, np.nan, np.nan], [3.0, 5.0, np.nan]])
    band = mean_band(values, generator())
    assert band.mean == pytest.approx([2.0, 5.0, np.nan], nan_ok=True)
    assert np.isnan(band.low).tolist() == [False, True, True]


def test_runs_of_one_seed_are_averaged_to_one_row_and_infinite_values_left_out() -> None:
    values = np.array([[1.0, 2.0], [5.0, -np.inf], [3.0, np.nan]])
    assert seed_means(values, [7, 4, 7]) == pytest.approx(np.array([[5.0, np.nan], [2.0, 2.0]]), nan_ok=True)
    assert finite_mean(values) == pytest.approx([3.0, 2.0])


def test_one_seed_has_no_band() -> None:
    band = mean_band(np.array([[1.0, 2.0]]), generator())
    assert band.mean.tolist() == [1.0, 2.0]
    assert np.isnan(band.low).all()


def test_runs_that_share_a_seed_count_as_one_for_the_interval() -> None:
    assert pooled_interval(6, 8, 8) == rate_interval(6, 8)
    # every run of a seed agrees: five settings inform no more than one
    assert pooled_interval(15, 20, 4) == pytest.approx(rate_interval(3, 4))
    assert pooled_interval(0, 40, 8) == pytest.approx(rate_interval(0, 8))
    assert pooled_interval(40, 40, 8) == pytest.approx(rate_interval(8, 8))


def test_the_pooled_interval_covers_fully_paired_seeds_at_its_nominal_rate() -> None:
    generator, p, seeds, settings = np.random.default_rng(0), 0.6, 8, 5
    solved = generator.random((4000, seeds)) < p
    hits = [
        low <= p <= high
        for low, high in (pooled_interval(int(k) * settings, seeds * settings, seeds) for k in solved.sum(1))
    ]
    assert np.mean(hits) > 0.93


# Weeks of remission in acute myelogenous leukaemia, with maintenance chemotherapy (Miller 1981; `aml` in R).
MAINTAINED = ([9, 13, 18, 23, 31, 34, 48], [13, 28, 45, 161])


def test_kaplan_meier_gives_the_numbers_that_r_prints_for_aml() -> None:
    """summary(survfit(Surv(time, status) ~ 1, aml, subset = x == "Maintained"))."""
    curve = kaplan_meier(*MAINTAINED)
    steps = {9: 0.909, 13: 0.818, 18: 0.716, 23: 0.614, 31: 0.491, 34: 0.368, 48: 0.184}
    errors = {9: 0.0867, 13: 0.1163, 18: 0.1397, 23: 0.1526, 31: 0.1642, 34: 0.1627, 48: 0.1535}
    for t, share, low, high in zip(curve.times, curve.share, curve.low, curve.high, strict=True):
        if t in steps:
            assert share == pytest.approx(steps[t], abs=5e-4)
            half = 1.96 * errors[t] / (share * abs(math.log(share)))  # R's standard errors on the log-log scale
            assert (low, high) == pytest.approx((share ** math.exp(half), share ** math.exp(-half)), abs=2e-3)
    assert median_time(*MAINTAINED)[0] == 31
