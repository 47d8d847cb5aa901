"""What every task says of itself. A task *is* its settings, with its limits, chance level, rule and sampler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from harness.study.spec import Section

Shape = Literal["sequence_to_vector"]

PADDING = -1  # a token that stands for an all-zero input row


@dataclass(frozen=True)
class Batch:
    """Inputs and targets of one batch; tokens are indices of one-hot rows, `PADDING` is a row of zeros."""

    inputs: npt.NDArray[np.integer[Any]]  # (T, B); small integers keep thousands of long sequences small
    targets: npt.NDArray[np.int64]  # (B,)


class Task(Section):
    """Base of all tasks; `name` is the key by which a study chooses one."""

    shape: ClassVar[Shape]
    name: str

    @property
    def length(self) -> int:
        """T, the number of time steps, padding included."""
        raise NotImplementedError

    @property
    def input_size(self) -> int:
        """D, the width of an input row."""
        raise NotImplementedError

    @property
    def output_size(self) -> int:
        """C, the number of classes."""
        raise NotImplementedError

    @property
    def chance(self) -> float:
        """Accuracy of guessing."""
        raise NotImplementedError

    def solved(self, accuracy: float) -> bool:
        """The task's own rule; for classification an accuracy of at least .99."""
        return accuracy >= 0.99

    def sample(self, generator: np.random.Generator, batch: int) -> Batch:
        """Draw `batch` fresh sequences."""
        raise NotImplementedError
