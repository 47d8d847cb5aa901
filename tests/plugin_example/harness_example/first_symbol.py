from typing import ClassVar, Literal

import numpy as np

from harness.study.spec import setting
from harness.tasks.task import Batch, Shape, Task


class FirstSymbol(Task):
    """Tell at the end which of C symbols came first: the class is x_1, everything after it is noise."""

    shape: ClassVar[Shape] = "sequence_to_vector"

    name: Literal["first_symbol"] = setting(..., "which task", column="task")
    sequence_length: int = setting(50, "T", unit="steps", ge=1)
    classes: int = setting(4, "C, the number of symbols", ge=2)

    @property
    def length(self) -> int:
        return self.sequence_length

    @property
    def input_size(self) -> int:
        return self.classes

    @property
    def output_size(self) -> int:
        return self.classes

    @property
    def chance(self) -> float:
        return 1 / self.classes

    def sample(self, generator: np.random.Generator, batch: int) -> Batch:
        tokens = generator.integers(self.classes, size=(self.length, batch))
        return Batch(tokens, tokens[0])
