"""Signal echoing: say again, at every step, the bit that was heard a fixed number of steps ago.

Canziani & LeCun, "Deep Learning" (NYU, 2020), the lecture on recurrent networks; one series is read in chunks, and the
state is carried from chunk to chunk.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import model_validator

from harness.rng import generator
from harness.study.spec import setting, wrong
from harness.tasks.task import UNSCORED, Batch, Part, Readout, Shape, Task

Bits = npt.NDArray[np.int8]

COLUMNS, STEPS = 5, 20_000  # of one block of the lecture's data
LECTURE_SEED = 3  # ours: the lecture left NumPy's stream unseeded
UNUSED, EPOCHS = 2, 5  # blocks drawn before the first epoch, and the lecture's epochs; then its test block


class Echo(Task):
    """y_t = x_{t−n}: bits x_t ~ Bernoulli(½), repeated n = `lag` steps later.

    The first n targets, which nothing has announced, are 0 in training, as in the lecture; elsewhere they are
    UNSCORED, so that the accuracy is that of echoes alone.
    """

    shape: ClassVar[Shape] = "sequence_to_sequence"
    readout: ClassVar[Readout] = "bits"
    carried: ClassVar[bool] = True
    final_sequences: ClassVar[int] = 64
    length_setting: ClassVar[str] = "series_length"
    numerics: ClassVar[int] = 2  # the readout of all steps summed in an order of its pack's size

    name: Literal["echo"] = setting(..., "which task", column="task")
    lag: int = setting(
        3,
        "n, how long ago the bit was heard",
        unit="steps",
        column="echo_lag",
        label="echo lag n (steps)",
        sequential=True,
        ge=1,
    )
    series_length: int = setting(1000, "T, steps of each column of a series", unit="steps", ge=2)
    draw: Literal["stream", "lecture"] = setting(
        "stream",
        "where bits come from: stream, fresh ones by the seed; lecture, the same for all seeds: 5 columns of 20000 "
        "from NumPy's legacy generator",
    )

    @model_validator(mode="before")
    @classmethod
    def _length_of_lecture(cls, data: object) -> object:
        if not isinstance(data, dict) or data.get("draw") != "lecture":
            return data
        if data.get("series_length", STEPS) != STEPS:
            raise wrong("series_length", f"the lecture's columns have {STEPS} steps; leave series_length out")
        return {**data, "series_length": STEPS}

    @model_validator(mode="after")
    def _echoes(self) -> Echo:
        if self.lag >= self.series_length:
            raise wrong("lag", f"no echo is heard within a series of {self.series_length} steps")
        return self

    @property
    def length(self) -> int:
        return self.series_length

    @property
    def dependency(self) -> int:
        return self.lag + 1

    @property
    def input_size(self) -> int:
        return 1

    @property
    def output_size(self) -> int:
        return 1

    @property
    def chance(self) -> float:
        return 0.5

    def at_length(self, length: int) -> Self:
        if self.draw == "lecture":
            raise wrong("draw", f"the lecture's columns have {STEPS} steps; leave draw out for others")
        return super().at_length(length)

    def check_batches(self, batch_size: int, sequences: int, every: int, max_updates: int) -> None:
        if self.draw == "lecture" and batch_size != COLUMNS:
            raise wrong("training.batch_size", f"task.draw: lecture has {COLUMNS} columns")
        if self.draw == "lecture" and sequences > COLUMNS:
            raise wrong("evaluation.sequences", f"task.draw: lecture has {COLUMNS} columns")

    def batch(self, seed: int, part: Part, index: int, size: int) -> Batch:
        """A series (T, B, 1) and its echo (T, B); of the lecture's blocks, at most their five columns.

        Raises:
            ValueError: training on the lecture's data with a batch_size other than five.
        """
        if self.draw == "stream":
            x = generator(seed, part, index).integers(2, size=(self.length, size), dtype=np.int8)
        else:
            if part == "train" and size != COLUMNS:
                raise ValueError(f"draw: lecture has {COLUMNS} columns; set training.batch_size: {COLUMNS}")
            x = block(_number(part, index))[:, :size]
        return Batch(x[:, :, None].astype(np.float32), echo(x, self.lag, 0 if part == "train" else UNSCORED))

    def spelled(self, inputs: npt.NDArray[np.number[Any]]) -> list[str]:
        return [str(int(bit)) for bit in inputs[:, 0]]


def echo(x: Bits, lag: int, before: int) -> Bits:
    """y_t = x_{t−lag} down the columns of x (T, B), with `before` where nothing has been heard yet."""
    return np.concatenate([np.full_like(x[:lag], before), x[:-lag]])


@lru_cache(maxsize=4)
def block(number: int) -> Bits:
    """Block k of the lecture's data, (T, B) = (20000, 5): the draws [k·TB, (k + 1)·TB) of the legacy stream of seed 3.

    Column b takes T draws u in a row, and x = 1 where u ≥ ½: what `numpy.random.choice` makes of p = (½, ½).
    """
    stream = np.random.RandomState(LECTURE_SEED)
    for _ in range(number):
        stream.random_sample(COLUMNS * STEPS)
    x = (stream.random_sample((COLUMNS, STEPS)) >= 0.5).astype(np.int8).T
    x.flags.writeable = False
    return x


def _number(part: Part, index: int) -> int:
    """Of the block that plays a part.

    The lecture draws one when it makes the training set and one when it makes the test set, and uses neither; then a
    fresh one for each of five epochs, then the test's. The curve is judged on the one made for the test and not used.
    """
    if part == "evaluate":
        return 1
    if part == "final":
        return UNUSED + EPOCHS
    return UNUSED + index + (index >= EPOCHS)  # more epochs than the lecture's step over its test
