"""IndRNN: its equations, its diagonal gradient, its start."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cell_examples import B, H, R, T, adjoints, assert_follows, drawn, example, log10_products

FUNCTIONS = {"relu": lambda a: np.maximum(a, 0), "tanh": np.tanh}


@pytest.mark.parametrize("nonlinearity", FUNCTIONS)
def test_states_are_those_of_the_equations(nonlinearity: str) -> None:
    def equations(p, x):
        h, states = np.zeros(H), []
        for row in x:
            h = FUNCTIONS[nonlinearity](p["U"] @ row + p["u"] * h + p["b_x"])
            states.append(h)
        return np.stack(states)

    assert_follows("indrnn", equations, nonlinearity=nonlinearity)


def test_each_units_gradient_is_the_product_of_its_own_weight_and_slopes() -> None:
    """∂h_T/∂h_t is diagonal with entries Π u_i φ′ (eq. 5)."""
    cell, parameters, x = example("indrnn", nonlinearity="tanh")
    levels, _, h = adjoints(cell, parameters, x, torch.ones(R, 1, H, dtype=torch.float64))
    for r in range(R):
        factors = parameters["u"][r].detach().numpy() * (1 - h[:, r] ** 2)  # (T, B, H)
        np.testing.assert_allclose(levels[:, r], log10_products(factors), atol=1e-12)


def test_where_relu_is_linear_the_gradient_of_one_unit_falls_by_its_weight() -> None:
    cell, parameters, x = example("indrnn")
    with torch.no_grad():
        parameters["b_x"] += 100.0  # every unit stays on
    v = torch.zeros(R, 1, H, dtype=torch.float64)
    v[..., 2] = 1
    levels, _, _ = adjoints(cell, parameters, x, v)
    expected = -np.log10(parameters["u"][:, 2].detach().numpy())
    np.testing.assert_allclose(np.diff(levels, axis=0), np.broadcast_to(expected, (T - 1, R)), atol=1e-12)


def test_no_gradient_grows_more_than_twofold_over_the_sequence_before_training() -> None:
    weights = drawn("indrnn", H=500)
    assert weights["u"].min() >= 0
    assert 1.9 < weights["u"].max() ** T <= 2
    np.testing.assert_array_equal(weights["b_x"], 0)


def test_the_recorded_matrix_has_the_weights_for_eigenvalues() -> None:
    cell, parameters, _ = example("indrnn")
    [W] = cell.recurrent_matrices(parameters)
    torch.testing.assert_close(W.diagonal(dim1=1, dim2=2), parameters["u"], rtol=0, atol=0)
    assert W.count_nonzero() == R * H


def test_a_gradient_that_falls_by_eighty_decades_in_one_step_is_still_a_number() -> None:
    """The gradient of one unit is constant until relu cuts it, another's falls by three decades a step and remains."""
    steps, cut = 30, 3
    cell, parameters, x = example("indrnn", T=steps)
    x = torch.zeros_like(x)
    x[cut, ..., 0] = 1
    with torch.no_grad():
        parameters["U"].zero_()
        parameters["U"][:, 0, 0] = -1e6  # unit 0 is off at this one step
        parameters["b_x"].fill_(10.0)
        parameters["u"][:, 0], parameters["u"][:, 1] = 1.0, 1e-3
    v = torch.zeros(R, 1, H, dtype=torch.float64)
    v[..., :2] = 1
    levels, _, _ = adjoints(cell, parameters, x, v)
    lags = np.arange(steps)[::-1]
    expected = np.where(np.arange(steps) >= cut, np.log10(np.hypot(1, 10.0 ** (-3 * lags))), -3.0 * lags)
    np.testing.assert_allclose(levels, np.log10(B) + expected[:, None].repeat(R, 1), atol=1e-10)
