"""No recurrence: a feed-forward network that sees the last k inputs, the baseline without memory.

The time-delay neural network of Waibel, Hanazawa, Hinton, Shikano & Lang 1989 with one hidden layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from harness.cells.cell import Cell, State
from harness.study.section import setting

if TYPE_CHECKING:
    from torch import Tensor


class Window(Cell):
    """h_t = tanh(Σ_{j<k} (U_j x_{t−j} + b_j)); U_j is block j of U.

    The state is h and k − 1 partial sums: s⁽ʲ⁾_t holds what the inputs up to t give the hidden layer j steps ahead,
    s⁽ʲ⁾_t = U_j x_t + b_j + s⁽ʲ⁺¹⁾_{t−1}, so that h_t = tanh(s⁽⁰⁾_t).
    """

    recurrent_weights = ()
    keeps = False
    recurs = False

    cell: Literal["window"] = setting(..., "which cell")
    biases: Literal[1] = setting(1, "bias vectors: the input's alone")
    inputs: int = setting(10, "k, how many inputs it sees, the present one included", unit="steps", ge=1)

    @property
    def gates(self) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(f"x−{lag}" for lag in range(self.inputs))

    @property
    def states(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("h", *(f"s{lag}" for lag in range(1, self.inputs)))

    def activations(self, parameters: Mapping[str, Tensor], state: State, z: Tensor) -> dict[str, Tensor]:
        blocks = z.chunk(self.inputs, dim=-1)  # each (R, B, H)
        before: tuple[Any, ...] = (*state[1:], 0.0)
        return {f"s{lag}": block + old for lag, (block, old) in enumerate(zip(blocks, before, strict=True))}

    def combine(self, state: State, a: Mapping[str, Tensor]) -> State:
        first, *rest = a.values()
        return first.tanh(), *rest
