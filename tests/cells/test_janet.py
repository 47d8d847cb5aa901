"""JANET: its equations, its gradient without recurrent weights, its start."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from paper_cells import D, H, R, T, adjoints, assert_follows, made, sigmoid

from harness.cells import CELLS


@pytest.mark.parametrize("beta", [0.0, 1.0])
def test_states_are_those_of_the_equations(beta: float) -> None:
    def equations(p, x):
        h, seen = np.zeros(H), []
        for row in x:
            s, candidate = np.split(p["W"] @ h + p["U"] @ row + p["b_x"], 2)
            h = sigmoid(s) * h + (1 - sigmoid(s - beta)) * np.tanh(candidate)
            seen.append(h)
        return np.stack(seen)

    assert_follows("janet", equations, beta=beta)


def test_without_recurrent_weights_the_gradient_is_the_product_of_the_forget_gates() -> None:
    cell, parameters, x = made("janet")
    with torch.no_grad():
        parameters["W"].zero_()
    v = torch.ones(R, 1, H, dtype=torch.float64)
    levels, _, _ = adjoints(cell, parameters, x, v)
    for r in range(R):
        U, b = (parameters[name][r, :H].detach().numpy() for name in ("U", "b_x"))
        f = sigmoid(x[:, r].numpy() @ U.T + b)  # (T, B, H)
        kept = np.cumprod(np.concatenate([np.ones_like(f[:1]), f[:0:-1]]), axis=0)[::-1]
        np.testing.assert_allclose(levels[:, r], np.log10(np.linalg.norm(kept, axis=-1).sum(-1)), atol=1e-12)


def test_the_start_is_glorots_with_chrono_forget_biases() -> None:
    H = 200
    drawn = CELLS["janet"](cell="janet", hidden_size=H).start(0, input_size=D, output_size=1, length=T)
    lags = np.exp(drawn["b_x"][:H])
    assert lags.min() >= 1
    assert lags.max() <= T - 1
    assert lags.mean() == pytest.approx(T / 2, rel=0.1)
    np.testing.assert_array_equal(drawn["b_x"][H:], 0)
    assert abs(drawn["W"]).max() == pytest.approx(np.sqrt(6 / (3 * H)), rel=0.01)
    assert abs(drawn["U"]).max() == pytest.approx(np.sqrt(6 / (D + 2 * H)), rel=0.01)


def test_a_forget_bias_of_ones_own_takes_the_place_of_chrono() -> None:
    drawn = CELLS["janet"](cell="janet", hidden_size=H, forget_bias=1.5).start(0, input_size=D, output_size=1, length=T)
    np.testing.assert_array_equal(drawn["b_x"], [1.5] * H + [0.0] * H)
