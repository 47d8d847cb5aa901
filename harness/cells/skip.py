"""Skip connections over d steps: a second path on which a gradient passes d steps at once.

Plain, as in NARX networks (Lin, Horne, Tiño & Giles 1996, "Learning long-term dependencies in NARX recurrent neural
networks"); gated, with a switch for each unit between the old state and the new one, as in highway networks
(Srivastava, Greff & Schmidhuber 2015) laid over time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from harness.cells.cell import Cell, State, recurrent, sigmoid
from harness.study.section import setting

if TYPE_CHECKING:
    from torch import Tensor


class Skip(Cell):
    """h_t = tanh(W h_{t−1} + S h_{t−d} + U x_t + b), h_t = 0 for t ≤ 0. The state is (h_t, h_{t−1}, …, h_{t−d+1})."""

    keeps = False
    gates = ("h",)
    recurrent_weights = ("W", "S")

    cell: Literal["skip"] = setting(..., "which cell")
    skip: int = setting(10, "d, how many steps the skip connection spans", unit="steps", ge=1)

    @property
    def states(self) -> tuple[str, ...]:  # type: ignore[override]
        return delayed(self.skip)

    def activations(self, parameters: Mapping[str, Tensor], state: State, z: Tensor) -> dict[str, Tensor]:
        return {"n": (z + recurrent(parameters, state[0]) + state[-1] @ parameters["S"].mT).tanh()}

    def combine(self, state: State, a: Mapping[str, Tensor]) -> State:
        return a["n"], *state[:-1]


class GatedSkip(Cell):
    """n_t = tanh(W_n h_{t−1} + U_n x_t + b), g_t = σ(the same form); h_t = (1 − g_t) ⊙ n_t + g_t ⊙ h_{t−d}."""

    keeps = False
    gates = ("n", "g")

    cell: Literal["gated_skip"] = setting(..., "which cell")
    skip: int = setting(10, "d, how many steps the skip connection spans", unit="steps", ge=1)

    @property
    def states(self) -> tuple[str, ...]:  # type: ignore[override]
        return delayed(self.skip)

    def activations(self, parameters: Mapping[str, Tensor], state: State, z: Tensor) -> dict[str, Tensor]:
        n, g = (z + recurrent(parameters, state[0])).chunk(2, dim=-1)
        return {"n": n.tanh(), "g": sigmoid(g)}

    def combine(self, state: State, a: Mapping[str, Tensor]) -> State:
        return (1 - a["g"]) * a["n"] + a["g"] * state[-1], *state[:-1]


def delayed(steps: int) -> tuple[str, ...]:
    """Names of a state that remembers its last values: h, then h of one step before, and so on."""
    return ("h", *(f"h−{lag}" for lag in range(1, steps)))
