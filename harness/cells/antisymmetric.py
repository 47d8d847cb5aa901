"""The antisymmetric RNN: a step of a stable differential equation (Chang, Chen, Haber & Chi 2019)."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import TYPE_CHECKING, Literal

import numpy as np

from harness.cells.cell import Draw, PaperCell, State, recurrent, sigmoid
from harness.cells.initialisation import Weights
from harness.cells.skew import count, skew
from harness.study.section import setting

if TYPE_CHECKING:
    from torch import Tensor


class Antisymmetric(PaperCell):
    """h_t = h_{t−1} + ε tanh(M h_{t−1} + U x_t + b), M = L − Lᵀ − γI.

    Gated: ε z ⊙ tanh(…) with z = σ(M h_{t−1} + U_z x_t + b_z).

    "AntisymmetricRNN: a dynamical system view on recurrent neural networks", eq. 11 and 13. All eigenvalues of L − Lᵀ
    are imaginary, so with γ = 0 the differential equation behind it neither grows nor decays. Trained are the
    H(H−1)/2 numbers of a strictly lower triangular L. `init: paper` is N(0, σ²/H) for them, N(0, 1/D) for U, b = 0
    (appendix C); the defaults of ε, γ and σ are from the middle of the paper's grids.
    """

    recurrent_weights = ("L",)

    cell: Literal["antisymmetric"] = setting(..., "which cell")
    init: Literal["paper"] = setting("paper", "as in the paper", replica=True)
    step_size: float = setting(0.1, "ε", gt=0, allow_inf_nan=False)
    diffusion: float = setting(0.01, "γ", ge=0, allow_inf_nan=False)
    weight_scale: float = setting(1.0, "σ of the recurrent weights before training", replica=True, ge=0)
    gated: bool = setting(False, "with the paper's gate on what is added")

    @property
    def gates(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("n", "z") if self.gated else ("n",)

    def shapes(self, H: int, D: int) -> dict[str, tuple[int, ...]]:
        return super().shapes(H, D) | {"L": (count(H),)}

    def paper(self, draw: Draw, *, input_size: int, length: int) -> Weights:
        H, D = self.hidden_size, input_size
        shapes = self.shapes(H, D)
        return {
            "L": draw("L").normal(0, self.weight_scale / sqrt(H), shapes["L"]),
            "U": draw("U").normal(0, 1 / sqrt(D), shapes["U"]),
            "b_x": np.zeros(shapes["b_x"]),
        }

    def parametrize(self, parameters: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """W = L − Lᵀ − γI."""
        if "W" in parameters:
            return parameters
        W = skew(parameters["L"], self.hidden_size)
        return {**parameters, "W": W - self.diffusion * W.new_ones(self.hidden_size).diag()}

    def recurrent_matrices(self, parameters: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        return (self.parametrize(parameters)["W"],)

    def activations(self, parameters: Mapping[str, Tensor], state: State, z: Tensor) -> dict[str, Tensor]:
        a = recurrent(self.parametrize(parameters), state[0])  # one product for both, as the paper shares M
        n, *gate = (z + a.repeat(1, 1, len(self.gates))).chunk(len(self.gates), dim=-1)  # each (R, B, H)
        return {"n": n.tanh(), "z": sigmoid(gate[0])} if self.gated else {"n": n.tanh()}

    def combine(self, state: State, a: Mapping[str, Tensor]) -> State:
        added = a["z"] * a["n"] if self.gated else a["n"]
        return (state[0] + self.step_size * added,)
