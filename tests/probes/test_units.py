"""Adjoints of single units: closed forms far outside the range of float64, and plain autograd within it."""

from __future__ import annotations

from math import log10
from typing import Any

import numpy as np
import pytest
import torch
from made_networks import Parameters, leaves, normal
from probed import batch, linear_rnn, network, probed
from samples import sampled
from torch import Tensor

from harness.cells import CELLS
from harness.models.model import Model, read
from harness.probes.adjoints import adjoint_rows
from harness.probes.trajectory import SEQUENCES
from harness.recurrence.adjoints import AdjointRecorder
from harness.recurrence.drive import drive
from harness.recurrence.layers import joined, ordered, parameters_of


def measured(model: Model, parameters: Parameters, data: tuple[Tensor, Tensor], state: Any = None) -> np.ndarray:
    """log10 mean_b |B·∂L/∂h_t,i| as the probe has it, (T, H)."""
    [profiles] = probed("unit_gradients", model, parameters, data, state)
    H = model.cell.hidden_size
    assert list(profiles) == [f"log10_gradient of h, unit {i}" for i in range(H)]
    for at, _ in profiles.values():
        np.testing.assert_array_equal(at, np.arange(1, len(data[0]) + 1))
    return np.stack([values for _, values in profiles.values()], axis=1)


def by_autograd(model: Model, parameters: Parameters, data: tuple[Tensor, Tensor], state: Any = None) -> np.ndarray:
    """The same by torch.autograd.grad in float64, unscaled."""
    inputs, targets = data
    known = model.cell.parametrize(parameters)
    states = [tuple(p.clone().requires_grad_() for p in state or model.start(parameters, *inputs.shape[1:3]))]
    for z in drive(known, inputs.double() if inputs.is_floating_point() else inputs):
        states.append(model.cell.step(known, states[-1], z))
    h = [s[0] for s in states[1:]]
    if model.task.shape == "sequence_to_sequence":
        outputs = read(parameters, torch.stack(h))
    else:
        outputs = read(parameters, h[-1])
    gradients = torch.autograd.grad(model.losses(outputs, targets).sum(), h, materialize_grads=True)
    magnitudes = torch.stack(gradients)[:, 0, :SEQUENCES].abs() * inputs.shape[2]  # (T, S, H)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log10(magnitudes.mean(1).numpy()))


def adjoint_at_the_end(model: Model, parameters: Parameters, data: tuple[Tensor, Tensor], h: Tensor) -> np.ndarray:
    """log10 mean_b |B·∂L/∂h_T,i| of a loss on the last step, V′(softmax(ŷ) − e_y) by hand, (H,); h is h_T."""
    ŷ = read(parameters, h)[0]  # (B, C)
    error = torch.softmax(ŷ, -1) - torch.nn.functional.one_hot(data[1][0].long(), ŷ.shape[-1])
    return np.asarray(np.log10((error @ parameters["V"][0])[:SEQUENCES].abs().mean(0).numpy()))


def test_units_that_do_not_mix_fall_each_by_its_own_weight_to_lag_1199() -> None:
    """log10 |∂L/∂h_t,i| = (T − t) log10 w_i + log10 |∂L/∂h_T,i|: the largest and the smallest are 10⁶²⁷ apart."""
    w, T = np.array([0.58, 0.99, 0.3, 1.0]), 1200
    model, parameters = linear_rnn(np.diag(w), T)
    data = batch(model, 6)
    h = torch.zeros(1, 6, 4, dtype=torch.float64)
    for _ in range(T):
        h = h * torch.as_tensor(w) + 1
    lag = np.arange(T - 1, -1, -1)[:, None]
    expected = lag * np.log10(w) + adjoint_at_the_end(model, parameters, data, h)
    levels = measured(model, parameters, data)
    np.testing.assert_allclose(levels, expected, rtol=0, atol=1e-12)
    assert levels.min() < -620


def test_a_permutation_hands_the_gradient_from_unit_to_unit() -> None:
    T, ρ = 1100, 0.5
    model, parameters = linear_rnn(ρ * np.roll(np.eye(5), 1, axis=0), T)
    levels = measured(model, parameters, batch(model, 3))
    for t in range(T - 1):  # a_t = Wᵀ a_{t+1}
        np.testing.assert_allclose(levels[t], np.roll(levels[t + 1], -1) + log10(ρ), rtol=0, atol=1e-12)


def test_the_units_of_an_indrnn_keep_their_own_scales() -> None:
    """A relu IndRNN whose states are positive: ∂h_{t+1,i}/∂h_t,i = u_i."""
    T, u = 1200, torch.tensor([[0.2, 1.0, 0.9]], dtype=torch.float64)
    model, parameters = network("indrnn", task_sequence_length=T, hidden_size=3)
    assert model.cell.recurrent_weights == ("u",)
    parameters = {**parameters, "u": u, "U": 0 * parameters["U"], "b_x": torch.ones(1, 3, dtype=torch.float64)}
    levels = measured(model, parameters, batch(model, 2))
    lag = np.arange(T - 1, -1, -1)[:, None]
    np.testing.assert_allclose(levels, levels[-1] + lag * np.log10(u.numpy()), rtol=0, atol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_they_are_those_of_autograd(cell: str) -> None:
    model, parameters = network(cell, task_sequence_length=7, hidden_size=4)
    data = batch(model, 6)
    np.testing.assert_allclose(measured(model, parameters, data), by_autograd(model, parameters, data), atol=1e-10)


@pytest.mark.parametrize(
    ("task", "settings"), [("copying", {"task_delay": 3}), ("adding", {"task_sequence_length": 8}), ("echo", {})]
)
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_losses_at_every_step_rows_and_a_carried_state(cell: str, task: str, settings: Any) -> None:
    model, parameters = network(cell, task=task, hidden_size=3, **settings)
    inputs, targets = batch(model, 5)
    state = None
    if task == "echo":
        inputs, targets = inputs[:9], targets[:9]
        state = tuple(normal(i, 1, 5, 3) for i, _ in enumerate(model.cell.states))
    expected = by_autograd(model, parameters, (inputs, targets), state)
    np.testing.assert_allclose(measured(model, parameters, (inputs, targets), state), expected, atol=1e-10)


@pytest.mark.parametrize(("cell", "settings"), [("rnn", {}), ("lstm", {"forget_bias": -3.0})])
def test_of_one_sequence_their_norm_is_the_recorded_adjoint(cell: str, settings: Any) -> None:
    """Far below float64's range, where the units mix."""
    start = {"init": "gaussian", "spectral_radius": 0.1}
    model, parameters = network(cell, task_sequence_length=400, hidden_size=4, **start, **settings)
    data = batch(model, 1)
    levels = measured(model, parameters, data)
    largest = levels.max(1, keepdims=True)
    norms = largest[:, 0] + np.log10(np.sqrt((10 ** (2 * (levels - largest))).sum(1)))
    [[row]] = adjoint_rows(model, parameters, data, None, AdjointRecorder(), "float64")
    np.testing.assert_allclose(norms, row["log10_adjoint"], rtol=0, atol=1e-10)
    assert norms.min() < -330


LAYERED = [
    {"layers": 3}, {"layer_sizes": (3, 5)}, {"layers": 2, "bidirectional": True},
    {"layers": 3, "residual": "add", "bidirectional": True}, {"layers": 3, "residual": "add"},
    {"layers": 2, "normalisation": "rms"},
    {"layers": 3, "normalisation": "layer", "normalised": "between", "residual": "add"},
]  # fmt: skip


def of_layers(model: Model, parameters: Parameters, data: tuple[Tensor, Tensor]) -> dict[str, np.ndarray]:
    """(T, H) by the name of a layer and direction."""
    [profiles] = probed("unit_gradients", model, parameters, data)
    names = dict.fromkeys(quantity.rpartition(", unit ")[0] for quantity in profiles)
    every = {name: [v for q, (_, v) in profiles.items() if q.rpartition(", unit ")[0] == name] for name in names}
    return {name.removeprefix("log10_gradient of "): np.stack(values, axis=1) for name, values in every.items()}


@pytest.mark.parametrize("settings", LAYERED)
@pytest.mark.parametrize("task", [{"task_sequence_length": 7}, {"task": "copying", "task_delay": 3}])
def test_the_units_of_every_layer_and_direction_are_those_of_autograd(task: Any, settings: Any) -> None:
    model, parameters = network("lstm", hidden_size=4, **task, **settings)
    inputs, targets = batch(model, 6)
    trained, stack = leaves(parameters), model.stack
    x, hidden = inputs, dict[str, list[Tensor]]()
    for depth, layer in enumerate(stack.layers, start=1):
        for direction in layer:
            known = parameters_of(direction, trained)
            state = tuple(torch.zeros(1, 6, direction.cell.hidden_size).double() for _ in direction.cell.states)
            steps = hidden[f"h{direction.suffix}"] = []
            for z in drive(known, ordered(direction, x)):
                state = direction.cell.step(known, state, z)
                steps.append(state[0])
        h = joined(layer, [torch.stack(hidden[f"h{direction.suffix}"]) for direction in layer])
        y = stack.passed(depth, trained, h, None)
        x = y + x if stack.residual and depth > 1 else y
    last = x if model.task.shape == "sequence_to_sequence" else stack.last_step(x)
    loss = model.losses(read(trained, last), targets).sum()
    levels = of_layers(model, parameters, (inputs, targets))
    assert levels.keys() == hidden.keys()
    for name, steps in hidden.items():
        gradients = torch.autograd.grad(loss, steps, materialize_grads=True, retain_graph=True)
        magnitudes = torch.stack(gradients)[:, 0, :SEQUENCES].abs() * inputs.shape[2]
        with np.errstate(divide="ignore"):
            expected = np.log10(magnitudes.mean(1).numpy())
        np.testing.assert_allclose(levels[name], expected, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("settings", sampled(LAYERED, LAYERED[1:3]))
def test_of_one_sequence_the_norm_of_each_layer_is_its_recorded_adjoint(settings: Any) -> None:
    start = {"init": "gaussian", "spectral_radius": 0.1}
    model, parameters = network("rnn", task_sequence_length=400, hidden_size=4, **start, **settings)
    data = batch(model, 1)
    levels = of_layers(model, parameters, data)
    [rows] = adjoint_rows(model, parameters, data, None, AdjointRecorder(), "float64")
    assert [(d.layer, "backward" if d.backward else "forward") for d in model.stack.directions] == [
        (row["layer"], row["direction"]) for row in rows
    ]
    for (name, own), row in zip(levels.items(), rows, strict=True):
        largest = np.where(np.isfinite(own), own, -1e9).max(1, keepdims=True)
        with np.errstate(divide="ignore"):
            norms = largest[:, 0] + np.log10(np.sqrt((10 ** (2 * (own - largest))).sum(1)))
        recorded = np.asarray(row["log10_adjoint"])
        seen = np.isfinite(recorded)
        np.testing.assert_allclose(norms[seen], recorded[seen], rtol=0, atol=1e-9, err_msg=name)
        assert (own[~seen] == -np.inf).all()
        assert norms[seen].min() < -130


def test_sequences_beyond_the_fourth_change_nothing() -> None:
    model, parameters = network("gru", task_sequence_length=7, hidden_size=4)
    inputs, targets = batch(model, 6)
    other = torch.cat([inputs[:, :, :4], inputs[:, :, :2]], 2), torch.cat([targets[:, :4], targets[:, :2]], 1)
    first = measured(model, parameters, (inputs, targets))
    np.testing.assert_allclose(measured(model, parameters, other), first, rtol=0, atol=1e-12)


def test_before_a_window_and_in_a_unit_that_is_off_the_gradient_is_exactly_zero() -> None:
    model, parameters = network("rnn", task_sequence_length=10, hidden_size=4, window=3)
    levels = measured(model, parameters, batch(model, 2))
    assert (levels[:7] == -np.inf).all()
    assert np.isfinite(levels[7:]).all()
    model, parameters = linear_rnn(0.5 * np.eye(3), 20)
    parameters["b_x"][0, 1] = -1.0
    levels = measured(model, parameters, batch(model, 2))
    assert (levels[:-1, 1] == -np.inf).all()  # h_T itself is read, before its relu there is nothing
    assert np.isfinite(np.delete(levels, 1, axis=1)).all()


def test_a_gradient_that_is_not_a_number_is_none() -> None:
    model, parameters = network("rnn", task_sequence_length=6, hidden_size=3)
    parameters["V"][0, 0, 1] = np.nan
    levels = measured(model, parameters, batch(model, 2))
    assert np.isnan(levels[-1]).any()
    assert np.isnan(levels[0]).all()
