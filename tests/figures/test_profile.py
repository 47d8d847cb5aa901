"""A profile's line is the mean over seeds of what was measured; its theory is drawn where there is any."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from artists import dashed, solid

from harness.errors import HarnessError
from harness.figures.profile import profile


def rows(quantity: str = "slope", theory: object = None, seeds: int = 3, gain: float = 1.0) -> pd.DataFrame:
    at = [1.0, 2.0, 4.0]
    return pd.DataFrame([
        {
            "run_id": f"{seed}-{gain}", "update": 0, "quantity": quantity, "axis": "lag", "at": at,
            "measured": [gain * (seed + x) for x in at], "theory": theory, "seed": seed, "gain": gain,
        }
        for seed in range(seeds)
    ])  # fmt: skip


def test_the_line_is_the_mean_over_seeds_at_each_position() -> None:
    [ax] = profile(rows(), "slope").axes
    [line] = solid(ax)
    assert line.get_xdata().tolist() == [1.0, 2.0, 4.0]
    assert line.get_ydata().tolist() == pytest.approx([2.0, 3.0, 5.0])
    assert dashed(ax) == []


def test_each_hue_has_its_own_line() -> None:
    both = pd.concat([rows(gain=1.0), rows(gain=10.0)], ignore_index=True)
    [ax] = profile(both, "slope", hue="gain").axes
    assert sorted(line.get_ydata()[0] for line in solid(ax)) == pytest.approx([2.0, 20.0])


def test_theory_is_drawn_where_there_is_one_and_a_single_point_is_a_mark() -> None:
    [ax] = profile(rows(theory=[1.0, 2.0, 3.0]), "slope").axes
    [line] = dashed(ax)
    assert line.get_ydata().tolist() == [1.0, 2.0, 3.0]
    assert line.get_marker() in ("", "None")
    [ax] = profile(rows(theory=[1.0, np.nan, np.nan]), "slope").axes
    [line] = dashed(ax)
    assert line.get_marker() == "_"


def test_values_that_are_not_finite_are_left_out_of_the_mean() -> None:
    frame = rows()
    frame.at[0, "measured"] = [-np.inf, np.nan, 4.0]
    [ax] = profile(frame, "slope").axes
    [line] = solid(ax)
    assert line.get_ydata().tolist() == pytest.approx([2.5, 3.5, 5.0])


def test_a_quantity_that_was_not_recorded_is_an_error() -> None:
    with pytest.raises(HarnessError, match="no profile of 'slop'"):
        profile(rows(), "slop")
