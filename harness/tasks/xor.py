"""XOR: whether two marked bits differ, asked for at the end of a long sequence of others.

Martens & Sutskever 2011, "Learning recurrent neural networks with Hessian-free optimization": the adding problem's
sequences with bits for numbers.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from harness.study.spec import setting
from harness.tasks.marked import Marked, chosen, rows
from harness.tasks.task import Batch, Readout


class Xor(Marked):
    """y = x₁ ⊕ x₂ of the two marked bits x ~ Bernoulli(½); neither of them alone tells anything."""

    readout: ClassVar[Readout] = "bits"
    numerics: ClassVar[int] = 2  # one replica's readout summed in another order than that of several

    name: Literal["xor"] = setting(..., "which task", column="task")

    @property
    def chance(self) -> float:
        return 0.5

    def spelled(self, inputs: npt.NDArray[np.number[Any]]) -> list[str]:
        """A bit a step, those that are marked with a star; padding looks like an unmarked 0, to the network too."""
        return [f"{int(bit)}{'*' * int(mark)}" for bit, mark in inputs.tolist()]

    def answered(self, answer: npt.NDArray[np.number[Any]]) -> str:
        return str(int(answer))

    def sample(self, generator: np.random.Generator, batch: int) -> Batch:
        marks = self.draw_marks(generator, batch)
        bits = generator.integers(2, size=(self.length, batch)).astype(np.float32)
        first, second = chosen(bits, marks)
        return self.batch_of(rows(bits, marks, ends=False), (first != second).astype(np.int64), marks)
