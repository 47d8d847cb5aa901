"""Lyapunov spectra: closed forms, the sum rule, and the largest singular value of a long product."""

from __future__ import annotations

import numpy as np
import pytest
from probed import batch, linear_rnn, network, probed, trajectory


def test_a_diagonal_network_has_the_logarithms_of_its_diagonal() -> None:
    rates = np.array([0.2, 0.9, 0.5])
    model, parameters = linear_rnn(np.diag(rates), 400)
    at, measured = probed("lyapunov_spectrum", model, parameters, batch(model, 2))[0]["lyapunov_exponent"]
    np.testing.assert_array_equal(at, [1, 2, 3])
    np.testing.assert_allclose(measured, np.log([0.9, 0.5, 0.2]), rtol=1e-12)


def test_a_scaled_permutation_has_one_exponent() -> None:
    model, parameters = linear_rnn(0.5 * np.roll(np.eye(4), 1, axis=0), 2000)
    measured = probed("lyapunov_spectrum", model, parameters, batch(model, 1))[0]["lyapunov_exponent"][1]
    np.testing.assert_allclose(measured, np.log(0.5), rtol=1e-12)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_the_sum_is_the_mean_logarithm_of_the_determinant(cell: str) -> None:
    model, parameters = network(cell, task_sequence_length=15, hidden_size=4)
    data = batch(model, 3)
    measured = probed("lyapunov_spectrum", model, parameters, data)[0]["lyapunov_exponent"][1]
    path = trajectory(model, parameters, data)
    volumes = [np.linalg.slogdet(path.jacobian(t))[1] for t in range(1, 16)]
    assert measured.sum() == pytest.approx(np.mean(volumes), rel=1e-9)
    assert (np.diff(measured) <= 0).all()


def test_the_largest_is_the_rate_of_the_largest_singular_value() -> None:
    model, parameters = network("rnn", task_sequence_length=600, hidden_size=8, init="gaussian", spectral_radius=2.0)
    data = batch(model, 2)
    largest = probed("lyapunov_spectrum", model, parameters, data)[0]["lyapunov_exponent"][1][0]
    singular = probed("jacobian_singular_values", model, parameters, data)[0]["log10_singular_largest"][1][-1]
    assert largest == pytest.approx(singular * np.log(10) / 600, abs=0.01)  # apart by a constant over T


def test_a_unit_that_is_off_removes_its_direction() -> None:
    model, parameters = linear_rnn(0.5 * np.eye(3), 20)
    parameters["b_x"][0, 1] = -1.0
    measured = probed("lyapunov_spectrum", model, parameters, batch(model, 1))[0]["lyapunov_exponent"][1]
    np.testing.assert_allclose(measured[:2], np.log(0.5), rtol=1e-12)
    assert measured[2] == -np.inf
