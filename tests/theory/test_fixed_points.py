"""Fixed points, folds and the wall of one sigmoid unit, against iteration and finite differences."""

from __future__ import annotations

import math

import pytest

from harness.theory.fixed_points import attractor, fixed_points, folds, wall, wall_gradient


def step(w: float, b: float, x: float) -> float:
    return w / (1 + math.exp(-x)) + b


def after(w: float, b: float, x: float, steps: int) -> float:
    for _ in range(steps):
        x = step(w, b, x)
    return x


def test_the_folds_of_the_published_unit() -> None:
    assert folds(5.0) == (pytest.approx(-2.6556, abs=5e-5), pytest.approx(-2.3444, abs=5e-5))


@pytest.mark.parametrize("w", [4.2, 5.0, 7.0])
def test_there_are_three_fixed_points_between_the_folds_and_one_outside(w: float) -> None:
    low, high = folds(w)
    assert low < high
    inside, hair = (high - low) / 2, (high - low) * 1e-3
    assert (
        len(fixed_points(w, low + inside)) == len(fixed_points(w, low + hair)) == len(fixed_points(w, high - hair)) == 3
    )
    assert len(fixed_points(w, low - hair)) == len(fixed_points(w, high + hair)) == 1


@pytest.mark.parametrize(("w", "b"), [(5.0, -2.5), (5.0, -3.0), (2.0, 1.0), (8.0, -4.1)])
def test_fixed_points_stay_where_they_are(w: float, b: float) -> None:
    for x in fixed_points(w, b):
        assert step(w, b, x) == pytest.approx(x, abs=1e-12)


@pytest.mark.parametrize("b", [-3.0, -2.62, -2.6, -2.5, -2.0])
@pytest.mark.parametrize("start", [-4.0, 0.5, 3.0])
def test_the_attractor_is_where_iteration_ends(b: float, start: float) -> None:
    assert after(5.0, b, start, 5000) == pytest.approx(attractor(5.0, b, start), abs=1e-9)


@pytest.mark.parametrize("w", [4.8, 5.0, 6.0])
def test_the_wall_parts_the_attractors(w: float) -> None:
    b = wall(w, 0.5)
    assert folds(w)[0] < b < folds(w)[1]
    assert after(w, b + 1e-3, 0.5, 500) > 0.5 > after(w, b - 1e-3, 0.5, 500)
    assert step(w, b, 0.5) == pytest.approx(0.5, abs=1e-14)


def test_the_gradient_on_the_wall_is_that_of_finite_differences() -> None:
    w, T, target, d = 5.0, 50, 0.7, 1e-8

    def error(w: float, b: float) -> float:
        return (1 / (1 + math.exp(-after(w, b, 0.5, T))) - target) ** 2

    b = wall(w, 0.5)
    by_w, by_b = wall_gradient(w, 0.5, T, target)
    assert (error(w + d, b) - error(w - d, b)) / (2 * d) == pytest.approx(by_w, rel=1e-4)
    assert (error(w, b + d) - error(w, b - d)) / (2 * d) == pytest.approx(by_b, rel=1e-4)


@pytest.mark.parametrize("w", [4.0, 1.0, math.inf])
def test_a_flat_unit_has_no_folds(w: float) -> None:
    with pytest.raises(ValueError, match="folds"):
        folds(w)


@pytest.mark.parametrize(("w", "start"), [(4.0, 0.5), (5.0, 3.0)])
def test_a_stable_start_has_no_wall(w: float, start: float) -> None:
    with pytest.raises(ValueError, match="no wall"):
        wall(w, start)


def test_a_weight_that_is_not_positive_is_refused() -> None:
    with pytest.raises(ValueError, match="recurrent weight"):
        fixed_points(0.0, 1.0)
