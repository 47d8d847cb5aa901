"""Synthetic tables of runs: a grid of cells, some seeds, and an outcome for each run."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd


def grid(solved: npt.ArrayLike, **columns: Any) -> pd.DataFrame:
    """A table of runs from whether each was solved, (cells, seeds); `columns` replace the defaults."""
    is_solved = np.asarray(solved, dtype=bool)
    cells, seeds = np.indices(is_solved.shape)
    frame = pd.DataFrame(
        {
            "run_id": [f"{i:04d}" for i in range(is_solved.size)],
            "experiment": "training",
            "cell": np.where(cells.ravel() % 2, "lstm", "rnn"),
            "sequence_length": 10 * (1 + cells.ravel()),
            "bptt_window": np.nan,
            "seed": seeds.ravel(),
            "outcome": np.where(is_solved.ravel(), "solved", "unsolved"),
            "updates": np.where(is_solved.ravel(), 500, 1000),
            "solved_at": np.where(is_solved.ravel(), 500.0, np.nan),
            "max_updates": 1000,
            "final_accuracy": np.where(is_solved.ravel(), 1.0, 0.5),
            "final_loss": np.where(is_solved.ravel(), 0.1, 1.0),
            "chance": 0.25,
            "engine": "compiled",
            "device": "cpu",
            "cpu": "one",
            "versions": "numpy=2.3 torch=2.13",
            "seconds": 1.0,
        }
    )
    return frame.assign(**columns)
