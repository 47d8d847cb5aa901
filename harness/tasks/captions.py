"""Captions: an image of two handwritten digits, and a sentence of several words about it.

Vector → sequence as in Vinyals et al. 2015, "Show and tell: a neural image caption generator": the image sets the first
state, and the network writes word by word, each step told the word before it.
"""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from harness.rng import generator
from harness.study.spec import setting
from harness.tasks.digits import NAMES, SIDE, half_blocks, images
from harness.tasks.task import UNSCORED, Batch, Part, Shape, Task

CANVAS = 2 * SIDE  # pixels of a side
RELATIONS = ("left of", "above")
WORDS = ("a", "an", *NAMES, "left", "of", "above")
END = len(WORDS)  # the symbol after the last word
LONGEST = len(["a", "three", "left", "of", "a", "seven"]) + 1


class Captions(Task):
    """Say what an image shows: "a three left of a seven", "an eight above a one".

    Two of the 8×8 digits of `digit_names`, drawn with replacement from the images of the part, stand on a black
    canvas of 16×16 pixels, side by side or one above the other, each with probability ½; across, each is shifted by
    0 … 8 pixels on its own. The first digit of a caption is the left or the upper one. Words are symbols; shorter
    captions are filled with UNSCORED. Right is the whole caption.
    """

    shape: ClassVar[Shape] = "vector_to_sequence"

    name: Literal["captions"] = setting(..., "which task", column="task")

    @property
    def length(self) -> int:
        return LONGEST

    @property
    def input_size(self) -> int:
        return CANVAS * CANVAS

    @property
    def output_size(self) -> int:
        return END + 1

    @property
    def chance(self) -> float:
        """Of saying one caption, blindly."""
        return 1 / (len(RELATIONS) * len(NAMES) ** 2)

    @property
    def memoryless_loss(self) -> float | None:
        return None

    def batch(self, seed: int, part: Part, index: int, size: int) -> Batch:
        """Images drawn anew from digits of the part; no digit of one part is in another."""
        draw = generator(seed, part, index)
        pixels, digits = images(part)
        chosen = draw.integers(len(digits), size=(2, size))
        relations, shifts = draw.integers(len(RELATIONS), size=size), draw.integers(SIDE + 1, size=(2, size))
        canvas = np.zeros((size, CANVAS, CANVAS), np.float32)
        b, i, j = np.ogrid[:size, :SIDE, :SIDE]
        beside = (relations == 0)[:, None, None]
        for place in range(2):  # the first digit, then the second
            along, across = SIDE * place, shifts[place][:, None, None]
            squares = pixels[chosen[place]].reshape(size, SIDE, SIDE)
            canvas[b, i + np.where(beside, across, along), j + np.where(beside, along, across)] = squares
        return Batch(canvas.reshape(1, size, -1), captions(digits[chosen[0]], relations, digits[chosen[1]]))

    def spelled(self, inputs: npt.NDArray[np.number[Any]]) -> list[str]:
        """The image in eight lines."""
        return [half_blocks(inputs.reshape(CANVAS, CANVAS))]

    def answered(self, answer: npt.NDArray[np.number[Any]]) -> str:
        """The words before the first end symbol."""
        words = answer.tolist()
        return " ".join(WORDS[k] for k in words[: words.index(END) if END in words else None])


def captions(
    first: npt.NDArray[np.int64], relations: npt.NDArray[np.int64], second: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Captions (7, B) of pairs of digits as symbols: words, END, UNSCORED."""
    return table()[:, first, relations, second]


@cache
def table() -> npt.NDArray[np.int64]:
    """Every caption, (7, 10, 2, 10): of a first digit, a relation and a second digit."""
    symbols = np.full((LONGEST, len(NAMES), len(RELATIONS), len(NAMES)), UNSCORED)
    for first, relation, second in np.ndindex(symbols.shape[1:]):
        words = f"{named(first)} {RELATIONS[relation]} {named(second)}".split()
        symbols[: len(words) + 1, first, relation, second] = [*map(WORDS.index, words), END]
    return symbols


def named(digit: int) -> str:
    """A digit's name with its article."""
    return f"{'an' if NAMES[digit] == 'eight' else 'a'} {NAMES[digit]}"
