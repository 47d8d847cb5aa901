"""The antisymmetric RNN: its equations, its eigenvalues, its linear regime, its start."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from paper_cells import B, D, H, R, T, adjoints, assert_follows, made, sigmoid

from harness.cells import CELLS


def matrix(L, gamma: float):
    lower = np.zeros((H, H))
    lower[np.tril_indices(H, -1)] = L
    return lower - lower.T - gamma * np.eye(H)


@pytest.mark.parametrize("gated", [False, True])
def test_states_are_those_of_the_equations(gated: bool) -> None:
    step, gamma = 0.3, 0.2

    def equations(p, x):
        h, M, seen = np.zeros(H), matrix(p["L"], gamma), []
        for row in x:
            blocks = np.split(p["U"] @ row + p["b_x"], 2 if gated else 1)
            added = np.tanh(M @ h + blocks[0])
            h = h + step * (sigmoid(M @ h + blocks[1]) * added if gated else added)
            seen.append(h)
        return np.stack(seen)

    assert_follows("antisymmetric", equations, gated=gated, step_size=step, diffusion=gamma)


@pytest.mark.parametrize("gamma", [0.0, 0.01, 0.5])
def test_every_eigenvalue_has_the_real_part_minus_gamma(gamma: float) -> None:
    cell, parameters, _ = made("antisymmetric", diffusion=gamma)
    [W] = cell.recurrent_matrices(parameters)
    eigenvalues = np.linalg.eigvals(W.detach().numpy())
    np.testing.assert_allclose(eigenvalues.real, -gamma, atol=1e-12)
    assert abs(eigenvalues.imag).max() > 0.1


def test_at_rest_the_gradient_is_that_of_eulers_method() -> None:
    """tanh is linear at 0: ∂h_T/∂h_t = (I + εM)^{T−t}, and with γ = 0 no gradient shrinks."""
    cell, parameters, x = made("antisymmetric", diffusion=0.0, step_size=0.5)
    v = torch.randn(R, 1, H, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    levels, _, _ = adjoints(cell, parameters, torch.zeros_like(x), v)
    for r in range(R):
        J = np.eye(H) + 0.5 * matrix(parameters["L"][r].detach().numpy(), 0.0)
        norms = [np.linalg.norm(np.linalg.matrix_power(J.T, lag) @ v[r, 0].numpy()) for lag in range(T)][::-1]
        np.testing.assert_allclose(levels[:, r], np.log10(B * np.array(norms)), atol=1e-12)
    assert (np.diff(levels, axis=0) < 0).all()


def test_the_start_has_the_papers_variances() -> None:
    H = 200
    cell = CELLS["antisymmetric"](cell="antisymmetric", hidden_size=H, weight_scale=2.0)
    drawn = cell.start(0, input_size=D, output_size=1, length=T)
    assert drawn["L"].shape == (H * (H - 1) // 2,)
    assert drawn["L"].std() == pytest.approx(2 / np.sqrt(H), rel=0.03)
    assert drawn["U"].std() == pytest.approx(1 / np.sqrt(D), rel=0.05)
    np.testing.assert_array_equal(drawn["b_x"], 0)
