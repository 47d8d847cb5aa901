"""Means over Gaussians hold at any variance: by adaptive quadrature, in closed form, and in the limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import dblquad

from harness.theory import gaussian
from harness.theory.mean_field import fixed_point, mean_log_forget_gate, squared_slope


def slope(u):
    return 1 / np.cosh(np.clip(u, -300, 300)) ** 2


@pytest.mark.parametrize("q", [1e-12, 1e-3, 1.0, 37.0, 1e4, 1e12])
def test_moments_are_those_of_the_normal_distribution(q: float) -> None:
    for power, moment in ((0, 1), (1, 0), (2, 1), (4, 3)):
        assert gaussian.mean(lambda u, p=power: (u / math.sqrt(q)) ** p, q) == pytest.approx(moment, abs=1e-13)


@pytest.mark.parametrize(("q", "tolerance"), [(400, 1e-3), (1e4, 1e-4), (1e8, 1e-8)])
def test_a_wide_gaussian_sees_a_narrow_slope_as_a_point(q: float, tolerance: float) -> None:
    """E[sech⁴(√q z)] → ∫ sech⁴ u du/√(2πq) = (4/3)/√(2πq); the next term is of relative size 1/q."""
    assert squared_slope(q) * math.sqrt(2 * math.pi * q) == pytest.approx(4 / 3, rel=tolerance)


def test_the_growth_of_gradients_in_a_wide_network_of_large_weights() -> None:
    """χ₁ = σ_w² E[φ'²] → (4/3) √(σ_w²/2π): 53.2 at σ_w² = 10⁴, where Gauss–Hermite of 1000 nodes gave 3e-5."""
    q = fixed_point(1e4, 0.0).q
    assert 1e4 * squared_slope(q) == pytest.approx(53.2, abs=0.3)


@pytest.mark.parametrize(("q", "d"), [(0.3, 0.2), (2.0, 0.01), (2.0, 0.9), (10.0, 0.3), (40.0, 0.05)])
def test_products_are_those_of_adaptive_quadrature_over_sum_and_difference(q: float, d: float) -> None:
    """u₁ = a x + b y, u₂ = a x − b y with independent standard normal x, y: not the code's variables."""
    a, b = math.sqrt(q * (2 - d) / 2), math.sqrt(q * d / 2)

    def twin(f) -> float:
        def density(y: float, x: float) -> float:
            return f(a * x + b * y) * f(a * x - b * y) * math.exp(-(x * x + y * y) / 2) / (2 * math.pi)

        return dblquad(density, -9, 9, -9, 9, epsabs=1e-10)[0]

    of_tanh = twin(math.tanh)
    assert gaussian.mean_product(np.tanh, q, d, limit=1.0) == pytest.approx(of_tanh, abs=1e-9)
    assert gaussian.mean_product(slope, q, d) == pytest.approx(twin(lambda u: math.cosh(u) ** -2), abs=1e-9)
    squares = gaussian.mean(lambda u: np.tanh(u) ** 2, q)
    assert gaussian.mean_squared_difference_of_tanh(q, d) * d == pytest.approx(squares - of_tanh, abs=1e-9)


@pytest.mark.parametrize("q", [1e4, 1e8])
def test_signs_of_wide_gaussians_agree_by_the_arcsine_law(q: float) -> None:
    """tanh is a sign there: E = (2/π) arcsin c (Sheppard 1899), up to 1/√q."""
    expected = 2 / math.pi * math.asin(0.75)
    assert gaussian.mean_product(np.tanh, q, 0.25, limit=1.0) == pytest.approx(expected, abs=2 / math.sqrt(q))


@pytest.mark.parametrize("d", [1e-3, 1e-9, 1e-15])
def test_a_small_distance_loses_no_digits(d: float) -> None:
    """d → 0: E[(tanh u₁ − tanh u₂)²]/(2d) → q E[φ'²]."""
    assert gaussian.mean_squared_difference_of_tanh(1.7, d) == pytest.approx(
        1.7 * squared_slope(1.7), rel=3 * d + 1e-13
    )


@pytest.mark.parametrize("weight_variance", [1.0001, 1.01, 2.0, 100.0, 1e4])
def test_without_shared_input_chaos_forgets_everything(weight_variance: float) -> None:
    assert fixed_point(weight_variance, 0.0).c == 0.0
    assert fixed_point(weight_variance, 0.3, 0.0).c == 0.0


@pytest.mark.parametrize(("weight_variance", "r"), [(1.0001, 1.0), (2.0, 1.0), (2.0, 0.5), (400.0, 0.9), (1e4, 1.0)])
def test_the_fixed_point_is_one_of_the_correlation_map_and_stable(weight_variance: float, r: float) -> None:
    s = 0.05
    point = fixed_point(weight_variance, s, r)
    product = gaussian.mean_product(np.tanh, point.q, 1 - point.c, limit=1.0)
    assert weight_variance * product + r * s == pytest.approx(point.q * point.c, rel=1e-10)
    assert 0 <= point.chi < 1


@pytest.mark.parametrize(("bias", "variance"), [(-30.0, 1e-4), (5.0, 1e4), (-500.0, 1.0)])
def test_a_forget_gate_far_from_its_bend_is_linear_or_closed(bias: float, variance: float) -> None:
    """ln σ(a) = −ln(1 + e^{−a}) ≈ min(a, 0): the mean of a half-normal, and π²/6 of the bend's area."""
    s = math.sqrt(variance)
    density = math.exp(-((bias / s) ** 2) / 2) / (s * math.sqrt(2 * math.pi))
    below = bias * 0.5 * math.erfc(bias / s / math.sqrt(2)) - s * s * density
    assert mean_log_forget_gate(bias, variance) == pytest.approx(below - density * math.pi**2 / 6, rel=1e-4, abs=1e-12)
