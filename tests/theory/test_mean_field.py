"""Fixed points and slopes against adaptive quadrature, simulation, expansions and published critical points."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import dblquad, quad

from harness.theory.mean_field import (
    fixed_point,
    mean_log_forget_gate,
    squared_slope,
    time_scale,
    variance,
)


def density(z: float) -> float:
    return math.exp(-z * z / 2) / math.sqrt(2 * math.pi)


@pytest.mark.parametrize(
    ("weight_variance", "input_variance"), [(0.5, 0.3), (1.0, 0.1), (2.25, 0.0), (9.0, 0.0), (4.0, 1.0)]
)
def test_the_variance_is_a_fixed_point_by_adaptive_quadrature(weight_variance: float, input_variance: float) -> None:
    q = variance(weight_variance, input_variance)
    second = quad(lambda z: math.tanh(math.sqrt(q) * z) ** 2 * density(z), -12, 12)[0]
    assert weight_variance * second + input_variance == pytest.approx(q, rel=1e-7)


@pytest.mark.parametrize("q", [0.01, 1.0, 6.0])
def test_the_squared_slope_is_that_of_adaptive_quadrature(q: float) -> None:
    slope = quad(lambda z: density(z) / math.cosh(math.sqrt(q) * z) ** 4, -12, 12, points=[0.0])[0]
    assert squared_slope(q) == pytest.approx(slope, rel=1e-6)


def test_the_correlation_of_two_sequences_is_a_fixed_point_by_adaptive_quadrature() -> None:
    s2, w2, r = 0.4, 2.0, 0.6
    point = fixed_point(w2, s2, r)

    def pair(a: float, b: float) -> tuple[float, float]:
        first = math.sqrt(point.q) * a
        return first, point.c * first + math.sqrt(point.q * (1 - point.c**2)) * b

    def product(b: float, a: float) -> float:
        u, v = pair(a, b)
        return math.tanh(u) * math.tanh(v) * density(a) * density(b)

    def slopes(b: float, a: float) -> float:
        u, v = pair(a, b)
        return density(a) * density(b) / (math.cosh(u) * math.cosh(v)) ** 2

    assert (w2 * dblquad(product, -8, 8, -8, 8)[0] + r * s2) / point.q == pytest.approx(point.c, abs=1e-6)
    assert point.chi == pytest.approx(w2 * dblquad(slopes, -8, 8, -8, 8)[0], abs=1e-6)


def test_a_wide_network_is_at_the_fixed_point_of_the_theory() -> None:
    """One step of 2·10⁶ units at the fixed point, by Monte Carlo: standard errors below .001."""
    point, generator = fixed_point(1.5, 0.3, 0.5), np.random.default_rng(7)
    u, z = math.sqrt(point.q) * generator.standard_normal((2, 2_000_000))
    v = point.c * u + math.sqrt(1 - point.c**2) * z
    assert 1.5 * np.mean(np.tanh(u) ** 2) + 0.3 == pytest.approx(point.q, abs=3e-3)
    assert (1.5 * np.mean(np.tanh(u) * np.tanh(v)) + 0.15) / point.q == pytest.approx(point.c, abs=3e-3)
    assert 1.5 * np.mean((1 - np.tanh(u) ** 2) * (1 - np.tanh(v) ** 2)) == pytest.approx(point.chi, abs=3e-3)


def test_the_slope_is_that_of_the_correlation_map() -> None:
    """χ is the rate at which correlations settle: the recursion from near c* shrinks the distance by χ."""
    w2, s2, r = 1.2, 0.2, 0.4
    point = fixed_point(w2, s2, r)
    nodes, weights = np.polynomial.hermite_e.hermegauss(100)
    weights = weights / weights.sum()

    def step(c: float) -> float:
        u = math.sqrt(point.q) * nodes
        v = c * u[:, None] + math.sqrt(point.q * (1 - c * c)) * nodes
        return (w2 * float(weights @ (np.tanh(u) * (np.tanh(v) @ weights))) + r * s2) / point.q

    distance = 1e-5
    assert (step(point.c + distance) - point.c) / distance == pytest.approx(point.chi, abs=1e-4)


def test_a_published_critical_point_is_critical() -> None:
    """tanh, σ_w² = 1.05, σ_b² = 2.01·10⁻⁵: χ₁ = 1 (Pennington, Schoenholz & Ganguli 2017, figure 1)."""
    q = variance(1.05, 2.01e-5)
    assert 1.05 * squared_slope(q) == pytest.approx(1.0, abs=2e-4)


@pytest.mark.parametrize(("weight_variance", "chi"), [(0.25, 0.25), (0.81, 0.81), (1.0, 1.0)])
def test_a_network_that_falls_silent_is_linear(weight_variance: float, chi: float) -> None:
    point = fixed_point(weight_variance, 0.0)
    assert (point.q, point.c) == (0.0, 1.0)
    assert point.chi == chi


def test_only_a_chaotic_network_separates_equal_inputs() -> None:
    assert fixed_point(0.9, 0.1).c == 1.0
    chaotic = fixed_point(4.0, 0.01)
    assert chaotic.c < 0.9
    assert chaotic.chi < 1


def test_chaos_without_input_forgets_everything() -> None:
    assert fixed_point(4.0, 0.0).c == 0.0


def test_the_time_scale_is_the_steps_to_1_over_e() -> None:
    assert 0.9 ** time_scale(0.9) == pytest.approx(math.exp(-1))
    assert time_scale(1.0) == math.inf
    assert time_scale(0.0) == 0.0


def test_near_the_edge_the_time_scale_diverges() -> None:
    """Without input χ = σ_w² below the edge, so that ξ ≈ 1/(1 − σ_w²)."""
    assert time_scale(fixed_point(0.999, 0.0).chi) == pytest.approx(1000, rel=1e-3)


def test_a_forget_gate_at_its_bias_decays_by_its_value() -> None:
    assert mean_log_forget_gate(1.0) == pytest.approx(math.log(1 / (1 + math.exp(-1))))
    assert mean_log_forget_gate(-800.0) == pytest.approx(-800.0)


@pytest.mark.parametrize(("mean", "spread"), [(0.0, 1.0), (1.0, 0.25), (-2.0, 4.0)])
def test_the_mean_log_forget_gate_is_that_of_adaptive_quadrature(mean: float, spread: float) -> None:
    whole = quad(lambda z: -np.logaddexp(0, -(mean + math.sqrt(spread) * z)) * density(z), -12, 12)[0]
    assert mean_log_forget_gate(mean, spread) == pytest.approx(whole, rel=1e-9)


@pytest.mark.parametrize(("weight_variance", "input_variance"), [(-1.0, 0.0), (1.0, -0.1), (math.inf, 0.0)])
def test_a_negative_or_infinite_variance_is_refused(weight_variance: float, input_variance: float) -> None:
    with pytest.raises(ValueError, match="variances"):
        variance(weight_variance, input_variance)


def test_a_correlation_above_one_is_refused() -> None:
    with pytest.raises(ValueError, match="correlation"):
        fixed_point(1.0, 0.1, 1.5)


def test_a_negative_slope_has_no_time_scale() -> None:
    with pytest.raises(ValueError, match="chi"):
        time_scale(-0.1)


def test_without_input_its_correlation_changes_nothing() -> None:
    assert fixed_point(1.05, 0.0, 0.5) == fixed_point(1.05, 0.0, 1.0)
