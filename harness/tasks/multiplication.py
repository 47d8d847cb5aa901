"""Multiplication: the product of two marked numbers, asked for at the end of a long sequence of others.

Hochreiter & Schmidhuber 1997, "Long short-term memory", section 5.5; scaled by Martens & Sutskever 2011.
"""

from __future__ import annotations

from math import log
from statistics import fmean
from typing import ClassVar, Literal

import numpy as np

from harness.study.spec import setting
from harness.tasks.marked import Layout, Marked, chosen, first_pair_marked, rows
from harness.tasks.task import Batch, Readout

FEWER_WRONG = 13 / 2000  # the stricter of the two stopping rules of Hochreiter & Schmidhuber 1997, table 8


class Multiplication(Marked):
    """Tell the product y = x₁·x₂ of the two marked numbers of a sequence, all uniform on (0, 1).

    scaled (Pascanu, Mikolov & Bengio 2013, after Martens & Sutskever 2011): solved with less than 1 % of errors above
    .04. original (Hochreiter & Schmidhuber 1997): −1 as the mark of both ends, x₁ or x₂ = 1 where the first pair is
    marked; solved with fewer than 13 of 2000 sequences wrong by .04 or more.
    """

    readout: ClassVar[Readout] = "numbers"
    # 2: the chance level was that of saying the mean, which the best constant beats; 3: one replica's readout summed in
    # another order than that of several.
    numerics: ClassVar[int] = 3

    name: Literal["multiplication"] = setting(..., "which task", column="task")
    variant: Literal["scaled", "original"] = setting("scaled", "which of the published forms")

    @property
    def layout(self) -> Layout:
        return "scaled" if self.variant == "scaled" else "original"

    @property
    def mean(self) -> float:
        """E[y]: ¼, and ½ where one number is 1."""
        return (1 - self._single) / 4 + self._single / 2

    @property
    def chance(self) -> float:
        """What the best constant answer scores, ŷ = τ, the tolerance: P(y < 2τ).

        P(x₁·x₂ < y) = y − y ln y, and y where one number is 1. Its density falls from 0 on, so that no other interval
        of width 2τ holds more.
        """
        y = 2 * self.tolerance
        return (1 - self._single) * (y - y * log(y)) + self._single * y

    @property
    def memoryless_loss(self) -> float:
        """The variance of y, E[y²] − E[y]²: 1/9 − 1/16 = 7/144 for `scaled`. The last pair is never marked."""
        return (1 - self._single) / 9 + self._single / 3 - self.mean**2

    @property
    def _single(self) -> float:
        """Probability that one of the two numbers is 1."""
        return fmean(map(first_pair_marked, self.lengths)) if self.layout == "original" else 0.0

    def solved(self, accuracy: float) -> bool:
        return 1 - accuracy < FEWER_WRONG if self.layout == "original" else accuracy >= 0.99

    def sample(self, generator: np.random.Generator, batch: int) -> Batch:
        marks = self.draw_marks(generator, batch)
        numbers = generator.uniform(0, 1, (self.length, batch))
        if self.layout == "original":
            columns = np.flatnonzero((marks.steps == marks.starts).any(0))
            numbers[marks.starts[columns], columns] = 1
        target = chosen(numbers, marks).prod(0)
        return self.batch_of(rows(numbers, marks, ends=self.layout == "original"), target.astype(np.float32), marks)
