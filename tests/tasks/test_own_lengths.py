"""A range of lengths: how it is written and refused, what is drawn, and the one form of batches with lengths."""

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from harness.errors import HarnessError
from harness.rng import generator
from harness.tasks import TASKS
from harness.tasks.automaton import Automaton
from harness.tasks.lengths import Varying, marked_absent
from harness.tasks.task import ABSENT, UNSCORED, Batch, Task

VARYING = sorted(name for name, kind in TASKS.items() if issubclass(kind, Varying))


def task(name: str, **settings: Any) -> Task:
    return TASKS[name].model_validate({"name": name, **settings})


def test_these_tasks_have_lengths() -> None:
    names = "adding dyck group_word_problem majority modular_counting multiplication parity temporal_order xor"
    assert names.split() == VARYING


@pytest.mark.parametrize("name", VARYING)
def test_lengths_are_drawn_from_the_whole_range_and_a_sequence_fills_its_own(name: str) -> None:
    varying = task(name, sequence_length={"low": 22, "high": 25})
    batch = varying.sample(generator(0, "test"), 4000)
    assert batch.lengths is not None
    lengths, counts = np.unique(batch.lengths, return_counts=True)
    assert lengths.tolist() == [22, 23, 24, 25]
    assert np.all(np.abs(counts / 4000 - 0.25) < 5 * np.sqrt(0.25 * 0.75 / 4000))
    assert varying.length == len(batch.inputs) == 25
    starts = 25 - batch.lengths
    if issubclass(TASKS[name], Automaton):
        np.testing.assert_array_equal((batch.inputs >= 0).argmax(0), starts)
        return
    marks = batch.inputs[..., 1] > 0 if batch.inputs.ndim == 3 else (batch.inputs == 0) | (batch.inputs == 1)
    assert (marks.sum(0) == 2).all()
    assert (marks.argmax(0) >= starts).all()
    if name == "temporal_order":
        assert (batch.inputs[starts, np.arange(4000)] == 6).all()  # B


def test_marks_are_where_those_of_their_own_length_are() -> None:
    for n in (12, 30):
        own, of_range = (task("adding", sequence_length=spec) for spec in (n, {"low": n - 1, "high": n}))
        alone, batch = own.sample(generator(1, "test"), 3000), of_range.sample(generator(1, "test"), 3000)
        assert batch.lengths is not None
        firsts = [np.unique(each.argmax(0)) for each in (alone.inputs[..., 1], batch.inputs[:, batch.lengths == n, 1])]
        assert firsts[0].tolist() == firsts[1].tolist()


def test_equal_ends_are_one_length_and_the_long_form_is_the_short_one() -> None:
    assert task("adding", sequence_length={"low": 30, "high": 30}) == task("adding", sequence_length=30)
    long = task("adding", sequence_length=40, shortest_length=30)
    assert task("adding", sequence_length={"low": 30, "high": 40}) == long
    assert long.at_length(35) == task("adding", sequence_length=35)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("adding", {"sequence_length": {"low": 30, "high": 20}}, "low: 30 is more than high: 20"),
        ("adding", {"sequence_length": {"low": 30}}, "expected a whole number, or"),
        ("adding", {"sequence_length": 20, "shortest_length": 30}, "is 30, more than sequence_length, which is 20"),
        ("adding", {"sequence_length": {"low": 1, "high": 20}}, "too short for two marks"),
        ("temporal_order", {"sequence_length": {"low": 2, "high": 20}}, "2 is too short for 2 symbols"),
        ("temporal_order", {"level": "easy", "shortest_length": 5}, "has lengths of its own"),
        ("permutation", {"sequence_length": {"low": 2, "high": 20}}, "'permutation' has sequences of one length"),
    ],
)
def test_what_is_no_range_is_refused(name: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        task(name, **settings)


@pytest.mark.parametrize("real", [False, True])
def test_either_padding_is_one_batch(real: bool) -> None:
    T, lengths = 5, np.array([3, 5, 1])
    steps = np.arange(T)[:, None] + 10 * np.arange(3)
    pre, post = np.zeros((2, T, 3), np.int64)
    targets, later = np.zeros((2, T, 3))
    for b, length in enumerate(lengths):
        pre[T - length :, b] = post[:length, b] = steps[:length, b]
        targets[T - length :, b] = later[:length, b] = 0.5 * steps[:length, b]
    inputs = [np.stack([each, each], -1).astype(np.float32) if real else each for each in (pre, post)]
    one = marked_absent(Batch(inputs[0], targets, lengths), steps=True)
    other = marked_absent(Batch(inputs[1], later, lengths, "post"), steps=True)
    np.testing.assert_array_equal(one.inputs, other.inputs)
    np.testing.assert_array_equal(one.targets, other.targets)
    absent = np.arange(T)[:, None] < T - lengths
    marks = np.isnan(one.inputs[..., 0]) if real else one.inputs == ABSENT
    np.testing.assert_array_equal(marks, absent)
    np.testing.assert_array_equal(np.isnan(one.targets), absent)
    symbols = marked_absent(Batch(inputs[0], pre, lengths), steps=True).targets
    np.testing.assert_array_equal(symbols == UNSCORED, absent)


@pytest.mark.parametrize(("lengths", "message"), [([3, 9], "sequence 1 of a batch has length 9"), ([3], "of shape")])
def test_lengths_that_no_batch_has_are_refused(lengths: list[int], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        marked_absent(Batch(np.zeros((5, 2), np.int64), np.zeros(2), np.array(lengths)), steps=False)
