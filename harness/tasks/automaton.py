"""Tracking the state of a finite automaton: tokens act on a state, and the answer is the state that they lead to.

Word problems of a monoid: Merrill, Petty & Sabharwal 2024, "The illusion of state in state-space models"; Grazzi et al.
2025, "Unlocking state-tracking in linear RNNs through negative eigenvalues", section 3.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from harness.study.spec import setting
from harness.tasks.lengths import Length, Varying
from harness.tasks.task import PADDING, UNSCORED, Batch, Shape

Transitions = npt.NDArray[np.integer[Any]]  # (S, A): the state after each token, from each state


class Automaton(Varying):
    """q_t = δ(q_{t−1}, x_t) from q_0 = 0: tokens x_t, and the class y_t that belongs to q_t.

    An automaton is its table of δ, `transitions`. Unless it says otherwise each of A tokens is drawn equally often, and
    the class is the state itself, one of S.
    """

    shape: ClassVar[Shape] = "sequence_to_sequence"
    length_setting: ClassVar[str] = "sequence_length"

    sequence_length: Length = setting(
        40,
        "T, tokens that are read",
        unit="steps",
        label="sequence length T (steps)",
        short="T",
        sequential=True,
        ge=1,
    )
    scored: Literal["every_step", "end"] = setting(
        "every_step", "where the state is asked for: after every token, or after the last one alone"
    )

    @property
    def transitions(self) -> Transitions:
        """δ as a table (S, A) of states."""
        raise NotImplementedError

    @property
    def classes(self) -> npt.NDArray[np.integer[Any]]:
        """The answer y in each state, (S,)."""
        return np.arange(len(self.transitions))

    @property
    def probabilities(self) -> npt.NDArray[np.float64] | None:
        """P(x_t = a | q_{t−1}), (S, A), where tokens depend on the state; None: all equally often."""
        return None

    @property
    def length(self) -> int:
        return self.sequence_length

    @property
    def input_size(self) -> int:
        return int(self.transitions.shape[1])

    @property
    def output_size(self) -> int:
        return int(self.classes.max()) + 1

    @property
    def joint(self) -> npt.NDArray[np.float64]:
        """P(x_t = a, y_t = c) over the scored steps of all sequences, (A, C)."""
        return joint_of_answers(self)

    @property
    def chance(self) -> float:
        """The share of the scored steps that have the commonest answer."""
        return float(self.joint.sum(0).max())

    @property
    def memoryless_loss(self) -> float:
        """H(y_t | x_t) over the scored steps, which lies below H(y_t): the first answer is known from its token."""
        joint = self.joint
        seen = joint > 0
        conditional = joint / np.where(seen.any(1, keepdims=True), joint.sum(1, keepdims=True), 1.0)
        return max(0.0, float(-(joint[seen] * np.log(conditional[seen])).sum()))  # 0, not −0, where a token tells all

    def sample(self, generator: np.random.Generator, batch: int) -> Batch:
        T, table, classes, odds = self.length, self.transitions, self.classes, self.probabilities
        lengths = self.draw_lengths(generator, batch) if self.varies else None
        if odds is None:
            tokens = generator.integers(self.input_size, size=(T, batch), dtype=np.int8)
        else:
            tokens, uniform, below = np.empty((T, batch), np.int8), generator.random((T, batch)), odds.cumsum(1)
        absent = np.arange(T)[:, None] < (0 if lengths is None else T - lengths)  # (T, 1) or (T, B)
        states, state = np.empty((T, batch), np.int64), np.zeros(batch, np.int64)
        for t in range(T):
            if odds is not None:
                tokens[t] = (uniform[t][:, None] >= below[state, :-1]).sum(1)
            state = np.where(absent[t], state, table[state, tokens[t]])
            states[t] = classes[state]
        if self.scored == "end":
            states[:-1] = UNSCORED
        tokens[np.broadcast_to(absent, tokens.shape)] = PADDING
        states[np.broadcast_to(absent, states.shape)] = UNSCORED
        return Batch(tokens, states, lengths)


@lru_cache(maxsize=64)
def joint_of_answers(task: Automaton) -> npt.NDArray[np.float64]:
    """P(x_t = a, y_t = c) over the scored steps of all sequences of an automaton's task, (A, C); exact.

    Σ_t w_t Σ_q P(q_{t−1} = q) P(x_t = a | q) [y(δ(q, a)) = c], with P(q_t) from P(q_{t−1}) by the same sum over all a,
    and w_t the share of the scored steps that are a t-th one: P(length ≥ t) or, where the end alone is scored,
    P(length = t), normalised.
    """
    table, odds = task.transitions, task.probabilities
    S, A = table.shape
    odds = np.full((S, A), 1 / A) if odds is None else odds
    lengths = np.arange(task.shortest_length or task.length, task.length + 1)
    steps = np.arange(1, task.length + 1)
    weights = np.isin(steps, lengths) if task.scored == "end" else (lengths >= steps[:, None]).sum(1)
    before, occupied = np.eye(S)[0], np.zeros(S)  # P(q_{t−1}), and its mean over the scored steps t
    for weight in weights / weights.sum():
        occupied += weight * before
        before = np.bincount(table.ravel(), (before[:, None] * odds).ravel(), S)
    joint = np.zeros((A, task.output_size))
    np.add.at(joint, (np.arange(A), task.classes[table]), occupied[:, None] * odds)
    joint.flags.writeable = False
    return joint
