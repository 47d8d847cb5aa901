"""The LSTM without a forget gate: its equations, the constant error carousel, its start."""

from __future__ import annotations

import numpy as np
import torch
from cell_examples import H, R, adjoints, assert_follows, drawn, example, sigmoid


def equations(p, x):
    h, c, states = np.zeros(H), np.zeros(H), []
    for row in x:
        i, g, o = np.split(p["W"] @ h + p["U"] @ row + p["b_x"], 3)
        c = c + sigmoid(i) * (4 * sigmoid(g) - 2)
        h = sigmoid(o) * (2 * sigmoid(c) - 1)
        states.append(h)
    return np.stack(states)


def test_states_are_those_of_the_equations() -> None:
    assert_follows("lstm1997", equations)


def test_without_recurrent_weights_the_gradient_of_the_cell_is_constant_in_time() -> None:
    """The constant error carousel (section 3.2): ∂c_t/∂c_{t−1} = 1 where no gate sees the state."""
    cell, parameters, x = example("lstm1997")
    with torch.no_grad():
        parameters["W"].zero_()
    _, levels, _ = adjoints(cell, parameters, x, torch.ones(R, 1, H, dtype=torch.float64))
    np.testing.assert_allclose(levels, np.broadcast_to(levels[-1], levels.shape), atol=1e-13)


def test_weights_start_in_the_papers_range_and_the_input_gates_at_their_bias() -> None:
    weights = drawn("lstm1997", input_bias=-2.0)
    assert max(abs(weights[name]).max() for name in ("W", "U")) <= 0.1
    assert abs(weights["W"]).max() > 0.09
    np.testing.assert_array_equal(weights["b_x"][:H], -2.0)
    assert 0 < abs(weights["b_x"][H:]).max() <= 0.1
