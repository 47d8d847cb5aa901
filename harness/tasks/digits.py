"""Handwritten digits: read pixel by pixel, or named letter by letter.

The images are the 1797 of 8×8 pixels that come with scikit-learn: the test part of Alpaydin & Kaynak 1998, "Optical
recognition of handwritten digits" (UCI repository). Reading an image pixel by pixel, as it stands or permuted, is the
sequential MNIST of Le, Jaitly & Hinton 2015, "A simple way to initialize recurrent networks of rectified linear
units", section 4.2, made small; naming an image is the vector → sequence of Vinyals et al. 2015, "Show and tell".
"""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import model_validator

from harness.rng import generator
from harness.study.spec import setting, wrong
from harness.tasks.task import UNSCORED, Batch, Part, Shape, Task

SIDE = 8  # pixels
PIXELS = SIDE * SIDE
BRIGHTEST = 16
ENDS = {"train": (0, 1257), "evaluate": (1257, 1527), "final": (1527, 1797)}  # 70, 15 and 15 % of the shuffled images
SHUFFLE = PERMUTATION = 0  # seeds of the fixed shuffle and of the fixed permutation
FINAL = ENDS["final"][1] - ENDS["final"][0]

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
LETTERS = "".join(sorted(set("".join(NAMES))))
END = len(LETTERS)  # the symbol after the last letter

Images = npt.NDArray[np.float32]


@cache
def images(part: Part) -> tuple[Images, npt.NDArray[np.int64]]:
    """The images of a part, (n, 64) row by row with 0 ≤ pixel ≤ 1, and their digits (n,), in an order fixed for good.

    The shuffle mixes the writers: a writer's digits may be in all three parts.
    """
    from sklearn.datasets import load_digits

    data = load_digits()
    first, end = ENDS[part]
    order = generator(SHUFFLE, "shuffle digits").permutation(len(data.target))[first:end]
    return np.asarray(data.data[order] / BRIGHTEST, np.float32), np.asarray(data.target[order], np.int64)


def drawn(seed: int, part: Part, index: int, size: int) -> tuple[Images, npt.NDArray[np.int64]]:
    """Images drawn with replacement from a part; of the final part each in turn, so that none counts twice."""
    pixels, digits = images(part)
    n = len(digits)
    chosen = np.arange(size) % n if part == "final" else generator(seed, part, index).integers(n, size=size)
    return pixels[chosen], digits[chosen]


class Pixels(Task):
    """Tell at the end which digit was read: 64 steps of one real number 0 ≤ x_t ≤ 1, row by row from the top left.

    With `permuted` the pixels come in one random order, the same for every image: neighbours are torn apart, and no
    step can be foretold. With `read: rows` a step is a row of 8 pixels, with `read: rows_and_columns` step
    t is row t and column t, 16 numbers: with a bidirectional cell, an image read from its four sides (Graves,
    Fernández & Schmidhuber 2007, "Multi-dimensional recurrent neural networks", in two passes instead of one grid).
    """

    shape: ClassVar[Shape] = "sequence_to_vector"
    final_sequences: ClassVar[int] = FINAL

    name: Literal["pixels"] = setting(..., "which task", column="task")
    permuted: bool = setting(False, "read the pixels in one fixed random order instead of row by row")
    read: Literal["pixels", "rows", "rows_and_columns"] = setting(
        "pixels", "what a step is: a pixel, a row, or a row and the column of the same number"
    )

    @model_validator(mode="after")
    def _pixels_are_permuted(self) -> Self:
        if self.permuted and self.read != "pixels":
            raise wrong("permuted", "is an order of single pixels; with read: rows or rows_and_columns there is none")
        return self

    @property
    def length(self) -> int:
        return PIXELS if self.read == "pixels" else SIDE

    @property
    def input_size(self) -> int:
        return {"pixels": 1, "rows": SIDE, "rows_and_columns": 2 * SIDE}[self.read]

    @property
    def output_size(self) -> int:
        return len(NAMES)

    @property
    def chance(self) -> float:
        return 0.1

    @property
    def memoryless_loss(self) -> float | None:
        return None

    @property
    def order(self) -> npt.NDArray[np.int64]:
        """Which pixel is read at each step."""
        return generator(PERMUTATION, "permute pixels").permutation(PIXELS) if self.permuted else np.arange(PIXELS)

    def batch(self, seed: int, part: Part, index: int, size: int) -> Batch:
        pixels, digits = drawn(seed, part, index, size)
        if self.read == "pixels":
            return Batch(np.ascontiguousarray(pixels.T[self.order, :, None]), digits)
        rows = pixels.reshape(-1, SIDE, SIDE).transpose(1, 0, 2)  # (T, B, 8)
        columns = pixels.reshape(-1, SIDE, SIDE).transpose(2, 0, 1)
        both = np.concatenate([rows, columns], axis=2) if self.read == "rows_and_columns" else rows
        return Batch(np.ascontiguousarray(both), digits)

    def spelled(self, inputs: npt.NDArray[np.number[Any]]) -> list[str]:
        """A shade a pixel; of rows and columns the row."""
        steps = inputs if self.read == "pixels" else inputs[:, :SIDE]
        return ["".join(" ░▒▓█"[round(4 * float(x))] for x in step) for step in steps]


class DigitNames(Task):
    """Name the digit of an image: its 64 pixels are a vector, the answer its English name and an end symbol.

    The letters are those that the ten names need; shorter names are filled with UNSCORED. Right is the whole name.
    """

    shape: ClassVar[Shape] = "vector_to_sequence"
    final_sequences: ClassVar[int] = FINAL
    numerics: ClassVar[int] = 2  # the readout of all steps summed in an order of its pack's size

    name: Literal["digit_names"] = setting(..., "which task", column="task")

    @property
    def length(self) -> int:
        return max(map(len, NAMES)) + 1

    @property
    def input_size(self) -> int:
        return PIXELS

    @property
    def output_size(self) -> int:
        return END + 1

    @property
    def chance(self) -> float:
        return 0.1

    @property
    def memoryless_loss(self) -> float | None:
        return None

    def batch(self, seed: int, part: Part, index: int, size: int) -> Batch:
        pixels, digits = drawn(seed, part, index, size)
        return Batch(pixels[None], names()[:, digits])

    def spelled(self, inputs: npt.NDArray[np.number[Any]]) -> list[str]:
        """The image in four lines."""
        return [half_blocks(inputs.reshape(SIDE, SIDE))]

    def answered(self, answer: npt.NDArray[np.number[Any]]) -> str:
        """The letters before the first end symbol."""
        letters = answer.tolist()
        return "".join(LETTERS[k] for k in letters[: letters.index(END) if END in letters else None])


def half_blocks(image: npt.NDArray[np.number[Any]]) -> str:
    """An image as text, two rows of pixels a line: a pixel is black from half its brightness on."""
    black = image >= 0.5
    blocks = 2 * black[::2] + black[1::2]  # upper half, lower half
    return "\n".join("".join(" ▄▀█"[block] for block in row) for row in blocks.tolist())


def names() -> npt.NDArray[np.int64]:
    """The ten names as symbols (6, 10): letters, END, UNSCORED."""
    longest = max(map(len, NAMES)) + 1
    table = np.full((longest, len(NAMES)), UNSCORED)
    for digit, name in enumerate(NAMES):
        table[: len(name) + 1, digit] = [*map(LETTERS.index, name), END]
    return table
