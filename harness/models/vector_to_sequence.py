"""Vector → sequence: a vector sets the first state, and the network unrolls it symbol by symbol."""

from __future__ import annotations

from torch import Tensor

from harness.cells.cell import Cell, State
from harness.models.affine import affine
from harness.models.decoder import Decoding
from harness.models.model import Initial, Parameters, linear
from harness.recurrence.adjoints import AdjointRecorder


class VectorToSequence(Decoding):
    """s_0 = tanh(A x + a), other parts of the state zero; x is (1, R, B, D): a sequence of one row."""

    def initialise(self, cell: Cell, seed: int) -> Initial:
        C, H = self.task.output_size, cell.hidden_size
        own = cell.start(seed, input_size=C + 1, output_size=C, length=self.task.dependency)
        return {
            **{f"{name}′": value for name, value in own.items()},
            **linear(seed, "A", "a", H, self.task.input_size),
            **linear(seed, "V", "b_y", C, H),
        }

    def encode(self, parameters: Parameters, inputs: Tensor, recorder: AdjointRecorder | None) -> State:
        s = affine(inputs[0].to(parameters["A"].dtype), parameters["A"], parameters["a"]).tanh()
        return s, *[s.new_zeros(s.shape) for _ in self.cell.states[1:]]
