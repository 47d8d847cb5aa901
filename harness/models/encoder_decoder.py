"""Sequence → vector → sequence: the encoder's last hidden state is the decoder's only input.

Cho et al. 2014, "Learning phrase representations using RNN encoder–decoder"; Sutskever, Vinyals & Le 2014.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from harness.cells import layers
from harness.cells.cell import Cell, State
from harness.models.decoder import Decoding
from harness.models.model import Initial, Model, Parameters
from harness.recurrence.adjoints import AdjointRecorder
from harness.recurrence.scan import scan_layers
from harness.rng import generator


class EncoderDecoder(Decoding):
    """The code is h_T of all the encoder's layers; s_0 = h_T layer by layer, other parts of the state are zero."""

    def initialise(self, cell: Cell, seed: int) -> Initial:
        """The encoder's and the readout's as ever; the decoder's from a stream of their own."""
        other = int(generator(seed, "initialise decoder").integers(2**63))
        C = self.task.output_size
        own = layers.start(cell, other, input_size=C + 1, output_size=C, length=self.task.dependency)
        return {**Model.initialise(self, cell, seed), **{f"{name}′": value for name, value in own.items()}}

    def encode(
        self,
        parameters: Parameters,
        inputs: Tensor,
        recorder: AdjointRecorder | None = None,
        masks: Sequence[Tensor | None] = (),
    ) -> State:
        state = self.start(parameters, *inputs.shape[1:3])
        own = None if recorder is None else recorder.part()
        h, last = scan_layers(self.stack, parameters, inputs, state, engine=self.engine, recorder=own, masks=masks)
        if len(self.stack.layers) == 1:
            return h, *[h.new_zeros(h.shape) for _ in self.cell.states[1:]]
        codes = [own_last for own_last, *_ in self.stack.split(last)]
        parts = zip(self.stack.directions, codes, strict=True)
        return tuple(part for d, code in parts for part in (code, *[torch.zeros_like(code) for _ in d.cell.states[1:]]))
