"""The Lipschitz unit: its equations with linear layers of torch, its matrices, its linear regime, its start."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cell_examples import B, D, H, R, T, adjoints, assert_differentiates_as, drawn, example
from made_networks import Parameters, normal
from torch import Tensor, nn

STEP, BETA, GAMMA = 0.3, 0.65, 0.2


def matrix(M, beta=BETA, gamma=GAMMA):
    return (1 - beta) * (M + M.T) + beta * (M - M.T) - gamma * np.eye(len(M))


class Unit(nn.Module):
    """The differential equation as it stands in the paper, and Euler's method."""

    def __init__(self) -> None:
        super().__init__()
        self.M_A, self.M_W = nn.Parameter(torch.empty(H, H)), nn.Parameter(torch.empty(H, H))
        self.layer = nn.Linear(D, H)

    def derivative(self, h: Tensor, x: Tensor) -> Tensor:
        eye = torch.eye(H, dtype=h.dtype)
        A, W = ((1 - BETA) * (M + M.T) + BETA * (M - M.T) - GAMMA * eye for M in (self.M_A, self.M_W))
        return nn.functional.linear(h, A) + torch.tanh(nn.functional.linear(h, W) + self.layer(x))

    def forward(self, inputs: Tensor) -> Tensor:
        h, states = inputs.new_zeros(inputs.shape[1], H), []
        for x in inputs:
            h = h + STEP * self.derivative(h, x)
            states.append(h)
        return torch.stack(states)


def test_states_and_gradients_are_those_of_the_papers_equations() -> None:
    def states(p: Parameters, x: Tensor) -> Tensor:
        weights = {"M_A": p["M_A"], "M_W": p["M_W"], "layer.weight": p["U"], "layer.bias": p["b_x"]}
        result: Tensor = torch.func.functional_call(Unit(), weights, (x,))
        return result

    settings = {"step_size": STEP, "skewness": BETA, "diffusion": GAMMA, "weight_scale": 1.0}
    assert_differentiates_as(states, *example("lipschitz", **settings))


@pytest.mark.parametrize("beta", [0.5, 0.8, 1.0])
def test_the_symmetric_part_of_both_matrices_shrinks_as_beta_grows(beta: float) -> None:
    """β = ½: M − γI; β = 1: all eigenvalues have the real part −γ; else it is within (1 − β) σ₁(M + Mᵀ) of that."""
    cell, parameters, _ = example("lipschitz", skewness=beta, diffusion=GAMMA, weight_scale=1.0)
    for name, used in zip(("M_A", "M_W"), cell.recurrent_matrices(parameters), strict=True):
        for M, matrix in zip(parameters[name].detach().numpy(), used.detach().numpy(), strict=True):
            if beta == 0.5:
                np.testing.assert_allclose(matrix, M - GAMMA * np.eye(H), atol=1e-14)
            real = np.linalg.eigvals(matrix).real + GAMMA
            assert abs(real).max() <= (1 - beta) * np.linalg.norm(M + M.T, 2) + 1e-12
            assert (abs(real).max() > 0.01) == (beta < 1)


def test_at_rest_the_gradient_is_that_of_eulers_method() -> None:
    """tanh is linear at 0: ∂h_T/∂h_t = (I + ε(A + W))^{T−t}."""
    cell, parameters, x = example("lipschitz", step_size=STEP, skewness=BETA, diffusion=GAMMA, weight_scale=1.0)
    with torch.no_grad():
        parameters["b_x"].zero_()
    v = normal(3, R, 1, H)
    levels, _, _ = adjoints(cell, parameters, torch.zeros_like(x), v)
    for r in range(R):
        A, W = (matrix(parameters[name][r].detach().numpy()) for name in ("M_A", "M_W"))
        J = np.eye(H) + STEP * (A + W)
        norms = [np.linalg.norm(np.linalg.matrix_power(J.T, lag) @ v[r, 0].numpy()) for lag in range(T)][::-1]
        np.testing.assert_allclose(levels[:, r], np.log10(B * np.array(norms)), atol=1e-12)


def test_the_start_has_the_papers_variances() -> None:
    H = 200
    weights = drawn("lipschitz", H=H, weight_scale=2.0)
    for name in ("M_A", "M_W"):
        assert weights[name].shape == (H, H)
        assert weights[name].std() == pytest.approx(2 / np.sqrt(H), rel=0.02)
    assert not np.array_equal(weights["M_A"], weights["M_W"])
    for name in ("U", "b_x"):
        assert abs(weights[name]).max() == pytest.approx(1 / np.sqrt(D), rel=0.02)
