"""Sequence → sequence: an answer at every step, in step with the input."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from harness.cells.cell import State
from harness.models.model import Model, Parameters, read
from harness.recurrence.adjoints import AdjointRecorder
from harness.recurrence.scan import scan_layers


class SequenceToSequence(Model):
    """ŷ_t = V h_t + b_y; the loss is the mean over all scored steps and sequences."""

    def outputs(
        self,
        parameters: Parameters,
        inputs: Tensor,
        targets: Tensor,
        state: State | None = None,
        recorder: AdjointRecorder | None = None,
        masks: Sequence[Tensor | None] = (),
    ) -> tuple[Tensor, State]:
        """Logits (T, R, B, C)."""
        inputs, lengths = self.present(inputs)
        state = state or self.start(parameters, *inputs.shape[1:3])
        h, last = scan_layers(
            self.stack, parameters, self.vectors(parameters, inputs), state,
            window=self.window, every_step=True, engine=self.engine, recorder=recorder, masks=masks, lengths=lengths,
        )  # fmt: skip
        return self.logits(parameters, h), last

    def vectors(self, parameters: Parameters, inputs: Tensor) -> Tensor:
        """What the recurrence reads: the inputs themselves."""
        return inputs

    def logits(self, parameters: Parameters, h: Tensor) -> Tensor:
        """ŷ of the hidden states, (T, R, B, H) → (T, R, B, C)."""
        return read(parameters, h)
