"""Memory of wide gated cells: the recurrence against torch's cells, weights drawn anew, the fit, theory."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from study_texts import check_text

from harness.experiments.gated_memory import Wide, distances, fitted, memories, redraw
from harness.experiments.setup import Setup
from harness.rng import generator


def record_of(plan_of, **wide: object):
    [record] = memories(plan_of(check_text("gated_memory", wide=wide, seeds=1)).runs, Setup("torch"))
    return record


@pytest.mark.parametrize(("cell", "twin", "gate"), [("gru", torch.nn.GRUCell, 1), ("lstm", torch.nn.LSTMCell, 1)])
def test_the_states_are_those_of_torch_s_cells(cell: str, twin: type, gate: int) -> None:
    N, settings = 7, Wide(cell=cell, bias=1.5, gain=1.3, input_std=0.4, hidden_size=7, transient=6, sequence_length=20)
    distance, square = distances(settings, 11)
    blocks = 3 if cell == "gru" else 4
    net = twin(blocks * N, N).double()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
        W = generator(11, "initialise W").standard_normal((blocks * N, N)) * 1.3 / math.sqrt(N)
        net.weight_hh.copy_(torch.as_tensor(W))
        net.weight_ih.copy_(0.4 * torch.eye(blocks * N, dtype=torch.float64))
        net.bias_ih[gate * N : (gate + 1) * N] = 1.5
        past, shared, state = generator(11, "past"), generator(11, "input"), None
        for t in range(6 + len(distance)):
            x = past.standard_normal((2, blocks * N)) if t < 6 else shared.standard_normal((1, blocks * N))
            state = net(torch.as_tensor(x).expand(2, -1), state)
            h, other = state if cell == "gru" else state[0]
            if t >= 6:
                apart = float(((h - other) ** 2).sum() / (h**2 + other**2).sum())
                assert distance[t - 6] == pytest.approx(apart, rel=1e-9)
                assert square[t - 6] == pytest.approx(float((h**2 + other**2).mean() / 2), rel=1e-9)


def test_two_columns_act_on_two_states_as_a_whole_matrix_does() -> None:
    """W h has the covariance scale² h·h̃ over its rows; of nearly equal states the difference is not lost."""
    h = torch.randn(2, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    h[1] = h[0] + 1e-9 * h[1]
    W = torch.empty(100_000, 9, dtype=torch.float64)
    redraw(W, h, 0.5, np.random.default_rng(4))
    apart = h[1] - h[0]
    vectors = torch.stack([h[0], 1e9 * apart])
    products = W @ vectors.T
    np.testing.assert_allclose(products.T @ products / len(W), 0.25 * vectors @ vectors.T, atol=0.05)
    np.testing.assert_allclose(W @ h[1] - W @ h[0], W @ apart, atol=1e-14)


def test_a_line_is_found_within_its_range() -> None:
    lags = np.arange(1.0, 200)
    xi, first = fitted(lags, np.exp(-lags / 4.0))
    assert xi == pytest.approx(4.0)
    assert first == 18  # exp(−19/4) is the first below .01
    assert math.isnan(fitted(lags, np.full(len(lags), 0.5))[0])
    assert fitted(lags, np.full(len(lags), 1e-5) * 1.01**lags)[0] == math.inf


@pytest.mark.parametrize(("cell", "gain"), [("gru", 1.0), ("lstm", 1.0)])
def test_weights_drawn_anew_have_the_memory_of_mean_field(plan_of, cell: str, gain: float) -> None:
    record = record_of(plan_of, cell=cell, bias=1.0, gain=gain, weights="untied", hidden_size=400, transient=40)
    assert record.run["outcome"] == "solved"
    assert record.run["residual"] < 0.06
    square = record.rows["profiles"][1]
    assert np.mean(square["measured"]) == pytest.approx(square["theory"][0], rel=0.05)


def test_one_matrix_for_all_steps_remembers_longer(plan_of) -> None:
    runs = [
        record_of(plan_of, cell="lstm", bias=1.0, weights=weights, hidden_size=300, transient=40).run
        for weights in ("tied", "untied")
    ]
    assert runs[0]["measured"] > 1.4 * runs[1]["measured"]
    assert runs[0]["residual"] < 0.2


def test_chaos_has_no_memory_scale_and_diverges(plan_of) -> None:
    record = record_of(plan_of, cell="lstm", bias=4.0, gain=4.0, hidden_size=50, transient=40, sequence_length=60)
    assert record.run["predicted"] == math.inf
    assert record.run["outcome"] == "diverged"
