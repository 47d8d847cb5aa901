"""JANET: its equations, its gradient without recurrent weights, its start."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cell_examples import D, H, R, T, adjoints, assert_follows, drawn, example, log10_products, sigmoid


@pytest.mark.parametrize("beta", [0.0, 1.0])
def test_states_are_those_of_the_equations(beta: float) -> None:
    def equations(p, x):
        h, states = np.zeros(H), []
        for row in x:
            s, candidate = np.split(p["W"] @ h + p["U"] @ row + p["b_x"], 2)
            h = sigmoid(s) * h + (1 - sigmoid(s - beta)) * np.tanh(candidate)
            states.append(h)
        return np.stack(states)

    assert_follows("janet", equations, beta=beta)


def test_without_recurrent_weights_the_gradient_is_the_product_of_the_forget_gates() -> None:
    cell, parameters, x = example("janet")
    with torch.no_grad():
        parameters["W"].zero_()
    levels, _, _ = adjoints(cell, parameters, x, torch.ones(R, 1, H, dtype=torch.float64))
    for r in range(R):
        U, b = (parameters[name][r, :H].detach().numpy() for name in ("U", "b_x"))
        f = sigmoid(x[:, r].numpy() @ U.T + b)  # (T, B, H)
        np.testing.assert_allclose(levels[:, r], log10_products(f), atol=1e-12)


def test_the_start_is_glorots_with_chrono_forget_biases() -> None:
    H = 200
    weights = drawn("janet", H=H)
    lags = np.exp(weights["b_x"][:H])
    assert lags.min() >= 1
    assert lags.max() <= T - 1
    assert lags.mean() == pytest.approx(T / 2, rel=0.1)
    np.testing.assert_array_equal(weights["b_x"][H:], 0)
    assert abs(weights["W"]).max() == pytest.approx(np.sqrt(6 / (3 * H)), rel=0.01)
    assert abs(weights["U"]).max() == pytest.approx(np.sqrt(6 / (D + 2 * H)), rel=0.01)


def test_a_given_forget_bias_replaces_chrono() -> None:
    np.testing.assert_array_equal(drawn("janet", forget_bias=1.5)["b_x"], [1.5] * H + [0.0] * H)
