"""Temporal order: which of X and Y came first, told at the end of a long sequence of distractors.

Hochreiter & Schmidhuber 1997, "Long short-term memory", section 5.6 (tasks 6a and 6b); the scaled form for any length
is that of Martens & Sutskever 2011 and Pascanu, Mikolov & Bengio 2013; the five levels are those of the lecture.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from pydantic import model_validator

from harness.errors import HarnessError
from harness.study.spec import setting, wrong
from harness.tasks import lecture_stream
from harness.tasks.lengths import Length, Varying
from harness.tasks.task import PADDING, Batch, Part, Shape

SYMBOLS = "XYabcdBE"  # a token is an index into this
X, Y, FIRST_DISTRACTOR, B, E = 0, 1, 2, 6, 7
DISTRACTORS = 4
CLASSES = "QRSU"
STEPS_DRAWN = 1000

Span = tuple[int, int]  # both ends included


class Layout(NamedTuple):
    """Lengths of a sequence without padding, and the positions of its X/Y symbols, counted from 0 at B."""

    lengths: Span
    positions: tuple[Span, ...]


LEVELS = {
    "easy": Layout((7, 8), ((1, 2), (4, 5))),
    "normal": Layout((30, 40), ((2, 5), (20, 27))),
    "moderate": Layout((60, 80), ((10, 20), (45, 54))),
    "hard": Layout((100, 110), ((10, 20), (50, 60))),
    "nightmare": Layout((300, 500), ((10, 80), (250, 290))),
}
TENTHS = {2: ((1, 2), (5, 6)), 3: ((1, 2), (3, 4), (6, 7))}  # position t with low·T ≤ 10·t < high·T


class TemporalOrder(Varying):
    """Classify a sequence by the order of its two (or three) X/Y symbols.

    A sequence starts with B, ends with E, has X or Y (each with probability ½) at the positions t₁ < t₂ (< t₃), and
    one of a, b, c, d everywhere else. The class is the binary number that the symbols spell with X = 0, Y = 1: for
    two symbols XX → 0 (Q), XY → 1 (R), YX → 2 (S), YY → 3 (U). Sequences shorter than T are padded with zero rows
    *before* B. With a range of lengths each sequence is that of its own length, from B to E.
    """

    shape: ClassVar[Shape] = "sequence_to_vector"
    length_setting: ClassVar[str] = "sequence_length"
    switch_keys: ClassVar[tuple[str, ...]] = ("X", "Y")

    name: Literal["temporal_order"] = setting(..., "which task", column="task")
    level: Literal["easy", "normal", "moderate", "hard", "nightmare"] | None = setting(
        None,
        "one of the lecture's levels; null: scaled to sequence_length",
        unset="scaled",
        order=("easy", "normal", "moderate", "hard", "nightmare"),
    )
    symbols: Literal[2, 3] = setting(2, "X/Y symbols in a sequence: 2 (four classes) or 3 (eight)")
    sequence_length: Length | None = setting(
        None,
        "T, padding included; a level sets its own",
        unit="steps",
        label="sequence length T (steps)",
        short="T",
        sequential=True,
        ge=1,
    )
    draw: Literal["fresh", "lecture"] = setting(
        "fresh",
        "fresh: each seed and update draws its own; lecture: the lecture's own stream, the same for all seeds, with "
        "training.batch_size 32 and evaluation {every: 31, sequences: 992}",
    )

    @model_validator(mode="before")
    @classmethod
    def _length_of_level(cls, data: object) -> object:
        level = data.get("level") if isinstance(data, dict) else None
        if not isinstance(data, dict) or level not in LEVELS:
            return data
        padded = LEVELS[level].lengths[1] + 1
        if data.get("sequence_length") not in (None, padded):
            raise wrong("sequence_length", f"level '{level}' is padded to {padded}; leave sequence_length out")
        return {**data, "sequence_length": padded}

    @model_validator(mode="after")
    def _fits(self) -> TemporalOrder:
        if self.sequence_length is None:
            raise wrong("sequence_length", "must be given, or a level")
        if self.level is not None and self.symbols != 2:
            raise wrong("symbols", "the levels have two symbols; for three give a sequence_length and no level")
        if self.draw == "lecture" and self.level is None:
            raise wrong("draw", "the lecture drew its levels only; give a level")
        if self.level is not None and self.varies:
            raise wrong("shortest_length", f"level '{self.level}' has lengths of its own; leave it out")
        every = range(self.shortest_length or self.sequence_length, self.sequence_length + 1)
        short = [T for T in every if not _fits(T, self.symbols)]
        if self.level is None and short:
            shortest = next(T for T in range(1, 100) if all(_fits(t, self.symbols) for t in range(T, T + 20)))
            raise wrong("sequence_length", f"{short[0]} is too short for {self.symbols} symbols; at least {shortest}")
        return self

    @property
    def length(self) -> int:
        assert self.sequence_length is not None  # the validator has seen to it
        return self.sequence_length

    @property
    def input_size(self) -> int:
        return len(SYMBOLS)

    @property
    def output_size(self) -> int:
        return int(2**self.symbols)

    @property
    def chance(self) -> float:
        return 1 / self.output_size

    @property
    def layout(self) -> Layout:
        """The ranges of lengths and positions that are drawn from."""
        return LEVELS[self.level] if self.level else scaled(self.length, self.symbols)

    def at_length(self, length: int) -> Self:
        if self.level is not None:
            raise wrong("level", f"'{self.level}' has lengths of its own; give a sequence_length and no level")
        return super().at_length(length)

    def spelled(self, inputs: npt.NDArray[np.number[Any]]) -> list[str]:
        return ["" if token == PADDING else SYMBOLS[token] for token in inputs.tolist()]

    def answered(self, answer: npt.NDArray[np.number[Any]]) -> str:
        return CLASSES[int(answer)] if self.symbols == 2 else f"{int(answer):03b}".translate(str.maketrans("01", "XY"))

    def check_batches(self, batch_size: int, sequences: int, every: int, max_updates: int) -> None:
        if self.draw == "fresh":
            return
        epoch, tested = lecture_stream.BATCHES, lecture_stream.BATCHES * lecture_stream.BATCH
        if batch_size != lecture_stream.BATCH:
            raise wrong("training.batch_size", f"task.draw: lecture has batches of {lecture_stream.BATCH}")
        if sequences != tested:
            raise wrong("evaluation.sequences", f"task.draw: lecture has test sets of {tested}")
        for key, updates in (("evaluation.every", every), ("training.max_updates", max_updates)):
            if updates % epoch:
                raise wrong(key, f"task.draw: lecture has a test set after every {epoch} updates; take a multiple")

    def batch(self, seed: int, part: Part, index: int, size: int) -> Batch:
        """Fresh sequences; with `draw: lecture` those that the lecture trained and tested on, in its order.

        The test set of an epoch is drawn after the epoch's 31 training batches, so it judges the network after 31, 62,
        … updates; before the first update there is none, and that of the first epoch is taken. `final_accuracy` is
        measured on fresh sequences whatever the draw.

        Raises:
            HarnessError: the lecture's stream has no such batch.
        """
        if self.draw == "fresh" or part == "final":
            return super().batch(seed, part, index, size)
        stream, epoch = lecture_stream.lecture_stream(*self.layout), lecture_stream.BATCHES
        if part == "train":
            if size != lecture_stream.BATCH:
                raise HarnessError(f"draw: lecture needs training.batch_size {lecture_stream.BATCH}, not {size}")
            return Batch(*stream.train(index))
        if size != epoch * lecture_stream.BATCH:
            raise HarnessError(f"draw: lecture needs evaluation.sequences {epoch * lecture_stream.BATCH}, not {size}")
        if index % epoch:
            raise HarnessError(
                f"draw: lecture has a test set after every {epoch} updates, so none at update {index}; set "
                f"evaluation.every and training.max_updates to multiples of {epoch}"
            )
        return Batch(*stream.test(max(index // epoch - 1, 0)))

    def sample(self, generator: np.random.Generator, batch: int) -> Batch:
        T, layout = self.length, self.layout
        tokens = distractors(generator, T, batch)
        symbols = generator.integers(X, Y + 1, size=(self.symbols, batch))
        lengths = None
        if self.varies:
            lengths = self.draw_lengths(generator, batch)
            spans = [scaled(n, self.symbols).positions for n in lengths.tolist()]
            low, high = np.array(spans).transpose(2, 1, 0)  # each (symbols, B)
            positions, start = generator.integers(low, high + 1), T - lengths
        else:
            low, high = np.array(layout.positions).T[:, :, None]
            positions = generator.integers(low, high + 1, size=(self.symbols, batch))
            start = T - generator.integers(layout.lengths[0], layout.lengths[1] + 1, size=batch)  # of B, after padding
        columns = np.arange(batch)
        tokens[start + positions, columns] = symbols
        tokens[start, columns] = B
        tokens[T - 1] = E
        tokens[np.arange(T)[:, None] < start] = PADDING
        return Batch(tokens, spelled(symbols), lengths)


def distractors(generator: np.random.Generator, T: int, batch: int) -> npt.NDArray[np.int8]:
    """Distractors (T, B), drawn a thousand steps at a time: the stream is the same, and int64 is never there whole."""
    tokens = np.empty((T, batch), np.int8)
    for start in range(0, T, STEPS_DRAWN):
        rows = tokens[start : start + STEPS_DRAWN]
        rows[:] = generator.integers(FIRST_DISTRACTOR, FIRST_DISTRACTOR + DISTRACTORS, size=rows.shape)
    return tokens


def spelled(symbols: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Class of each column of X/Y symbols (X = 0, Y = 1), read as a binary number, first symbol first."""
    weights = 2 ** np.arange(len(symbols))[::-1]
    return np.asarray(weights @ symbols, np.int64)


def scaled(T: int, symbols: int) -> Layout:
    """The scaled form: position i is an integer t with low_i·T ≤ 10·t < high_i·T; no padding."""
    spans = tuple((-(-low * T // 10), -(-high * T // 10) - 1) for low, high in TENTHS[symbols])
    return Layout((T, T), spans)


def _fits(T: int, symbols: int) -> bool:
    """Whether every span holds a position, none of them the first or the last step."""
    return all(1 <= low <= high <= T - 2 for low, high in scaled(T, symbols).positions)
