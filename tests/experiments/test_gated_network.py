"""Random gated networks: the steps are the cells', the tangents their Jacobians, and a silent network is linear."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from study_texts import check_text

from harness.cells.gru import GRU
from harness.cells.lstm import LSTM
from harness.experiments.gated_network import (
    RELATIVE_GAINS,
    GatedWeights,
    critical_gains,
    gru_push,
    gru_step,
    lstm_push,
    lstm_step,
)
from harness.experiments.setup import Setup

N = 5
RNG = np.random.default_rng(8)


@pytest.mark.parametrize(
    ("cell", "memory_gate", "step", "push"),
    [
        (GRU(cell="gru", hidden_size=N, biases=1), "z", gru_step, gru_push),
        (LSTM(cell="lstm", hidden_size=N, biases=1), "f", lstm_step, lstm_push),
    ],
)
def test_a_step_is_the_cell_s_and_a_push_its_derivative(cell, memory_gate: str, step, push) -> None:
    G, S = len(cell.gates), len(cell.states)
    W, gains, bias = RNG.standard_normal((G * N, N)), np.array([0.7, 1.9]), 0.8
    state, tangent = RNG.standard_normal((2, 2, S * N))
    network = GatedWeights(W, gains[:, None], bias)
    for k, gain in enumerate(gains):
        scales = np.repeat([gain if gate in ("n", "g") else 1.0 for gate in cell.gates], N)
        parameters = {"W": torch.tensor(scales[:, None] * W)[None]}
        z = torch.tensor(np.repeat([bias * (gate == memory_gate) for gate in cell.gates], N))[None, None]

        def of_cell(s: torch.Tensor, parameters=parameters, z=z) -> torch.Tensor:
            parts = tuple(part[None, None] for part in s.split(N))
            return torch.cat([part[0, 0] for part in cell.step(parameters, parts, z)])

        J = torch.autograd.functional.jacobian(of_cell, torch.tensor(state[k])).numpy()
        np.testing.assert_allclose(step(network, state)[k], of_cell(torch.tensor(state[k])).numpy(), atol=1e-14)
        np.testing.assert_allclose(push(network, state, tangent)[k], J @ tangent[k], atol=1e-14)


def record_of(plan_of, **gated: object):
    settings = {"hidden_size": 12, "transient": 400, "sequence_length": 300} | gated
    [record] = critical_gains(plan_of(check_text("gated_network", gated=settings, seeds=1)).runs, Setup("numpy"))
    return record


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_network_at_zero_has_the_exponents_of_its_own_eigenvalues(plan_of, cell: str) -> None:
    record = record_of(plan_of, cell=cell, start="zero", bias=1.0)
    assert record.run["outcome"] == "solved"
    assert record.run["residual"] < 2e-3
    exponents, rms = record.rows["profiles"]
    assert exponents["at"] == pytest.approx(np.array(RELATIVE_GAINS) * record.run["predicted"])
    assert np.all(np.diff(exponents["measured"]) > 0)
    assert not np.any(rms["measured"])


def test_a_gru_from_a_small_state_is_silent_while_its_exponent_is_negative(plan_of) -> None:
    record = record_of(plan_of, cell="gru", start="small")
    exponents, rms = record.rows["profiles"]
    silent = np.array(rms["measured"]) < 0.01
    assert silent[0]
    assert not silent[-1]
    assert np.all(np.array(exponents["measured"])[silent] < 0)
    assert exponents["at"][silent.sum() - 1] < record.run["measured"] < exponents["at"][silent.sum()]
