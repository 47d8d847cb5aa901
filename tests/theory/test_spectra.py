"""The circular law against drawn matrices, and the largest exponent where it can be known otherwise."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.theory.spectra import circular_law_exponents, largest_exponent, mean_field_exponent


def test_the_circular_law_is_that_of_drawn_eigenvalues() -> None:
    """N = 400: the moduli of a Ginibre matrix follow the law within .05 nats but for the smallest tenth."""
    N = 400
    W = np.random.default_rng(5).standard_normal((N, N)) * (0.8 / math.sqrt(N))
    drawn = np.sort(np.log(np.abs(np.linalg.eigvals(W))))[::-1]
    off = (drawn - circular_law_exponents(0.8, N))[: N - N // 10]
    assert np.sqrt(np.mean(off**2)) < 0.05


@pytest.mark.parametrize("gain", [0.3, 0.9])
def test_the_mean_exponent_is_ln_g_less_one_half(gain: float) -> None:
    """∫₀¹ ½ ln(1 − u) du = −½: the mean logarithm of an eigenvalue's modulus, which is that of a pivot too."""
    assert circular_law_exponents(gain, 20_000).mean() == pytest.approx(math.log(gain) - 0.5, abs=1e-4)


def test_exponents_come_in_descending_order_and_lie_within_the_disc() -> None:
    exponents = circular_law_exponents(0.9, 50)
    assert (np.diff(exponents) < 0).all()
    assert exponents[0] < math.log(0.9)


def test_the_largest_exponent_of_a_linear_network_is_ln_g() -> None:
    assert largest_exponent(0.7, 1.0) == pytest.approx(math.log(0.7))


def test_a_perturbation_of_an_independent_matrix_grows_by_the_largest_exponent() -> None:
    """Mean of ½ ln of the squared growth over fresh Gaussian matrices and slopes, N = 400; standard error .002."""
    generator, N, g = np.random.default_rng(6), 400, 1.7
    slopes = generator.uniform(0, 1, N)
    growth = []
    for _ in range(600):
        row_sums = generator.standard_normal(N) * g  # W v of a unit vector v, entry by entry, times √N
        growth.append(0.5 * math.log(np.mean((slopes * row_sums) ** 2)))
    assert np.mean(growth) == pytest.approx(largest_exponent(g, float(np.mean(slopes**2))), abs=0.01)


@pytest.mark.parametrize(("gain", "size"), [(0.0, 3), (-1.0, 3), (math.inf, 3), (0.5, 0)])
def test_a_spectrum_without_a_disc_is_refused(gain: float, size: int) -> None:
    with pytest.raises(ValueError, match="gain"):
        circular_law_exponents(gain, size)


@pytest.mark.parametrize(("gain", "slope"), [(0.0, 1.0), (1.0, 0.0), (1.0, math.nan)])
def test_a_network_without_slope_has_no_exponent(gain: float, slope: float) -> None:
    with pytest.raises(ValueError, match="slope"):
        largest_exponent(gain, slope)


@pytest.mark.parametrize(("gain", "expected"), [(2.0, 0.155), (3.0, 0.310)])
def test_the_exponent_of_the_mean_field_is_that_of_its_equations_by_plain_iteration(
    gain: float, expected: float
) -> None:
    """q ← g² E[tanh²(√q z)] from q = 1, and E[φ'²], both by a sum over a fine grid of z."""
    z = np.linspace(-12, 12, 40_001)
    weights = np.exp(-(z**2) / 2)
    weights /= weights.sum()
    q = 1.0
    for _ in range(200):
        q = gain**2 * float(weights @ np.tanh(math.sqrt(q) * z) ** 2)
    slope = float(weights @ (1 - np.tanh(math.sqrt(q) * z) ** 2) ** 2)
    assert mean_field_exponent(gain) == pytest.approx(0.5 * math.log(gain**2 * slope), abs=1e-10)
    assert mean_field_exponent(gain) == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize("gain", [0.5, 1.0])
def test_the_mean_field_of_a_network_that_falls_silent_is_linear(gain: float) -> None:
    assert mean_field_exponent(gain) == pytest.approx(math.log(gain), abs=1e-15)


def test_a_wide_network_has_the_exponent_of_its_mean_field() -> None:
    """N = 600, g = 3, one vector over 400 steps after 100: λ₁ within .02, with nothing of the trajectory predicted."""
    generator, N, g = np.random.default_rng(2), 600, 3.0
    W = generator.standard_normal((N, N)) * (g / math.sqrt(N))
    h, v, growth = generator.standard_normal(N), generator.standard_normal(N), []
    for t in range(500):
        h = np.tanh(W @ h)
        v = (1 - h**2) * (W @ v)
        size = float(np.linalg.norm(v))
        v /= size
        growth += [math.log(size)] if t >= 100 else []
    assert np.mean(growth) == pytest.approx(mean_field_exponent(g), abs=0.02)
