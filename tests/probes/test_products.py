"""Singular values of products beyond the range of any float, against closed forms and many digits."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from harness.probes.products import Product, tournament


def grown(factors):
    product = Product(factors.shape[1], factors.shape[2])
    for factor in factors:
        product.grow(factor)
    return product.log_singular_values()


@pytest.mark.parametrize("spread", [0.0, 3.0])
def test_every_singular_value_is_that_of_many_digits(spread: float) -> None:
    n, N = 60, 5
    factors = np.random.default_rng(1).standard_normal((n, 2, N, N)) * np.exp(np.linspace(0, -spread, N))
    values = grown(factors)
    for s in range(2):
        with mpmath.workdps(400):
            whole = mpmath.eye(N)
            for factor in factors[:, s]:
                whole = mpmath.matrix(factor.tolist()) * whole
            exact = [float(mpmath.log(value)) for value in mpmath.svd_r(whole, compute_uv=False)]
        assert values[s] == pytest.approx(sorted(exact, reverse=True), rel=1e-11)
        assert exact[0] - exact[-1] > 50  # in a float64 product only the first would be right


def test_a_diagonal_matrix_has_its_own_rates_whatever_their_order() -> None:
    rates = np.array([1e-3, 0.5, 1.0, 2.0])  # the fastest last: columns must be sorted
    values = grown(np.broadcast_to(np.diag(rates), (2000, 1, 4, 4)))
    np.testing.assert_allclose(values[0], np.sort(2000 * np.log(rates))[::-1], rtol=1e-13)


def test_a_scaled_orthogonal_matrix_has_one_singular_value() -> None:
    Q = np.linalg.qr(np.random.default_rng(2).standard_normal((9, 9)))[0]
    values = grown(np.broadcast_to(0.3 * Q, (2000, 1, 9, 9)))
    np.testing.assert_allclose(values, 2000 * np.log(0.3), rtol=1e-13)


def test_a_direction_that_a_factor_removes_is_an_exact_zero() -> None:
    generator = np.random.default_rng(3)
    factors = generator.standard_normal((30, 1, 6, 6))
    factors[10, 0] = generator.standard_normal((6, 4)) @ generator.standard_normal((4, 6))  # rank 4
    values = grown(factors)[0]
    assert np.isfinite(values[:4]).all()
    assert (values[4:] == -np.inf).all()


def test_the_powers_of_a_nilpotent_shift_end_in_an_exact_zero() -> None:
    shift = np.broadcast_to(np.eye(4, k=1), (4, 1, 4, 4))
    np.testing.assert_array_equal(np.isfinite(grown(shift[:3])[0]), [True, False, False, False])
    assert (grown(shift) == -np.inf).all()


@pytest.mark.parametrize("size", [1, 2, 5, 8])
def test_in_a_tournament_each_meets_each_once(size: int) -> None:
    met = [frozenset(pair) for first, second in tournament(size) for pair in zip(first, second, strict=True)]
    assert len(met) == len(set(met)) == size * (size - 1) // 2
