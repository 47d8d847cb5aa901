"""One group of runs of an expectation: which are finished, what they measure, and why they have no value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.verdicts.metrics import Measured, Metric, finished

if TYPE_CHECKING:
    import pandas as pd


def finished_and_gap(runs: pd.DataFrame, planned: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The finished runs among the planned ones, and why no verdict is possible ('' if one is)."""
    present = runs[runs["run_id"].isin(planned["run_id"])]
    failed, missing = int((present["outcome"] == "failed").sum()), len(planned) - len(present)
    parts = [f"{count} {name}" for count, name in ((missing, "missing"), (failed, "failed")) if count]
    return finished(present), f"{' and '.join(parts)} of {len(planned)} planned runs" if parts else ""


def measure(metric: Metric, runs: pd.DataFrame, seed: int, level: float) -> Measured | None:
    """The metric of a group with its interval at `level`; None of no runs."""
    import numpy as np

    return metric.of(runs, np.random.default_rng(seed), level) if len(runs) else None


def no_value(metric: Metric, runs: pd.DataFrame) -> str:
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
