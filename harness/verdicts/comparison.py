"""Comparison of two results of the same grid: the change in each cell, and whether it is a regression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from harness.errors import HarnessError
from harness.schema import Values
from harness.statistics.intervals import LEVEL, Interval
from harness.statistics.significance import (
    chance_of_exceeding,
    difference_interval,
    exceeds,
    probability_of_improvement,
    stratified_permutation,
)
from harness.verdicts.metrics import METRICS, Measured, Metric, lost, metric_named
from harness.verdicts.pairing import Pairs, grid_cells, pair

ComparisonState = Literal["no regression", "regression", "incomplete"]


@dataclass(frozen=True)
class Gate:
    """What counts as worse in a metric, and by how much a single cell may become worse.

    `better` is 1 where higher is better, −1 where lower is, 0 where a change in either direction is for the worse.
    `margin` is in the metric's units; None where no margin suits every study: the test over the grid alone decides.
    """

    better: int
    margin: float | None = None


@dataclass(frozen=True)
class ComparedCell:
    """One cell of the grid in A and in B: `n` pairs, of which `changed` differ in the metric.

    `p` is the cell's own test, `corrected` the same after Benjamini–Hochberg over the cells, `beyond` whether the cell
    is worse by more than the margin.
    """

    label: str
    n: int
    changed: int
    first: Measured
    second: Measured
    difference: float
    interval: Interval
    p: float
    corrected: float
    beyond: bool


@dataclass(frozen=True)
class Comparison:
    """The result of `compare`.

    `difference`, `interval`, `p` and `improvement` are over the whole grid, all cells with equal weight; `false_alarms`
    is the probability that by chance alone some cell exceeds the margin; `valueless` counts the pairs whose metric has
    a value in A and none in B, `without` those that have none in A and are left out.
    """

    metric: Metric
    gate: Gate
    level: float
    allow_partial: bool
    pairs: Pairs
    cells: tuple[ComparedCell, ...]
    difference: float
    interval: Interval
    p: float
    improvement: tuple[float, Interval]
    false_alarms: float
    valueless: int
    without: int = 0

    @property
    def identical(self) -> bool:
        """Whether every run of A has a partner whose measurements are all the same, bit for bit."""
        return self.pairs.identical == len(self.pairs) and not self.lacking

    @property
    def significant(self) -> bool:
        """Whether the test over the grid is significant, and the difference is for the worse."""
        return self.p <= 1 - self.level and self.gate.better * self.difference <= 0

    @property
    def beyond(self) -> tuple[ComparedCell, ...]:
        """The cells that are worse by more than the margin."""
        return tuple(cell for cell in self.cells if cell.beyond)

    @property
    def lacking(self) -> int:
        """How many runs have a result in A and none in B."""
        return len(self.pairs.lost) + self.valueless

    @property
    def state(self) -> ComparisonState:
        """The verdict; an incomplete sweep has none unless `allow_partial`."""
        if self.lacking and not self.allow_partial:
            return "incomplete"
        return "regression" if self.significant or self.beyond else "no regression"


def compare(
    first: pd.DataFrame,
    second: pd.DataFrame,
    *,
    metric: str | None = None,
    margin: float | None = None,
    level: float = LEVEL,
    allow_partial: bool = False,
    seed: int = 0,
) -> Comparison:
    """Compare two tables of runs, pair by pair.

    A regression is a significant mean difference for the worse over all cells (`stratified_permutation`), or one cell
    whose own mean difference is worse by more than the margin.

    Args:
        first, second: tables of runs with every setting as a column, the baseline first.
        metric: a metric's name; default: the success rate if a run of either was solved, else the final accuracy,
            else the first metric that was recorded.
        margin: by how much worse a cell may be, in the metric's units; default: that of the metric.
        level: of the test over the grid; p ≤ 1 − level is significant.
        allow_partial: judge although runs of A have no result in B.
        seed: of the generator behind intervals and random patterns.

    Raises:
        HarnessError: nothing can be paired, or the metric is unknown, was not recorded, or is infinite on one side of
            a pair.
    """
    pairs = pair(first, second)
    measure = metric_named(_metric_name(metric, pairs))
    gate = Gate(measure.better, measure.margin if margin is None else margin)
    generator = np.random.default_rng(seed)
    # A pair whose metric has no value on one side (a diverged run has no loss) cannot enter a difference. One that lost
    # its value in B is counted, since it is not comparable any more.
    valued, before, after, valueless, without = [], [], [], 0, 0
    for label, rows in grid_cells(pairs):
        a, b = (_values(measure, side.iloc[rows]) for side in (pairs.first, pairs.second))
        valueless += int((~np.isnan(a) & np.isnan(b)).sum())
        without += int(np.isnan(a).sum())
        known = ~np.isnan(a) & ~np.isnan(b)
        if known.any():
            valued.append((label, np.asarray(rows)[known]))
            before.append(a[known])
            after.append(b[known])
    if not valued:
        raise HarnessError(f"no pair of runs has a value of {measure.name}; choose another --metric")
    differences = [_differences(a, b, measure) for a, b in zip(before, after, strict=True)]
    # One test a cell, corrected for their number; the order of the draws from the generator is part of the result.
    ps = [stratified_permutation([each], generator) for each in differences]
    corrected = stats.false_discovery_control(ps)
    sign = gate.better or 1
    return Comparison(
        metric=measure,
        gate=gate,
        level=level,
        allow_partial=allow_partial,
        pairs=pairs,
        cells=tuple(
            ComparedCell(
                label=label,
                n=len(each),
                changed=int(np.count_nonzero(each)),
                first=measure.of(pairs.first.iloc[rows], generator),
                second=measure.of(pairs.second.iloc[rows], generator),
                difference=float(each.mean()),
                interval=difference_interval([each], generator),
                p=p,
                corrected=float(adjusted),
                beyond=_beyond(float(each.mean()), gate),
            )
            for (label, rows), each, p, adjusted in zip(valued, differences, ps, corrected, strict=True)
        ),
        difference=float(np.mean([each.mean() for each in differences])),
        interval=difference_interval(differences, generator),
        p=stratified_permutation(differences, generator),
        improvement=probability_of_improvement([sign * a for a in before], [sign * b for b in after], generator),
        false_alarms=0.0 if gate.margin is None else chance_of_exceeding(
            [sign * each for each in differences], gate.margin, generator, two_sided=gate.better == 0
        ),
        valueless=valueless,
        without=without,
    )  # fmt: skip


def _metric_name(metric: str | None, pairs: Pairs) -> str:
    sides = (pairs.first, pairs.second)
    if metric is not None or any((side["outcome"] == "solved").any() for side in sides):
        return metric or "success_rate"
    recorded = [name for name in METRICS if all(name in side and side[name].notna().any() for side in sides)]
    return recorded[0] if recorded else "success_rate"


def _values(metric: Metric, runs: pd.DataFrame) -> Values:
    """The metric of each run of a cell, in order; a cell has one run a seed."""
    try:
        values = metric.per_seed(runs).reindex(runs["seed"].to_numpy())
    except KeyError as error:
        raise HarnessError(f"no column {error}, which {metric.name} needs; choose another --metric") from None
    numbers: Values = np.array(values, dtype=np.float64)
    numbers[np.isinf(numbers) & lost(runs).to_numpy(dtype=bool)] = np.nan  # no difference can be taken of it
    return numbers


def _differences(a: Values, b: Values, metric: Metric) -> Values:
    """B − A pair by pair; −∞ on both sides is no difference."""
    differences: Values = np.subtract(b, a, out=np.zeros_like(a), where=a != b)
    if not np.isfinite(differences).all():
        raise HarnessError(f"{metric.name} is infinite in one of two paired runs; choose another --metric")
    return differences


def _beyond(difference: float, gate: Gate) -> bool:
    worse = abs(difference) if gate.better == 0 else -gate.better * difference
    return gate.margin is not None and bool(exceeds(worse, gate.margin))
