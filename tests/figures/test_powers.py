"""Labels of an axis of log10 values are true: 10 to their exponent is where they stand."""

from __future__ import annotations

import re

import numpy as np
import pytest

from harness.figures.powers import PowerLocator, StepLocator, power

RANGES = [(-200, 0), (-2, -1), (-2.3, -1.2), (-1.9, -1.1), (-1.99, -1.2), (-1.99, -1.97), (-1e-3, 1e-3), (0.1, 3.4)]


def value(label: str) -> float:
    """The logarithm that a label says."""
    [(multiple, exponent)] = re.findall(r"^\$(?:(\d)\\cdot)?10\^\{(-?[\d.e-]+)\}\$$", label)
    return float(exponent) + np.log10(float(multiple or 1))


@pytest.mark.parametrize(("low", "high"), RANGES)
def test_every_label_says_where_it_stands_and_no_two_say_the_same(low: float, high: float) -> None:
    ticks = [tick for tick in PowerLocator().tick_values(low, high) if low - 1e-9 <= tick <= high + 1e-9]
    assert len(ticks) >= 2
    labels = [power(tick) for tick in ticks]
    assert [value(label) for label in labels] == pytest.approx(ticks, abs=1e-6)
    assert len(set(labels)) == len(labels)


def test_ticks_are_decades_where_the_range_has_two() -> None:
    assert [power(x) for x in PowerLocator().tick_values(-3.5, -1.9) if -3.5 <= x <= -1.9] == ["$10^{-3}$", "$10^{-2}$"]
    labels = [power(x) for x in PowerLocator().tick_values(-2.3, -1.2)]
    assert labels == ["$10^{-2}$", r"$2\cdot10^{-2}$", r"$5\cdot10^{-2}$"]
    assert power(-1.5) == "$10^{-1.5}$"


def test_steps_are_whole_numbers() -> None:
    assert StepLocator().tick_values(0, 11).tolist() == [0, 2, 4, 6, 8, 10, 12]
