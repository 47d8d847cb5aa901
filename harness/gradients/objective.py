"""What is differentiated: a cell along a batch of sequences, and what each step adds to the loss."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

import torch
from torch import Tensor

from harness.cells.cell import Cell, State
from harness.models import readout
from harness.models.sequence_to_sequence import SequenceToSequence
from harness.models.sequence_to_vector import SequenceToVector


class Objective(Protocol):
    """L = Σ_t L_t(h_t, θ) of one network along B sequences of T steps.

    Attributes:
        cell: its recurrence.
        rows: x_1 … x_T, (T, B, D).
        constants: parameters (1, …) of the recurrence that are not trained.
    """

    cell: Cell
    rows: Tensor
    constants: Mapping[str, Tensor]

    def loss(self, parameters: Mapping[str, Tensor], h: Tensor, t: int) -> Tensor | None:
        """L_t of h_t (R, B, H), t = 1 … T, for each of R parameter vectors: (R,); None where the loss does not see it.

        Args:
            parameters: as they are trained, (R, …) each.
        """


class TaskObjective:
    """The loss of a model on a batch, taken apart into what each step adds.

    A mean over all scored steps and sequences is Σ_t (n_t/n) mean_t, n_t of the n scored answers being at step t.
    """

    def __init__(self, model: SequenceToVector | SequenceToSequence, inputs: Tensor, targets: Tensor, like: Tensor):
        """
        Args:
            inputs: tokens (T, 1, B) or rows (T, 1, B, D).
            targets: (…, 1, B).
            like: a tensor with the parameters' type and device.
        """
        self.model, self.cell, self.targets = model, model.cell, targets
        self.constants: Mapping[str, Tensor] = {}
        self.rows = one_hot(inputs[:, 0], model.task.input_size, like)
        self.at_every_step = isinstance(model, SequenceToSequence)
        given = readout.scored(targets)
        counts = (torch.ones_like(targets, dtype=torch.bool) if given is None else given).flatten(1).sum(1).tolist()
        self.shares = [count / max(sum(counts), 1) for count in counts]

    def loss(self, parameters: Mapping[str, Tensor], h: Tensor, t: int) -> Tensor | None:
        if not self.at_every_step:
            if t < len(self.rows):
                return None
            targets = self.targets.expand(*self.targets.shape[:-2], len(h), -1)
            return self.model.losses(self.model.logits(parameters, h), targets)
        share = self.shares[t - 1]
        if share == 0:
            return None
        targets = self.targets[t - 1 : t].expand(1, len(h), -1)
        losses: Tensor = share * self.model.losses(self.model.logits(parameters, h.unsqueeze(0)), targets)
        return losses


def one_hot(inputs: Tensor, D: int, like: Tensor) -> Tensor:
    """Tokens (T, B) as rows (T, B, D), −1 a row of zeros; rows as they are."""
    if inputs.dim() == 3:
        return inputs.to(like)
    return (inputs.unsqueeze(-1) == torch.arange(D, device=inputs.device)).to(like)


def start(cell: Cell, parameters: Mapping[str, Tensor], B: int) -> State:
    """The state before the first step: zeros, (1, B, H) each."""
    like = next(iter(parameters.values()))
    return tuple(like.new_zeros(1, B, H) for H in cell.widths)


def detached(parts: Iterable[Tensor]) -> State:
    """Values without their history."""
    return tuple(part.detach() for part in parts)
