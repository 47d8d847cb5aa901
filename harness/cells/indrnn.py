"""The independently recurrent network: each unit sees its own past alone (Li, Li, Cook, Zhu & Gao 2018)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np

from harness.cells.cell import Draw, PaperCell, State
from harness.cells.initialisation import Weights
from harness.study.section import setting

if TYPE_CHECKING:
    from torch import Tensor

GROWTH = 2.0  # γ: the most that a gradient may grow over T steps before training


class IndRNN(PaperCell):
    """h_t = φ(u ⊙ h_{t−1} + U x_t + b), φ = relu or tanh; so ∂h_T/∂h_t is diagonal, with entries Π u_i φ′.

    "Independently recurrent neural network (IndRNN)", eq. 3–5. `init: paper` is u ~ U(0, γ^{1/T}) with γ = 2 (section
    3.1, for relu), b = 0, and U as torch's default. The paper also holds u within these bounds while it trains; here
    nothing does.
    """

    gates = ("h",)
    recurrent_weights = ("u",)
    diagonal = True

    cell: Literal["indrnn"] = setting(..., "which cell")
    init: Literal["paper"] = setting("paper", "as in the paper", replica=True)
    nonlinearity: Literal["relu", "tanh"] = setting("relu", "φ")

    def shapes(self, H: int, D: int) -> dict[str, tuple[int, ...]]:
        return super().shapes(H, D) | {"u": (H,)}

    def paper(self, draw: Draw, *, input_size: int, length: int) -> Weights:
        H = self.hidden_size
        return {"u": draw("u").uniform(0, GROWTH ** (1 / length), H), "b_x": np.zeros(H)}

    def recurrent_matrices(self, parameters: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        return (parameters["u"].diag_embed(),)

    def activations(self, parameters: Mapping[str, Tensor], state: State, z: Tensor) -> dict[str, Tensor]:
        a = z + parameters["u"].unsqueeze(1) * state[0]
        return {"h": a.tanh() if self.nonlinearity == "tanh" else a.relu()}

    def combine(self, state: State, a: Mapping[str, Tensor]) -> State:
        return (a["h"],)
