"""Shares of saturated units, counted by hand; and which activations have bounds at all."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from probed import batch, linear_rnn, network, probed

from harness.cells import CELLS
from harness.probes.artifacts import states_and_gates
from harness.probes.saturation import bounds
from harness.probes.trajectory import trajectories

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


@pytest.mark.parametrize("cell", BOUNDS)
def test_bounds_are_those_of_the_nonlinearity(cell: str) -> None:
    model, parameters = network(cell, task_sequence_length=6, hidden_size=6)
    [way] = trajectories(model, parameters, batch(model, 2), None)
    found = bounds(model.cell, way.parameters, way.states[0], way.driven[0])
    assert found.keys() == BOUNDS[cell].keys()
    for name, ends in BOUNDS[cell].items():
        assert found[name] == pytest.approx(ends, abs=1e-12)


def test_a_relu_is_bounded_below() -> None:
    model, parameters = network("rnn", task_sequence_length=6, hidden_size=6, nonlinearity="relu")
    [way] = trajectories(model, parameters, batch(model, 2), None)
    assert bounds(model.cell, way.parameters, way.states[0], way.driven[0]) == {"h": (0, INF)}


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_shares_are_counted(cell: str) -> None:
    model, parameters = network(cell, task_sequence_length=9, hidden_size=8)
    parameters = {name: 6 * p for name, p in parameters.items()}  # so that some are saturated, and some are not
    inputs, targets = batch(model, 5)
    found = probed("saturation", model, parameters, (inputs, targets))[0]
    with torch.no_grad():
        seen = states_and_gates(model, parameters, inputs)
    for name, (low, high) in BOUNDS[cell].items():
        values = seen[name].numpy().reshape(9, -1)
        margin = 0.1 * (high - low)
        np.testing.assert_allclose(found[f"saturated_low_{name}"][1], (values < low + margin).mean(1), rtol=1e-12)
        np.testing.assert_allclose(found[f"saturated_high_{name}"][1], (values > high - margin).mean(1), rtol=1e-12)
        assert 0 < (values < low + margin).mean() < 1
    assert len(found) == 2 * len(BOUNDS[cell])


def test_relu_units_that_are_off_are_counted() -> None:
    model, parameters = linear_rnn(0.5 * np.eye(4), 6)
    parameters["b_x"][0, 1] = -1.0
    found = probed("saturation", model, parameters, batch(model, 3))[0]
    assert found.keys() == {"saturated_low_h"}
    np.testing.assert_array_equal(found["saturated_low_h"][1], np.full(6, 0.25))


@pytest.mark.parametrize("cell", CELLS)
def test_no_share_leaves_its_range(cell: str) -> None:
    model, parameters = network(cell, task_sequence_length=6, hidden_size=4)
    for _, shares in probed("saturation", model, parameters, batch(model, 3))[0].values():
        assert shares.shape == (6,)
        assert ((shares >= 0) & (shares <= 1)).all()
