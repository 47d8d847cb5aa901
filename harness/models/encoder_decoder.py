"""Sequence → vector → sequence: the encoder's last hidden state is the decoder's only input.

Cho et al. 2014, "Learning phrase representations using RNN encoder–decoder"; Sutskever, Vinyals & Le 2014.
"""

from __future__ import annotations

from torch import Tensor

from harness.cells.cell import Cell, State
from harness.models.decoder import Decoding
from harness.models.model import Initial, Model, Parameters
from harness.recurrence.adjoints import AdjointRecorder
from harness.recurrence.scan import scan
from harness.rng import generator


class EncoderDecoder(Decoding):
    """The code is h_T of the encoder; s_0 = h_T, other parts of the decoder's state are zero."""

    def initialise(self, cell: Cell, seed: int) -> Initial:
        """The encoder's and the readout's as ever; the decoder's from a stream of their own."""
        other = int(generator(seed, "initialise decoder").integers(2**63))
        C = self.task.output_size
        own = cell.start(other, input_size=C + 1, output_size=C, length=self.task.dependency)
        return {**Model.initialise(self, cell, seed), **{f"{name}′": value for name, value in own.items()}}

    def encode(self, parameters: Parameters, inputs: Tensor, recorder: AdjointRecorder | None) -> State:
        state = self.start(parameters, *inputs.shape[1:3])
        own = None if recorder is None else recorder.part()
        h, _ = scan(self.cell, parameters, inputs, state, engine=self.engine, recorder=own)
        return h, *[h.new_zeros(h.shape) for _ in self.cell.states[1:]]
