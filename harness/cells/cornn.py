"""The coupled oscillatory network: hidden units are damped, driven oscillators (Rusch & Mishra 2021)."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import TYPE_CHECKING, Literal

from harness.cells.cell import Draw, PaperCell, State, recurrent
from harness.cells.initialisation import Weights
from harness.study.section import setting

if TYPE_CHECKING:
    from torch import Tensor


class CoRNN(PaperCell):
    """z_t = z_{t−1} + Δt (tanh(W h_{t−1} + W_z z_{t−1} + U x_t + b) − γ h_{t−1} − ε z_{t−1}); h_t = h_{t−1} + Δt z_t.

    "Coupled oscillatory recurrent neural network (coRNN)", eq. 3 with the explicit damping of its published code; the
    defaults of Δt, γ and ε are that code's for sequential digits. `init: paper` is one linear layer of all that tanh
    sees: uniform on ±1/√(D + 2H).
    """

    gates = ("z",)
    states = ("h", "z")
    recurrent_weights = ("W", "W_z")

    cell: Literal["cornn"] = setting(..., "which cell")
    time_step: float = setting(0.042, "Δt", gt=0, allow_inf_nan=False)
    stiffness: float = setting(2.7, "γ", ge=0, allow_inf_nan=False)
    damping: float = setting(4.7, "ε", ge=0, allow_inf_nan=False)

    def paper(self, draw: Draw, *, input_size: int, length: int) -> Weights:
        H, D = self.hidden_size, input_size
        bound = 1 / sqrt(D + 2 * H)
        return {name: draw(name).uniform(-bound, bound, shape) for name, shape in self.shapes(H, D).items()}

    def activations(self, parameters: Mapping[str, Tensor], state: State, z: Tensor) -> dict[str, Tensor]:
        force = z + recurrent(parameters, state[0]) + state[1] @ parameters["W_z"].mT
        return {"n": force.tanh()}

    def combine(self, state: State, a: Mapping[str, Tensor]) -> State:
        h, z = state
        z = z + self.time_step * (a["n"] - self.stiffness * h - self.damping * z)
        return h + self.time_step * z, z
