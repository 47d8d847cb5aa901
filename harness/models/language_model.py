"""Sequence → sequence over words: a table of vectors between the words and the recurrence.

Bengio et al. 2003, "A neural probabilistic language model"; tied: Press & Wolf 2017.
"""

from __future__ import annotations

import torch
from torch import Tensor

from harness.cells.cell import Cell
from harness.models.affine import affine
from harness.models.model import Initial, Parameters
from harness.models.sequence_to_sequence import SequenceToSequence
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

    def vectors(self, parameters: Parameters, inputs: Tensor) -> Tensor:
        """E[x_t], (T, R, B, D)."""
        return looked_up(parameters[TABLE], inputs)

    def logits(self, parameters: Parameters, h: Tensor) -> Tensor:
        return affine(h, parameters[TABLE if self.tied else "V"], parameters["b_y"])


def looked_up(table: Tensor, tokens: Tensor) -> Tensor:
    """Rows (T, R, B, D) of a table (R, C, D), a replica's own, by tokens (T, R, B)."""
    return torch.stack([table[r][tokens[:, r].long()] for r in range(len(table))], dim=1)
