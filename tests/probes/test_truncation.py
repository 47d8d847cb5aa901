"""Truncated against full gradients: a scalar recurrence in closed form, and the training loop's own gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from made_networks import leaves
from probed import batch, linear_rnn, network, probed
from torch import Tensor

from harness.probes.trajectory import each_replica
from harness.probes.truncation import gradient, windows

NAMES = ("truncation_cosine", "truncation_norm", "truncation_sign")


def backpropagated(model, parameters, inputs: Tensor, targets: Tensor) -> np.ndarray:
    """The gradient of the recurrent weights as the training loop takes it."""
    trained = leaves(parameters)
    model.losses(model.outputs(trained, inputs, targets)[0], targets).sum().backward()
    return np.concatenate([trained[name].grad.flatten().numpy() for name in model.cell.recurrent_weights])


def test_the_norm_of_a_scalar_recurrence_is_a_partial_sum() -> None:
    w, T = 0.8, 50
    model, parameters = linear_rnn(np.array([[w]]), T)
    profiles = probed("truncation_bias", model, parameters, batch(model, 1))[0]
    h = np.cumsum(w ** np.arange(T))  # h_1 … h_T of h_t = w h_{t−1} + 1
    terms = w ** np.arange(T) * np.array([*h[:-1][::-1], 0.0])  # ∂h_T/∂w = Σ_k w^k h_{T−1−k}
    at, norms = profiles["truncation_norm"]
    np.testing.assert_allclose(norms, [terms[: int(K)].sum() / terms.sum() for K in at], rtol=1e-12)
    np.testing.assert_allclose(profiles["truncation_cosine"][1], 1.0, rtol=1e-12)
    np.testing.assert_array_equal(profiles["truncation_sign"][1], np.ones(len(at)))


@pytest.mark.parametrize("cell", ["rnn", "lstm", "skip", "orthogonal"])
def test_the_longest_window_is_the_full_gradient(cell: str) -> None:
    model, parameters = network(cell, task_sequence_length=11, hidden_size=4)
    inputs, targets = batch(model, 3)
    profiles = probed("truncation_bias", model, parameters, (inputs, targets))[0]
    assert [profiles[name][1][-1] for name in NAMES] == pytest.approx([1, 1, 1], abs=1e-12)
    assert profiles["truncation_cosine"][1][0] < 0.999


@pytest.mark.parametrize(("cell", "window"), [("rnn", None), ("lstm", None), ("orthogonal", None), ("gru", 3)])
def test_the_truncated_gradient_is_that_of_the_training_loop(cell: str, window: int | None) -> None:
    model, parameters = network(cell, task_sequence_length=11, hidden_size=4, window=window)
    inputs, targets = batch(model, 3)
    [own] = each_replica(parameters, (inputs, targets), None)
    expected = backpropagated(model, parameters, inputs, targets)
    np.testing.assert_allclose(gradient(model, own, window or 11), expected, rtol=1e-10, atol=1e-16)


def test_a_carried_series_is_cut_into_chunks() -> None:
    model, parameters = network("rnn", task="echo", task_lag=2, task_series_length=12, hidden_size=5)
    inputs, targets = (part[:12] for part in batch(model, 2))
    state = (torch.full((1, 2, 5), 0.3, dtype=torch.float64),)
    [own] = each_replica(parameters, (inputs, targets), state)
    trained, answers, before = leaves(parameters), [], state
    for first in (0, 5, 10):
        chunk = slice(first, first + 5)
        outputs, last = model.outputs(trained, inputs[chunk], targets[chunk], before)
        before = tuple(part.detach() for part in last)
        answers.append(outputs)
    model.losses(torch.cat(answers), targets).sum().backward()
    np.testing.assert_allclose(gradient(model, own, 5), trained["W"].grad.flatten().numpy(), rtol=1e-10, atol=1e-16)
    assert np.abs(gradient(model, own, 5) - gradient(model, own, 12)).max() > 1e-6


@pytest.mark.parametrize(("cell", "size"), [("mingru", 3), ("orthogonal", 1)])  # a rotation of one dimension is 1
def test_a_cell_without_trained_recurrent_weights_has_no_bias(cell: str, size: int) -> None:
    model, parameters = network(cell, task_sequence_length=6, hidden_size=size)
    assert probed("truncation_bias", model, parameters, batch(model, 2)) == [{}]


@pytest.mark.parametrize(("T", "expected"), [(1, [1]), (4, [1, 2, 4]), (6, [1, 2, 4, 6])])
def test_windows_double_up_to_the_length(T: int, expected: list[int]) -> None:
    assert windows(T) == expected
