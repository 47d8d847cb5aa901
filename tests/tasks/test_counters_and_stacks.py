"""Majority, Dyck languages and associative recall: the answers, and chance and memoryless loss counted one by one."""

from __future__ import annotations

from collections import defaultdict
from itertools import product
from math import comb, copysign, log
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from harness.rng import generator
from harness.tasks import TASKS
from harness.tasks.task import UNSCORED, Task


def task(name: str, **settings: Any) -> Task:
    return TASKS[name].model_validate({"name": name, **settings})


def entropy(joint: dict[tuple[int, int], float]) -> tuple[float, float]:
    """The largest P(y), and H(y | x), of P(x, y) that need not be normalised."""
    total = sum(joint.values())
    tokens: dict[int, float] = defaultdict(float)
    answers: dict[int, float] = defaultdict(float)
    for (token, answer), weight in joint.items():
        tokens[token] += weight
        answers[answer] += weight
    loss = -sum(w / total * log(w / tokens[token]) for (token, _), w in joint.items() if w)
    return max(answers.values()) / total, loss


@pytest.mark.parametrize(
    ("name", "settings"),
    [("dyck", {"sequence_length": 20, "depth": 1}), ("majority", {"sequence_length": 1}),
     ("parity", {"sequence_length": 1}), ("dyck", {"sequence_length": 1, "brackets": 1, "depth": 1})],
)  # fmt: skip
def test_where_the_present_input_is_enough_the_memoryless_loss_is_a_positive_zero(
    name: str, settings: dict[str, Any]
) -> None:
    loss = task(name, **settings).memoryless_loss
    assert (loss, copysign(1.0, loss)) == (0.0, 1.0)


def test_the_majority_of_the_bits_so_far() -> None:
    batch = task("majority", sequence_length=25).sample(generator(0, "test"), 100)
    ones = batch.inputs.astype(int).cumsum(0)
    np.testing.assert_array_equal(batch.targets, 2 * ones > np.arange(1, 26)[:, None])


@pytest.mark.parametrize("scored", ["every_step", "end"])
def test_chance_of_a_majority_is_that_of_the_binomial_distribution(scored: str) -> None:
    T = 12
    joint: dict[tuple[int, int], float] = defaultdict(float)
    for t in range(1, T + 1) if scored == "every_step" else [T]:
        for x, ones in product((0, 1), range(t)):  # ones among the first t − 1
            joint[x, int(2 * (ones + x) > t)] += comb(t - 1, ones) / 2**t
    chance, loss = entropy(joint)
    own = task("majority", sequence_length=T, scored=scored)
    assert (own.chance, own.memoryless_loss) == (pytest.approx(chance), pytest.approx(loss))


def words(k: int, m: int, T: int) -> dict[tuple[int, ...], float]:
    """Every prefix of length T of Dyck-(k, m) and its probability, by a stack of its own."""
    prefixes: dict[tuple[tuple[int, ...], tuple[int, ...]], float] = {((), ()): 1.0}
    for _ in range(T):
        longer: dict[tuple[tuple[int, ...], tuple[int, ...]], float] = {}
        for (word, stack), p in prefixes.items():
            opening = 1.0 if not stack else 0.0 if len(stack) == m else 0.5
            if opening:
                for kind in range(k):
                    longer[(*word, kind), (*stack, kind)] = p * opening / k
            if stack:
                longer[(*word, k + stack[-1]), stack[:-1]] = p * (1 - opening)
        prefixes = longer
    return {word: p for (word, _), p in prefixes.items()}


def tops(word: tuple[int, ...], k: int) -> list[int]:
    stack: list[int] = []
    answers = []
    for token in word:
        if token < k:
            stack.append(token)
        else:
            assert stack.pop() == token - k
        answers.append(1 + stack[-1] if stack else 0)
    return answers


@pytest.mark.parametrize(("k", "m"), [(1, 4), (2, 3), (3, 2)])
def test_a_dyck_word_closes_what_is_open_and_the_answer_is_the_top_of_the_stack(k: int, m: int) -> None:
    batch = task("dyck", brackets=k, depth=m, sequence_length=20).sample(generator(0, "test"), 200)
    for tokens, answers in zip(batch.inputs.T.tolist(), batch.targets.T.tolist(), strict=True):
        assert tops(tuple(tokens), k) == answers
        depth = np.cumsum([1 if token < k else -1 for token in tokens])
        assert 0 <= depth.min() <= depth.max() <= m


@pytest.mark.parametrize("scored", ["every_step", "end"])
@pytest.mark.parametrize(("k", "m"), [(1, 4), (2, 2)])
def test_chance_of_dyck_words_is_that_of_all_words(k: int, m: int, scored: str) -> None:
    T = 7
    joint: dict[tuple[int, int], float] = defaultdict(float)
    every = words(k, m, T)
    assert sum(every.values()) == pytest.approx(1)
    for word, p in every.items():
        pairs = list(zip(word, tops(word, k), strict=True))
        for token, answer in pairs if scored == "every_step" else pairs[-1:]:
            joint[token, answer] += p
    chance, loss = entropy(joint)
    own = task("dyck", brackets=k, depth=m, sequence_length=T, scored=scored)
    assert (own.chance, own.memoryless_loss) == (pytest.approx(chance), pytest.approx(loss))


def test_drawn_dyck_words_have_the_probabilities_of_the_table() -> None:
    """20,000 words of four tokens: six standard errors of each share."""
    every, n = words(2, 2, 4), 20_000
    batch = task("dyck", brackets=2, depth=2, sequence_length=4).sample(generator(1, "test"), n)
    drawn = [tuple(word) for word in batch.inputs.T.tolist()]
    for word, p in every.items():
        assert abs(drawn.count(word) / n - p) <= 6 * (p * (1 - p) / n) ** 0.5
    assert set(drawn) <= every.keys()


def test_a_key_is_answered_by_the_value_that_followed_it() -> None:
    own = task("associative_recall", pairs=5, keys=7, values=3)
    batch = own.sample(generator(0, "test"), 300)
    assert batch.inputs.shape == (own.length, 300)
    orders = set()
    for tokens, answers in zip(batch.inputs.T.tolist(), batch.targets.T.tolist(), strict=True):
        stored = dict(zip(tokens[0:10:2], tokens[1:10:2], strict=True))
        assert len(stored) == 5
        assert sorted(tokens[10:]) == sorted(stored)
        assert answers[:10] == [UNSCORED] * 10
        assert answers[10:] == [stored[key] - 7 for key in tokens[10:]]
        orders.add(tuple(list(stored).index(key) for key in tokens[10:]))
    assert len(orders) > 100
    assert (own.chance, own.memoryless_loss) == (1 / 3, log(3))
    assert own.spelled(np.array([6, 8])) == ["k6", "1"]


def test_signs_of_brackets() -> None:
    own = task("dyck", brackets=2)
    assert own.spelled(np.array([0, 1, 3, 2, -1])) == ["(", "[", "]", ")", ""]


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("dyck", {"depth": 30}, "is 30; of 2 kinds of brackets at most 13"),
        ("dyck", {"brackets": 1, "depth": 20_000}, "at most 16383"),
        ("associative_recall", {"pairs": 9, "keys": 8}, "is 9, and there are 8 different keys"),
        ("majority", {"sequence_length": 0}, "greater than or equal to 1"),
    ],
)
def test_what_a_task_does_not_have_is_an_error_with_the_nearest_that_it_has(name, settings, message) -> None:
    with pytest.raises(ValidationError, match=message):
        task(name, **settings)
