"""Long expressive memory: two states, each with a time step of its own that is learned (Rusch et al. 2022)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from harness.cells.cell import Draw, PaperCell, State, sigmoid
from harness.cells.initialisation import Weights
from harness.study.section import setting

if TYPE_CHECKING:
    from torch import Tensor


class LEM(PaperCell):
    """h_t = (1 − Δ_h) ⊙ h_{t−1} + Δ_h ⊙ tanh(W_y z_t + U_h x_t + b_h), Δ_h = Δt σ(W_Δ h_{t−1} + U_Δ x_t + b_Δ), with

        z_t = (1 − Δ_z) ⊙ z_{t−1} + Δ_z ⊙ tanh(W_z h_{t−1} + U_z x_t + b_z)

    and Δ_z of the form of Δ_h. "Long expressive memory for sequence modeling", eq. 3, whose y is h here. W (R, 3H, H)
    has the blocks of Δ_z, Δ_h and z_t; W_y (R, H, H) reads the new z_t. `init: paper` is that of the authors' program:
    all uniform on (−1/√H, 1/√H), as torch's default.
    """

    gates = ("dt_z", "dt_h", "z", "h")
    states = ("h", "z")
    recurrent_weights = ("W", "W_y")
    crossing = "W_y z_t"

    cell: Literal["lem"] = setting(..., "which cell")
    init: Literal["paper", "gaussian", "orthogonal", "identity"] = setting(
        "paper", "paper: as torch's default; or a block per gate of that kind and radius", replica=True
    )
    time_step: float = setting(1.0, "Δt, the longest time step", gt=0, allow_inf_nan=False)

    def shapes(self, H: int, D: int) -> dict[str, tuple[int, ...]]:
        return super().shapes(H, D) | {"W": (3 * H, H), "W_y": (H, H)}

    def paper(self, draw: Draw, *, input_size: int, length: int) -> Weights:
        return {}  # torch's default it is

    def activations(self, parameters: Mapping[str, Tensor], state: State, z: Tensor) -> dict[str, Tensor]:
        H = self.hidden_size
        driven, y = z.split([3 * H, H], dim=-1)  # type: ignore[no-untyped-call]
        dt_z, dt_h, n = (driven + state[0] @ parameters["W"].mT).chunk(3, dim=-1)  # each (R, B, H)
        a = {"dt_z": self.time_step * sigmoid(dt_z), "dt_h": self.time_step * sigmoid(dt_h), "n_z": n.tanh()}
        return a | {"n_h": (y + _after(state[1], a["dt_z"], a["n_z"]) @ parameters["W_y"].mT).tanh()}

    def combine(self, state: State, a: Mapping[str, Tensor]) -> State:
        h, z = state
        return _after(h, a["dt_h"], a["n_h"]), _after(z, a["dt_z"], a["n_z"])


def _after(old: Tensor, dt: Tensor, towards: Tensor) -> Tensor:
    """A state after a step of ds/dt = n − s, with a time step for each unit: (1 − Δ) ⊙ s + Δ ⊙ n."""
    return (1 - dt) * old + dt * towards
