"""The LSTM whose output is a projection (Sak, Senior & Beaufays 2014), as torch.nn.LSTM with proj_size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from harness.cells.cell import State
from harness.cells.lstm import LSTM
from harness.study.section import setting

if TYPE_CHECKING:
    from torch import Tensor


class ProjectedLSTM(LSTM):
    """As the LSTM, but h_t = P (o ⊙ tanh(c_t)), narrower than c_t; by the torch engine alone.

    `hidden_size` is the width of h; P is the parameter W_hr (R, H, M).
    """

    memory_size: int = setting(1, "M, the width of c", ge=1)

    @property
    def widths(self) -> tuple[int, ...]:
        return self.hidden_size, self.memory_size

    def shapes(self, H: int, D: int) -> dict[str, tuple[int, ...]]:
        G = 4 * self.memory_size
        shapes: dict[str, tuple[int, ...]] = {"W": (G, H), "U": (G, D), "b_x": (G,), "W_hr": (H, self.memory_size)}
        return shapes | ({"b_h": (G,)} if self.biases == 2 else {})

    def step(self, parameters: Mapping[str, Tensor], state: State, z: Tensor) -> State:
        h, c = self.combine(state, self.activations(parameters, state, z))
        return h @ parameters["W_hr"].mT, c
