"""coRNN: its equations, its gradient as a free oscillator's, its start."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from paper_cells import B, D, H, R, T, adjoints, assert_follows, made

from harness.cells import CELLS

DT, GAMMA, EPSILON = 0.2, 1.3, 0.7


def test_states_are_those_of_the_equations() -> None:
    def equations(p, x):
        y, z, seen = np.zeros(H), np.zeros(H), []
        for row in x:
            force = np.tanh(p["W"] @ y + p["W_z"] @ z + p["U"] @ row + p["b_x"])
            z = z + DT * (force - GAMMA * y - EPSILON * z)
            y = y + DT * z
            seen.append(y)
        return np.stack(seen)

    assert_follows("cornn", equations, time_step=DT, stiffness=GAMMA, damping=EPSILON)


def free(**settings):
    """An oscillator that nothing drives, with the gradient's direction."""
    cell, parameters, x = made("cornn", time_step=DT, **settings)
    with torch.no_grad():
        for name in ("W", "W_z"):
            parameters[name].zero_()
    v = torch.randn(R, 1, H, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    return adjoints(cell, parameters, x, v)[0], np.log10(B * v[:, 0].norm(dim=-1).numpy())


def test_without_coupling_the_gradient_is_a_power_of_the_oscillators_matrix() -> None:
    levels, first = free(stiffness=GAMMA, damping=EPSILON)
    below = np.array([-DT * GAMMA, 1 - DT * EPSILON])  # z_t from (y, z) at t − 1
    step = np.stack([np.array([1.0, 0.0]) + DT * below, below])
    expected = [np.log10(abs(np.linalg.matrix_power(step, lag)[0, 0])) for lag in range(T)][::-1]
    np.testing.assert_allclose(levels - first, np.array(expected)[:, None].repeat(R, 1), atol=1e-12)


def test_with_neither_stiffness_nor_damping_the_gradient_stays_as_it_is() -> None:
    levels, first = free(stiffness=0.0, damping=0.0)
    np.testing.assert_allclose(levels, np.broadcast_to(first, (T, R)), atol=1e-12)


def test_the_start_is_one_linear_layer_of_all_that_the_force_sees() -> None:
    H = 100
    drawn = CELLS["cornn"](cell="cornn", hidden_size=H).start(0, input_size=D, output_size=1, length=T)
    layer = torch.nn.Linear(D + 2 * H, H)
    both = np.concatenate([drawn["U"], drawn["W_z"], drawn["W"]], axis=1)
    assert both.shape == layer.weight.shape
    assert abs(both).max() == pytest.approx(1 / np.sqrt(D + 2 * H), rel=0.01)
    assert drawn["b_x"].shape == layer.bias.shape
