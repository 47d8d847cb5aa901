"""Tensors that are named by hand: the state of a recurrence of one's own, or anything else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from harness.recurrence.adjoints import log10_mean_norm
from harness.watching.levels import Levels
from harness.watching.moment import Moment


@dataclass
class TensorRecorder:
    """Gradients of named tensors, in the order in which they were named: t counts them."""

    moment: Moment
    sequences: dict[str, list[list[Tensor | None]]] = field(default_factory=dict)

    def add(self, tensor: Tensor, name: str) -> None:
        """Take down a tensor's gradient; a name whose earlier tensors have theirs already begins to count anew."""
        if not (self.moment.recording and tensor.requires_grad):
            return
        self.moment.check_call(name)
        sequences = self.sequences.setdefault(name, [[]])
        if any(gradient is not None for gradient in sequences[-1]):
            sequences.append([])
        sequences[-1].append(None)
        self.moment.listen(tensor, _listener(sequences[-1], len(sequences[-1]) - 1))

    def collect(self) -> list[Levels]:
        """Levels of all that a gradient has come to."""
        levels = []
        for name, sequences in self.sequences.items():
            alive = [own for own in sequences if any(gradient is not None for gradient in own)]
            for number, own in enumerate(alive, start=1):
                adjoint = np.array([-np.inf if each is None else _level(each) for each in own])
                unknown = np.full(len(own), np.nan)
                levels.append(Levels("", number, self.moment.update, 1, "forward", name, adjoint, unknown))
            self.sequences[name] = [own for own in sequences if own not in alive] or [[]]
        return levels

    def forget(self) -> None:
        """Drop what no gradient has come to."""
        self.sequences.clear()


def _level(gradient: Tensor) -> float:
    """log₁₀ mean_b ‖B·g_b‖: the first axis is the batch; a vector is one sequence's."""
    rows = gradient.reshape(1, -1) if gradient.dim() < 2 else gradient.flatten(1)
    return float(log10_mean_norm(rows))


def _listener(own: list[Tensor | None], i: int) -> Callable[[Tensor], None]:
    def listen(gradient: Tensor) -> None:
        before = own[i]
        own[i] = gradient.detach().clone() if before is None else before + gradient.detach()

    return listen
