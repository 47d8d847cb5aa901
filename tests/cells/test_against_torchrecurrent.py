"""Cells that another library has too: values and all gradients are the same, to 1e-12 in float64."""

from __future__ import annotations

import pytest
import torch
import torchrecurrent
from cell_examples import B, D, H, assert_differentiates_as, example
from made_networks import Parameters
from torch import Tensor

from harness.cells.skew import skew

CASES = ["lstm1997", "janet", "indrnn", "antisymmetric", "cornn"]
SETTINGS = {
    "janet": {"beta": 0.75},
    "indrnn": {"nonlinearity": "tanh"},
    "antisymmetric": {"step_size": 0.3, "diffusion": 0.2},
    "cornn": {"time_step": 0.2, "stiffness": 1.3, "damping": 0.7},
}


def twin(name: str, p: Parameters) -> tuple[torch.nn.Module, Parameters]:
    """The other library's cell, and its weights as functions of ours (one replica)."""
    weights = {"weight_ih": p["U"], "bias_ih": p["b_x"]}
    options: dict[str, object] = {"recurrent_bias": False}
    if name == "lstm1997":
        # 4σ(a) − 2 = 2 tanh(a/2) and 2σ(c) − 1 = tanh(c/2): its tanh(g) and tanh(c) with the rows of g halved
        half = torch.tensor([1.0, 0.5, 1.0], dtype=torch.float64).repeat_interleave(H)
        scaled = {"weight_ih": half[:, None] * p["U"], "bias_ih": half * p["b_x"], "weight_hh": half[:, None] * p["W"]}
        return torchrecurrent.OriginalLSTMCell(D, H, **options), scaled
    if name == "janet":
        options |= {"beta": 0.75}
        return torchrecurrent.JANETCell(D, H, **options), weights | {"weight_hh": p["W"]}
    if name == "indrnn":
        return torchrecurrent.IndRNNCell(D, H, **options), weights | {"vector_u": p["u"]}
    if name == "antisymmetric":
        options |= {"epsilon": 0.3, "gamma": 0.2}
        lower = skew(p["L"][None], H)[0].tril()
        return torchrecurrent.AntisymmetricRNNCell(D, H, **options), weights | {"weight_hh": lower}
    options |= {"cell_bias": False, "dt": 0.2, "gamma": 1.3, "epsilon": 0.7}
    return torchrecurrent.coRNNCell(D, H, **options), weights | {"weight_hh": p["W"], "weight_ch": p["W_z"]}


@pytest.mark.parametrize("name", CASES)
def test_a_cell_equals_its_twin(name: str) -> None:
    def states(own: Parameters, x: Tensor) -> Tensor:
        module, weights = twin(name, own)
        module.double()
        zeros = torch.zeros(B, H, dtype=torch.float64)
        state: object = zeros if name in ("indrnn", "antisymmetric") else (zeros, zeros)
        outputs = []
        for row in x:
            state = torch.func.functional_call(module, weights, (row, state))
            outputs.append(state[0] if isinstance(state, tuple) else state)
        return torch.stack(outputs)

    assert_differentiates_as(states, *example(name, **SETTINGS.get(name, {})))
