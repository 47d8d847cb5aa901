"""Sequential majority: whether ones are ahead of zeros so far, a counter without a bound."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from harness.study.spec import setting
from harness.tasks.automaton import Automaton, Transitions


class Majority(Automaton):
    """y_t = 1 if more of the bits x_1 … x_t are ones than zeros, else 0.

    The state is the difference d of the two counts, −T … T, numbered d mod 2T + 1. For all T at once a counter decides
    it and no finite automaton does: the language of words with more ones than zeros is not regular.
    """

    name: Literal["majority"] = setting(..., "which task", column="task")

    @property
    def transitions(self) -> Transitions:
        states = 2 * self.length + 1
        return np.asarray((np.arange(states)[:, None] + np.array([-1, 1])) % states)

    @property
    def classes(self) -> npt.NDArray[np.integer[Any]]:
        state = np.arange(2 * self.length + 1)
        return ((state >= 1) & (state <= self.length)).astype(np.int64)
