"""Random permutation: the answer is the first symbol, which no other symbol carries."""

import numpy as np
import pytest

from harness.rng import generator
from harness.tasks.permutation import Permutation

TASK = Permutation(name="permutation", sequence_length=30)


def test_the_answer_is_the_first_of_two_symbols_and_the_others_are_of_the_rest() -> None:
    batch = TASK.sample(generator(0, "test"), 3000)
    assert np.array_equal(batch.targets, batch.inputs[0])
    assert set(np.unique(batch.inputs[0])) == {0, 1}
    assert set(np.unique(batch.inputs[1:])) == set(range(2, 100))
    assert (TASK.input_size, TASK.output_size) == (100, 100)


def test_both_answers_are_as_likely_whatever_the_last_symbol_is() -> None:
    batch = TASK.sample(generator(0, "test"), 40_000)
    assert abs(batch.targets.mean() - TASK.chance) < 5 * np.sqrt(0.25 / 40_000)
    for half in (batch.inputs[-1] < 51, batch.inputs[-1] >= 51):
        assert abs(batch.targets[half].mean() - 0.5) < 5 * np.sqrt(0.25 / half.sum())
    assert TASK.memoryless_loss == pytest.approx(np.log(2))
