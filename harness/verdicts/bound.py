"""The verdict on a bound: `at_least`, `at_most`, or both, of one group of runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.study import labels
from harness.study.spec import Expectation
from harness.verdicts.deciding import Outcome, by_interval, ground
from harness.verdicts.enough import enough_for_bound
from harness.verdicts.feasibility import describe
from harness.verdicts.group import finished_and_gap, measure, no_value
from harness.verdicts.metrics import Measured, Metric, metric_named
from harness.verdicts.verdict import Verdict

if TYPE_CHECKING:
    import pandas as pd


def judge_bound(
    expectation: Expectation, combination: Mapping[str, Any], runs: pd.DataFrame, planned: pd.DataFrame, seed: int
) -> Verdict:
    """Judge a bound on the interval of the runs' metric, or on its value (`deciding.ground`)."""
    metric, text = metric_named(expectation.metric), describe(expectation, combination)
    on, level = ground(expectation, metric), expectation.confidence
    if planned.empty:
        return Verdict(text, "not asked", "no planned run matches", metric.name, ground=on, confidence=level)
    done, blocked = finished_and_gap(runs, planned)
    measured = measure(metric, done, seed, level)
    if blocked or measured is None or math.isnan(measured.value):
        reason = blocked or no_value(metric, done)
        return Verdict(text, "incomplete", reason, metric.name, measured, ground=on, confidence=level)
    low, high = (measured.low, measured.high) if on == "interval" else (measured.value, measured.value)
    state = by_interval(low, high, expectation.at_least, expectation.at_most)
    reason, more = _reason(expectation, metric, measured, state, low, high), None
    if state == "undecided":
        more = enough_for_bound(expectation, metric, measured)
        reason += "" if more is None else f"; about {more:,} seeds would decide it at this value"
    return Verdict(text, state, reason, metric.name, measured, ground=on, confidence=level, enough_seeds=more)


def _reason(
    expectation: Expectation, metric: Metric, measured: Measured, state: Outcome, low: float, high: float
) -> str:
    """Why a bound does not hold; '' where it does."""
    at_least, at_most = expectation.at_least, expectation.at_most
    by_end = not low == high == measured.value
    if state == "fails":
        if at_least is not None and high < at_least:
            end = "the upper end " * by_end
            return f"{end}{beside(metric, high, at_least)} is below {labels.number(at_least)}"
        if at_most is None:
            raise ValueError("a bound that fails lies beyond one of its ends")
        # A censored median has no number to print: "∞ is above 300" would be read as a measurement.
        if math.isinf(low) and metric.name == "solved_at":
            return "the median lies beyond the budget"
        end = "the lower end " * by_end
        return f"{end}{beside(metric, low, at_most)} is above {labels.number(at_most)}"
    if state == "undecided":
        if math.isnan(low) or math.isnan(high):
            return f"{measured.seeds} {'seeds give' if measured.seeds != 1 else 'seed gives'} no interval"
        inside = [b for b in (at_least, at_most) if b is not None and low <= b <= high]
        return f"the interval includes {' and '.join(map(labels.number, inside))}"
    return ""


def beside(metric: Metric, value: float, bound: float) -> str:
    """A value in as many digits as tell it from the bound that it misses: '0.7996' below 0.8 and not '0.80'."""
    if not math.isfinite(value):
        return metric.text(value)
    digits = (f"{value:.{decimals}f}" for decimals in range(metric.decimals, 17))
    return next(
        (text for text in digits if (float(text) < bound) == (value < bound) and float(text) != bound), repr(value)
    )
