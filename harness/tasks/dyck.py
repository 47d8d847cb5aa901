"""Dyck languages of bounded depth: which bracket may be closed next."""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import model_validator

from harness.study.spec import setting, wrong
from harness.tasks.automaton import Automaton, Transitions

MOST_STACKS = 2**14
OPENING, CLOSING = "([{<abcdef", ")]}>ABCDEF"

Stack = tuple[int, ...]


class Dyck(Automaton):
    """Dyck-(k, m): prefixes of well-nested brackets of k kinds, no deeper than m; y_t is the kind on top of the stack.

    y_t = 0 where all brackets are closed, else 1 + the kind that may be closed next. The state is the stack. A step
    opens or closes with probability ½ each, and each kind is opened equally often; at depth 0 it opens, at depth m it
    closes.

    Hewitt, Hahn, Ganguli, Liang & Manning 2020, "RNNs can generate bounded hierarchical languages with optimal memory";
    k = 1 is a counter, k = 2 a stack.
    """

    name: Literal["dyck"] = setting(..., "which task", column="task")
    brackets: int = setting(2, "k, kinds of brackets", label="kinds of brackets k", sequential=True, ge=1, le=10)
    depth: int = setting(4, "m, most brackets that are open at once", label="depth m", short="m", sequential=True, ge=1)

    @model_validator(mode="after")
    def _few_stacks(self) -> Self:
        k, m = self.brackets, self.depth
        if m > MOST_STACKS or sum(k**d for d in range(m + 1)) > MOST_STACKS:
            most = (
                max(d for d in range(64) if sum(k**e for e in range(d + 1)) <= MOST_STACKS)
                if k > 1
                else MOST_STACKS - 1
            )
            raise wrong("depth", f"is {m}; of {k} kinds of brackets at most {most}, for a table of all stacks")
        return self

    @property
    def transitions(self) -> Transitions:
        return table(self.brackets, self.depth)[0]

    @property
    def probabilities(self) -> npt.NDArray[np.float64]:
        return table(self.brackets, self.depth)[1]

    @property
    def classes(self) -> npt.NDArray[np.integer[Any]]:
        return table(self.brackets, self.depth)[2]

    def spelled(self, inputs: npt.NDArray[np.number[Any]]) -> list[str]:
        """Brackets; from the fifth kind on letters, the large one closing."""
        signs = OPENING[: self.brackets] + CLOSING[: self.brackets]
        return ["" if token < 0 else signs[int(token)] for token in inputs]


@lru_cache
def table(k: int, m: int) -> tuple[Transitions, npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """δ (S, 2k), P(token | stack) (S, 2k) and the kind on top (S,), for all stacks in the order of their depth.

    Token i < k opens kind i, token k + i closes it. What has probability 0 leads nowhere, to the empty stack.
    """
    stacks: list[Stack] = [stack for d in range(m + 1) for stack in product(range(k), repeat=d)]
    numbers = {stack: number for number, stack in enumerate(stacks)}
    δ, odds = np.zeros((len(stacks), 2 * k), np.int64), np.zeros((len(stacks), 2 * k))
    for number, stack in enumerate(stacks):
        opens = 0.0 if len(stack) == m else 0.5 if stack else 1.0
        for kind in range(k):
            if opens:
                δ[number, kind] = numbers[*stack, kind]
                odds[number, kind] = opens / k
        if stack:
            δ[number, k + stack[-1]] = numbers[stack[:-1]]
            odds[number, k + stack[-1]] = 1 - opens
    return δ, odds, np.array([1 + stack[-1] if stack else 0 for stack in stacks])
