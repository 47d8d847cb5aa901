"""The LSTM of 1997, without a forget gate (Hochreiter & Schmidhuber 1997, "Long short-term memory", section 4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from harness.cells.cell import Draw, PaperCell, State, recurrent, sigmoid
from harness.cells.initialisation import Weights
from harness.study.section import setting

if TYPE_CHECKING:
    from torch import Tensor

RANGE = 0.1  # of all weights before training (section 5.6)


class LSTM1997(PaperCell):
    """i, o = σ(W h_{t−1} + U x_t + b), g = 4σ(the same form) − 2; c_t = c_{t−1} + i ⊙ g; h_t = o ⊙ (2σ(c_t) − 1).

    One memory cell to a block, and full gradients: the paper cut those that leave a memory cell through its gates.
    `init: paper` is uniform on (−.1, .1), the input gates' biases at `input_bias`.
    """

    gates = ("i", "g", "o")
    normalises = True
    states = ("h", "c")

    cell: Literal["lstm1997"] = setting(..., "which cell")
    input_bias: float = setting(
        0.0, "bias of the input gates before training with init: paper; the paper's tasks have −1 … −6", replica=True
    )

    def paper(self, draw: Draw, *, input_size: int, length: int) -> Weights:
        H = self.hidden_size
        drawn = {name: draw(name).uniform(-RANGE, RANGE, shape) for name, shape in self.shapes(H, input_size).items()}
        drawn["b_x"][:H] = self.input_bias
        return drawn

    def activations(self, parameters: Mapping[str, Tensor], state: State, z: Tensor) -> dict[str, Tensor]:
        i, g, o = (z + recurrent(parameters, state[0])).chunk(3, dim=-1)  # each (R, B, H)
        return {"i": sigmoid(i), "g": 2 * (0.5 * g).tanh(), "o": sigmoid(o)}

    def combine(self, state: State, a: Mapping[str, Tensor]) -> State:
        c = state[1] + a["i"] * a["g"]
        return a["o"] * (0.5 * c).tanh(), c
