"""Adjoints along one path, and from step to step: closed forms and autograd."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from probed import batch, gates, linear_rnn, network, probed, trajectory

from harness.probes.adjoints import adjoint_rows
from harness.probes.paths import Along
from harness.recurrence.adjoints import AdjointRecorder


def test_the_ratio_of_a_scaled_permutation_is_rho_at_every_step() -> None:
    model, parameters = linear_rnn(0.5 * np.roll(np.eye(4), 1, axis=0), 2000)
    at, measured = probed("local_ratio", model, parameters, batch(model, 2))[0]["local_ratio"]
    np.testing.assert_array_equal(at, np.arange(1, 2000))
    np.testing.assert_allclose(measured, 0.5, rtol=1e-11)


def test_the_ratio_is_that_of_autograds_norms() -> None:
    T = 7
    model, parameters = network("rnn", task_sequence_length=T, hidden_size=5)
    inputs, targets = batch(model, 1)
    path = trajectory(model, parameters, (inputs, targets))
    states = [path.states[0][0].requires_grad_()]
    for z in path.driven:
        states.append(model.cell.step(path.parameters, (states[-1],), z)[0])
    ŷ = states[-1] @ parameters["V"].mT + parameters["b_y"].unsqueeze(1)
    grads = torch.autograd.grad(model.losses(ŷ, targets).sum(), states[1:])
    norms = np.array([float(g.norm()) for g in grads])
    at, measured = probed("local_ratio", model, parameters, (inputs, targets))[0]["local_ratio"]
    np.testing.assert_array_equal(at, np.arange(1, T))
    np.testing.assert_allclose(measured, norms[:-1] / norms[1:], rtol=1e-10)


def test_beyond_a_window_there_is_no_ratio() -> None:
    model, parameters = network("rnn", task_sequence_length=10, hidden_size=4, window=3)
    at, measured = probed("local_ratio", model, parameters, batch(model, 2))[0]["local_ratio"]
    np.testing.assert_array_equal(at, [7, 8, 9])
    assert measured[0] == 0  # h_7 is behind the cut
    assert (measured[1:] > 0).all()


def test_along_the_cell_path_a_gradient_meets_the_forget_gates_alone() -> None:
    model, parameters = network("lstm", task_sequence_length=12, hidden_size=5, forget_bias=1.0)
    data = batch(model, 1)
    path = trajectory(model, parameters, data)
    f, o = ([gate[0, 0] for gate in gates(model, path, name)] for name in ("f", "o"))
    h, c = (part[0, 0] for part in path.states[-1])
    h = h.clone().requires_grad_()
    ŷ = h[None, None] @ parameters["V"].mT + parameters["b_y"].unsqueeze(1)
    [into] = torch.autograd.grad(model.losses(ŷ, data[1]).sum(), h)
    adjoint = into * o[-1] * (1 - c.tanh() ** 2)
    levels = [float(adjoint.norm().log10())]
    for gate in f[:0:-1]:
        adjoint = adjoint * gate
        levels.append(float(adjoint.norm().log10()))
    at, measured = probed("path_decay", model, parameters, data)[0]["log10_adjoint_c_path"]
    np.testing.assert_array_equal(at, np.arange(12))
    np.testing.assert_allclose(measured, levels, rtol=1e-10)


def test_without_a_forget_gate_the_adjoint_along_the_cell_path_is_constant() -> None:
    model, parameters = network("lstm1997", task_sequence_length=300, hidden_size=4)
    measured = probed("path_decay", model, parameters, batch(model, 3))[0]["log10_adjoint_c_path"][1]
    np.testing.assert_allclose(measured, measured[0], atol=1e-12)


def test_without_recurrent_weights_the_cell_path_is_the_whole_adjoint() -> None:
    model, parameters = network("lstm", task_sequence_length=20, hidden_size=4)
    parameters["W"] = torch.zeros_like(parameters["W"])  # nothing goes from h_{t−1} to anything
    data = batch(model, 3)
    profiles = probed("path_decay", model, parameters, data)[0]
    whole = adjoint_rows(model, parameters, data, None, AdjointRecorder(), "float64")[0][0]["log10_adjoint_cell"]
    np.testing.assert_allclose(profiles["log10_adjoint_c_path"][1], whole[::-1], rtol=1e-12)
    assert (profiles["log10_adjoint_h_path"][1][1:] == -np.inf).all()


@pytest.mark.parametrize("part", ["h", "c"])
def test_values_do_not_depend_on_the_path(part: str) -> None:
    model, parameters = network("lstm", task_sequence_length=8, hidden_size=4)
    inputs, targets = batch(model, 3)
    cut = replace(model, cell=Along(model.cell, part))
    assert torch.equal(cut.outputs(parameters, inputs, targets)[0], model.outputs(parameters, inputs, targets)[0])


@pytest.mark.parametrize("cell", ["rnn", "gru", "skip", "window", "cornn"])
def test_a_state_without_a_cell_state_has_no_two_paths(cell: str) -> None:
    model, parameters = network(cell, task_sequence_length=6, hidden_size=3)
    assert probed("path_decay", model, parameters, batch(model, 2)) == [{}]
