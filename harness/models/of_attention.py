"""A layer of attention, met with a task: each replica by itself, so that a pack changes no digit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from harness.cells.attention import Attention
from harness.cells.cell import State
from harness.models.model import Model, Parameters
from harness.models.sequence_to_sequence import SequenceToSequence
from harness.models.sequence_to_vector import SequenceToVector
from harness.models.whole_rows import rows, shifted
from harness.recurrence.adjoints import AdjointRecorder, log10_mean, norms
from harness.recurrence.batch_levels import log10_norms
from harness.recurrence.given import check_lengths, steps_present
from harness.schema import Array


class OfAttention(Model):
    """The states of `Attention.attend`, read out as those of a cell.

    Sequences of their own lengths begin at position 1: what stands after their ends is read by no step of theirs.

    Attributes:
        every_step: whether the task has an answer at every step.
    """

    every_step: ClassVar[bool]

    def outputs(
        self,
        parameters: Parameters,
        inputs: Tensor,
        targets: Tensor,
        state: State | None = None,
        recorder: AdjointRecorder | None = None,
        masks: Sequence[Tensor | None] = (),
    ) -> tuple[Tensor, State]:
        """Logits (R, B, C), (N, R, B, C) or (T, R, B, C); there is no state to carry on."""
        inputs, lengths = self.present(inputs)
        if lengths is not None:
            check_lengths(lengths, len(inputs))
            if recorder is not None:
                recorder.present = steps_present(lengths, len(inputs))
        # A product over the whole pack would choose its order of summation by the number of replicas.
        replicas = zip(*(p.unsqueeze(1).unbind() for p in parameters.values()), strict=True)
        outputs = [
            self._of_replica(
                dict(zip(parameters, own, strict=True)),
                inputs[:, r],
                None if lengths is None else lengths[r],
                None if recorder is None else ReplicaColumn(recorder, r, inputs.shape[1]),
            )
            for r, own in enumerate(replicas)
        ]
        return torch.cat(outputs, dim=-3), ()

    def _of_replica(
        self, parameters: Parameters, inputs: Tensor, lengths: Tensor | None, column: ReplicaColumn | None
    ) -> Tensor:
        """Logits of one replica, with its axis.

        Args:
            parameters: each (1, …).
            inputs: (T, B) or (T, B, D).
            lengths: (B,), or None.
        """
        assert isinstance(self.cell, Attention)
        own = {name: p[0] for name, p in parameters.items()}
        x = rows(inputs, self.task.input_size, own["U"].dtype).contiguous()
        later = None if lengths is None else len(x) - lengths
        h, v = self.cell.attend(own, x if later is None else shifted(x, -later))
        if column is not None:
            v.register_hook(lambda gradient: column.write(gradient, later))  # type: ignore[no-untyped-call]
        if later is not None:
            h = shifted(h, later)
        if column is not None:
            h.register_hook(column.write_immediate)  # type: ignore[no-untyped-call]
        return self.logits(parameters, h.unsqueeze(1) if self.every_step else h[-1:])

    def logits(self, parameters: Parameters, h: Tensor) -> Tensor:
        """ŷ of the states that the task reads, as in the model of its shape."""
        raise NotImplementedError


class AttentionToVector(OfAttention, SequenceToVector):
    """ŷ = V h_T + b_y."""

    every_step = False
    logits = SequenceToVector.logits


class AttentionToSequence(OfAttention, SequenceToSequence):
    """ŷ_t = V h_t + b_y."""

    every_step = True
    logits = SequenceToSequence.logits


class ReplicaColumn:
    """What a backward pass brings to one replica of a pack, written into its column of a recorder's arrays (T, R, …).

    A backward pass that does not reach a step leaves −∞ there. Attention weights are the numbers that they are in the
    arithmetic of the training: a weight below its range is an exact zero.
    """

    def __init__(self, recorder: AdjointRecorder, r: int, R: int) -> None:
        self.recorder, self.r, self.R = recorder, r, R

    def write(self, gradient: Tensor, later: Tensor | None) -> None:
        """∂L/∂v_t (T, B, H) as the adjoint.

        Args:
            later: steps (B,) by which each sequence is moved to end with the last.
        """
        sizes = norms(gradient if later is None else shifted(gradient, later))
        recorder = self.recorder
        if recorder.log10_adjoint is None or recorder.log10_norms is None:
            recorder.log10_adjoint, recorder.log10_norms = self._empty(sizes[:, 0]), self._empty(sizes)
        recorder.log10_adjoint[:, self.r] = log10_mean(sizes, None)
        recorder.log10_norms[:, self.r] = log10_norms(sizes)

    def write_immediate(self, gradient: Tensor) -> None:
        """∂L/∂h_t (T, B, H), all of which comes from the readout."""
        level = log10_mean(norms(gradient), None)
        if self.recorder.log10_immediate is None:
            self.recorder.log10_immediate = self._empty(level)
        self.recorder.log10_immediate[:, self.r] = level

    def _empty(self, like: Array) -> Array:
        return np.full((len(like), self.R, *like.shape[1:]), -np.inf)
