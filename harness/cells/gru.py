"""The gated recurrent unit (Cho et al. 2014), as torch.nn.GRU: the reset gate acts after the matrix product."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from harness.cells.cell import Cell, State, recurrent, sigmoid
from harness.study.section import setting

if TYPE_CHECKING:
    from torch import Tensor


class GRU(Cell):
    """r, z = σ(W h_{t−1} + U x_t + b_x + b_h); n = tanh(U x_t + b_x + r ⊙ (W h_{t−1} + b_h)).

    h_t = (1 − z) ⊙ n + z ⊙ h_{t−1}.
    """

    gates = ("r", "z", "n")
    normalises = True

    cell: Literal["gru"] = setting(..., "which cell")

    def activations(self, parameters: Mapping[str, Tensor], state: State, z: Tensor) -> dict[str, Tensor]:
        r_x, z_x, n_x = z.chunk(3, dim=-1)  # each (R, B, H)
        r_h, z_h, n_h = recurrent(parameters, state[0]).chunk(3, dim=-1)
        r = sigmoid(r_x + r_h)
        return {"r": r, "z": sigmoid(z_x + z_h), "n": (n_x + r * n_h).tanh()}

    def combine(self, state: State, a: Mapping[str, Tensor]) -> State:
        return ((1 - a["z"]) * a["n"] + a["z"] * state[0],)
