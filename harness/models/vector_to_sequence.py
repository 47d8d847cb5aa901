"""Vector → sequence: a vector sets the first state, and the network unrolls it symbol by symbol."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from harness.cells import layers
from harness.cells.cell import Cell, State
from harness.models.affine import affine
from harness.models.decoder import Decoding
from harness.models.model import Initial, Parameters, linear
from harness.recurrence.adjoints import AdjointRecorder


class VectorToSequence(Decoding):
    """s_0 = tanh(A x + a) of all layers, other parts of the state zero; x is (1, R, B, D): a sequence of one row."""

    def initialise(self, cell: Cell, seed: int) -> Initial:
        C = self.task.output_size
        H = sum(direction.cell.hidden_size for layer in layers.layers_of(cell, 1) for direction in layer)
        own = layers.start(cell, seed, input_size=C + 1, output_size=C, length=self.task.dependency)
        return {
            **{f"{name}′": value for name, value in own.items()},
            **linear(seed, "A", "a", H, self.task.input_size),
            **linear(seed, "V", "b_y", C, layers.output_width(cell)),
        }

    def encode(
        self,
        parameters: Parameters,
        inputs: Tensor,
        recorder: AdjointRecorder | None = None,
        masks: Sequence[Tensor | None] = (),
    ) -> State:
        s = affine(inputs[0].to(parameters["A"].dtype), parameters["A"], parameters["a"]).tanh()
        cells = [direction.cell for direction in self.stack.directions]
        own = torch.split(s, [cell.hidden_size for cell in cells], -1) if len(cells) > 1 else (s,)
        parts = zip(cells, own, strict=True)
        return tuple(part for cell, h in parts for part in (h, *[h.new_zeros(h.shape) for _ in cell.states[1:]]))
