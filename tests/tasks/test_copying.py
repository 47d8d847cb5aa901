"""Copying: symbols, blanks, a cue, and the symbols again; and the loss without memory."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from harness.models import readout
from harness.rng import generator
from harness.tasks.copying import Copying

DELAYS = (1, 5, 50)


def copying(delay: int) -> Copying:
    return Copying(name="copying", delay=delay)


@pytest.mark.parametrize("delay", DELAYS)
def test_ten_symbols_then_blanks_then_a_cue_and_the_answer_begins_after_it(delay: int) -> None:
    batch = copying(delay).sample(generator(0, "test"), 300)
    for inputs, targets in zip(batch.inputs.T.tolist(), batch.targets.T.tolist(), strict=True):
        symbols = inputs[:10]
        assert set(symbols) <= set(range(8))
        assert inputs == symbols + [8] * (delay - 1) + [9] + [8] * 10
        assert targets == [8] * (delay + 10) + symbols


def test_all_symbols_are_as_likely_at_every_place() -> None:
    symbols = copying(1).sample(generator(0, "test"), 20_000).targets[-10:]
    for place in symbols:
        share = np.bincount(place, minlength=8) / 20_000
        assert abs(share - 1 / 8).max() < 5 * np.sqrt(1 / 8 * 7 / 8 / 20_000)


@pytest.mark.parametrize("delay", DELAYS)
def test_blanks_and_then_guesses_have_the_memoryless_loss_and_chance(delay: int) -> None:
    task = copying(delay)
    targets = torch.as_tensor(task.sample(generator(0, "test"), 2000).targets).unsqueeze(1)  # (T, 1, B)
    logits = torch.full((*targets.shape, task.output_size), -torch.inf, dtype=torch.float64)
    logits[:-10, ..., 8] = 0
    logits[-10:, ..., :8] = 0
    assert float(readout.losses("classes", logits, targets)) == pytest.approx(task.memoryless_loss, rel=1e-12)
    right = readout.right("classes", logits, targets).double().mean(dim=(0, 1))  # of each sequence
    assert abs(float(right.mean()) - task.chance) < 5 * float(right.std()) / np.sqrt(2000)


def test_the_memoryless_loss_is_the_papers() -> None:
    assert [round(copying(T).memoryless_loss, 4) for T in (50, 100, 200)] == [0.2971, 0.1733, 0.0945]
    assert copying(1000).memoryless_loss == pytest.approx(0.0204, abs=5e-5)  # Bai, Kolter & Koltun 2018


@pytest.mark.parametrize("delay", [50, 2000])
def test_solved_counts_symbols_so_that_blanks_alone_never_solve(delay: int) -> None:
    task = copying(delay)
    assert not task.solved(task.chance)
    assert task.solved(1 - 0.099 / task.length)
    assert not task.solved(1 - 0.101 / task.length)


def test_one_seed_draws_the_same_symbols_at_every_delay() -> None:
    """Cells of a grid are paired."""
    short, long = (copying(delay).batch(3, "train", 5, 20) for delay in (10, 100))
    assert np.array_equal(short.targets[-10:], long.targets[-10:])


def test_the_dependency_is_from_a_symbol_to_its_answer() -> None:
    task = copying(7)
    batch = task.sample(generator(0, "test"), 1)
    assert (batch.inputs[:10] == batch.targets[task.dependency - 1 : task.dependency + 9]).all()


def test_inputs_and_answers_are_spelled() -> None:
    task = copying(2)
    batch = task.sample(generator(0, "test"), 1)
    words = task.spelled(batch.inputs[:, 0])
    assert words[10:] == ["·", "?", *["·"] * 10]
    assert task.answered(batch.targets[:, 0]) == " ".join(words[:10])


def test_a_delay_of_zero_is_refused() -> None:
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        copying(0)
