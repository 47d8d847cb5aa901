"""When runs were solved, censored where they were not: the median time to solve, and its interval.

Read whenever a study is read: pandas and scipy are imported where something is measured.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.verdicts.metric import Measured

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from harness.statistics.intervals import Interval


def median_solve_time(runs: pd.DataFrame, generator: np.random.Generator, level: float) -> Measured:
    """Median number of updates to solve (Kaplan–Meier), and its interval by order statistics."""
    from harness.statistics.intervals import median_time

    times = solve_times(runs)
    if times.empty:
        return Measured(math.nan, math.nan, math.nan, 0, 0)
    median, ends = median_time(times.loc[times["solved"], "update"], times.loc[~times["solved"], "update"], level)
    seeds = int(runs["seed"].nunique())
    if seeds < len(runs):
        ends = _pooled_median(times, seeds, level)
    return Measured(median, *ends, len(runs), seeds)


def _pooled_median(times: pd.DataFrame, seeds: int, level: float) -> Interval:
    """Interval of the median over runs of fewer seeds, as if all runs of a seed took equally long.

    Runs of one seed are correlated by an unknown amount: the ranks of `median_interval` are those of the seeds, each
    standing for as many runs. An unsolved run is known to take longer than it was watched: its own end counts below,
    and ∞ above.
    """
    import numpy as np

    from harness.statistics.intervals import Interval
    from harness.statistics.order_statistics import median_rank

    rank, each = median_rank(seeds, level), len(times) / seeds
    if not rank:
        return Interval(math.nan, math.nan)
    below = np.sort(times["update"].to_numpy(dtype=np.float64))
    above = np.sort(times["update"].where(times["solved"], math.inf).to_numpy(dtype=np.float64))
    first, last = math.floor((rank - 1) * each), math.ceil((seeds + 1 - rank) * each) - 1
    return Interval(float(below[first]), float(above[last]))


def solve_times(runs: pd.DataFrame) -> pd.DataFrame:
    """When each run was solved, or how long it is known not to be: columns `update` and `solved`.

    A diverged run is never solved: it counts as unsolved up to its whole budget, not just up to the update at which
    it broke (dropping it there would assume that it would have gone on like the others).
    """
    import pandas as pd

    solved = runs["solved_at"].notna()
    budget = runs["max_updates"] if "max_updates" in runs.columns else runs["updates"]
    end = runs["updates"].where(runs["outcome"] != "diverged", budget)
    return pd.DataFrame({"update": runs["solved_at"].where(solved, end).astype("float64"), "solved": solved})


def restricted_solve_times(runs: pd.DataFrame) -> pd.Series[float]:
    """The mean of each seed's times, each up to the budget."""
    return solve_times(runs)["update"].groupby(runs["seed"]).mean()
