"""XOR: the answer is the parity of the marked bits, and one of them alone carries no information."""

import numpy as np
import pytest
from marked_pairs import marked_pairs

from harness.rng import generator
from harness.tasks.xor import Xor

TASK = Xor(name="xor", sequence_length=30)


def test_the_target_is_the_parity_of_the_marked_bits() -> None:
    batch = TASK.sample(generator(0, "test"), 1000)
    assert set(np.unique(batch.inputs)) == {0, 1}
    assert np.array_equal(batch.targets, marked_pairs(batch).sum(1) % 2)


def test_one_marked_bit_alone_leaves_the_answer_open() -> None:
    batch = TASK.sample(generator(0, "test"), 40_000)
    for bit in marked_pairs(batch).T:
        for value in (0, 1):
            share = batch.targets[bit == value].mean()
            assert abs(share - TASK.chance) < 5 * np.sqrt(0.25 / (bit == value).sum())
    assert TASK.memoryless_loss == pytest.approx(np.log(2))


def test_bits_are_spelled_with_a_star_where_they_are_marked() -> None:
    assert TASK.spelled(np.array([[0, 0], [1, 0], [0, 1], [1, 1]], np.float32)) == ["0", "1", "0*", "1*"]
    assert TASK.answered(np.array(1)) == "1"
