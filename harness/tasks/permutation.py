"""The random permutation problem: the last of many symbols is the first one again.

Martens & Sutskever 2011, "Learning recurrent neural networks with Hessian-free optimization", after Hochreiter &
Schmidhuber 1997, section 5.2; as in Pascanu, Mikolov & Bengio 2013, appendix.
"""

from __future__ import annotations

from math import log
from typing import ClassVar, Literal

import numpy as np

from harness.study.spec import setting
from harness.tasks.task import Batch, Shape, Task

SYMBOLS, TOLD = 100, 2  # the first is one of TOLD symbols, the others are of the rest


class Permutation(Task):
    """Foretell x_{T+1} = x_1 after T symbols: x_1 is one of two, x_2 … x_T are of the other 98 at random.

    The papers have the network foretell every symbol, which only the last one allows; here, as in the code of Pascanu
    et al., the last is asked for alone. "Permutation" is the papers' name: symbols may occur more than once.
    """

    shape: ClassVar[Shape] = "sequence_to_vector"
    length_setting: ClassVar[str] = "sequence_length"

    name: Literal["permutation"] = setting(..., "which task", column="task")
    sequence_length: int = setting(50, "T, symbols that are read", unit="steps", ge=2)

    @property
    def length(self) -> int:
        return self.sequence_length

    @property
    def input_size(self) -> int:
        return SYMBOLS

    @property
    def output_size(self) -> int:
        return SYMBOLS

    @property
    def chance(self) -> float:
        """½: that the answer is one of the two needs no memory."""
        return 1 / TOLD

    @property
    def memoryless_loss(self) -> float:
        return log(TOLD)

    def sample(self, generator: np.random.Generator, batch: int) -> Batch:
        tokens = generator.integers(TOLD, SYMBOLS, size=(self.length, batch), dtype=np.int8)
        tokens[0] = generator.integers(TOLD, size=batch)
        return Batch(tokens, tokens[0].astype(np.int64))
