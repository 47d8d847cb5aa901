"""Sequence → sequence: an answer at every step, in step with the input."""

from __future__ import annotations

from torch import Tensor

from harness.cells.cell import State
from harness.models.model import Model, Parameters, read
from harness.recurrence.adjoints import AdjointRecorder
from harness.recurrence.scan import scan


class SequenceToSequence(Model):
    """ŷ_t = V h_t + b_y; the loss is the mean over all scored steps and sequences."""

    def outputs(
        self,
        parameters: Parameters,
        inputs: Tensor,
        targets: Tensor,
        state: State | None = None,
        recorder: AdjointRecorder | None = None,
    ) -> tuple[Tensor, State]:
        """Logits (T, R, B, C)."""
        state = state or self.start(parameters, *inputs.shape[1:3])
        h, last = scan(
            self.cell,
            parameters,
            inputs,
            state,
            window=self.window,
            every_step=True,
            engine=self.engine,
            recorder=recorder,
        )
        return read(parameters, h), last
