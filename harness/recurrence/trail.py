"""What a recurrence leaves behind for the way back."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from harness.cells.cell import State
from harness.cells.layers import Direction
from harness.recurrence.layers import Parameters


@dataclass(frozen=True)
class Trail:
    """What a direction went through: its parameters as the equations use them, T + 1 states, and the drives."""

    direction: Direction
    parameters: Parameters
    states: list[State]
    drive: Tensor
