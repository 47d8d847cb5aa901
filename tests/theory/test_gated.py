"""The silent state of gated networks: its Jacobian by automatic differentiation of the cells, and its critical gain."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from harness.cells.gru import GRU
from harness.cells.lstm import LSTM
from harness.theory.gated import SilentState

N = 6
RNG = np.random.default_rng(3)
W = RNG.standard_normal((N, N))


def silent_jacobian(cell: GRU | LSTM, biases: dict[str, float]) -> np.ndarray:
    """∂s_t/∂s_{t−1} at s = 0, with gates of any weights."""
    blocks = [W if gate in ("n", "g") else RNG.standard_normal((N, N)) for gate in cell.gates]
    parameters = {"W": torch.tensor(np.concatenate(blocks))[None]}
    z = torch.cat([torch.full((N,), biases.get(gate, 0.0), dtype=torch.float64) for gate in cell.gates])[None, None]

    def step(s: torch.Tensor) -> torch.Tensor:
        state = tuple(part[None, None] for part in s.split(N))
        return torch.cat([part[0, 0] for part in cell.step(parameters, state, z)])

    zero = torch.zeros(N * len(cell.states), dtype=torch.float64)
    return torch.autograd.functional.jacobian(step, zero).numpy()


@pytest.mark.parametrize(("update", "reset"), [(0.0, 0.0), (3.0, -1.0)])
def test_a_gru_at_zero_is_a_linear_map_of_its_candidate_alone(update: float, reset: float) -> None:
    cell, theory = GRU(cell="gru", hidden_size=N, biases=1), SilentState.of_gru(update, reset)
    J = silent_jacobian(cell, {"z": update, "r": reset})
    np.testing.assert_allclose(J, theory.memory * np.eye(N) + theory.coupling * W, atol=1e-14)


@pytest.mark.parametrize(("forget", "entering", "leaving"), [(0.0, 0.0, 0.0), (2.0, -1.0, 0.5)])
def test_an_lstm_at_zero_has_the_eigenvalues_of_its_cell_path(forget: float, entering: float, leaving: float) -> None:
    cell, theory = LSTM(cell="lstm", hidden_size=N, biases=1), SilentState.of_lstm(forget, entering, leaving)
    J = silent_jacobian(cell, {"f": forget, "i": entering, "o": leaving})
    expected = np.append(theory.memory + theory.coupling * np.linalg.eigvals(W), np.zeros(N))
    np.testing.assert_allclose(np.sort(np.abs(np.linalg.eigvals(J))), np.sort(np.abs(expected)), atol=1e-7)
    assert theory.exponent_of(np.linalg.eigvals(W)) == pytest.approx(np.log(np.abs(np.linalg.eigvals(J)).max()))


@pytest.mark.parametrize("state", [SilentState.of_gru(1.5, -0.7), SilentState.of_lstm(1.0, 0.3, -0.2)])
def test_the_exponent_changes_its_sign_at_the_critical_gain(state: SilentState) -> None:
    g = state.critical_gain
    assert state.exponent(g) == pytest.approx(0, abs=1e-15)
    assert state.exponent(0.99 * g) < 0 < state.exponent(1.01 * g)


def test_the_update_gate_moves_no_critical_gain_and_makes_either_side_marginal() -> None:
    states = [SilentState.of_gru(bias) for bias in (0.0, 5.0, 10.0)]
    assert [state.critical_gain for state in states] == pytest.approx([2.0, 2.0, 2.0], rel=1e-9)
    for gain in (1.0, 3.0):
        open_gate = states[-1]
        first_order = (1 - open_gate.memory) * (0.5 * gain - 1)
        assert open_gate.exponent(gain) == pytest.approx(first_order, rel=1e-4)
        assert abs(states[0].exponent(gain)) > abs(states[1].exponent(gain)) > abs(open_gate.exponent(gain))


def test_the_forget_gate_lowers_the_critical_gain() -> None:
    assert SilentState.of_lstm(0.0).critical_gain == 2.0
    assert SilentState.of_lstm(1.0).critical_gain == pytest.approx(4 / (1 + math.e))


def test_one_gaussian_network_is_near_the_circular_law() -> None:
    M = 400
    eigenvalues = 1.5 * np.linalg.eigvals(RNG.standard_normal((M, M)) / np.sqrt(M))
    state = SilentState.of_gru()
    assert state.exponent_of(eigenvalues) == pytest.approx(state.exponent(1.5), abs=0.06)


def test_a_gain_is_not_negative() -> None:
    with pytest.raises(ValueError, match="not negative, got -1"):
        SilentState.of_gru().exponent(-1.0)
