from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from harness.cells.cell import Cell, State, recurrent
from harness.study.spec import setting

if TYPE_CHECKING:
    from torch import Tensor


class Leaky(Cell):
    """h_t = (1 − α) h_{t−1} + α tanh(W h_{t−1} + U x_t + b) (Jaeger et al. 2007, eq. 2)."""

    gates = ("h",)

    cell: Literal["leaky"] = setting(..., "which cell")
    leak: float = setting(0.1, "α", gt=0, le=1)

    def activations(self, parameters: Mapping[str, "Tensor"], state: State, z: "Tensor") -> dict[str, "Tensor"]:
        return {"n": (z + recurrent(parameters, state[0])).tanh()}

    def combine(self, state: State, a: Mapping[str, "Tensor"]) -> State:
        return ((1 - self.leak) * state[0] + self.leak * a["n"],)
