"""Levels without memory, against draws and published readings."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.theory.chance import adding_chance, copying_floor


def test_the_loss_of_adding_without_memory_is_the_variance_of_the_sum() -> None:
    """10⁶ draws: standard errors below 2·10⁻⁴."""
    generator = np.random.default_rng(9)
    total = generator.uniform(0, 1, (2, 1_000_000)).sum(axis=0)
    assert np.var(total) == pytest.approx(adding_chance(), abs=1e-3)
    original = 0.5 + generator.uniform(-1, 1, (2, 1_000_000)).sum(axis=0) / 4
    assert np.var(original) == pytest.approx(adding_chance(halved=True), abs=1e-3)


@pytest.mark.parametrize(("delay", "floor"), [(50, 0.297), (100, 0.173), (200, 0.0945), (1000, 0.0204)])
def test_the_copying_floor_is_the_published_one(delay: int, floor: float) -> None:
    assert copying_floor(delay) == pytest.approx(floor, abs=5e-4)


def test_a_single_symbol_is_known_without_memory() -> None:
    assert copying_floor(10, symbols=1) == 0.0
    assert copying_floor(0, symbols=4, copied=3) == pytest.approx(math.log(4) / 2)


@pytest.mark.parametrize(("delay", "symbols", "copied"), [(-1, 8, 10), (5, 0, 10), (5, 8, 0)])
def test_a_negative_delay_and_no_symbols_are_refused(delay: int, symbols: int, copied: int) -> None:
    with pytest.raises(ValueError, match="delay"):
        copying_floor(delay, symbols=symbols, copied=copied)
