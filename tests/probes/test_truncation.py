"""Truncated against full gradients: a scalar recurrence in closed form, and what a truncated chunk is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from probed import batch, linear_rnn, network, probed

from harness.probes.trajectory import each_replica
from harness.probes.truncation import gradient, windows

NAMES = ("truncation_cosine", "truncation_norm", "truncation_sign")


def test_the_norm_of_a_scalar_recurrence_is_a_partial_sum() -> None:
    w, T = 0.8, 50
    model, parameters = linear_rnn(np.array([[w]]), T)
    found = probed("truncation_bias", model, parameters, batch(model, 1))[0]
    h = np.cumsum(w ** np.arange(T))  # h_1 … h_T of h_t = w h_{t−1} + 1
    terms = w ** np.arange(T) * np.array([*h[:-1][::-1], 0.0])  # ∂h_T/∂w = Σ_k w^k h_{T−1−k}
    at, norms = found["truncation_norm"]
    np.testing.assert_allclose(norms, [terms[: int(K)].sum() / terms.sum() for K in at], rtol=1e-12)
    np.testing.assert_allclose(found["truncation_cosine"][1], 1.0, rtol=1e-12)
    np.testing.assert_array_equal(found["truncation_sign"][1], np.ones(len(at)))


@pytest.mark.parametrize("cell", ["rnn", "lstm", "skip", "orthogonal"])
def test_the_longest_window_is_the_full_gradient(cell: str) -> None:
    model, parameters = network(cell, task_sequence_length=11, hidden_size=4)
    inputs, targets = batch(model, 3)
    found = probed("truncation_bias", model, parameters, (inputs, targets))[0]
    assert [found[name][1][-1] for name in NAMES] == pytest.approx([1, 1, 1], abs=1e-12)
    assert found["truncation_cosine"][1][0] < 0.999
    trained = {name: p.clone().requires_grad_() for name, p in parameters.items()}
    model.losses(model.outputs(trained, inputs, targets)[0], targets).sum().backward()
    [own] = each_replica(parameters, (inputs, targets), None)
    exact = np.concatenate([trained[name].grad.flatten().numpy() for name in model.cell.recurrent_weights])
    np.testing.assert_allclose(gradient(model, own, 11), exact, rtol=1e-10, atol=1e-16)


def test_what_is_compared_is_what_the_harness_trains_with() -> None:
    model, parameters = network("gru", task_sequence_length=11, hidden_size=4, window=3)
    inputs, targets = batch(model, 3)
    trained = {name: p.clone().requires_grad_() for name, p in parameters.items()}
    model.losses(model.outputs(trained, inputs, targets)[0], targets).sum().backward()
    [own] = each_replica(parameters, (inputs, targets), None)
    np.testing.assert_allclose(gradient(model, own, 3), trained["W"].grad.flatten().numpy(), rtol=1e-10, atol=1e-16)


def test_a_carried_series_is_cut_into_pieces() -> None:
    model, parameters = network("rnn", task="echo", task_lag=2, task_series_length=12, hidden_size=5)
    inputs, targets = (part[:12] for part in batch(model, 2))
    state = (torch.full((1, 2, 5), 0.3, dtype=torch.float64),)
    [own] = each_replica(parameters, (inputs, targets), state)
    trained = {name: p.clone().requires_grad_() for name, p in parameters.items()}
    said, before = [], state
    for first in (0, 5, 10):
        piece = slice(first, first + 5)
        outputs, last = model.outputs(trained, inputs[piece], targets[piece], before)
        said, before = [*said, outputs], tuple(part.detach() for part in last)
    model.losses(torch.cat(said), targets).sum().backward()
    np.testing.assert_allclose(gradient(model, own, 5), trained["W"].grad.flatten().numpy(), rtol=1e-10, atol=1e-16)
    assert np.abs(gradient(model, own, 5) - gradient(model, own, 12)).max() > 1e-6


def test_a_cell_without_recurrent_weights_has_no_bias() -> None:
    model, parameters = network("mingru", task_sequence_length=6, hidden_size=3)
    assert probed("truncation_bias", model, parameters, batch(model, 2)) == [{}]


@pytest.mark.parametrize(("T", "expected"), [(1, [1]), (4, [1, 2, 4]), (6, [1, 2, 4, 6])])
def test_windows_double_up_to_the_whole(T: int, expected: list[int]) -> None:
    assert windows(T) == expected


def test_a_rotation_in_one_dimension_has_nothing_to_train_and_no_bias() -> None:
    model, parameters = network("orthogonal", task_sequence_length=6, hidden_size=1)
    assert probed("truncation_bias", model, parameters, batch(model, 3)) == [{}]
