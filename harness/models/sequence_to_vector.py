"""Sequence → vector: the last hidden state, a linear readout, cross-entropy."""

from __future__ import annotations

from math import sqrt

import numpy as np
import numpy.typing as npt
from torch import Tensor
from torch.nn.functional import cross_entropy

from harness.cells.cell import Cell
from harness.cells.initialisation import initialise
from harness.models.model import Model, Parameters
from harness.scan import scan
from harness.streams import generator
from harness.tape import Tape


class SequenceToVector(Model):
    """ŷ = V h_T + b_y; L = mean_b −log softmax(ŷ⁽ᵇ⁾)[y⁽ᵇ⁾]."""

    def initialise(self, cell: Cell, seed: int) -> dict[str, npt.NDArray[np.float64]]:
        """The cell's parameters, V (C, H) and b_y (C,), both uniform on (−1/√H, 1/√H) as in torch.nn.Linear."""
        bound, C = 1 / sqrt(cell.hidden_size), self.task.output_size
        return {
            **initialise(cell, seed, input_size=self.task.input_size, length=self.task.length),
            "V": generator(seed, "initialise V").uniform(-bound, bound, (C, cell.hidden_size)),
            "b_y": generator(seed, "initialise b_y").uniform(-bound, bound, C),
        }

    def outputs(self, parameters: Parameters, inputs: Tensor, tape: Tape | None = None) -> Tensor:
        """Logits (R, B, C) from tokens (T, R, B) or rows (T, R, B, D)."""
        R, B = inputs.shape[1:3]
        zero = parameters["W"].new_zeros(R, B, self.cell.hidden_size)
        h, _ = scan(
            self.cell, parameters, inputs, (zero,) * len(self.cell.states),
            window=self.window, engine=self.engine, tape=tape,
        )  # fmt: skip
        return h @ parameters["V"].mT + parameters["b_y"].unsqueeze(1)

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        R, B, C = outputs.shape
        return cross_entropy(outputs.view(R * B, C), targets.reshape(R * B), reduction="none").view(R, B).mean(1)

    def accuracies(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs.argmax(-1) == targets).cpu().double().mean(1)
