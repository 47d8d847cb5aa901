"""Chrono's times against draws, and the moments of the linear unit against its own sums."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.theory.memory import (
    chrono_log_forget_gate,
    chrono_memory,
    normalised_sensitivity_moment,
    sensitivity_moment,
    slope_of_exponent,
    state_moment,
)


@pytest.mark.parametrize("length", [3, 20, 100, 1000])
def test_the_closed_forms_of_chrono_are_the_means_of_its_draws(length: int) -> None:
    """10⁶ draws: standard errors below .001 of the range for the time, below .001 for the logarithm."""
    u = np.random.default_rng(8).uniform(1, length - 1, 1_000_000)
    forget = 1 / (1 + np.exp(-np.log(u)))
    assert np.mean(1 / (1 - forget)) == pytest.approx(chrono_memory(length), rel=2e-3)
    assert np.mean(np.log(forget)) == pytest.approx(chrono_log_forget_gate(length), rel=1e-2)


def test_at_two_steps_every_chrono_gate_is_one_half() -> None:
    assert chrono_log_forget_gate(2) == pytest.approx(math.log(0.5))
    assert chrono_memory(2) == 2.0


@pytest.mark.parametrize("eigenvalue", [-0.7, 0.0, 0.5, 0.99])
@pytest.mark.parametrize("steps", [0, 1, 2, 3, 50])
def test_the_closed_moments_are_their_sums(eigenvalue: float, steps: int) -> None:
    k = np.arange(1, max(steps, 1))
    squares = math.fsum((eigenvalue ** (2 * np.arange(steps))).tolist())
    sensitivities = math.fsum((k**2 * eigenvalue ** (2.0 * (k - 1))).tolist())
    assert state_moment(eigenvalue, steps) == pytest.approx(squares, rel=1e-12)
    assert sensitivity_moment(eigenvalue, steps) == pytest.approx(sensitivities, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("eigenvalue", [0.0, 0.5, 0.9, -0.9])
def test_the_steady_state_is_the_limit(eigenvalue: float) -> None:
    assert state_moment(eigenvalue, 2000) == pytest.approx(state_moment(eigenvalue))
    assert sensitivity_moment(eigenvalue, 2000) == pytest.approx(sensitivity_moment(eigenvalue))


def test_the_sensitivity_grows_by_the_third_power_of_the_memory() -> None:
    """λ → 1: halving 1 − λ doubles E[h²] and multiplies E[(∂h/∂λ)²] by eight."""
    assert state_moment(0.9995) / state_moment(0.999) == pytest.approx(2, rel=1e-3)
    assert sensitivity_moment(0.9995) / sensitivity_moment(0.999) == pytest.approx(8, rel=1e-3)


@pytest.mark.parametrize(("eigenvalue", "steps"), [(1.0, 5), (-1.0, 5), (math.nan, 5), (0.5, -1)])
@pytest.mark.parametrize("moment", [state_moment, sensitivity_moment])
def test_a_unit_that_does_not_settle_is_refused(moment: object, eigenvalue: float, steps: int) -> None:
    with pytest.raises(ValueError, match="λ"):
        moment(eigenvalue, steps)  # type: ignore[operator]


@pytest.mark.parametrize("theory", [chrono_memory, chrono_log_forget_gate])
def test_chrono_of_less_than_two_steps_is_refused(theory: object) -> None:
    with pytest.raises(ValueError, match="2 steps"):
        theory(1)  # type: ignore[operator]


@pytest.mark.parametrize(("eigenvalue", "steps", "exact"), [(0.999999, 2, 1.0), (0.99999, 10, 284.96498)])
def test_few_steps_of_a_long_memory_lose_no_digits(eigenvalue: float, steps: int, exact: float) -> None:
    assert sensitivity_moment(eigenvalue, steps) == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize("eigenvalue", [0.3, 0.9, 0.99])
def test_the_normalised_sensitivity_is_the_derivative_of_the_normalised_state(eigenvalue: float) -> None:
    """By finite differences of the impulse response γ λᵏ, squared and summed."""
    step, k = 1e-6, np.arange(4000)

    def response(value: float) -> np.ndarray:
        return np.sqrt(1 - value**2) * value**k

    slopes = (response(eigenvalue + step) - response(eigenvalue - step)) / (2 * step)
    for t in (1, 2, 17):
        assert normalised_sensitivity_moment(eigenvalue, t) == pytest.approx(np.sum(slopes[:t] ** 2), rel=1e-6)
    assert normalised_sensitivity_moment(eigenvalue) == pytest.approx(np.sum(slopes**2), rel=1e-6)
    assert (response(eigenvalue) ** 2).sum() == pytest.approx(1)
    ν = np.log(-np.log(eigenvalue))
    numeric = (np.exp(-np.exp(ν + step)) - np.exp(-np.exp(ν - step))) / (2 * step)
    assert slope_of_exponent(eigenvalue) == pytest.approx(numeric, rel=1e-6)


def test_by_the_exponent_the_normalised_sensitivity_tends_to_a_quarter() -> None:
    near = [slope_of_exponent(x) ** 2 * normalised_sensitivity_moment(x) for x in (0.9, 0.99, 0.9999)]
    assert near[0] < near[1] < near[2] == pytest.approx(0.25, rel=1e-3)
