"""minGRU and minLSTM: their equations, their gradients, their start."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cell_examples import D, H, R, T, adjoints, assert_follows, drawn, example, log10_products, sigmoid

from harness.cells import CELLS
from harness.cells.minimal import share_kept


def factor_and_term(name: str, p, x):
    """a_t and n_t of h_t = a_t ⊙ h_{t−1} + n_t, (…, H) each, from inputs (…, D)."""
    blocks = np.split(x @ p["U"].T + p["b_x"], 2 if name == "mingru" else 3, axis=-1)
    if name == "mingru":
        z = sigmoid(blocks[0])
        return 1 - z, z * blocks[1]
    f, i = sigmoid(blocks[0]), sigmoid(blocks[1])
    return f / (f + i), i / (f + i) * blocks[2]


@pytest.mark.parametrize("name", ["mingru", "minlstm"])
def test_states_are_those_of_the_equations(name: str) -> None:
    def equations(p, x):
        h, states = np.zeros(H), []
        for row in x:
            factor, term = factor_and_term(name, p, row)
            h = factor * h + term
            states.append(h)
        return np.stack(states)

    assert_follows(name, equations)


@pytest.mark.parametrize("name", ["mingru", "minlstm"])
def test_the_gradient_is_the_product_of_the_gates(name: str) -> None:
    cell, parameters, x = example(name)
    levels, _, _ = adjoints(cell, parameters, x, torch.ones(R, 1, H, dtype=torch.float64))
    for r in range(R):
        own = {key: p[r].detach().numpy() for key, p in parameters.items()}
        factors, _ = factor_and_term(name, own, x[:, r].numpy())
        np.testing.assert_allclose(levels[:, r], log10_products(factors), atol=1e-12)


@pytest.mark.parametrize("name", ["mingru", "minlstm"])
def test_the_start_is_that_of_a_linear_layer_of_the_inputs(name: str) -> None:
    weights = drawn(name, H=100)
    layer = torch.nn.Linear(D, 100 * len(CELLS[name].gates))
    assert set(weights) == {"U", "b_x"}
    for key, theirs in (("U", layer.weight), ("b_x", layer.bias)):
        assert weights[key].shape == theirs.shape
        assert abs(weights[key]).max() == pytest.approx(1 / np.sqrt(D), rel=0.03)


def test_chrono_biases_give_the_units_time_scales_of_up_to_the_length() -> None:
    weights = drawn("minlstm", H=100, forget_bias="chrono")
    factors, _ = factor_and_term("minlstm", {**weights, "U": 0 * weights["U"]}, np.zeros(D))
    lags = 1 / (1 - factors)  # σ(ln(s − 1)) = 1 − 1/s: a time-scale of s = 2 … T steps
    assert lags.min() >= 2
    assert lags.max() <= T
    assert lags.mean() == pytest.approx((T + 2) / 2, rel=0.1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_normalised_forget_gate_is_exact_where_both_gates_are_almost_shut_and_has_a_slope_at_zero(dtype) -> None:
    v = torch.tensor([-200.0, -50.0, -20.0, -5.0, 0.0, 5.0, 50.0], dtype=dtype)
    exact = 1 / (1 + np.exp(np.logaddexp(0, -v.double().numpy()) - np.logaddexp(0, -(v.double().numpy() + 1))))
    np.testing.assert_allclose(share_kept(v, v + 1), exact, rtol=1e-6 if dtype == torch.float32 else 1e-14)
    zero = torch.zeros(2, dtype=dtype, requires_grad=True)
    share_kept(zero[0], zero[1]).backward()
    torch.testing.assert_close(zero.grad, torch.tensor([0.125, -0.125], dtype=dtype))  # σ′(0) · σ(0)
