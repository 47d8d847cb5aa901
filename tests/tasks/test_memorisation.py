"""Noiseless memorisation: the pattern comes back when the cue does; every pattern of five bits is drawn."""

import numpy as np
import pytest

from harness.rng import generator
from harness.tasks.memorisation import Memorisation

FORMS = {5: (5, 2), 20: (10, 5)}


def memorisation(bits: int, delay: int) -> Memorisation:
    return Memorisation(name="memorisation", bits=bits, delay=delay)


@pytest.mark.parametrize("delay", [1, 30])
@pytest.mark.parametrize("bits", FORMS)
def test_a_pattern_then_a_constant_then_the_pattern_from_the_cue_on(bits: int, delay: int) -> None:
    N, K = FORMS[bits]
    batch = memorisation(bits, delay).sample(generator(0, "test"), 300)
    for inputs, targets in zip(batch.inputs.T.tolist(), batch.targets.T.tolist(), strict=True):
        pattern = inputs[:N]
        assert set(pattern) <= set(range(K))
        assert inputs == pattern + [K] * delay + [K + 1] + [K] * (N - 1)
        assert targets == [K] * (delay + N) + pattern


def test_the_32_patterns_of_five_bits_are_equally_likely() -> None:
    targets = memorisation(5, 1).sample(generator(0, "test"), 32_000).targets
    counts = np.bincount(2 ** np.arange(5) @ targets[-5:].astype(int), minlength=32)
    assert abs(counts - 1000).max() < 5 * np.sqrt(1000)


@pytest.mark.parametrize(("bits", "floor"), [(5, 5 * np.log(2) / 110), (20, 10 * np.log(5) / 120)])
def test_the_memoryless_loss_is_a_guess_at_every_symbol_of_the_pattern(bits: int, floor: float) -> None:
    task = memorisation(bits, 100)
    assert task.memoryless_loss == pytest.approx(floor)
    assert not task.solved(task.chance)
    assert task.chance == pytest.approx(1 - FORMS[bits][0] * (1 - 1 / FORMS[bits][1]) / task.length)
