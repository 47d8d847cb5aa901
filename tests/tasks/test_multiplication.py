"""Multiplication: the target is the product of the marked numbers; chance and memoryless loss are those of guesses."""

import numpy as np
import pytest
from marked_pairs import marked_pairs

from harness.rng import generator
from harness.tasks.multiplication import Multiplication

DRAWS = 200_000
VARIANTS = ("scaled", "original")


def multiplication(variant: str, sequence_length: int = 40) -> Multiplication:
    return Multiplication(name="multiplication", variant=variant, sequence_length=sequence_length)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_target_is_the_product_of_the_two_marked_numbers(variant: str) -> None:
    batch = multiplication(variant).sample(generator(0, "test"), 1000)
    np.testing.assert_allclose(batch.targets, marked_pairs(batch).prod(1), atol=1e-6)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_constant_answer_of_the_mean_has_the_memoryless_loss(variant: str) -> None:
    task = multiplication(variant, 22)
    y = np.concatenate([task.sample(generator(k, "test"), 10_000).targets for k in range(DRAWS // 10_000)])
    off = y.astype(float) - task.mean
    assert abs(off.mean()) < 5 * off.std() / np.sqrt(DRAWS)
    squared = off**2
    assert abs(squared.mean() - task.memoryless_loss) < 5 * squared.std() / np.sqrt(DRAWS)


def test_the_scaled_levels_are_closed_forms() -> None:
    task = multiplication("scaled")
    assert task.memoryless_loss == pytest.approx(7 / 144)
    assert task.chance == pytest.approx(0.08 * (1 - np.log(0.08)))  # ∫ −ln y over (0, .08), what ŷ = .04 scores


def test_the_original_is_solved_with_fewer_than_13_wrong_of_2000() -> None:
    assert multiplication("original").solved(1 - 12 / 2000)
    assert not multiplication("original").solved(1 - 14 / 2000)
    assert multiplication("scaled").solved(0.99)
