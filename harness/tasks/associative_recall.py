"""Multi-query associative recall: pairs of a key and a value, then every key again, to be answered by its value."""

from __future__ import annotations

from math import log
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import model_validator

from harness.study.spec import setting, wrong
from harness.tasks.task import UNSCORED, Batch, Shape, Task


class AssociativeRecall(Task):
    """k_1 v_1 k_2 v_2 … k_n v_n, then k_π(1) … k_π(n) in another order; at each of these y is the value of that key.

    Keys are n different ones of K and values are of V, each equally often; all permutations π are equally likely.

    Arora, Eyuboglu, Timalsina, Johnson, Poli, Zou, Rudra & Ré 2024, "Zoology: measuring and improving recall in
    efficient language models" (MQAR). Theirs spreads the queries over a longer sequence, at gaps of a power law, with
    fillers between; here they follow one another.
    """

    shape: ClassVar[Shape] = "sequence_to_sequence"
    length_setting: ClassVar[str] = "pairs"

    name: Literal["associative_recall"] = setting(..., "which task", column="task")
    pairs: int = setting(4, "n, pairs of a key and a value", label="pairs n", short="n", sequential=True, ge=1)
    keys: int = setting(32, "K, keys that there are", ge=1, le=10_000)
    values: int = setting(8, "V, values that there are", ge=2, le=10_000)

    @model_validator(mode="after")
    def _keys_are_different(self) -> Self:
        if self.pairs > self.keys:
            raise wrong("pairs", f"is {self.pairs}, and there are {self.keys} different keys")
        return self

    @property
    def length(self) -> int:
        return 3 * self.pairs

    @property
    def input_size(self) -> int:
        return self.keys + self.values

    @property
    def output_size(self) -> int:
        return self.values

    @property
    def chance(self) -> float:
        return 1 / self.values

    @property
    def memoryless_loss(self) -> float:
        """ln V: a key alone says nothing of its value."""
        return log(self.values)

    def sample(self, generator: np.random.Generator, batch: int) -> Batch:
        n = self.pairs
        keys = generator.permuted(np.tile(np.arange(self.keys), (batch, 1)), axis=1)[:, :n].T  # (n, B)
        values = generator.integers(self.values, size=(n, batch))
        order = generator.permuted(np.tile(np.arange(n), (batch, 1)), axis=1).T
        stored = np.stack([keys, self.keys + values], axis=1).reshape(2 * n, batch)
        inputs = np.concatenate([stored, np.take_along_axis(keys, order, 0)])
        answers = np.take_along_axis(values, order, 0)
        targets = np.concatenate([np.full((2 * n, batch), UNSCORED), answers])
        return Batch(inputs.astype(np.int16), targets)

    def spelled(self, inputs: npt.NDArray[np.number[Any]]) -> list[str]:
        """Keys as k0, k1, …, values as their numbers."""
        return [f"k{token}" if token < self.keys else str(token - self.keys) for token in map(int, inputs)]
