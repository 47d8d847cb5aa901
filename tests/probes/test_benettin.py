"""Exponents of products of matrices whose exponents are known."""

import numpy as np

from harness.probes.benettin import lyapunov_exponents


def test_exponents_of_a_triangular_matrix_are_the_logarithms_of_its_diagonal() -> None:
    J = np.triu(np.full((3, 3), 0.3), 1) + np.diag([1.5, 0.9, 0.4])
    exponents = lyapunov_exponents(lambda _, Q: J @ Q, np.eye(3), 20)
    np.testing.assert_allclose(exponents, np.log([1.5, 0.9, 0.4]), atol=1e-9)


def test_a_stack_has_the_exponents_of_its_members_and_they_sum_to_the_mean_logarithm_of_the_volume() -> None:
    J = np.random.default_rng(0).standard_normal((30, 2, 4, 4))
    both = lyapunov_exponents(lambda t, Q: J[t - 1] @ Q, np.broadcast_to(np.eye(4), (2, 4, 4)), 30)
    for b in range(2):
        alone = lyapunov_exponents(lambda t, Q, b=b: J[t - 1, b] @ Q, np.eye(4), 30)
        np.testing.assert_allclose(alone, both[b], atol=1e-12)
    np.testing.assert_allclose(both.sum(-1), np.linalg.slogdet(J)[1].mean(0), atol=1e-10)


def test_a_direction_that_a_step_removes_has_an_exponent_of_minus_infinity() -> None:
    J = np.diag([2.0, 1.0, 0.0])
    exponents = lyapunov_exponents(lambda _, Q: J @ Q, np.eye(3), 5)
    np.testing.assert_allclose(exponents[:2], [np.log(2), 0], atol=1e-12)
    assert exponents[2] == -np.inf
