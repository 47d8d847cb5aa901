"""Three tasks of state tracking: parity, counting modulo m, and the word problem of a group of permutations."""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations, permutations
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from harness.study.spec import setting
from harness.tasks.automaton import Automaton, Transitions

POINTS = {"s3": 3, "a5": 5}  # that a group permutes


class Parity(Automaton):
    """y_t = Σ_{s≤t} x_s mod 2 of bits x_s: whether the number of ones is odd.

    Delétang et al. 2023, "Neural networks and the Chomsky hierarchy" ("parity check", asked for at the end); Grazzi et
    al. 2025, section 4.1.
    """

    name: Literal["parity"] = setting(..., "which task", column="task")

    @property
    def transitions(self) -> Transitions:
        return counting(2)


class ModularCounting(Automaton):
    """y_t = Σ_{s≤t} x_s mod m of bits x_s.

    Grazzi et al. 2025, section 4.1: their theorem 2 has x_s = 1 alone, which is among our sequences. Not the "cycle
    navigation" of Delétang et al. 2023, whose steps are −1, 0 and 1, m = 5.
    """

    name: Literal["modular_counting"] = setting(..., "which task", column="task")
    modulus: int = setting(
        3, "m, at which the count starts again from 0", label="modulus m", short="m", sequential=True, ge=2, le=100
    )

    @property
    def transitions(self) -> Transitions:
        return counting(self.modulus)


class GroupWordProblem(Automaton):
    """y_t = x_1 x_2 ⋯ x_t, the product of the elements x_s of a group of permutations, each equally often.

    (g h)(i) = g(h(i)). Elements are numbered in the order of their values (g(1), …, g(n)), the identity first. S₃ has
    6 elements and is solvable; A₅, the even permutations of five points, has 60, and is the smallest group that is not
    (Merrill, Petty & Sabharwal 2024, section 5: word problems asked for at every step).
    """

    name: Literal["group_word_problem"] = setting(..., "which task", column="task")
    group: Literal["s3", "a5"] = setting(
        "s3", "s3: the 6 permutations of three points; a5: the 60 even ones of five", order=("s3", "a5")
    )

    @property
    def transitions(self) -> Transitions:
        return products(self.group)

    def spelled(self, inputs: npt.NDArray[np.number[Any]]) -> list[str]:
        """An element as its values, from 1: the exchange of the first two of three points is 213."""
        return ["" if token < 0 else spelled(self.group, int(token)) for token in inputs]

    def answered(self, answer: npt.NDArray[np.number[Any]]) -> str:
        return " ".join(spelled(self.group, int(each)) for each in np.atleast_1d(answer))


@lru_cache
def counting(modulus: int) -> Transitions:
    """δ(q, x) = q + x mod m, (m, 2)."""
    return (np.arange(modulus)[:, None] + np.arange(2)) % modulus


@lru_cache
def elements(group: str) -> tuple[tuple[int, ...], ...]:
    """The permutations of a group as their values (g(0), …, g(n−1)): all of S₃, the even ones of A₅."""
    every = permutations(range(POINTS[group]))
    return tuple(each for each in every if group.startswith("s") or even(each))


def even(permutation: tuple[int, ...]) -> bool:
    """Whether the number of pairs out of order is even."""
    return sum(a > b for a, b in combinations(permutation, 2)) % 2 == 0


@lru_cache
def products(group: str) -> Transitions:
    """The number of g h, for all numbers of g and h."""
    numbers = {each: number for number, each in enumerate(elements(group))}
    return np.array([[numbers[tuple(g[i] for i in h)] for h in numbers] for g in numbers])


def spelled(group: str, number: int) -> str:
    return "".join(str(value + 1) for value in elements(group)[number])
