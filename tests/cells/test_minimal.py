"""minGRU and minLSTM: their equations, their gradients, their start."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from paper_cells import D, H, R, T, adjoints, assert_follows, made, sigmoid

from harness.cells import CELLS
from harness.cells.minimal import share_kept


def kept_and_new(name: str, p, x):
    """What is kept of the state and what is added, (…, H) each, from inputs (…, D)."""
    blocks = np.split(x @ p["U"].T + p["b_x"], 2 if name == "mingru" else 3, axis=-1)
    if name == "mingru":
        z = sigmoid(blocks[0])
        return 1 - z, z * blocks[1]
    f, i = sigmoid(blocks[0]), sigmoid(blocks[1])
    return f / (f + i), i / (f + i) * blocks[2]


@pytest.mark.parametrize("name", ["mingru", "minlstm"])
def test_states_are_those_of_the_equations(name: str) -> None:
    def equations(p, x):
        h, seen = np.zeros(H), []
        for row in x:
            kept, new = kept_and_new(name, p, row)
            h = kept * h + new
            seen.append(h)
        return np.stack(seen)

    assert_follows(name, equations)


@pytest.mark.parametrize("name", ["mingru", "minlstm"])
def test_the_gradient_is_the_product_of_what_is_kept(name: str) -> None:
    cell, parameters, x = made(name)
    levels, _, _ = adjoints(cell, parameters, x, torch.ones(R, 1, H, dtype=torch.float64))
    for r in range(R):
        kept, _ = kept_and_new(name, {key: p[r].detach().numpy() for key, p in parameters.items()}, x[:, r].numpy())
        product = np.cumprod(np.concatenate([np.ones_like(kept[:1]), kept[:0:-1]]), axis=0)[::-1]
        np.testing.assert_allclose(levels[:, r], np.log10(np.linalg.norm(product, axis=-1).sum(-1)), atol=1e-12)


@pytest.mark.parametrize("name", ["mingru", "minlstm"])
def test_the_start_is_that_of_a_linear_layer_of_the_inputs(name: str) -> None:
    cell = CELLS[name](cell=name, hidden_size=100)
    drawn = cell.start(0, input_size=D, output_size=1, length=T)
    layer = torch.nn.Linear(D, 100 * len(cell.gates))
    assert set(drawn) == {"U", "b_x"}
    for key, theirs in (("U", layer.weight), ("b_x", layer.bias)):
        assert drawn[key].shape == theirs.shape
        assert abs(drawn[key]).max() == pytest.approx(1 / np.sqrt(D), rel=0.03)


def test_chrono_biases_keep_each_unit_for_its_own_lag() -> None:
    cell = CELLS["minlstm"](cell="minlstm", hidden_size=100, forget_bias="chrono")
    drawn = cell.start(0, input_size=D, output_size=1, length=T)
    kept, _ = kept_and_new("minlstm", {**drawn, "U": 0 * drawn["U"]}, np.zeros(D))
    lags = 1 / (1 - kept)  # σ(ln(s − 1)) = 1 − 1/s: a time-scale of s = 2 … T steps
    assert lags.min() >= 2
    assert lags.max() <= T
    assert lags.mean() == pytest.approx((T + 2) / 2, rel=0.1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_a_minlstm_keeps_is_right_where_both_gates_are_all_but_shut_and_has_a_slope_at_zero(dtype) -> None:
    v = torch.tensor([-200.0, -50.0, -20.0, -5.0, 0.0, 5.0, 50.0], dtype=dtype)
    exact = 1 / (1 + np.exp(np.logaddexp(0, -v.double().numpy()) - np.logaddexp(0, -(v.double().numpy() + 1))))
    np.testing.assert_allclose(share_kept(v, v + 1), exact, rtol=1e-6 if dtype == torch.float32 else 1e-14)
    zero = torch.zeros(2, dtype=dtype, requires_grad=True)
    share_kept(zero[0], zero[1]).backward()
    torch.testing.assert_close(zero.grad, torch.tensor([0.125, -0.125], dtype=dtype))  # σ′(0) · σ(0)
