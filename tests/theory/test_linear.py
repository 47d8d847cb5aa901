"""The linear recurrence decays by its spectral radius, and no Jacobian exceeds Pascanu's bound."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.theory.linear import GAMMA, jacobian_bound, log10_rate, log_rate


@pytest.mark.parametrize("rho", [0.5, 0.9, 1.0, 1.1])
def test_a_scaled_orthogonal_matrix_decays_by_exactly_the_rate(rho: float) -> None:
    generator = np.random.default_rng(1)
    q, _ = np.linalg.qr(generator.normal(size=(12, 12)))
    v = generator.normal(size=12)
    norms = [np.log(np.linalg.norm(v @ np.linalg.matrix_power(rho * q, k))) for k in range(40)]
    assert np.diff(norms) == pytest.approx(np.full(39, log_rate(rho)), abs=1e-12)


def test_a_gaussian_matrix_decays_by_the_rate_in_the_long_run() -> None:
    generator = np.random.default_rng(2)
    W = generator.normal(size=(30, 30))
    W *= 0.9 / np.abs(np.linalg.eigvals(W)).max()
    v, logs = generator.normal(size=30), 0.0
    for _ in range(3000):
        v = v @ W
        logs += np.log(np.linalg.norm(v))
        v /= np.linalg.norm(v)
    assert logs / 3000 == pytest.approx(log_rate(0.9), abs=2e-3)


def test_decades_and_natural_logarithms_agree() -> None:
    assert log10_rate(0.1) == pytest.approx(-1.0)
    assert log10_rate(10.0) == pytest.approx(1.0)


def test_a_nilpotent_matrix_forgets_completely() -> None:
    assert log_rate(0.0) == -math.inf
    assert log10_rate(0.0) == -math.inf


@pytest.mark.parametrize("rho", [-0.1, math.nan, math.inf])
def test_a_negative_or_infinite_radius_is_refused(rho: float) -> None:
    with pytest.raises(ValueError, match="spectral radius"):
        log_rate(rho)


@pytest.mark.parametrize(("name", "slope"), [
    ("tanh", lambda a: 1 - np.tanh(a) ** 2),
    ("relu", lambda a: (a > 0).astype(float)),
    ("sigmoid", lambda a: 1 / (1 + np.exp(-a)) / (1 + np.exp(a))),
])  # fmt: skip
def test_the_bound_is_never_violated(name: str, slope: object) -> None:
    generator = np.random.default_rng(3)
    W = generator.normal(size=(20, 20))
    bound = jacobian_bound(GAMMA[name], float(np.linalg.norm(W, 2)))
    norms = [np.linalg.norm(slope(generator.normal(size=20))[:, None] * W, 2) for _ in range(50)]  # type: ignore[operator]
    assert max(norms) <= bound


def test_the_bound_of_a_small_sigmoid_network_is_the_published_one() -> None:
    """Sigmoid units with N(0, .01²) weights, 50 of them: γσ₁ ≈ .034."""
    drawn = np.random.default_rng(0).normal(0, 0.01, (100, 50, 50))
    bounds = [jacobian_bound(GAMMA["sigmoid"], float(np.linalg.norm(W, 2))) for W in drawn]
    assert np.mean(bounds) == pytest.approx(0.034, abs=1e-3)


def test_a_negative_singular_value_is_refused() -> None:
    with pytest.raises(ValueError, match="sigma_max"):
        jacobian_bound(1.0, -1.0)
