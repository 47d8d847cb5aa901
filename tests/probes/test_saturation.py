"""Shares of saturated units, counted by hand; and the bounds of activations."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from probed import batch, linear_rnn, network, probed, trajectory

from harness.cells import CELLS
from harness.probes.artifacts import states_and_gates
from harness.probes.saturation import bounds

INF = math.inf
BOUNDS = {
    "rnn": {"h": (-1, 1)},
    "lstm": {"i": (0, 1), "f": (0, 1), "g": (-1, 1), "o": (0, 1)},
    "gru": {"r": (0, 1), "z": (0, 1), "n": (-1, 1)},
    "gated_skip": {"n": (-1, 1), "g": (0, 1)},
    "mingru": {"z": (0, 1), "n": (-INF, INF)},
    "lru": {"h": (-INF, INF)},
    "window": {f"s{lag}": (-INF, INF) for lag in range(10)},
}


def bounds_of(model, parameters) -> dict[str, tuple[float, float]]:
    path = trajectory(model, parameters, batch(model, 2))
    return bounds(model.cell, path.parameters, path.states[0], path.driven[0])


@pytest.mark.parametrize("cell", BOUNDS)
def test_bounds_are_those_of_the_nonlinearity(cell: str) -> None:
    measured = bounds_of(*network(cell, task_sequence_length=6, hidden_size=6))
    assert measured.keys() == BOUNDS[cell].keys()
    for name, ends in BOUNDS[cell].items():
        assert measured[name] == pytest.approx(ends, abs=1e-12)


def test_a_relu_is_bounded_below() -> None:
    assert bounds_of(*network("rnn", task_sequence_length=6, hidden_size=6, nonlinearity="relu")) == {"h": (0, INF)}


@pytest.mark.parametrize("cell", CELLS)
def test_shares_are_counted(cell: str) -> None:
    model, parameters = network(cell, task_sequence_length=9, hidden_size=8)
    parameters = {name: 6 * p for name, p in parameters.items()}  # so that some are saturated, and some are not
    inputs, targets = batch(model, 5)
    shares = probed("saturation", model, parameters, (inputs, targets))[0]
    with torch.no_grad():
        activations = states_and_gates(model, parameters, inputs)
    expected = {}
    for name, (low, high) in bounds_of(model, parameters).items():
        if math.isinf(low):
            continue
        values = activations[name].numpy().reshape(9, -1)
        margin = 0.0 if math.isinf(high) else 0.1 * (high - low)
        expected[f"saturated_low_{name}"] = (values <= low + margin).mean(1)
        if math.isfinite(high):
            expected[f"saturated_high_{name}"] = (values >= high - margin).mean(1)
        if cell in ("rnn", "lstm", "gru"):
            assert 0 < (values < low + margin).mean() < 1
    assert shares.keys() == expected.keys()
    for quantity, share in expected.items():
        np.testing.assert_allclose(shares[quantity][1], share, rtol=1e-12)


def test_relu_units_that_are_off_are_counted() -> None:
    model, parameters = linear_rnn(0.5 * np.eye(4), 6)
    parameters["b_x"][0, 1] = -1.0
    shares = probed("saturation", model, parameters, batch(model, 3))[0]
    assert shares.keys() == {"saturated_low_h"}
    np.testing.assert_array_equal(shares["saturated_low_h"][1], np.full(6, 0.25))
