"""Verdicts: a study's expectations judged over seeds, from the table of runs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from harness.study import labels
from harness.study.spec import Expectation
from harness.verdicts.feasibility import describe, expectation_faults, weak_seeds
from harness.verdicts.metrics import Measured, Metric, finished, metric_named

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Verdict", "VerdictState", "describe", "expectation_faults", "judge", "overall", "weak_seeds"]

VerdictState = Literal["holds", "fails", "incomplete", "not asked"]


@dataclass(frozen=True)
class Verdict:
    """The verdict on one expectation, or on one combination of its `per` columns.

    `measured` is the metric of the group of runs, in a contrast of the first group, and `other` that of the second;
    both are None where nothing has run. `reason` is a sentence: why the expectation does not hold, or in a contrast the
    paired test. `warning` is a sentence where the planned seeds are too few for the expectation, whatever they give.
    """

    text: str
    state: VerdictState
    reason: str
    metric: str
    measured: Measured | None = None
    other: Measured | None = None
    names: tuple[str, str] = ("", "")
    warning: str = ""

    @property
    def remark(self) -> str:
        """The warning as it stands beside the verdict's text, without repeating that."""
        return self.warning.replace(f" for {self.text}", "", 1)

    @property
    def value(self) -> float:
        return self.measured.value if self.measured else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        return (self.measured.low, self.measured.high) if self.measured else (math.nan, math.nan)

    @property
    def n(self) -> int:
        return self.measured.runs if self.measured else 0

    def rows(self) -> Iterator[tuple[str, str, str, str]]:
        """The verdict as table rows, one for each measured group: its name (in a contrast), value, interval and n."""
        metric = metric_named(self.metric)
        for name, group in zip(self.names, (self.measured, self.other), strict=True):
            if group is not None:
                yield name, metric.text(group.value), interval_text(metric, group), count_text(group)


def judge(expectation: Expectation, runs: pd.DataFrame, planned: pd.DataFrame, *, seed: int = 0) -> list[Verdict]:
    """Judge one expectation; with `per`, one verdict for each combination of those columns' values.

    A bound is judged on the measured value; its interval is shown beside it. A contrast holds if the first group's
    value lies above the second's, and with `apart` if in addition their intervals do not touch. The paired p beside a
    contrast is shown and decides nothing.

    Args:
        expectation: as the study states it.
        runs: the frame of runs; those that are not planned are ignored.
        planned: a row for each planned run: run_id, seed and every setting.
        seed: of the generator behind bootstrap intervals and random permutations, not of any run.

    Returns:
        verdicts whose state is 'holds' or 'fails'; 'incomplete' if a planned run is missing or failed (no verdict on an
        incomplete sweep); 'not asked' if no planned run matches, which an override can cause.

    Raises:
        HarnessError: if `where`, `per` or `contrast` names a column that is not there.
    """
    from harness.statistics.frames import select

    selected = select(planned, expectation.where)
    judge_group = _contrast if expectation.contrast else _bound
    verdicts = []
    for combination in _combinations(selected, expectation.per):
        group = select(selected, combination)
        verdict = judge_group(expectation, combination, runs, group, seed)
        if verdict.state != "not asked":
            weak = weak_seeds(expectation, _seeds(expectation, group), verdict.text)
            verdict = replace(verdict, warning=weak or "")
        verdicts.append(verdict)
    return verdicts


def interval_text(metric: Metric, group: Measured) -> str:
    """'[0.57, 1.00]'; a dash where the data give no interval, or one that lies wholly beyond the budget."""
    if math.isnan(group.low) or math.isnan(group.high) or math.isinf(group.low):
        return "–"
    return f"[{metric.text(group.low)}, {metric.text(group.high)}]"


def count_text(group: Measured) -> str:
    """'8', or '24 (8 seeds)' where runs of several settings are pooled."""
    return str(group.runs) if group.runs == group.seeds else f"{group.runs} ({group.seeds} seeds)"


def overall(verdicts: list[Verdict]) -> str:
    """All verdicts in one sentence."""
    counts = {state: sum(verdict.state == state for verdict in verdicts) for state in ("holds", "fails", "incomplete")}
    total = sum(counts.values())
    if not verdicts:
        return "This study expects nothing."
    if not total:
        return "No run that this study's expectations are about was planned."
    if counts["fails"] == total == 1:
        return "The expectation fails."
    if counts["fails"]:
        return f"{counts['fails']} of {total} expectations {_plural(counts['fails'], 'fails', 'fail')}."
    if counts["incomplete"]:
        without = f"{counts['incomplete']} of {total} expectations"
        return f"No verdict on {without}: runs are missing, failed, or without a value."
    return f"All {total} expectations hold." if total > 1 else "The expectation holds."


def _combinations(planned: pd.DataFrame, per: tuple[str, ...]) -> list[dict[str, Any]]:
    """Each combination of values of the columns `per` that some planned run has."""
    from harness.statistics.frames import select

    parts: list[dict[str, Any]] = [{}]
    for column in per:
        select(planned, {column: None})  # an unknown column is an error that names the nearest one, as in `where`
        parts = [
            {**part, column: value}
            for part in parts
            for value in labels.levels(column, select(planned, part)[column].unique())
        ]
    return parts or [{}]


def _seeds(expectation: Expectation, planned: pd.DataFrame) -> int:
    """How many seeds a verdict rests on; of a contrast, those that both groups share."""
    from harness.statistics.frames import select

    seeds = set(planned["seed"])
    for column, pair in (expectation.contrast or {}).items():
        for value in pair:
            seeds &= set(select(planned, {column: value})["seed"])
    return len(seeds)


def _finished_and_gap(runs: pd.DataFrame, planned: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The finished runs among the planned ones, and why no verdict is possible ('' if one is)."""
    present = runs[runs["run_id"].isin(planned["run_id"])]
    failed, missing = int((present["outcome"] == "failed").sum()), len(planned) - len(present)
    parts = [f"{count} {name}" for count, name in ((missing, "missing"), (failed, "failed")) if count]
    return finished(present), f"{' and '.join(parts)} of {len(planned)} planned runs" if parts else ""


def _measure(metric: Metric, runs: pd.DataFrame, seed: int) -> Measured | None:
    import numpy as np

    return metric.of(runs, np.random.default_rng(seed)) if len(runs) else None


def _bound(
    expectation: Expectation, combination: Mapping[str, Any], runs: pd.DataFrame, planned: pd.DataFrame, seed: int
) -> Verdict:
    metric, text = metric_named(expectation.metric), describe(expectation, combination)
    if planned.empty:
        return Verdict(text, "not asked", "no planned run matches", metric.name)
    done, blocked = _finished_and_gap(runs, planned)
    measured = _measure(metric, done, seed)
    if blocked or measured is None or math.isnan(measured.value):
        return Verdict(text, "incomplete", blocked or _no_value(metric, done), metric.name, measured)
    low, high = expectation.at_least, expectation.at_most
    # A censored median has no number to print: "∞ is above 300" would be read as a measurement.
    beyond_budget = math.isinf(measured.value) and metric.name == "solved_at"
    if low is not None and measured.value < low:
        reason = f"{_beside(metric, measured.value, low)} is below {labels.number(low)}"
        return Verdict(text, "fails", reason, metric.name, measured)
    if high is not None and measured.value > high:
        above = f"{_beside(metric, measured.value, high)} is above {labels.number(high)}"
        reason = "the median lies beyond the budget" if beyond_budget else above
        return Verdict(text, "fails", reason, metric.name, measured)
    return Verdict(text, "holds", "", metric.name, measured)


def _contrast(
    expectation: Expectation, combination: Mapping[str, Any], runs: pd.DataFrame, planned: pd.DataFrame, seed: int
) -> Verdict:
    from harness.statistics.frames import select

    metric, text = metric_named(expectation.metric), describe(expectation, combination)
    column, pair = next(iter((expectation.contrast or {}).items()))
    names = (labels.value(column, pair[0]), labels.value(column, pair[1]))
    sides = [select(planned, {column: value}) for value in pair]
    if any(side.empty for side in sides):
        return Verdict(text, "not asked", "no planned run matches", metric.name, names=names)
    (first, blocked), (second, also_blocked) = (_finished_and_gap(runs, side) for side in sides)
    a, b = _measure(metric, first, seed), _measure(metric, second, seed)
    reasons = [f"{name}: {reason}" for name, reason in zip(names, (blocked, also_blocked), strict=True) if reason]
    if not reasons:
        sides_measured = zip(names, (a, b), (first, second), strict=True)
        reasons = [
            f"{name}: {_no_value(metric, done)}"
            for name, group, done in sides_measured
            if group is None or math.isnan(group.value)
        ]
    if reasons or a is None or b is None:
        return Verdict(text, "incomplete", "; ".join(reasons), metric.name, a, b, names)
    difference = _paired(metric, first, second, seed)
    if not a.value > b.value:
        return Verdict(text, "fails", f"{names[0]} is not above {names[1]}; {difference}", metric.name, a, b, names)
    if expectation.apart and (math.isnan(a.low) or math.isnan(b.high)):
        without = " and ".join(name for name, end in zip(names, (a.low, b.high), strict=True) if math.isnan(end))
        return Verdict(text, "incomplete", f"no interval of {without}; {difference}", metric.name, a, b, names)
    if expectation.apart and not a.low > b.high:
        return Verdict(text, "fails", f"the intervals touch; {difference}", metric.name, a, b, names)
    return Verdict(text, "holds", difference, metric.name, a, b, names)


def _paired(metric: Metric, first: pd.DataFrame, second: pd.DataFrame, seed: int) -> str:
    """The mean difference over the seeds that both groups share, and the paired permutation test's p."""
    import numpy as np

    from harness.statistics.intervals import paired_permutation

    both = metric.per_seed(first).to_frame("a").join(metric.per_seed(second).rename("b"), how="inner")
    if len(both) < 2:
        return "fewer than two shared seeds, so no paired test"
    infinite = int((~np.isfinite(both)).any(axis=1).sum())
    if infinite:
        return f"no paired test: {metric.label} is infinite for {infinite} of {len(both)} shared seeds"
    mean = float((both["a"] - both["b"]).mean())
    p = paired_permutation(both["a"].to_numpy(), both["b"].to_numpy(), np.random.default_rng(seed))
    size = f"{mean:+.{metric.decimals}f}"
    return f"paired difference {size} over {len(both)} shared seeds, p = {p:.3g} (permutation)"


def _no_value(metric: Metric, runs: pd.DataFrame) -> str:
    """Why a group of finished runs has no value."""
    if not len(runs):
        return f"no {metric.label} was recorded"
    per_seed = metric.per_seed(runs)
    missing = int(per_seed.isna().sum())
    if missing == len(per_seed):
        return f"no {metric.label} was recorded"
    return (
        f"{missing} of {len(per_seed)} seeds have no {metric.label}" if missing else f"{metric.label} is not a number"
    )


def _beside(metric: Metric, value: float, bound: float) -> str:
    """A value in as many digits as tell it from the bound that it misses: '0.7996' below 0.8 and not '0.80'."""
    if not math.isfinite(value):
        return metric.text(value)
    digits = (f"{value:.{decimals}f}" for decimals in range(metric.decimals, 17))
    return next(
        (text for text in digits if (float(text) < bound) == (value < bound) and float(text) != bound), repr(value)
    )


def _plural(count: int, one: str, many: str) -> str:
    return one if count == 1 else many
