"""What the training loop asks of a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor

from harness.cells.cell import Cell
from harness.tape import Tape
from harness.tasks.task import Task

Parameters = Mapping[str, Tensor]


@dataclass(frozen=True)
class Model:
    """A cell and what reads it out, for one task, over a pack of replicas."""

    task: Task
    cell: Cell
    window: int | None
    engine: str

    def initialise(self, cell: Cell, seed: int) -> dict[str, npt.NDArray[np.float64]]:
        """One replica's parameters; `cell` may differ from the pack's in what sets initial weights."""
        raise NotImplementedError

    def outputs(self, parameters: Parameters, inputs: Tensor, tape: Tape | None = None) -> Tensor:
        """What the loss compares with the targets; first axis R."""
        raise NotImplementedError

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The batch-mean loss of each replica, (R,)."""
        raise NotImplementedError

    def accuracies(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The share of right answers of each replica, (R,)."""
        raise NotImplementedError
