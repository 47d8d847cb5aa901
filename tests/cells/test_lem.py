"""LEM: its equations with linear layers of torch, its gradient without recurrent weights, its bound, its start."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cell_examples import D, H, T, adjoints, assert_differentiates_as, drawn, example, initial, log10_products, sigmoid
from made_networks import Parameters
from torch import Tensor, nn

from harness.recurrence.scan import scan

DT = 0.7


class Layers(nn.Module):
    """The paper's equations by the names that they have there: y and z, and a linear layer for each sum."""

    def __init__(self) -> None:
        super().__init__()
        self.of_input = nn.ModuleList([nn.Linear(D, H) for _ in range(4)])
        self.of_y = nn.ModuleList([nn.Linear(H, H, bias=False) for _ in range(3)])
        self.of_z = nn.Linear(H, H, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        y, z, states = inputs.new_zeros(inputs.shape[1], H), inputs.new_zeros(inputs.shape[1], H), []
        for u in inputs:
            step = DT * torch.sigmoid(self.of_y[0](y) + self.of_input[0](u))
            step_bar = DT * torch.sigmoid(self.of_y[1](y) + self.of_input[1](u))
            z = (1 - step) * z + step * torch.tanh(self.of_y[2](y) + self.of_input[2](u))
            y = (1 - step_bar) * y + step_bar * torch.tanh(self.of_z(z) + self.of_input[3](u))
            states.append(y)
        return torch.stack(states)


def by_layers(p: Parameters, x: Tensor) -> Tensor:
    weights = {"of_z.weight": p["W_y"]}
    for k, (U, b) in enumerate(zip(p["U"].chunk(4), p["b_x"].chunk(4), strict=True)):
        weights |= {f"of_input.{k}.weight": U, f"of_input.{k}.bias": b}
    weights |= {f"of_y.{k}.weight": W for k, W in enumerate(p["W"].chunk(3))}
    result: Tensor = torch.func.functional_call(Layers(), weights, (x,))
    return result


@pytest.mark.parametrize("init", ["paper", "orthogonal"])
def test_states_and_gradients_are_those_of_the_papers_equations(init: str) -> None:
    cell, parameters, x = example("lem", time_step=DT, init=init)
    assert_differentiates_as(by_layers, cell, parameters, 2 * x)


def test_without_recurrent_weights_the_gradient_is_a_product_of_what_time_steps_leave() -> None:
    """∂h_T/∂h_t = Π (1 − Δ_h), Δ_h a function of the input alone."""
    cell, parameters, x = example("lem", time_step=DT)
    with torch.no_grad():
        for name in ("W", "W_y"):
            parameters[name].zero_()
    levels, _, _ = adjoints(cell, parameters, x, torch.ones(1, dtype=torch.float64))
    for r in range(levels.shape[1]):
        U, b = parameters["U"][r].detach().numpy()[H : 2 * H], parameters["b_x"][r].detach().numpy()[H : 2 * H]
        left = 1 - DT * sigmoid(x[:, r].numpy() @ U.T + b)
        np.testing.assert_allclose(levels[:, r], log10_products(left), atol=1e-12)


def test_states_stay_within_one_where_no_time_step_is_longer_than_one() -> None:
    """Each state is a mean of tanh's and of what it was; with Δt = 3 it is not."""
    largest = []
    for longest in (1.0, 3.0):
        cell, parameters, x = example("lem", time_step=longest)
        h, state = scan(cell, parameters, 100 * x, initial(cell), every_step=True)
        largest.append(max(float(part.detach().abs().max()) for part in (h, *state)))
    assert 0.9 < largest[0] <= 1
    assert largest[1] > 1


def test_the_start_is_uniform_within_one_over_root_h() -> None:
    weights = drawn("lem", H=64, T=T)
    assert {name: p.shape for name, p in weights.items()} == {
        "W": (192, 64), "W_y": (64, 64), "U": (256, D), "b_x": (256,),
    }  # fmt: skip
    values = np.concatenate([p.ravel() for p in weights.values()])
    assert abs(values).max() <= 1 / 8
    assert values.std() == pytest.approx(1 / np.sqrt(3 * 64), rel=0.02)
