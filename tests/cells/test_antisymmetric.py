"""The antisymmetric RNN: its equations, its eigenvalues, its linear regime, its start."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cell_examples import B, D, H, R, T, adjoints, assert_follows, drawn, example, sigmoid, skew_matrix
from made_networks import normal


@pytest.mark.parametrize("gated", [False, True])
def test_states_are_those_of_the_equations(gated: bool) -> None:
    step, gamma = 0.3, 0.2

    def equations(p, x):
        h, M, states = np.zeros(H), skew_matrix(p["L"]) - gamma * np.eye(H), []
        for row in x:
            blocks = np.split(p["U"] @ row + p["b_x"], 2 if gated else 1)
            added = np.tanh(M @ h + blocks[0])
            h = h + step * (sigmoid(M @ h + blocks[1]) * added if gated else added)
            states.append(h)
        return np.stack(states)

    assert_follows("antisymmetric", equations, gated=gated, step_size=step, diffusion=gamma)


@pytest.mark.parametrize("gamma", [0.0, 0.01, 0.5])
def test_every_eigenvalue_has_the_real_part_minus_gamma(gamma: float) -> None:
    cell, parameters, _ = example("antisymmetric", diffusion=gamma)
    [W] = cell.recurrent_matrices(parameters)
    eigenvalues = np.linalg.eigvals(W.detach().numpy())
    np.testing.assert_allclose(eigenvalues.real, -gamma, atol=1e-12)
    assert abs(eigenvalues.imag).max() > 0.1


def test_at_rest_the_gradient_is_that_of_eulers_method() -> None:
    """tanh is linear at 0: ∂h_T/∂h_t = (I + εM)^{T−t}, and with γ = 0 no gradient shrinks."""
    cell, parameters, x = example("antisymmetric", diffusion=0.0, step_size=0.5)
    v = normal(3, R, 1, H)
    levels, _, _ = adjoints(cell, parameters, torch.zeros_like(x), v)
    for r in range(R):
        J = np.eye(H) + 0.5 * skew_matrix(parameters["L"][r].detach().numpy())
        norms = [np.linalg.norm(np.linalg.matrix_power(J.T, lag) @ v[r, 0].numpy()) for lag in range(T)][::-1]
        np.testing.assert_allclose(levels[:, r], np.log10(B * np.array(norms)), atol=1e-12)
    assert (np.diff(levels, axis=0) < 0).all()


def test_the_start_has_the_papers_variances() -> None:
    H = 200
    weights = drawn("antisymmetric", H=H, weight_scale=2.0)
    assert weights["L"].shape == (H * (H - 1) // 2,)
    assert weights["L"].std() == pytest.approx(2 / np.sqrt(H), rel=0.03)
    assert weights["U"].std() == pytest.approx(1 / np.sqrt(D), rel=0.05)
    np.testing.assert_array_equal(weights["b_x"], 0)
