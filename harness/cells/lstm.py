"""The LSTM with a forget gate (Hochreiter & Schmidhuber 1997; Gers, Schmidhuber & Cummins 2000), as torch.nn.LSTM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import model_validator

from harness.cells import lecture
from harness.cells.cell import Cell, State, recurrent, sigmoid
from harness.cells.initialisation import Weights, set_forget_bias
from harness.study.section import setting

if TYPE_CHECKING:
    from torch import Tensor


class LSTM(Cell):
    """i, f, o = σ(W h_{t−1} + U x_t + b), g = tanh(same form); c_t = f ⊙ c_{t−1} + i ⊙ g; h_t = o ⊙ tanh(c_t)."""

    gates = ("i", "f", "g", "o")
    normalises = True
    states = ("h", "c")

    cell: Literal["lstm"] = setting(..., "which cell")
    init: Literal["torch", "gaussian", "orthogonal", "identity", "lecture"] = setting(  # type: ignore[assignment]
        "torch",
        "recurrent weights before training: torch's default, or a block per gate of that kind and radius; lecture: "
        "torch's default drawn from torch's own stream in the order of the lecture's notebook",
        replica=True,
    )
    forget_bias: float | Literal["chrono"] | None = setting(
        None,
        "b_x + b_h of the forget gate before training; chrono: ln U(1, T−1), input gate: its negative; null: drawn",
        unset="drawn",
        replica=True,
    )

    @property
    def draws_readout(self) -> bool:
        return self.init == "lecture"

    @model_validator(mode="after")
    def _lecture(self) -> LSTM:
        lecture.check(self.init, self.biases)
        return self

    def start(self, seed: int, *, input_size: int, output_size: int, length: int) -> Weights:
        """As every cell, then the forget gate's bias; with `init: lecture` from the notebook's stream, readout too."""
        if self.init == "lecture":
            return lecture.weights(self, seed, input_size=input_size, output_size=output_size)
        weights = super().start(seed, input_size=input_size, output_size=output_size, length=length)
        return set_forget_bias(weights, self.gates, self.forget_bias, seed, length)

    def activations(self, parameters: Mapping[str, Tensor], state: State, z: Tensor) -> dict[str, Tensor]:
        i, f, g, o = (z + recurrent(parameters, state[0])).chunk(4, dim=-1)  # each (R, B, H)
        return {"i": sigmoid(i), "f": sigmoid(f), "g": g.tanh(), "o": sigmoid(o)}

    def combine(self, state: State, a: Mapping[str, Tensor]) -> State:
        c = a["f"] * state[1] + a["i"] * a["g"]
        return a["o"] * c.tanh(), c
