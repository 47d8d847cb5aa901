"""The recorded adjoints are products of Jacobians; of a network at rest, powers of W."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.experiments.adjoint_norms import log_adjoint_norms
from harness.experiments.random_network import trajectory


def test_at_rest_they_are_powers_of_the_matrix() -> None:
    generator = np.random.default_rng(1)
    W, v = generator.standard_normal((6, 6)), generator.standard_normal(6)
    direct = [math.log(np.linalg.norm(v @ np.linalg.matrix_power(W, k))) for k in range(16)]
    np.testing.assert_allclose(log_adjoint_norms(W, np.zeros(6), v, 16), direct, atol=1e-11)


def test_far_back_they_do_not_underflow() -> None:
    """ρ = 10⁻³ over 400 steps: 10⁻¹²⁰⁰."""
    norms = log_adjoint_norms(1e-3 * np.eye(4), np.zeros(4), np.ones(4) / 2, 401)
    assert norms[-1] == pytest.approx(400 * math.log(1e-3), rel=1e-12)


def test_they_are_products_of_the_jacobians() -> None:
    generator = np.random.default_rng(4)
    W, first, v = generator.standard_normal((5, 5)), generator.standard_normal(5), generator.standard_normal(5)
    states, row, direct = trajectory(W, first, 12), v, []
    for h in states[:0:-1]:
        direct.append(math.log(np.linalg.norm(row)))
        row = row @ ((1 - h**2)[:, None] * W)
    np.testing.assert_allclose(log_adjoint_norms(W, first, v, 12), direct, atol=1e-10)
