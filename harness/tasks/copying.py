"""The copying problem: say again a row of symbols that were seen before a long delay.

Arjovsky, Shah & Bengio 2016, "Unitary evolution recurrent neural networks", the copying memory problem.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from harness.study.spec import setting
from harness.tasks.task import PADDING, Batch, Shape, Task
from harness.theory.chance import copying_floor


class Recall(Task):
    """Base of the tasks that read N symbols of K, wait, and say them again: T + 2N steps, a target at each.

    The first N inputs are symbols, all others blank (K) but one, the cue (K + 1); the targets are blank up to the last
    N, which are the symbols. Blanks count: an accuracy of (T + N)/(T + 2N) is that of never saying a symbol.
    """

    shape: ClassVar[Shape] = "sequence_to_sequence"
    length_setting: ClassVar[str] = "delay"
    numerics: ClassVar[int] = 2  # the readout of all steps summed in an order of its pack's size

    delay: int = setting(
        50,
        "T: what is said again lies T + N steps back",
        unit="steps",
        label="delay T (steps)",
        short="T",
        sequential=True,
        ge=1,
    )

    @property
    def pattern(self) -> tuple[int, int]:
        """N and K: how many symbols are read, and of how many kinds."""
        raise NotImplementedError

    @property
    def cue(self) -> int:
        """The step of the cue, from 0."""
        raise NotImplementedError

    @property
    def length(self) -> int:
        return self.delay + 2 * self.pattern[0]

    @property
    def dependency(self) -> int:
        return self.delay + self.pattern[0] + 1

    @property
    def input_size(self) -> int:
        return self.pattern[1] + 2

    @property
    def output_size(self) -> int:
        return self.pattern[1] + 1

    @property
    def chance(self) -> float:
        """Share of right answers by blanks, and guesses from the first answer on: (T + N + N/K)/(T + 2N)."""
        N, K = self.pattern
        return (self.delay + N + N / K) / self.length

    @property
    def memoryless_loss(self) -> float:
        """N ln K/(T + 2N): blanks foretold with certainty, then guesses.

        It is the papers' "memoryless" baseline. It forgets the symbols, but has a clock, or remembers the cue.
        """
        N, K = self.pattern
        return copying_floor(self.delay, symbols=K, copied=N)

    def solved(self, accuracy: float) -> bool:
        """At most 1 % of the symbols wrong, all blanks right; or as many mistakes elsewhere."""
        return accuracy >= 1 - 0.01 * self.pattern[0] / self.length

    def spelled(self, inputs: npt.NDArray[np.number[Any]]) -> list[str]:
        words = [*map(str, range(self.pattern[1])), "·", "?"]
        return ["" if token == PADDING else words[token] for token in inputs.tolist()]

    def answered(self, answer: npt.NDArray[np.number[Any]]) -> str:
        """The last N answers; what comes before them is blank if it is right."""
        return " ".join(self.spelled(answer[-self.pattern[0] :]))

    def sample(self, generator: np.random.Generator, batch: int) -> Batch:
        N, K = self.pattern
        symbols = generator.integers(K, size=(N, batch), dtype=np.int8)
        inputs, targets = np.full((2, self.length, batch), K, np.int8)
        inputs[:N] = targets[-N:] = symbols
        inputs[self.cue] = K + 1
        return Batch(inputs, targets)


class Copying(Recall):
    """Say ten symbols of eight kinds again after a delay of T steps: T + 20 steps in all.

    Ten symbols, T − 1 blanks, a cue, ten blanks; the answers begin at the step after the cue.
    """

    name: Literal["copying"] = setting(..., "which task", column="task")

    @property
    def pattern(self) -> tuple[int, int]:
        return 10, 8

    @property
    def cue(self) -> int:
        return self.delay + self.pattern[0] - 1
