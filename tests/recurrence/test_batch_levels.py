"""The distribution of a gradient's size over the batch: laws, twins by autograd, and a closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from made_networks import ENGINES, Parameters, normal, started
from torch import Tensor

from harness.cells import CELLS
from harness.cells.cell import Cell
from harness.recurrence.adjoints import AdjointRecorder
from harness.recurrence.batch_levels import joint, over_batch
from harness.recurrence.layers import Stack
from harness.recurrence.scan import scan_layers
from harness.schema import BATCH_STATISTICS

T, R, B, H, D = 9, 2, 6, 4, 3
STATES = {"h": "log10_adjoint", "c": "log10_adjoint_cell"}
Rows = list[dict[str, np.ndarray]]  # of each replica that of the one layer


def recorded(
    cell: Cell, parameters: Parameters, x: Tensor, seen: Tensor, engine: str, lengths: Tensor | None = None
) -> Rows:
    """What is recorded of the loss mean_b seen_b·h_T,b."""
    recorder, batch = AdjointRecorder(), seen.shape[1]
    zeros = tuple(torch.zeros(len(seen), batch, cell.hidden_size, dtype=seen.dtype) for _ in cell.states)
    h, _ = scan_layers(Stack.of(cell), parameters, x, zeros, engine=engine, recorder=recorder, lengths=lengths)
    ((h * seen).sum() / batch).backward()
    return [row for [row] in recorder.rows()]


def by_autograd(cell: Cell, parameters: Parameters, x: Tensor, seen: Tensor) -> dict[str, np.ndarray]:
    """‖B·∂L/∂s_t,b‖ of each state s, step, replica and sequence (T, R, B), by a graph of the cell's own steps."""
    own, batch = cell.parametrize(parameters), seen.shape[1]
    state = tuple(torch.zeros_like(seen) for _ in cell.states)
    states = []
    for rows in x:
        state = cell.step(own, state, rows @ own["U"].mT + own["b_x"].unsqueeze(1))
        states.append(state)
    loss = (state[0] * seen).sum() / batch
    norms = {}
    for part, name in enumerate(cell.states):
        gradients = torch.autograd.grad(loss, [each[part] for each in states], retain_graph=True, allow_unused=True)
        norms[name] = np.stack([(batch * g.norm(dim=-1)).detach().numpy() for g in gradients])
    return norms


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ["rnn", "lstm"])
def test_the_statistics_are_those_of_each_sequences_own_norm(name: str, engine: str) -> None:
    cell = CELLS[name](cell=name, hidden_size=H, biases=1)
    parameters = started(cell, range(R), input_size=D, length=T)
    x, seen = normal(1, T, R, B, D), normal(2, R, B, H)
    rows = recorded(cell, parameters, x, seen, engine)
    for state, norms in by_autograd(cell, parameters, x, seen).items():
        logs, column = np.log10(norms), STATES[state]
        for r in range(R):
            np.testing.assert_allclose(rows[r][column], np.log10(norms[:, r].mean(-1)), rtol=0, atol=1e-12)
            np.testing.assert_allclose(rows[r][f"{column}_geometric"], logs[:, r].mean(-1), rtol=0, atol=1e-12)
            for q in (25, 50, 75):
                expected = np.quantile(logs[:, r], q / 100, axis=-1)
                np.testing.assert_allclose(rows[r][f"{column}_q{q}"], expected, rtol=0, atol=1e-12)
            assert (rows[r][f"{column}_geometric"] < rows[r][column]).all()  # Jensen; no two sequences are alike


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_of_one_sequence_all_statistics_are_the_mean_bit_for_bit(engine: str, dtype: torch.dtype) -> None:
    cell = CELLS["lstm"](cell="lstm", hidden_size=H, biases=1)
    parameters = started(cell, range(R), input_size=D, length=T, dtype=dtype)
    for row in recorded(cell, parameters, normal(1, T, R, 1, D, dtype=dtype), normal(2, R, 1, H, dtype=dtype), engine):
        for column in STATES.values():
            for statistic in BATCH_STATISTICS:
                assert np.array_equal(row[f"{column}_{statistic}"], row[column])


@pytest.mark.parametrize("engine", ENGINES)
def test_only_sequences_that_have_a_step_count_there(engine: str) -> None:
    cell = CELLS["rnn"](cell="rnn", hidden_size=H, biases=1)
    parameters = started(cell, range(R), input_size=D, length=T)
    x, seen = normal(1, T, R, B, D), normal(2, R, B, H)
    lengths = torch.tensor([[7, 3, 5, 1, 7, 2], [9, 6, 6, 4, 1, 9]])
    rows = recorded(cell, parameters, x, seen, engine, lengths)
    for r in range(R):
        alone = {name: value[r : r + 1] for name, value in parameters.items()}
        logs = np.full((T, B), np.nan)
        for b, n in enumerate(lengths[r].tolist()):
            one = slice(b, b + 1)
            [own] = recorded(cell, alone, x[T - n :, r : r + 1, one], seen[r : r + 1, one], engine)
            logs[T - n :, b] = own["log10_adjoint"]
        for t in range(T):
            there = logs[t][~np.isnan(logs[t])]
            measured = [rows[r][f"log10_adjoint_{statistic}"][t] for statistic in BATCH_STATISTICS]
            expected = [there.mean(), *np.quantile(there, [0.25, 0.5, 0.75])] if len(there) else [np.nan] * 4
            np.testing.assert_allclose(measured, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_mean_and_geometric_mean_of_independent_units_have_their_closed_forms(engine: str, dtype: torch.dtype) -> None:
    """Sequence b's loss sees unit b of an IndRNN whose ReLUs are open: its gradient at lag k is u_bᵏ."""
    steps, u = 1500, torch.tensor([0.5, 0.7, 0.8, 0.9], dtype=dtype)
    cell = CELLS["indrnn"](cell="indrnn", hidden_size=H)
    parameters = {
        "u": u[None].clone().requires_grad_(),
        "U": torch.zeros(1, H, 1, dtype=dtype, requires_grad=True),
        "b_x": torch.ones(1, H, dtype=dtype, requires_grad=True),
    }
    [row] = recorded(
        cell, parameters, torch.zeros(steps, 1, H, 1, dtype=dtype), torch.eye(H, dtype=dtype)[None], engine
    )
    lags = np.arange(steps - 1, -1, -1, dtype=np.float64)
    logs = np.log10(u.double().numpy())
    atol = 1e-10 if dtype == torch.float64 else 1e-3
    np.testing.assert_allclose(row["log10_adjoint_geometric"], lags * logs.mean(), rtol=1e-12, atol=atol)
    for q in (25, 50, 75):
        expected = lags * np.quantile(logs, q / 100)
        np.testing.assert_allclose(row[f"log10_adjoint_q{q}"], expected, rtol=1e-12, atol=atol)
    largest = lags * logs[-1] + np.log10((10 ** (lags[:, None] * (logs - logs[-1]))).mean(-1))
    np.testing.assert_allclose(row["log10_adjoint"], largest, rtol=1e-12, atol=atol)
    # the mean falls as the largest unit does, .046 decades a step, and the geometric mean three times as fast
    assert row["log10_adjoint"][0] - row["log10_adjoint_geometric"][0] > 120
    assert row["log10_adjoint_geometric"].min() < -220


@pytest.mark.parametrize("engine", ENGINES)
def test_one_exact_zero_is_a_geometric_mean_of_zero_and_leaves_the_median(engine: str) -> None:
    cell = CELLS["rnn"](cell="rnn", hidden_size=H, biases=1, nonlinearity="relu")
    parameters = started(cell, [0], input_size=D, length=T)
    seen = normal(2, 1, B, H)
    seen[0, 0] = 0
    [row] = recorded(cell, parameters, normal(1, T, 1, B, D), seen, engine)
    assert np.isneginf(row["log10_adjoint_geometric"]).all()
    assert np.isfinite(row["log10_adjoint_q50"][-1])
    assert np.isfinite(row["log10_adjoint"][-1])


def test_quantiles_beside_zeros_and_what_is_not_a_number() -> None:
    statistics = over_batch(np.array([[-np.inf, 0.0, 1.0, 2.0], [0.0, 1.0, 2.0, np.nan], [np.inf, 0.0, -np.inf, 1.0]]))
    shift = np.log10(4)
    np.testing.assert_array_equal(statistics["geometric"], [-np.inf, np.nan, np.nan])
    np.testing.assert_array_equal(statistics["q25"], [-np.inf, 0.75 + shift, -np.inf])
    np.testing.assert_array_equal(statistics["q50"], [0.5 + shift, 1.5 + shift, 0.5 + shift])
    np.testing.assert_array_equal(statistics["q75"], [1.25 + shift, np.nan, np.inf])


def test_a_step_that_no_sequence_has_is_nan() -> None:
    statistics = over_batch(np.zeros((2, 3)), np.array([[False] * 3, [True, False, True]]))
    for level in statistics.values():
        np.testing.assert_array_equal(level, [np.nan, np.log10(3)])


def test_parts_of_a_state_are_one_by_the_root_of_the_sum_of_their_squares() -> None:
    """Also where the squares are no floats, where a part is zero, and where one is not a number."""
    norms = np.array([[3.0, 0.0, 1.0], [4.0, 0.0, np.nan]])  # of two parts, three sequences
    for scale in (0, -400, 400):
        with np.errstate(divide="ignore"):
            logs = np.log10(norms) + scale
        level, each = joint([(logs[0, :1], logs[0]), (logs[1, :1], logs[1])])
        assert each is not None
        assert level is not None
        np.testing.assert_allclose(each[0], np.log10(5) + scale, rtol=1e-15)
        assert np.isneginf(each[1])
        assert np.isnan(each[2])
        np.testing.assert_allclose(
            joint([(level, each[:2]), (level, each[:2])])[0], each[0] + np.log10(2) / 2, rtol=1e-15
        )
    assert joint([]) == (None, None)
