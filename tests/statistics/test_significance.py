"""Tests of paired differences against closed forms, full enumeration and the definitions of their sources."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.statistics.intervals import paired_permutation
from harness.statistics.significance import (
    chance_of_exceeding,
    difference_interval,
    exceeds,
    probability_of_improvement,
    stratified_permutation,
)

CELLS = [[0.1, -0.2, 0.4], [0.3, 0.2, 0.0, 0.1, -0.5], [0.7, 0.25]]
REFUSED = [([], "cell"), ([[0.1], []], "cell"), ([[0.1, math.nan]], "numbers"), ([[math.inf]], "numbers")]


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_the_stratified_test_counts_all_sign_patterns_of_the_mean_over_cells() -> None:
    flat = np.array([d / len(cell) for cell in CELLS for d in cell])
    sums = np.abs([flat @ signs for signs in itertools.product((-1, 1), repeat=flat.size)])
    assert stratified_permutation(CELLS, generator()) == pytest.approx(np.mean(sums >= abs(flat.sum()) - 1e-12))


def test_one_cell_is_the_paired_test() -> None:
    a, b = generator(1).normal(size=(2, 9))
    assert stratified_permutation([a - b], generator()) == pytest.approx(paired_permutation(a, b, generator()))


@settings(derandomize=True, deadline=None, database=None)
@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 30))
def test_with_solved_and_unsolved_it_is_mcnemars_exact_test(gained: int, lost: int, same: int) -> None:
    if gained + lost + same and gained + lost <= 12:
        p = stratified_permutation([[1.0] * gained + [-1.0] * lost + [0.0] * same], generator())
        assert p == pytest.approx(stats.binomtest(gained, gained + lost).pvalue if gained + lost else 1.0)


def test_random_patterns_come_near_the_exact_value() -> None:
    cells = [[1.0] * 4 + [-1.0, 0.0]] * 5
    exact = stats.binomtest(20, 25).pvalue
    error = math.sqrt(exact * (1 - exact) / 9999)
    assert stratified_permutation(cells, generator()) == pytest.approx(exact, abs=4 * error + 1e-4)


def test_random_patterns_never_give_zero() -> None:
    assert stratified_permutation([[1.0] * 10] * 10, generator()) == 1 / 10000


def test_equal_pairs_have_p_one_and_the_sign_does_not_matter() -> None:
    assert stratified_permutation([[0.0, 0.0], [0.0]], generator()) == 1.0
    turned = [[-d for d in cell] for cell in CELLS]
    assert stratified_permutation(CELLS, generator()) == stratified_permutation(turned, generator())


@pytest.mark.parametrize(("cells", "message"), REFUSED)
def test_cells_without_finite_pairs_are_refused(cells: list[list[float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stratified_permutation(cells, generator())


def test_p_is_uniform_or_above_where_nothing_changed() -> None:
    noise = generator(7).normal(size=(400, 4, 5))
    ps = np.array([stratified_permutation(list(cells), generator(i)) for i, cells in enumerate(noise)])
    for alpha in (0.05, 0.2, 0.5):
        assert np.mean(ps <= alpha) <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / len(ps))


def test_the_interval_has_the_width_of_its_closed_form() -> None:
    cells = list(generator(2).normal(size=(6, 40)))
    low, high = difference_interval(cells, generator())
    error = math.sqrt(sum(np.var(cell, ddof=1) / 40 for cell in cells)) / 6
    assert (high - low) / 2 == pytest.approx(1.96 * error, rel=0.06)
    assert (high + low) / 2 == pytest.approx(np.mean(cells), abs=0.1 * error)


def test_the_interval_covers_a_grid_of_five_seeds_at_its_nominal_rate() -> None:
    draws = generator(3).normal(0.3, 1.0, size=(400, 12, 5))
    ends = [difference_interval(list(cells), generator(i)) for i, cells in enumerate(draws)]
    assert np.mean([low <= 0.3 <= high for low, high in ends]) > 0.95 - 3 * math.sqrt(0.95 * 0.05 / 400)


def test_differences_without_variation_have_no_interval() -> None:
    assert all(math.isnan(end) for end in difference_interval([[0.0, 0.0], [1.0, 1.0]], generator()))
    assert all(math.isnan(end) for end in difference_interval([[0.5]], generator()))


def test_the_probability_of_improvement_is_mann_and_whitneys() -> None:
    x, y = generator(4).integers(0, 5, size=(2, 8)).astype(float)
    u = stats.mannwhitneyu(y, x).statistic
    assert probability_of_improvement([x], [y], generator())[0] == pytest.approx(u / 64)


def test_the_probability_of_improvement_is_a_mean_over_cells() -> None:
    value, ends = probability_of_improvement([[0.0, 1.0], [5.0]], [[2.0, 3.0], [5.0]], generator())
    assert value == pytest.approx((1.0 + 0.5) / 2)
    assert ends == pytest.approx((0.75, 0.75))


def test_the_probability_of_improvement_turns_with_its_sides() -> None:
    first, second = list(generator(5).normal(size=(3, 6))), list(generator(6).normal(0.5, 1, size=(3, 6)))
    up, (low, high) = probability_of_improvement(first, second, generator())
    down, _ = probability_of_improvement(second, first, generator())
    assert up == pytest.approx(1 - down)
    assert low < up < high


def test_cells_without_a_partner_are_refused() -> None:
    with pytest.raises(ValueError, match="2 and 1 cells"):
        probability_of_improvement([[0.0], [1.0]], [[0.0]], generator())


def test_the_chance_of_exceeding_is_that_of_a_fair_coin() -> None:
    # five of five down has 1/32; four or five of five, 6/32; two cells, once or twice
    assert chance_of_exceeding([[1.0] * 5], 0.9, generator(), two_sided=False) == pytest.approx(1 / 32, abs=0.007)
    assert chance_of_exceeding([[1.0] * 5], 0.5, generator(), two_sided=False) == pytest.approx(6 / 32, abs=0.016)
    both = chance_of_exceeding([[1.0] * 5] * 2, 0.5, generator(), two_sided=True)
    assert both == pytest.approx(1 - (1 - 12 / 32) ** 2, abs=0.02)


def test_differences_within_the_margin_never_exceed_it() -> None:
    assert chance_of_exceeding([[0.1] * 5, [0.0] * 5], 0.1, generator(), two_sided=True) == 0.0
    assert not exceeds(np.mean([1, 1, 1, 0, 0]), 0.6)
    assert exceeds(0.61, 0.6)
