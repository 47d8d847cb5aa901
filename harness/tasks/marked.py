"""Marked numbers: a long sequence of numbers two of which carry a mark, and a question about those two at its end.

Three layouts are in use. Hochreiter & Schmidhuber 1997, "Long short-term memory", sections 5.4 and 5.5, is the
original; "scaled" is that of Pascanu, Mikolov & Bengio 2013 (appendix), after Martens & Sutskever 2011; "halves" that
of Arjovsky, Shah & Bengio 2016 ("Unitary evolution recurrent neural networks").
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import model_validator

from harness.study.spec import setting, wrong
from harness.tasks.lengths import Length, Varying
from harness.tasks.task import Batch, Shape

Numbers = npt.NDArray[np.floating[Any]]
Layout = Literal["halves", "scaled", "original"]

SHORTEST: dict[Layout, int] = {"halves": 2, "scaled": 10, "original": 22}
FIRST = 10  # pairs among which the original layout marks its first


class Marks(NamedTuple):
    """First step of each sequence, (B,), and the steps of its two marks, (2, B); padding included, from 0."""

    starts: npt.NDArray[np.int64]
    steps: npt.NDArray[np.int64]


class Marked(Varying):
    """Base of the tasks about two marked numbers; an input row is (number, mark), padding is (0, 0)."""

    shape: ClassVar[Shape] = "sequence_to_vector"
    length_setting: ClassVar[str] = "sequence_length"

    sequence_length: Length = setting(50, "T, numbers in a sequence; where lengths vary, in the shortest", unit="steps")

    @property
    def layout(self) -> Layout:
        """How lengths and marks are drawn."""
        return "scaled"

    @model_validator(mode="after")
    def _holds_two_marks(self) -> Marked:
        if (self.shortest_length or self.sequence_length) < SHORTEST[self.layout]:
            raise wrong("sequence_length", f"is too short for two marks here; at least {SHORTEST[self.layout]}")
        return self

    @property
    def length(self) -> int:
        return self.sequence_length if self.varies else padded(self.sequence_length, self.layout)

    @property
    def lengths(self) -> range:
        """The numbers of numbers by which marks are drawn: T, or with a range of lengths each of them."""
        return range(self.shortest_length or self.sequence_length, self.sequence_length + 1)

    def draw_marks(self, generator: np.random.Generator, batch: int) -> Marks:
        """As `draw_marks`; with a range of lengths those of each sequence's own length T."""
        if not self.varies:
            return draw_marks(generator, self.sequence_length, self.layout, batch)
        lengths = self.draw_lengths(generator, batch)
        starts = self.length - lengths
        return Marks(starts, starts + steps_of_marks(generator, lengths, self.layout))

    def batch_of(self, inputs: npt.NDArray[np.float32], targets: npt.NDArray[Any], marks: Marks) -> Batch:
        """A batch, with lengths where they vary."""
        return Batch(inputs, targets, self.length - marks.starts if self.varies else None)

    @property
    def input_size(self) -> int:
        return 2

    @property
    def output_size(self) -> int:
        return 1

    def spelled(self, inputs: npt.NDArray[np.number[Any]]) -> list[str]:
        """A number a step, those that are marked with a star."""
        return ["" if not any(row) else f"{row[0]:.2f}{'*' * int(row[1] == 1)}" for row in inputs.tolist()]

    def answered(self, answer: npt.NDArray[np.number[Any]]) -> str:
        return f"{float(answer):.3f}"


def padded(T: int, layout: Layout) -> int:
    """The longest sequence: T where all are as long ("halves"), else T + ⌊T/10⌋."""
    return T if layout == "halves" else T + T // 10


def draw_marks(generator: np.random.Generator, T: int, layout: Layout, batch: int) -> Marks:
    """Lengths T′ and the positions p₁ ≠ p₂ of two marks, counted from 0 at the first number.

    halves: T′ = T, p₁ in [0, ⌊T/2⌋), p₂ in [⌊T/2⌋, T). scaled: T′ in [T, 1.1 T], p₁ in [0, T′/10), p₂ in
    [T′/10, T′/2). original: T′ likewise, p₁ one of the first ten, p₂ one of the first ⌊T/2⌋ − 1 that are not p₁.
    """
    longest = padded(T, layout)
    lengths = generator.integers(T, longest + 1, size=batch)
    if layout == "halves":
        first, second = generator.integers(0, T // 2, size=batch), generator.integers(T // 2, T, size=batch)
    elif layout == "scaled":
        first = generator.integers(0, lengths // 10)
        second = generator.integers(lengths // 10, lengths // 2)
    else:
        first = generator.integers(0, FIRST, size=batch)
        second = generator.integers(0, T // 2 - 1, size=batch)
        second += second >= first
    starts = longest - lengths
    return Marks(starts, starts + np.stack([first, second]))


def steps_of_marks(
    generator: np.random.Generator, lengths: npt.NDArray[np.int64], layout: Layout
) -> npt.NDArray[np.int64]:
    """p₁ and p₂ (2, B) as in `draw_marks`, of sequences with T′ = T = a length of their own."""
    if layout == "halves":
        return np.stack([generator.integers(0, lengths // 2), generator.integers(lengths // 2, lengths)])
    if layout == "scaled":
        return np.stack([generator.integers(0, lengths // 10), generator.integers(lengths // 10, lengths // 2)])
    first = generator.integers(0, FIRST, size=len(lengths))
    second = generator.integers(0, lengths // 2 - 1)
    return np.stack([first, second + (second >= first)])


def first_pair_marked(T: int) -> float:
    """Probability that the original layout marks the first pair of a sequence."""
    return 1 / FIRST + (1 - 1 / FIRST) / (T // 2 - 1)


def rows(numbers: Numbers, marks: Marks, *, ends: bool) -> npt.NDArray[np.float32]:
    """Numbers (T, B) and their marks as input rows (T, B, 2), zeros before a sequence's start.

    A mark is 1; with `ends` the first and the last pair have −1 where they are not marked.
    """
    T, B = numbers.shape
    columns = np.arange(B)
    rows = np.zeros((T, B, 2), np.float32)
    rows[..., 0] = numbers
    if ends:
        rows[T - 1, :, 1] = rows[marks.starts, columns, 1] = -1
    rows[marks.steps, columns, 1] = 1
    rows[np.arange(T)[:, None] < marks.starts] = 0
    return rows


def chosen(numbers: Numbers, marks: Marks) -> Numbers:
    """The two marked numbers, (2, B)."""
    return np.asarray(numbers[marks.steps, np.arange(numbers.shape[1])])
