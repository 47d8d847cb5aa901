"""Sequence → sequence over words: a table of vectors between the words and the recurrence.

Bengio et al. 2003, "A neural probabilistic language model"; tied: Press & Wolf 2017.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from harness.cells.cell import Cell, State
from harness.models.affine import affine
from harness.models.model import Initial, Parameters
from harness.models.sequence_to_sequence import SequenceToSequence
from harness.recurrence.adjoints import AdjointRecorder
from harness.recurrence.scan import scan_layers
from harness.rng import generator

TABLE = "E"


class LanguageModel(SequenceToSequence):
    """ŷ_t = V h_t + b_y of the recurrence over E[x_t]; V = E where the two are tied."""

    @property
    def tied(self) -> bool:
        return bool(self.task.tied)  # type: ignore[attr-defined]

    def initialise(self, cell: Cell, seed: int) -> Initial:
        """As ever, and E (C, D) normal with variance 1/D: so are the scores of a tied readout of ordinary size."""
        weights = super().initialise(cell, seed)
        C, D = self.task.output_size, self.task.input_size
        E = generator(seed, "initialise E").normal(0.0, D**-0.5, (C, D))
        return {TABLE: E, **{name: value for name, value in weights.items() if not (self.tied and name == "V")}}

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
        E = parameters[TABLE]
        state = state or self.start(parameters, *inputs.shape[1:3])
        h, last = scan_layers(
            self.stack, parameters, looked_up(E, inputs), state,
            window=self.window, every_step=True, engine=self.engine, recorder=recorder, masks=masks,
        )  # fmt: skip
        return affine(h, E if self.tied else parameters["V"], parameters["b_y"]), last


def looked_up(table: Tensor, tokens: Tensor) -> Tensor:
    """Rows (T, R, B, D) of a table (R, C, D), a replica's own, by tokens (T, R, B)."""
    return torch.stack([table[r][tokens[:, r].long()] for r in range(len(table))], dim=1)
