"""A task at another length is the task whose study would have said so, and nothing but its length is another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from harness.tasks import TASKS
from harness.tasks.task import Task

# Settings beside the length, a length, and another one.
LENGTHS: dict[str, list[tuple[dict[str, Any], int, int]]] = {
    "adding": [({"variant": variant}, 30, 75) for variant in ("sum", "halved", "original")],
    "associative_recall": [({}, 4, 17)],
    "copying": [({}, 5, 17)],
    "dyck": [({"brackets": k}, 30, 75) for k in (1, 2)],
    "echo": [({"lag": 7}, 60, 25)],
    "group_word_problem": [({"group": group}, 30, 75) for group in ("s3", "a5")],
    "majority": [({"scored": scored}, 30, 75) for scored in ("every_step", "end")],
    "memorisation": [({"bits": bits}, 5, 17) for bits in (5, 20)],
    "modular_counting": [({"modulus": 5}, 30, 75)],
    "multiplication": [({"variant": variant}, 30, 75) for variant in ("scaled", "original")],
    "parity": [({"scored": scored}, 30, 75) for scored in ("every_step", "end")],
    "permutation": [({}, 30, 75)],
    "temporal_order": [({"symbols": symbols}, 60, 20) for symbols in (2, 3)],
    "xor": [({}, 30, 75)],
}
CASES = [(name, *case) for name, cases in LENGTHS.items() for case in cases]
WITHOUT = sorted(TASKS.keys() - LENGTHS.keys() - {"file", "dataset"})


def task_of(name: str, settings: dict[str, Any], length: int) -> Task:
    return TASKS[name](name=name, **settings, **{TASKS[name].length_setting: length})


def test_the_tasks_with_other_lengths_are_those_that_say_so() -> None:
    assert {name for name, kind in TASKS.items() if kind.length_setting} == LENGTHS.keys()


@pytest.mark.parametrize(("name", "settings", "own", "other"), CASES)
def test_a_task_at_another_length_is_the_task_that_a_study_of_that_length_has(name, settings, own, other) -> None:
    task = task_of(name, settings, own)
    changed = task.at_length(other)
    assert changed == task_of(name, settings, other)
    assert (task.trained_length, changed.trained_length) == (own, other)
    assert (changed.input_size, changed.output_size, changed.answers, changed.tolerance) == (
        task.input_size, task.output_size, task.answers, task.tolerance,
    )  # fmt: skip
    assert task.at_length(own) == task
    batch = changed.batch(3, "length", 0, 6)
    assert batch.inputs.shape[:2] == (changed.length, 6)
    for part in ("train", "evaluate", "final"):
        assert not np.array_equal(changed.batch(3, part, 0, 6).inputs, batch.inputs)


@pytest.mark.parametrize("name", WITHOUT)
def test_a_task_without_such_a_setting_has_no_other_lengths(name: str) -> None:
    task = TASKS[name](name=name)
    assert task.trained_length is None
    with pytest.raises(NotImplementedError, match=f"'{name}' cannot be judged at other lengths"):
        task.at_length(100)


@pytest.mark.parametrize(
    ("name", "settings", "own", "other", "message"),
    [
        ("adding", {"variant": "original"}, 30, 21, "is too short for two marks here; at least 22"),
        ("associative_recall", {"keys": 5}, 4, 6, "is 6, and there are 5 different keys"),
        ("copying", {}, 5, 0, "greater than or equal to 1"),
        ("echo", {"lag": 7}, 60, 7, "no echo is heard within a series of 7 steps"),
        ("parity", {}, 30, 0, "greater than or equal to 1"),
        ("permutation", {}, 30, 1, "greater than or equal to 2"),
        ("temporal_order", {"symbols": 3}, 60, 5, "5 is too short for 3 symbols"),
    ],
)
def test_the_limits_of_a_task_hold_at_every_length(name, settings, own, other, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        task_of(name, settings, own).at_length(other)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("temporal_order", {"level": "easy"}, "'easy' has lengths of its own; give a sequence_length and no level"),
        ("echo", {"draw": "lecture"}, "the lecture's columns have 20000 steps"),
    ],
)
def test_the_lectures_own_data_have_no_other_lengths(name: str, settings: dict[str, Any], message: str) -> None:
    task = TASKS[name](name=name, **settings)
    with pytest.raises(PydanticCustomError, match=message):
        task.at_length(task.length)
