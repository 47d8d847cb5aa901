"""Adding: the target is the sum as each paper defines it; levels of chance and without memory are those of guesses."""

import numpy as np
import pytest
import torch
from marked_pairs import marked_pairs

from harness.cells.rnn import RNN
from harness.models.sequence_to_vector import SequenceToVector
from harness.rng import generator
from harness.tasks.adding import VARIANTS, Adding

T, DRAWS = 40, 200_000
MOST = 5  # standard errors that a Monte Carlo mean may lie off


def adding(variant: str, sequence_length: int = T) -> Adding:
    return Adding(name="adding", variant=variant, sequence_length=sequence_length)


@pytest.fixture(scope="module", params=VARIANTS)
def drawn(request):
    """A variant, its last pairs (B, 2) and its targets (B,)."""
    task = adding(request.param, 22)
    batches = [task.sample(generator(k, "test"), 10_000) for k in range(DRAWS // 10_000)]
    last = np.concatenate([batch.inputs[-1] for batch in batches])
    return task, last.astype(float), np.concatenate([batch.targets for batch in batches]).astype(float)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_target_is_the_papers_sum_of_the_two_marked_numbers(variant: str) -> None:
    batch = adding(variant).sample(generator(0, "test"), 1000)
    total = marked_pairs(batch).sum(1)
    expected = {"sum": total, "halved": total / 2, "original": 0.5 + total / 4}[variant]
    np.testing.assert_allclose(batch.targets, expected, atol=1e-6)


@pytest.mark.parametrize("variant", VARIANTS)
def test_numbers_are_uniform_on_their_range(variant: str) -> None:
    batch = adding(variant).sample(generator(0, "test"), 4000)
    low = -1 if variant == "original" else 0
    numbers = batch.inputs[-10:, :, 0].ravel()  # never padding
    assert low <= numbers.min() < low + 0.01
    assert 0.99 < numbers.max() <= 1
    for quarter in range(1, 4):
        below = (numbers < low + (1 - low) * quarter / 4).mean()
        assert abs(below - quarter / 4) < MOST * np.sqrt(0.25 / numbers.size)


def test_a_constant_answer_of_the_mean_has_the_accuracy_of_chance(drawn) -> None:
    task, _, y = drawn
    hit = np.abs(y - task.form.centre - task.form.scale * (task.form.low + task.form.high)) < task.tolerance
    assert abs(hit.mean() - task.chance) < MOST * hit.std() / np.sqrt(DRAWS)


def test_the_best_prediction_from_the_last_pair_alone_has_the_memoryless_loss(drawn) -> None:
    task, last, y = drawn
    best = np.full(DRAWS, y.mean())
    marked = last[:, 1] == 1
    if marked.any():
        best[marked] = last[marked, 0] + 0.5
    squared = (y - best) ** 2
    assert abs(squared.mean() - task.memoryless_loss) < MOST * squared.std() / np.sqrt(DRAWS)
    correlation = np.corrcoef(last[~marked, 0], y[~marked])[0, 1]  # an unmarked number carries no information
    assert abs(correlation) < MOST / np.sqrt(DRAWS)


def test_the_levels_without_memory_are_the_papers() -> None:
    assert adding("sum", 10**6).memoryless_loss == pytest.approx(1 / 6, rel=1e-5)
    assert adding("sum", 50).memoryless_loss == pytest.approx(1 / 6 - 1 / 12 / 25)
    assert adding("halved").memoryless_loss == pytest.approx(1 / 24)
    assert adding("original", 100).memoryless_loss == pytest.approx(1 / 24, rel=0.07)
    assert adding("sum").chance == adding("halved").chance == pytest.approx(1 - 0.92**2)


@pytest.mark.parametrize(("variant", "near"), [("sum", 0.08), ("halved", 0.04), ("original", 0.04)])
def test_an_answer_is_right_within_the_variants_own_tolerance(variant: str, near: float) -> None:
    model = SequenceToVector(adding(variant), RNN(cell="rnn", hidden_size=2), None, "torch")
    targets = torch.tensor([[0.3, 0.6, 0.9, 1.2]])
    off = torch.tensor([[0.99 * near, -0.99 * near, 1.01 * near, -1.01 * near]])
    right, scored = model.right({}, targets, (targets + off)[..., None], targets)
    assert right.tolist() == [[True, True, False, False]]
    assert scored.all()
    torch.testing.assert_close(model.losses((targets + off)[..., None], targets), off.square().mean(1))


def test_each_variant_is_solved_by_its_papers_rule() -> None:
    assert adding("sum").solved(0.99)
    assert adding("halved").solved(0.99)
    assert not adding("halved").solved(0.98)
    assert not adding("original").solved(0.999)
    assert adding("original").solved(1.0)


def test_the_dependency_is_the_longest_sequence() -> None:
    assert adding("sum").dependency == T
    assert adding("halved").dependency == T + T // 10
