"""Spearman's rank correlation over the runs of each seed: does one measurement order a study's settings as another?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from scipy import stats

if TYPE_CHECKING:
    import pandas as pd


def rank_correlations(x: pd.Series[float], y: pd.Series[float], seeds: pd.Series[int]) -> pd.Series[float]:
    """Spearman's ρ between x and y over the runs of each seed, ties at their mean rank.

    Of one seed the runs differ in their settings, so that ρ is over settings, and seeds are independent of each other.

    Returns:
        One number a seed, −1 to 1; NaN where a run has no value, where x or y is the same for all runs, and of fewer
        than three runs.

    Source: Spearman 1904, "The proof and measurement of association between two things".
    """
    return x.to_frame("x").assign(y=y).groupby(seeds).apply(_spearman)


def _spearman(pairs: pd.DataFrame) -> float:
    if len(pairs) < 3 or pairs.nunique().min() < 2:  # scipy warns of a constant
        return math.nan
    return float(stats.spearmanr(pairs["x"], pairs["y"]).statistic)
