"""Singular values of products of Jacobians: closed forms to lag 2000, and autograd's own Jacobian."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from probed import batch, gates, linear_rnn, network, probed, trajectory

from harness.probes.jacobians import lags
from harness.recurrence.scan import scan

WHICH = ("largest", "median", "smallest")


def test_a_scaled_permutation_has_singular_values_of_exactly_rho_to_the_lag() -> None:
    model, parameters = linear_rnn(0.5 * np.roll(np.eye(4), 1, axis=0), 2000)
    [values] = probed("jacobian_singular_values", model, parameters, batch(model, 1))
    for which in WHICH:
        at, measured = values[f"log10_singular_{which}"]
        assert at[-1] == 2000
        np.testing.assert_allclose(measured, at * np.log10(0.5), rtol=1e-13)


def test_a_diagonal_network_has_its_own_rates() -> None:
    rates = np.array([0.2, 0.9, 0.5])
    model, parameters = linear_rnn(np.diag(rates), 300)
    [values] = probed("jacobian_singular_values", model, parameters, batch(model, 2))
    for which, rate in zip(WHICH, (0.9, 0.5, 0.2), strict=True):
        at, measured = values[f"log10_singular_{which}"]
        np.testing.assert_allclose(measured, at * np.log10(rate), rtol=1e-12)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "cornn", "lem"])
def test_they_are_those_of_autograds_jacobian(cell: str) -> None:
    T, H, lag = 6, 3, 4
    model, parameters = network(cell, task_sequence_length=T, hidden_size=H)
    inputs, targets = batch(model, 1)
    names = model.cell.states
    path = trajectory(model, parameters, (inputs, targets))

    def last(s):
        state = tuple(part[None, None] for part in s.split(H))
        return torch.cat(scan(model.cell, parameters, inputs[T - lag :], state)[1], -1)[0, 0]

    exact = torch.func.jacrev(last)(torch.cat(path.states[T - lag], -1)[0, 0])
    values = torch.linalg.svdvals(exact).log10().numpy()
    [profiles] = probed("jacobian_singular_values", model, parameters, (inputs, targets))
    place = list(lags(T)).index(lag)
    measured = [profiles[f"log10_singular_{which}"][1][place] for which in WHICH]
    assert measured == pytest.approx([values[0], values[len(names) * H // 2], values[-1]], rel=1e-9)


def test_the_cell_path_of_an_lstm_is_the_product_of_its_forget_gates() -> None:
    model, parameters = network("lstm", task_sequence_length=12, hidden_size=5, forget_bias=1.0)
    data = batch(model, 1)
    f = gates(model, trajectory(model, parameters, data), "f")
    [values] = probed("jacobian_singular_values", model, parameters, data)
    at, measured = values["log10_singular_largest_c_path"]
    exact = [float(torch.stack(f[-int(lag) :]).log10().sum(0).max()) for lag in at]
    np.testing.assert_allclose(measured, exact, rtol=1e-12)


def test_the_mean_is_over_four_sequences_of_logarithms() -> None:
    model, parameters = network("gru", task_sequence_length=9, hidden_size=4)
    inputs, targets = batch(model, 6)
    [whole] = probed("jacobian_singular_values", model, parameters, (inputs, targets))
    each = [
        probed("jacobian_singular_values", model, parameters, (inputs[:, :, b : b + 1], targets[:, b : b + 1]))[0]
        for b in range(4)
    ]
    for quantity, (_, measured) in whole.items():
        np.testing.assert_allclose(measured, np.mean([one[quantity][1] for one in each], axis=0), rtol=1e-9)


@pytest.mark.parametrize("T", [1, 2, 16, 500, 2000])
def test_lags_go_from_one_to_all(T: int) -> None:
    assert lags(T)[0] == 1
    assert lags(T)[-1] == T
    assert len(lags(T)) <= 16
    assert (np.diff(lags(T)) > 0).all()
