"""What an expectation can be about: each metric measures one group of runs, over seeds.

No metric leaves a run out. A run that has lost its network to numbers that are not finite counts as its metric's
`meaning` says: never solved, at chance, with an infinite loss. Where a run has no value and no such rule, the group has
none: the metric is NaN, and there is no verdict.

Read whenever a study is read: pandas and scipy are imported where something is measured.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.schema import Column
from harness.store.columns import RUNS
from harness.study import labels
from harness.study.at_length import QUANTITIES, at_length
from harness.study.plugins import Group
from harness.study.spec import CONFIDENCE
from harness.verdicts.metric import UNLIMITED, Measure, Measured, Metric, PerSeed
from harness.verdicts.solve_time import median_solve_time, restricted_solve_times, solve_times

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

__all__ = [
    "FINAL_ACCURACY", "METRICS", "PLUGINS", "SOLVED_AT", "SUCCESS_RATE", "WITH_NUMBER", "Measure", "Measured", "Metric",
    "PerSeed", "accuracies_at_length", "finished", "lost", "measured_at_length", "metric_named", "parts", "seed_means",
    "solve_times",
]  # fmt: skip

IQM = "interquartile mean over seeds, interval by exact limits of their distribution"
SHARE, POSITIVE, CORRELATION = (0.0, 1.0), (0.0, math.inf), (-1.0, 1.0)
COMPLETE = "none unless every run has one"
LOST = "a run that diverged counts as ∞"


def finished(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs with a result: a failed run has none."""
    return runs[runs["outcome"].isin(["solved", "unsolved", "diverged"])]


def _success_rate(runs: pd.DataFrame, generator: np.random.Generator, level: float) -> Measured:
    from harness.statistics.intervals import pooled_interval

    solved, n, seeds = int((runs["outcome"] == "solved").sum()), len(runs), int(runs["seed"].nunique())
    return Measured(solved / n if n else math.nan, *pooled_interval(solved, n, seeds, level), n, seeds)


def _solved(runs: pd.DataFrame) -> pd.Series[float]:
    return (runs["outcome"] == "solved").astype("float64").groupby(runs["seed"]).mean()


def seed_means(values: pd.Series[float], seeds: pd.Series[int]) -> pd.Series[float]:
    """The mean of each seed's runs; NaN where one of them has no value: pandas alone would leave that run out."""
    return values.groupby(seeds).mean().mask(values.isna().groupby(seeds).any())


def lost(runs: pd.DataFrame) -> pd.Series[bool]:
    """Which runs ended without a network: they diverged, some of them after they had been solved.

    What argmax and comparisons make of a network of NaNs is no accuracy: of the copying memory .185, of a yes or no the
    share of noes. A solved run that goes on has no outcome of its own for that: it ends before its budget, or its final
    loss is not finite.
    """
    import numpy as np

    ended = runs["outcome"] == "diverged"
    if {"solved_at", "updates", "max_updates"} <= set(runs.columns):
        ended |= (runs["updates"] > runs["solved_at"]) & (runs["updates"] < runs["max_updates"])
    if {"final_accuracy", "final_loss"} <= set(runs.columns):
        loss = runs["final_loss"].astype("float64")
        if loss.notna().any():  # an experiment of a package may measure an accuracy and no loss
            ended |= runs["final_accuracy"].notna() & ~np.isfinite(loss)
    return ended.astype(bool)


def _final_accuracy(runs: pd.DataFrame, generator: np.random.Generator, level: float) -> Measured:
    return _interquartile(_accuracies(runs), runs, level, SHARE)


def _accuracies(runs: pd.DataFrame) -> pd.Series[float]:
    return seed_means(_run_accuracies(runs), runs["seed"])


def _run_accuracies(runs: pd.DataFrame) -> pd.Series[float]:
    return runs["final_accuracy"].astype("float64").mask(lost(runs), runs["chance"].astype("float64"))


def _interquartile(
    per_seed: pd.Series[float], runs: pd.DataFrame, level: float, limits: tuple[float, float]
) -> Measured:
    from harness.statistics.intervals import iqm, iqm_interval

    values = per_seed.to_numpy(dtype="float64")
    # An experiment of a package may call something an accuracy, or a loss, that has no such limits.
    within = bool(((values >= limits[0]) & (values <= limits[1])).all())
    return Measured(iqm(values), *iqm_interval(values, level, limits if within else UNLIMITED), len(runs), len(values))


def accuracies_at_length(rows: pd.DataFrame) -> pd.Series[float]:
    """The accuracy of each seed at one length.

    A run without a network counts at chance, and so does one whose network is finite at the length of its training and
    not at this one: what argmax makes of NaNs is no accuracy.

    Args:
        rows: of the table of evaluations, all of one length, with the columns of their runs.
    """
    import numpy as np

    accuracy, loss, chance = (rows[name].astype("float64") for name in ("accuracy", "loss", "chance"))
    overflowed = accuracy.notna() & ~np.isfinite(loss)
    return seed_means(accuracy.mask(lost(rows) | overflowed, chance), rows["seed"])


def measured_at_length(rows: pd.DataFrame, generator: np.random.Generator, level: float = CONFIDENCE) -> Measured:
    """Interquartile mean of the accuracy at one length, and its interval; `accuracies_at_length` has the arguments."""
    return _interquartile(accuracies_at_length(rows), rows, level, SHARE)


def accuracy_at_length(length: int | str) -> Metric:
    """The metric of the accuracy at one length of `evaluation.lengths`; in its description the length may be "T"."""

    def rows(runs: pd.DataFrame) -> pd.DataFrame:
        columns = {name: at_length(name, length) for name in QUANTITIES}
        known = {name: runs[column] if column in runs.columns else math.nan for name, column in columns.items()}
        return runs.assign(**known)

    return Metric(
        at_length("accuracy", length),
        f"accuracy at length {length}",
        f"accuracy on sequences of length {length}, one of evaluation.lengths (chance at that length for a run that "
        f"diverged, or whose loss there is not finite); {IQM}; {COMPLETE}",
        lambda runs, generator, level: measured_at_length(rows(runs), generator, level),
        lambda runs: accuracies_at_length(rows(runs)),
        FINAL_ACCURACY.decimals,
        better=1,
        unit=FINAL_ACCURACY.unit,
        statistic="iqm",
        limits=SHARE,
    )


def _losses(runs: pd.DataFrame) -> pd.Series[float]:
    return seed_means(_run_losses(runs), runs["seed"])


def _run_losses(runs: pd.DataFrame) -> pd.Series[float]:
    return runs["final_loss"].astype("float64").mask(lost(runs), math.inf)


def of_column(column: Column) -> Metric:
    """The metric that a measured column is, as its declaration says.

    Raises:
        ValueError: the column is none.
    """
    options = column.metric
    if options is None:
        raise ValueError(f"{column.name} is declared without a metric")

    def measure(runs: pd.DataFrame, generator: np.random.Generator, level: float) -> Measured:
        if options.statistic == "largest":
            largest = float(per_run(runs).max(skipna=False))
            return Measured(largest, math.nan, math.nan, len(runs), runs["seed"].nunique())
        return _interquartile(per_seed(runs), runs, level, options.limits)

    def per_run(runs: pd.DataFrame) -> pd.Series[float]:
        values = runs[column.name].astype("float64")
        return values if options.untrained else values.mask(lost(runs))

    def per_seed(runs: pd.DataFrame) -> pd.Series[float]:
        return seed_means(per_run(runs), runs["seed"])

    statistic = "the largest of all runs, without an interval" if options.statistic == "largest" else IQM
    statistic += f"; {COMPLETE}" + ("" if options.untrained else ", and a run that diverged has none")
    return Metric(
        column.name,
        labels.axis(column.name),
        f"{column.meaning.partition(';')[0]}; {statistic}",
        measure,
        per_seed,
        options.decimals,
        options.better,
        options.margin,
        column.unit,
        statistic="iqm" if options.statistic == "iqm" else "own",
        limits=options.limits,
        sampled=options.statistic != "largest",
    )


def _loss_ratios(runs: pd.DataFrame) -> pd.Series[float]:
    memoryless = runs["memoryless_loss"].astype("float64")
    # of a task that the present input alone solves, as brackets one deep, the ratio says nothing about memory
    return seed_means(_run_losses(runs) / memoryless.where(memoryless > 0), runs["seed"])


def _accuracy_by(runs: pd.DataFrame, of_exponent: Callable[[pd.Series[float]], pd.Series[float]]) -> pd.Series[float]:
    from harness.statistics.rank_correlation import rank_correlations

    exponents = of_exponent(runs["initial_adjoint_slope_geometric"].astype("float64"))
    return rank_correlations(exponents, _run_accuracies(runs), runs["seed"])


def accuracy_by_exponent(
    name: str, label: str, quantity: str, of_exponent: Callable[[pd.Series[float]], pd.Series[float]]
) -> Metric:
    """A metric of whether the Lyapunov exponent before training orders the settings as what they learn does.

    Args:
        quantity: the function of the exponent, in words.
        of_exponent: that function.
    """
    return Metric(
        name,
        label,
        f"Spearman's rank correlation of the final accuracy (chance for a diverged run) with {quantity} before "
        "training (initial_adjoint_slope_geometric), over a seed's runs at all settings of the group; "
        f"{IQM}; none unless every seed has three runs that differ in both",
        lambda runs, generator, level: _interquartile(_accuracy_by(runs, of_exponent), runs, level, CORRELATION),
        lambda runs: _accuracy_by(runs, of_exponent),
        2,
        better=0,
        statistic="iqm",
        limits=CORRELATION,
    )


SUCCESS_RATE = Metric(
    "success_rate",
    "success rate",
    "solved / (solved + unsolved + diverged), Wilson interval with the number of seeds as n",
    _success_rate,
    _solved,
    2,
    better=1,
    margin=0.6,
    unit="share of runs, 0 to 1",
    statistic="rate",
    limits=SHARE,
)
FINAL_ACCURACY = Metric(
    "final_accuracy", "final accuracy",
    "interquartile mean over seeds (a seed's mean where several settings are pooled; chance for a diverged run), "
    "interval by exact limits of their distribution",
    _final_accuracy, _accuracies, 3, better=1, margin=0.4, unit="share of answers, 0 to 1", statistic="iqm",
    limits=SHARE,
)  # fmt: skip
SOLVED_AT = Metric(
    "solved_at", "updates to solve",
    "median number of updates to the first evaluation that met the task's rule, unsolved runs censored (Kaplan–Meier; "
    "a diverged run at its whole budget), interval by order statistics, of pooled runs with the number of "
    "seeds as n; a pair is compared by its updates up to the budget",
    median_solve_time, restricted_solve_times, 0, better=-1, unit="updates", statistic="median", limits=POSITIVE,
)  # fmt: skip

FINAL_LOSS = Metric(
    "final_loss",
    "final loss (nats, or squared error)",
    f"mean loss on the final sequences ({LOST}); {IQM}",
    lambda runs, generator, level: _interquartile(_losses(runs), runs, level, POSITIVE),
    _losses,
    3,
    better=-1,
    unit="nats, of numbers squared error",
    statistic="iqm",
    limits=POSITIVE,
)
BITS = Metric(
    "bits_per_symbol",
    "bits per symbol",
    f"final loss in bits, log2 instead of the natural logarithm ({LOST}); {IQM}",
    lambda runs, generator, level: _interquartile(_losses(runs) / math.log(2), runs, level, POSITIVE),
    lambda runs: _losses(runs) / math.log(2),
    3,
    better=-1,
    margin=0.25,
    unit="bits",
    statistic="iqm",
    limits=POSITIVE,
)
LOSS_RATIO = Metric(
    "loss_to_memoryless",
    "final loss / memoryless loss",
    f"final loss as a share of what the best prediction from the present input alone would have ({LOST}); IQM over "
    "seeds, interval by exact limits of their distribution",
    lambda runs, generator, level: _interquartile(_loss_ratios(runs), runs, level, POSITIVE),
    _loss_ratios,
    3,
    better=-1,
    margin=0.1,
    statistic="iqm",
    limits=POSITIVE,
)
EXPONENT = accuracy_by_exponent(
    "accuracy_by_exponent",
    "rank correlation of accuracy and exponent",
    "the largest Lyapunov exponent λ₁",
    lambda exponents: exponents,
)
NEARNESS = accuracy_by_exponent(
    "accuracy_by_nearness",
    "rank correlation of accuracy and nearness of the exponent to zero",
    "−|λ₁|, the nearness of the largest Lyapunov exponent to zero,",
    lambda exponents: -exponents.abs(),
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
        EXPONENT,
        NEARNESS,
        *(of_column(column) for column in RUNS.columns if column.metric is not None),
    )
}
# Metrics that differ in a whole number, which stands in brackets: accuracy_at_length(200).
WITH_NUMBER: Mapping[str, Callable[[int | str], Metric]] = {"accuracy_at_length": accuracy_at_length}
NUMBER = re.compile(r"[1-9]\d{0,17}", re.ASCII)
PLUGINS = Group("harness.metrics", "expect.metric", Metric, METRICS, tuple(WITH_NUMBER))


@cache
def metric_named(name: str) -> Metric:
    """A metric by its name, built in or brought by an installed package.

    Raises:
        HarnessError: there is none of that name, it cannot be loaded, or it lacks its number.
    """
    word, number = parts(name)
    if word not in WITH_NUMBER:
        return PLUGINS.named(name)
    if number is None:
        raise HarnessError(f"metric '{name}' is that of one length, which stands in brackets: {word}(200)")
    return WITH_NUMBER[word](number)


def parts(name: str) -> tuple[str, int | None]:
    """A metric's name without its number, and the number: ("accuracy_at_length", 200); None where it has none."""
    word, bracket, rest = name.partition("(")
    if not bracket:
        return name, None
    digits = rest.removesuffix(")")
    return word, int(digits) if rest.endswith(")") and NUMBER.fullmatch(digits) else None
