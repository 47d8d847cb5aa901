"""coRNN: its equations, its gradient as a free oscillator's, its start."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cell_examples import B, D, H, R, T, adjoints, assert_follows, drawn, example
from made_networks import normal

DT, GAMMA, EPSILON = 0.2, 1.3, 0.7


def test_states_are_those_of_the_equations() -> None:
    def equations(p, x):
        y, z, states = np.zeros(H), np.zeros(H), []
        for row in x:
            force = np.tanh(p["W"] @ y + p["W_z"] @ z + p["U"] @ row + p["b_x"])
            z = z + DT * (force - GAMMA * y - EPSILON * z)
            y = y + DT * z
            states.append(y)
        return np.stack(states)

    assert_follows("cornn", equations, time_step=DT, stiffness=GAMMA, damping=EPSILON)


def free_oscillator(**settings):
    """log₁₀ adjoints (T, R) of an oscillator without coupling or force, and that of the last step (R,)."""
    cell, parameters, x = example("cornn", time_step=DT, **settings)
    with torch.no_grad():
        for name in ("W", "W_z"):
            parameters[name].zero_()
    v = normal(3, R, 1, H)
    return adjoints(cell, parameters, x, v)[0], np.log10(B * v[:, 0].norm(dim=-1).numpy())


def test_without_coupling_the_gradient_is_a_power_of_the_oscillators_matrix() -> None:
    levels, last = free_oscillator(stiffness=GAMMA, damping=EPSILON)
    below = np.array([-DT * GAMMA, 1 - DT * EPSILON])  # z_t from (y, z) at t − 1
    step = np.stack([np.array([1.0, 0.0]) + DT * below, below])
    expected = [np.log10(abs(np.linalg.matrix_power(step, lag)[0, 0])) for lag in range(T)][::-1]
    np.testing.assert_allclose(levels - last, np.array(expected)[:, None].repeat(R, 1), atol=1e-12)


def test_with_neither_stiffness_nor_damping_the_gradient_is_constant_in_time() -> None:
    levels, last = free_oscillator(stiffness=0.0, damping=0.0)
    np.testing.assert_allclose(levels, np.broadcast_to(last, (T, R)), atol=1e-12)


def test_the_start_is_one_linear_layer_of_inputs_velocities_and_positions() -> None:
    H = 100
    weights = drawn("cornn", H=H)
    layer = torch.nn.Linear(D + 2 * H, H)
    joined = np.concatenate([weights["U"], weights["W_z"], weights["W"]], axis=1)
    assert joined.shape == layer.weight.shape
    assert abs(joined).max() == pytest.approx(1 / np.sqrt(D + 2 * H), rel=0.01)
    assert weights["b_x"].shape == layer.bias.shape
