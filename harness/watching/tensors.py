"""Tensors that are named by hand: the state of a recurrence of one's own, or anything else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from harness.errors import HarnessError
from harness.watching.levels import Level, Levels, arrays
from harness.watching.mistakes import check_truncated
from harness.watching.moment import Moment


@dataclass
class TensorRecorder:
    """Gradients of named tensors, in the order in which they were named: t counts them.

    Attributes:
        recurrent: names of states, each of which the next one is computed from.
        refused: names that are those of the model's own states, where it is itself a recurrent module.
    """

    moment: Moment
    refused: tuple[str, ...] = ()
    recurrent: set[str] = field(default_factory=set)
    sequences: dict[str, list[list[Tensor | None]]] = field(default_factory=dict)

    def add(self, tensor: Tensor, name: str, *, alone: bool = False, recurrent: bool = False) -> None:
        """Take down a tensor's gradient; a name whose earlier tensors have theirs already begins to count anew.

        Args:
            alone: whether it is of one sequence, and has no axis of the batch.
            recurrent: whether it is a state, which the next one of this name is computed from.

        Raises:
            HarnessError: the name is that of a state of the model itself.
        """
        if name in self.refused:
            raise HarnessError(
                f"'{name}': the model is itself a recurrent module, whose states {' and '.join(self.refused)} are "
                f"recorded already; choose another name, such as 'my {name}'"
            )
        if not (self.moment.recording and tensor.requires_grad and tensor.numel()):
            return
        self.moment.check_call(name)
        sequences = self.sequences.setdefault(name, [[]])
        if any(gradient is not None for gradient in sequences[-1]):
            sequences.append([])
        sequences[-1].append(None)
        if recurrent:
            self.recurrent.add(name)
        self.moment.listen(tensor, _listener(sequences[-1], len(sequences[-1]) - 1, alone or tensor.dim() == 0))

    def collect(self) -> list[Levels]:
        """Levels of all that a gradient has come to in this update."""
        levels = []
        for name, sequences in self.sequences.items():
            alive = [own for own in sequences if any(gradient is not None for gradient in own)]
            for number, own in enumerate(alive, start=1):
                adjoint, over_batch = arrays([None if each is None else Level.of(each) for each in own])
                unknown = np.full(len(own), np.nan)
                levels.append(Levels("", number, self.moment.update, 1, "forward", name, adjoint, unknown, over_batch))
        check_truncated([each for each in levels if each.state in self.recurrent], self.moment)
        return levels

    def forget(self) -> None:
        """Drop all: the update has ended."""
        self.sequences.clear()


def _listener(own: list[Tensor | None], i: int, alone: bool) -> Callable[[Tensor], None]:
    def listen(gradient: Tensor) -> None:
        parts = gradient.detach()
        if parts.is_complex():  # its norm is that of real and imaginary parts side by side
            parts = torch.view_as_real(parts.resolve_conj())
        rows, before = parts.reshape(1 if alone else len(parts), -1), own[i]
        own[i] = rows.clone() if before is None else before + rows

    return listen
