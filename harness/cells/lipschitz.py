"""The Lipschitz recurrent unit: a linear part, and a nonlinear one that is Lipschitz (Erichson et al. 2021)."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import TYPE_CHECKING, Literal

from harness.cells.cell import Draw, PaperCell, State, recurrent
from harness.cells.initialisation import Weights
from harness.study.section import setting

if TYPE_CHECKING:
    from torch import Tensor


class Lipschitz(PaperCell):
    """h_t = h_{t−1} + ε (A h_{t−1} + tanh(W h_{t−1} + U x_t + b)); A, W = (1 − β)(M + Mᵀ) + β(M − Mᵀ) − γI.

    "Lipschitz recurrent neural networks": a step of Euler's method of ḣ = A h + tanh(W h + U x + b), as in the authors'
    program, with one β and one γ for A and W, where the paper has two of each. Trained are M_A and M_W (R, H, H):
    β = ½ leaves a matrix as it is, β = 1 its skew-symmetric part, doubled. `init: paper` is N(0, σ²/H) for M_A and M_W,
    and one linear layer of torch of the input, uniform on ±1/√D, for U and b. The defaults of ε, β and γ are those the
    program is shown with, for sequential digits.
    """

    gates = ("n",)
    recurrent_weights = ("M_A", "M_W")

    cell: Literal["lipschitz"] = setting(..., "which cell")
    init: Literal["paper"] = setting("paper", "as in the paper", replica=True)
    step_size: float = setting(0.03, "ε", gt=0, allow_inf_nan=False)
    skewness: float = setting(0.75, "β, the weight of the skew-symmetric part of A and W", ge=0, le=1)
    diffusion: float = setting(0.001, "γ", ge=0, allow_inf_nan=False)
    weight_scale: float = setting(0.1, "σ of M before training", replica=True, ge=0, allow_inf_nan=False)

    def shapes(self, H: int, D: int) -> dict[str, tuple[int, ...]]:
        return super().shapes(H, D) | dict.fromkeys(self.recurrent_weights, (H, H))

    def paper(self, draw: Draw, *, input_size: int, length: int) -> Weights:
        H, D = self.hidden_size, input_size
        shapes = self.shapes(H, D)
        drawn = {name: draw(name).normal(0, self.weight_scale / sqrt(H), shapes[name]) for name in ("M_A", "M_W")}
        return drawn | {name: draw(name).uniform(-1 / sqrt(D), 1 / sqrt(D), shapes[name]) for name in ("U", "b_x")}

    def parametrize(self, parameters: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """A and W of M_A and M_W."""
        if "W" in parameters:
            return parameters
        return {**parameters, "A": self._of(parameters["M_A"]), "W": self._of(parameters["M_W"])}

    def _of(self, M: Tensor) -> Tensor:
        symmetric, skew = (1 - self.skewness) * (M + M.mT), self.skewness * (M - M.mT)
        return symmetric + skew - self.diffusion * M.new_ones(self.hidden_size).diag()

    def recurrent_matrices(self, parameters: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        used = self.parametrize(parameters)
        return used["A"], used["W"]

    def activations(self, parameters: Mapping[str, Tensor], state: State, z: Tensor) -> dict[str, Tensor]:
        used = self.parametrize(parameters)
        return {"A": state[0] @ used["A"].mT, "n": (z + recurrent(used, state[0])).tanh()}

    def combine(self, state: State, a: Mapping[str, Tensor]) -> State:
        return (state[0] + self.step_size * (a["A"] + a["n"]),)
