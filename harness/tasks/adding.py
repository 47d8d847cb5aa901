"""The adding problem: the sum of two marked numbers, asked for at the end of a long sequence of others.

Hochreiter & Schmidhuber 1997, "Long short-term memory", section 5.4; the later forms differ in range, marks and scale,
and so in what a guess scores.
"""

from __future__ import annotations

from statistics import fmean
from typing import ClassVar, Literal, NamedTuple

import numpy as np

from harness.study.spec import setting
from harness.tasks.marked import Layout, Marked, chosen, first_pair_marked, rows
from harness.tasks.task import Batch, Readout
from harness.theory.chance import adding_chance


class Variant(NamedTuple):
    """One published form: y = centre + scale·(x₁ + x₂), numbers uniform on (low, high)."""

    layout: Layout
    low: float
    high: float
    centre: float
    scale: float
    tolerance: float  # an answer is right if |ŷ − y| is below it
    share: float  # of right answers, from which on the task is solved


VARIANTS: dict[str, Variant] = {
    "sum": Variant("halves", 0, 1, 0, 1, 0.08, 0.99),
    "halved": Variant("scaled", 0, 1, 0, 0.5, 0.04, 0.99),
    "original": Variant("original", -1, 1, 0.5, 0.25, 0.04, 1.0),
}


class Adding(Marked):
    """Tell the sum of the two marked numbers of a sequence.

    sum (Le, Jaitly & Hinton 2015; Arjovsky, Shah & Bengio 2016): y = x₁ + x₂, numbers in (0, 1), a mark in each half.
    The papers judge by the squared error alone; the tolerance .08 is ours, the relative error of the other two.
    halved (Pascanu, Mikolov & Bengio 2013, after Martens & Sutskever 2011): y = (x₁ + x₂)/2, solved with less than
    1 % of errors above .04. original (Hochreiter & Schmidhuber 1997): y = ½ + (x₁ + x₂)/4, numbers in (−1, 1), −1 as
    the mark of both ends, x₁ or x₂ = 0 where the first pair is marked; solved when none of the sequences is wrong by
    .04 or more (the paper: none of the last 2000, and a mean error below .01).

    A right answer has |ŷ − y| < tolerance; `chance` is what always saying the mean scores, the best constant: the sum's
    density falls to both sides of it.
    """

    readout: ClassVar[Readout] = "numbers"
    numerics: ClassVar[int] = 2  # one replica's readout summed in another order than that of several

    name: Literal["adding"] = setting(..., "which task", column="task")
    variant: Literal["sum", "halved", "original"] = setting("sum", "which of the published forms")

    @property
    def form(self) -> Variant:
        """Range, scale and rule."""
        return VARIANTS[self.variant]

    @property
    def layout(self) -> Layout:
        return self.form.layout

    @property
    def tolerance(self) -> float:
        return self.form.tolerance

    @property
    def chance(self) -> float:
        """1 − (1 − τ/w)², the sum being triangular on (−w, w) around its mean; where one number is 0, τ/w′ uniform."""
        width = self.form.scale * (self.form.high - self.form.low)
        return (1 - self._single) * (1 - (1 - self.tolerance / width) ** 2) + self._single * 2 * self.tolerance / width

    @property
    def memoryless_loss(self) -> float:
        """The squared error of the best prediction from the last pair alone.

        That is the variance 2·s²(b − a)²/12 of the sum: 1/6 for `sum`, 1/24 for `halved`; less half of it where a
        number is 0 (`original`), or where the last pair is itself marked and so one number seen (`sum`).
        """
        variance = adding_chance() * (self.form.scale * (self.form.high - self.form.low)) ** 2
        seen = fmean(1 / (n - n // 2) for n in self.lengths) if self.layout == "halves" else self._single
        return variance * (1 - seen / 2)

    @property
    def _single(self) -> float:
        """Probability that one of the two numbers is 0."""
        return fmean(map(first_pair_marked, self.lengths)) if self.layout == "original" else 0.0

    def solved(self, accuracy: float) -> bool:
        return accuracy >= self.form.share

    def sample(self, generator: np.random.Generator, batch: int) -> Batch:
        form = self.form
        marks = self.draw_marks(generator, batch)
        numbers = generator.uniform(form.low, form.high, (self.length, batch))
        if form.layout == "original":
            numbers[marks.starts, np.arange(batch)] *= ~(marks.steps == marks.starts).any(0)
        target = form.centre + form.scale * chosen(numbers, marks).sum(0)
        return self.batch_of(rows(numbers, marks, ends=form.layout == "original"), target.astype(np.float32), marks)
