"""The heat map of difficulties: each cell is the metric of its own column, at its digits and operations."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import QuadMesh

from harness.errors import HarnessError
from harness.figures.difficulties import difficulties
from harness.tasks.written_programs import JUDGED, at_difficulty


def table(seeds: int = 8) -> pd.DataFrame:
    """Exact match falls by a tenth a digit, and by three a hundredth an operation; nothing of three operations."""
    rows = []
    for seed in range(seeds):
        for curriculum in ("none", "combined"):
            better = 0.1 * (curriculum == "combined")
            values = {
                at_difficulty("exact_match", d, o): None if o == 3 else 0.9 - 0.1 * d - 0.03 * o + better
                for d, o in JUDGED
            }
            mean = np.mean([value for value in values.values() if value is not None])
            rows.append({
                "run_id": f"{seed}{curriculum}", "seed": seed, "outcome": "unsolved", "curriculum": curriculum,
                **values, "exact_match_mean": mean,
            })  # fmt: skip
    return pd.DataFrame(rows)


def test_a_cell_is_the_metric_of_its_digits_and_operations_where_it_was_measured() -> None:
    figure = difficulties(table())
    for ax, better in zip(figure.axes[:2], (0.1, 0.0), strict=True):
        [mesh] = [each for each in ax.collections if isinstance(each, QuadMesh)]
        values = np.ma.filled(mesh.get_array().reshape(2, 4), np.nan)
        d, o = np.meshgrid([1, 2, 3, 4], [1, 2])
        expected = 0.9 - 0.1 * d - 0.03 * o + better
        assert values == pytest.approx(expected)
        written = [text.get_text() for text in ax.texts]
        assert written == [f"{value:.2f}"[1:] for value in expected.flat]


def test_nothing_measured_is_said() -> None:
    with pytest.raises(HarnessError, match="forced_accuracy was recorded"):
        difficulties(table(), measure="forced_accuracy")
