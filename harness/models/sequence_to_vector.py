"""Sequence → vector: the last hidden state and a linear readout."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from harness.cells.cell import State
from harness.models.model import Model, Parameters, read
from harness.recurrence.adjoints import AdjointRecorder
from harness.recurrence.scan import scan_layers


class SequenceToVector(Model):
    """ŷ = V h_T + b_y; of N answers with C classes each, answer n is read from rows n·C … (n+1)·C − 1 of V."""

    def outputs(
        self,
        parameters: Parameters,
        inputs: Tensor,
        targets: Tensor,
        state: State | None = None,
        recorder: AdjointRecorder | None = None,
        masks: Sequence[Tensor | None] = (),
    ) -> tuple[Tensor, State]:
        """Logits (R, B, C), or (N, R, B, C) where a vector holds N > 1 answers."""
        inputs, lengths = self.present(inputs)
        state = state or self.start(parameters, *inputs.shape[1:3])
        h, last = scan_layers(
            self.stack, parameters, inputs, state,
            window=self.window, engine=self.engine, recorder=recorder, masks=masks, lengths=lengths,
        )  # fmt: skip
        return self.logits(parameters, h), last

    def logits(self, parameters: Parameters, h: Tensor) -> Tensor:
        """ŷ of the last hidden state, (R, B, H) → (R, B, C) or (N, R, B, C)."""
        ŷ = read(parameters, h)
        if self.task.answers > 1:
            ŷ = ŷ.view(*ŷ.shape[:2], self.task.answers, self.task.output_size).permute(2, 0, 1, 3)
        return ŷ

    def right(self, parameters: Parameters, inputs: Tensor, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """A vector is right if all its answers are."""
        hit, scored = super().right(parameters, inputs, outputs, targets)
        return (hit.all(0), scored.any(0)) if self.task.answers > 1 else (hit, scored)
