"""State tracking: the answers, the groups, and chance and memoryless loss against all sequences counted one by one."""

from __future__ import annotations

from collections import Counter
from itertools import product
from math import log, sqrt
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from harness.rng import generator
from harness.tasks import TASKS
from harness.tasks.automaton import Automaton
from harness.tasks.state_tracking import elements
from harness.tasks.task import PADDING, UNSCORED

SIZES = {"s3": 6, "a5": 60}


def task(name: str, **settings: Any) -> Automaton:
    automaton = TASKS[name].model_validate({"name": name, **settings})
    assert isinstance(automaton, Automaton)
    return automaton


def matrices(group: str) -> np.ndarray[Any, Any]:
    """P_g with P_g e_i = e_{g(i)}, so that P_{gh} = P_g P_h, by the number of g."""
    return np.stack([np.eye(len(g))[:, list(np.argsort(g))].T for g in elements(group)]).astype(int)


@pytest.mark.parametrize(("name", "settings", "m"), [("parity", {}, 2), ("modular_counting", {"modulus": 5}, 5)])
def test_a_count_is_the_sum_of_the_bits(name: str, settings: dict[str, Any], m: int) -> None:
    batch = task(name, sequence_length=30, **settings).sample(generator(0, "test"), 200)
    assert set(np.unique(batch.inputs)) == {0, 1}
    np.testing.assert_array_equal(batch.targets, batch.inputs.astype(int).cumsum(0) % m)


@pytest.mark.parametrize("group", SIZES)
def test_the_answer_of_a_word_is_the_product_of_its_permutation_matrices(group: str) -> None:
    batch = task("group_word_problem", group=group, sequence_length=12).sample(generator(0, "test"), 30)
    of = matrices(group)
    for b in range(30):
        P = np.eye(of.shape[1], dtype=int)
        for token, answer in zip(batch.inputs[:, b], batch.targets[:, b], strict=True):
            P = P @ of[token]
            np.testing.assert_array_equal(P, of[answer])


@pytest.mark.parametrize("group", SIZES)
def test_products_are_those_of_a_group_and_its_identity_is_the_first_state(group: str) -> None:
    table, n = task("group_word_problem", group=group).transitions, SIZES[group]
    every = np.arange(n)
    assert table.shape == (n, n)
    np.testing.assert_array_equal(table[0], every)
    np.testing.assert_array_equal(table[:, 0], every)
    assert all(set(row) == set(every) for row in (*table.tolist(), *table.T.tolist()))  # so every element has inverses
    np.testing.assert_array_equal(table[table], table[:, table])  # (g h) k = g (h k), all triples


def test_the_commutators_of_a5_are_all_of_it_and_those_of_s3_are_not() -> None:
    """A₅ is its own commutator subgroup, so that no chain of abelian steps ends at 1: it is not solvable."""
    commutators = {}
    for group in SIZES:
        table = task("group_word_problem", group=group).transitions
        inverse = (table == 0).argmax(1)
        commutators[group] = np.unique(table[table, table[np.ix_(inverse, inverse)]])
    assert len(commutators["a5"]) == 60
    assert [elements("s3")[g] for g in commutators["s3"]] == [(0, 1, 2), (1, 2, 0), (2, 0, 1)]


def test_a5_is_even_and_the_rows_of_a_picture_are_the_values_of_each_element() -> None:
    assert [round(np.linalg.det(P)) for P in matrices("a5")] == [1] * 60
    word = task("group_word_problem", group="s3")
    assert word.spelled(np.array([PADDING, 0, 2, 5])) == ["", "123", "213", "321"]
    assert word.answered(np.array([1, 3])) == "132 231"


CASES = [
    ("parity", {}, 1, 6), ("parity", {}, 3, 7), ("modular_counting", {"modulus": 3}, 5, 5),
    ("modular_counting", {"modulus": 5}, 2, 9), ("group_word_problem", {}, 1, 4), ("group_word_problem", {}, 3, 3),
    ("group_word_problem", {"group": "a5"}, 1, 2),
]  # fmt: skip


@pytest.mark.parametrize("scored", ["every_step", "end"])
@pytest.mark.parametrize(("name", "settings", "low", "high"), CASES)
def test_chance_and_the_memoryless_loss_are_those_of_all_sequences(name, settings, low, high, scored) -> None:
    each = task(name, sequence_length={"low": low, "high": high}, scored=scored, **settings)
    table = each.transitions.tolist()
    counts: Counter[tuple[int, int]] = Counter()  # of (token, answer), a sequence of L steps counting A^(high−L) times
    for L in range(low, high + 1):
        for word in product(range(each.input_size), repeat=L):
            state = 0
            for t, token in enumerate(word, 1):
                state = table[state][token]
                if scored == "every_step" or t == L:
                    counts[token, state] += each.input_size ** (high - L)
    total = sum(counts.values())
    tokens, states = Counter[int](), Counter[int]()
    for (token, state), count in counts.items():
        tokens[token] += count
        states[state] += count
    assert each.chance == pytest.approx(max(states.values()) / total, rel=1e-12)
    loss = -sum(count / total * log(count / tokens[token]) for (token, _), count in counts.items())
    assert each.memoryless_loss == pytest.approx(loss, rel=1e-12, abs=1e-12)


def test_closed_forms_of_parity_and_of_a_group() -> None:
    """Every state but the first one is uniform, whatever its token is; the first is its token."""
    p = 0.5 + 1 / (2 * 40)
    assert task("parity", sequence_length=40).memoryless_loss == pytest.approx(-p * log(p) - (1 - p) * log(1 - p))
    assert task("parity", sequence_length=40, scored="end").memoryless_loss == pytest.approx(log(2))
    for group, n in SIZES.items():
        p, other = 1 / n + (1 - 1 / n) / 40, (1 - 1 / 40) / n
        expected = -p * log(p) - (n - 1) * other * log(other)
        word = task("group_word_problem", group=group, sequence_length=40)
        assert (word.chance, word.memoryless_loss) == (pytest.approx(1 / n), pytest.approx(expected))


@pytest.mark.parametrize("scored", ["every_step", "end"])
@pytest.mark.parametrize(("name", "settings"), [("modular_counting", {"modulus": 4}), ("group_word_problem", {})])
def test_drawn_batches_have_the_chance_and_the_loss_that_are_stated(name, settings, scored: str) -> None:
    each = task(name, sequence_length={"low": 2, "high": 5}, scored=scored, **settings)
    batch = each.sample(generator(0, "test"), 20_000)
    seen = batch.targets != UNSCORED
    tokens, answers = batch.inputs[seen], batch.targets[seen]
    conditional = each.joint / each.joint.sum(1, keepdims=True)
    losses = -np.log(conditional[tokens, answers])
    # with the end scored, a group's losses are all one number
    assert abs(losses.mean() - each.memoryless_loss) < 5 * losses.std() / sqrt(20_000) + 1e-12
    commonest = each.joint.sum(0).argmax()
    assert abs((answers == commonest).mean() - each.chance) < 5 * sqrt(0.25 / 20_000)


def test_absent_steps_are_padding_without_an_answer_and_the_end_alone_has_one_where_that_is_scored() -> None:
    settings: dict[str, Any] = {"sequence_length": {"low": 3, "high": 9}}
    every, end = (task("parity", scored=scored, **settings) for scored in ("every_step", "end"))
    batch, last = (each.sample(generator(0, "test"), 500) for each in (every, end))
    assert batch.lengths is not None
    absent = np.arange(9)[:, None] < 9 - batch.lengths
    np.testing.assert_array_equal(batch.inputs == PADDING, absent)
    np.testing.assert_array_equal(batch.targets == UNSCORED, absent)
    np.testing.assert_array_equal(batch.targets[-1], (batch.inputs == 1).sum(0) % 2)
    np.testing.assert_array_equal(last.inputs, batch.inputs)
    np.testing.assert_array_equal(last.targets[-1], batch.targets[-1])
    assert (last.targets[:-1] == UNSCORED).all()


def test_another_length_is_the_same_automaton() -> None:
    trained = task("modular_counting", modulus=7, sequence_length={"low": 3, "high": 40}, scored="end")
    assert trained.at_length(256) == task("modular_counting", modulus=7, sequence_length=256, scored="end")
    assert trained.at_length(256).output_size == trained.output_size == 7
    assert trained.at_length(256).chance == pytest.approx(
        1 / 7, rel=1e-3
    )  # the count has long forgotten where it began


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("modular_counting", {"modulus": 1}, "greater than or equal to 2"),
        ("modular_counting", {"modulus": 101}, "less than or equal to 100"),
        ("parity", {"sequence_length": 0}, "greater than or equal to 1"),
        ("parity", {"sequence_length": {"low": 9, "high": 3}}, "low: 9 is more than high: 3"),
        ("parity", {"sequence_length": {"low": 0, "high": 3}}, "low: 0 is less than one step"),
        ("parity", {"scored": "last"}, "'every_step' or 'end'"),
        ("group_word_problem", {"group": "s5"}, "'s3' or 'a5'"),
        ("parity", {"modulus": 3}, "Extra inputs are not permitted"),
    ],
)
def test_settings_without_a_meaning_are_refused(name: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        task(name, **settings)
