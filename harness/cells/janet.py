"""JANET, just another network: an LSTM that has the forget gate alone (van der Westhuizen & Lasenby 2018)."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from harness.cells.cell import Draw, PaperCell, State, recurrent, sigmoid
from harness.cells.initialisation import Weights, set_forget_bias
from harness.study.section import setting

if TYPE_CHECKING:
    from torch import Tensor


class JANET(PaperCell):
    """f = W_f h_{t−1} + U_f x_t + b_f, g = tanh(the same form); h_t = σ(f) ⊙ h_{t−1} + (1 − σ(f − β)) ⊙ g.

    "The unreasonable effectiveness of the forget gate", eq. 5–8. `init: paper` is Glorot's uniform distribution for W
    and U, b = 0 for the candidate, and chrono initialisation for the forget gate.
    """

    gates = ("f", "g")
    normalises = True

    cell: Literal["janet"] = setting(..., "which cell")
    forget_bias: float | Literal["chrono"] | None = setting(
        "chrono",
        "b_x of the forget gate before training; chrono: ln U(1, T−1); null: drawn",
        replica=True,
        unset="drawn",
    )
    beta: float = setting(1.0, "β, by how much less is written than is forgotten", allow_inf_nan=False)

    def start(self, seed: int, *, input_size: int, output_size: int, length: int) -> Weights:
        """As the paper or torch draws them, then the forget gate's bias."""
        weights = super().start(seed, input_size=input_size, output_size=output_size, length=length)
        return set_forget_bias(weights, self.gates, self.forget_bias, seed, length)

    def paper(self, draw: Draw, *, input_size: int, length: int) -> Weights:
        H, D = self.hidden_size, input_size

        def glorot(name: str, fan_in: int) -> npt.NDArray[Any]:
            bound = sqrt(6 / (fan_in + 2 * H))
            return draw(name).uniform(-bound, bound, (2 * H, fan_in))

        return {"W": glorot("W", H), "U": glorot("U", D), "b_x": np.zeros(2 * H)}

    def activations(self, parameters: Mapping[str, Tensor], state: State, z: Tensor) -> dict[str, Tensor]:
        f, g = (z + recurrent(parameters, state[0])).chunk(2, dim=-1)  # each (R, B, H)
        return {"f": sigmoid(f), "i": 1 - sigmoid(f - self.beta), "g": g.tanh()}

    def combine(self, state: State, a: Mapping[str, Tensor]) -> State:
        return (a["f"] * state[0] + a["i"] * a["g"],)
