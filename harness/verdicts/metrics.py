"""What an expectation can be about: each metric measures one group of runs, over seeds.

Read whenever a study is read: pandas and scipy are imported where something is measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


@dataclass(frozen=True)
class Measured:
    """A metric of one group of runs: value and 95 % interval, from `runs` runs of `seeds` seeds."""

    value: float
    low: float
    high: float
    runs: int
    seeds: int


@dataclass(frozen=True)
class Metric:
    """One metric: how a group of runs is measured, how a seed scores in a paired test, how its numbers are written."""

    name: str
    label: str
    meaning: str
    measure: Callable[[pd.DataFrame, np.random.Generator], Measured]
    per_seed: Callable[[pd.DataFrame], pd.Series[float]]
    decimals: int

    def text(self, value: float) -> str:
        """A number of this metric in words: '0.88', '700', '> budget' where the data end before it."""
        if math.isnan(value):
            return "–"
        if math.isinf(value):
            return "> budget" if self.name == "solved_at" else "−∞" if value < 0 else "∞"
        return f"{value:.{self.decimals}f}"


def finished(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs with a result: a failed run has none."""
    return runs[runs["outcome"].isin(["solved", "unsolved", "diverged"])]


def _success_rate(runs: pd.DataFrame, generator: np.random.Generator) -> Measured:
    from harness.statistics.intervals import pooled_interval

    solved, n, seeds = int((runs["outcome"] == "solved").sum()), len(runs), int(runs["seed"].nunique())
    return Measured(solved / n if n else math.nan, *pooled_interval(solved, n, seeds), n, seeds)


def _solved(runs: pd.DataFrame) -> pd.Series[float]:
    return (runs["outcome"] == "solved").astype("float64").groupby(runs["seed"]).mean()


def _final_accuracy(runs: pd.DataFrame, generator: np.random.Generator) -> Measured:
    return _interquartile(_accuracies(runs), runs, generator)


def _accuracies(runs: pd.DataFrame) -> pd.Series[float]:
    accuracy = runs["final_accuracy"].astype("float64")
    # Leaving a diverged run out would flatter the method: a network of NaNs guesses.
    lost = (runs["outcome"] == "diverged") & accuracy.isna()
    return accuracy.mask(lost, runs["chance"].astype("float64")).groupby(runs["seed"]).mean()


def _interquartile(per_seed: pd.Series[float], runs: pd.DataFrame, generator: np.random.Generator) -> Measured:
    from harness.statistics.intervals import iqm, iqm_interval

    values = per_seed.dropna().to_numpy()
    return Measured(iqm(values), *iqm_interval(values, generator), len(runs), len(values))


def _losses(runs: pd.DataFrame) -> pd.Series[float]:
    return runs["final_loss"].astype("float64").groupby(runs["seed"]).mean()


def _per_seed(runs: pd.DataFrame, column: str) -> pd.Series[float]:
    return runs[column].astype("float64").groupby(runs["seed"]).mean()


def _column(name: str, label: str, meaning: str, decimals: int) -> Metric:
    """A metric that is a column of the table of runs: a seed's mean, and the interquartile mean over seeds."""
    return Metric(
        name,
        label,
        f"{meaning}; IQM over seeds, bootstrap 95 % interval",
        lambda runs, generator: _interquartile(_per_seed(runs, name), runs, generator),
        lambda runs: _per_seed(runs, name),
        decimals,
    )


def _largest(runs: pd.DataFrame, column: str) -> Measured:
    largest = float(runs[column].astype("float64").max())
    return Measured(largest, math.nan, math.nan, len(runs), runs["seed"].nunique())


def _loss_ratios(runs: pd.DataFrame) -> pd.Series[float]:
    ratio = runs["final_loss"].astype("float64") / runs["memoryless_loss"].astype("float64")
    return ratio.groupby(runs["seed"]).mean()


def _solved_at(runs: pd.DataFrame, generator: np.random.Generator) -> Measured:
    from harness.statistics.intervals import median_time

    times = solve_times(runs)
    if times.empty:
        return Measured(math.nan, math.nan, math.nan, 0, 0)
    median, ends = median_time(times.loc[times["solved"], "update"], times.loc[~times["solved"], "update"])
    return Measured(median, *ends, len(runs), runs["seed"].nunique())


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


def _restricted(runs: pd.DataFrame) -> pd.Series[float]:
    return solve_times(runs)["update"].groupby(runs["seed"]).mean()


SUCCESS_RATE = Metric(
    "success_rate",
    "success rate",
    "solved / (solved + unsolved + diverged), Wilson 95 % interval with the number of seeds as n",
    _success_rate,
    _solved,
    2,
)
FINAL_ACCURACY = Metric(
    "final_accuracy", "final accuracy",
    "interquartile mean over seeds (a seed's mean where several settings are pooled; chance for a diverged run), "
    "bootstrap 95 % interval",
    _final_accuracy, _accuracies, 3,
)  # fmt: skip
SOLVED_AT = Metric(
    "solved_at", "updates to solve",
    "median number of updates to the first evaluation that met the task's rule, unsolved runs censored (Kaplan–Meier), "
    "95 % interval; a pair is compared by its updates up to the budget",
    _solved_at, _restricted, 0,
)  # fmt: skip

FINAL_LOSS = Metric(
    "final_loss",
    "final loss (nats, or squared error)",
    "mean loss on the final sequences; IQM over seeds, bootstrap 95 % interval",
    lambda runs, generator: _interquartile(_losses(runs), runs, generator),
    _losses,
    3,
)
BITS = Metric(
    "bits_per_symbol",
    "bits per symbol",
    "final loss in bits, log2 instead of the natural logarithm; IQM over seeds, bootstrap 95 % interval",
    lambda runs, generator: _interquartile(_losses(runs) / math.log(2), runs, generator),
    lambda runs: _losses(runs) / math.log(2),
    3,
)
LOSS_RATIO = Metric(
    "loss_to_memoryless",
    "final loss / memoryless loss",
    "final loss as a share of what the best prediction from the present input alone would have; IQM over seeds, "
    "bootstrap 95 % interval",
    lambda runs, generator: _interquartile(_loss_ratios(runs), runs, generator),
    _loss_ratios,
    3,
)
ADJOINT_SLOPE = _column(
    "initial_adjoint_slope",
    "adjoint slope before training (log10 per step)",
    "mean change of log10 of the adjoint's norm over one step back in time, before training",
    4,
)
CELL_SLOPE = _column(
    "initial_adjoint_cell_slope",
    "cell adjoint slope before training (log10 per step)",
    "mean change of log10 of ||dL/dc|| over one step back in time, before training",
    4,
)
SWITCH_SCORE = _column(
    "switch_score",
    "best unit's switch score",
    "|2·AUC − 1| of the unit that best tells, before the second X or Y comes, that X has been seen (1: always)",
    2,
)
SWITCH_ERROR = Metric(
    "switch_error",
    "deviation from the switch's promise",
    "largest deviation of a state from what the gates set by hand promise, of all runs: a promise has no interval",
    lambda runs, generator: _largest(runs, "switch_error"),
    lambda runs: _per_seed(runs, "switch_error"),
    7,
)
MONTH_SILHOUETTE = _column(
    "month_silhouette",
    "silhouette of the months",
    "mean silhouette of the codes of dates, grouped by month",
    3,
)
WEEKDAY_SILHOUETTE = _column(
    "weekday_silhouette",
    "silhouette of the weekdays",
    "mean silhouette of the codes of dates, grouped by weekday",
    3,
)
ANALOGY_MONTH = _column(
    "analogy_month_accuracy",
    "months moved",
    "share of codes moved to another month that are decoded to that month's word",
    3,
)
ANALOGY = _column(
    "analogy_accuracy",
    "dates moved",
    "share of codes moved to another month that are decoded to the whole text with that month, letter for letter",
    3,
)

MEASURED = _column(
    "measured",
    "measured",
    "the number that an experiment without training is about",
    4,
)
RESIDUAL = Metric(
    "residual",
    "largest deviation from theory",
    "largest deviation of what was measured from what theory says, of all runs: a closed form has no interval",
    lambda runs, generator: _largest(runs, "residual"),
    lambda runs: _per_seed(runs, "residual"),
    7,
)

METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        SUCCESS_RATE,
        FINAL_ACCURACY,
        FINAL_LOSS,
        BITS,
        LOSS_RATIO,
        SOLVED_AT,
        ADJOINT_SLOPE,
        CELL_SLOPE,
        SWITCH_SCORE,
        SWITCH_ERROR,
        MONTH_SILHOUETTE,
        WEEKDAY_SILHOUETTE,
        ANALOGY_MONTH,
        ANALOGY,
        MEASURED,
        RESIDUAL,
    )
}
