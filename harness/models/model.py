"""What the training loop asks of a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from harness.cells import layers
from harness.cells.cell import Cell, State
from harness.models import readout
from harness.models.affine import affine
from harness.recurrence.adjoints import AdjointRecorder
from harness.recurrence.layers import Stack
from harness.rng import generator
from harness.tasks.task import ABSENT, PADDING, Task

Parameters = Mapping[str, Tensor]
Initial = dict[str, npt.NDArray[np.float64]]

AT_ONCE = 64  # sequences evaluated at once: bounds memory, and their states stay in the L2 cache


@dataclass(frozen=True)
class Model:
    """Layers of a cell and what reads them out, for one task, over a pack of replicas.

    Attributes:
        cell: the settings of the network: which cell, and how many layers of it.
    """

    task: Task
    cell: Cell
    window: int | None
    engine: str

    @cached_property
    def stack(self) -> Stack:
        """Its recurrences."""
        return Stack.of(self.cell)

    def initialise(self, cell: Cell, seed: int) -> Initial:
        """One replica's parameters; `cell` may differ from the pack's in what sets initial weights.

        The cell's own, V (N·C, H) and b_y (N·C,), both uniform on (−1/√H, 1/√H) as in torch.nn.Linear unless the cell
        draws them too.
        """
        D, C = self.task.input_size, self.task.answers * self.task.output_size
        weights = layers.start(cell, seed, input_size=D, output_size=C, length=self.task.dependency)
        # The cell's parameters come first: their order is that in which squares are added to a gradient's norm.
        return {
            **weights,
            **{n: p for n, p in linear(seed, "V", "b_y", C, layers.output_width(cell)).items() if n not in weights},
        }

    def present(self, inputs: Tensor) -> tuple[Tensor, Tensor | None]:
        """Inputs, and the lengths (R, B) of sequences that do not have all their steps; None where all have."""
        if not self.task.varies:
            return inputs, None
        rows = inputs.is_floating_point()
        absent = inputs[..., 0].isnan() if rows else inputs == ABSENT
        inputs = inputs.masked_fill(absent.unsqueeze(-1), 0.0) if rows else inputs.masked_fill(absent, PADDING)
        return inputs, (~absent).sum(0)

    def start(self, parameters: Parameters, R: int, B: int) -> State:
        """The state before the first step: zeros."""
        return tuple(
            parameters["U"].new_zeros(R, B, direction.cell.hidden_size)
            for direction in self.stack.directions
            for _ in direction.cell.states
        )

    def outputs(
        self,
        parameters: Parameters,
        inputs: Tensor,
        targets: Tensor,
        state: State | None = None,
        recorder: AdjointRecorder | None = None,
        masks: Sequence[Tensor | None] = (),
    ) -> tuple[Tensor, State]:
        """What the loss compares with the targets, (…, R, B, C), and the state after the last step.

        Args:
            inputs: tokens (T, R, B) or rows (T, R, B, D); steps that a sequence does not have come before its own, as
                ABSENT tokens or rows of NaN.
            targets: (…, R, B); only models that are fed their own answers while they learn look at them.
            state: before the first step; None: zeros.
            masks: of dropout and zoneout, see `scan_layers`; none where the network is judged.
        """
        raise NotImplementedError

    def draws(self, seeds: Sequence[int], update: int) -> list[Tensor | None] | None:
        """What `outputs` is given as masks in a pass of training, where the network draws its masks itself; else None.

        Args:
            seeds: of the replicas.
            update: updates made before.
        """
        return None

    def advance(self) -> None:
        """Called after every update: what a network holds beside its parameters has been updated, too."""

    def standing(self) -> dict[str, npt.NDArray[Any]]:
        """What the network holds beside its parameters, for a checkpoint: nothing for cells."""
        return {}

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take over what `standing` gave, all or nothing.

        Raises:
            ValueError: it is another network's.
        """

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The batch-mean loss of each replica, (R,)."""
        return readout.losses(self.task.readout, outputs, targets)

    def right(self, parameters: Parameters, inputs: Tensor, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Which answers are right, and which are scored at all: (…, R, B) each."""
        hit = readout.right(self.task.readout, outputs, targets, self.task.tolerance)
        given = readout.scored(targets)
        return hit, torch.ones_like(hit) if given is None else given

    @torch.no_grad()
    def answers(self, parameters: Parameters, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """The network's own answers, of the shape of `targets`, and which of them are right."""
        outputs, _ = self.outputs(parameters, inputs, targets)
        return readout.answers(self.task.readout, outputs), self.right(parameters, inputs, outputs, targets)[0]

    @torch.no_grad()
    def judge(self, parameters: Parameters, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Loss and accuracy of each replica on a whole batch, (R,) each."""
        firsts = range(0, inputs.shape[2], AT_ONCE)
        return self.judge_parts(
            parameters, ((inputs[:, :, i : i + AT_ONCE], targets[..., i : i + AT_ONCE]) for i in firsts)
        )

    @torch.no_grad()
    def judge_parts(self, parameters: Parameters, parts: Iterable[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        """`judge` on a batch that comes in parts, one in memory at a time, of at most `AT_ONCE` sequences each.

        Args:
            parts: inputs and targets of each.
        """
        judged = []
        for inputs, targets in parts:
            outputs, _ = self.outputs(parameters, inputs, targets)
            judged.append((outputs, targets, *self.right(parameters, inputs, outputs, targets)))
        outputs = torch.cat([each[0] for each in judged], dim=-2)
        targets, hit, scored = (torch.cat([each[i] for each in judged], dim=-1) for i in (1, 2, 3))
        return self.losses(outputs, targets), readout.share_right(hit, scored)


def read(parameters: Parameters, h: Tensor) -> Tensor:
    """ŷ = V h + b_y, (…, R, B, H) → (…, R, B, C)."""
    return affine(h, parameters["V"], parameters["b_y"])


def linear(seed: int, weight: str, bias: str, rows: int, columns: int) -> Initial:
    """A linear map's parameters, uniform on (−1/√columns, 1/√columns)."""
    bound = 1 / sqrt(columns)
    return {
        weight: generator(seed, f"initialise {weight}").uniform(-bound, bound, (rows, columns)),
        bias: generator(seed, f"initialise {bias}").uniform(-bound, bound, rows),
    }
