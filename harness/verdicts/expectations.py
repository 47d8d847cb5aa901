"""A study's expectations judged over seeds, from the table of runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.study import labels
from harness.study.spec import Expectation
from harness.verdicts.bound import judge_bound
from harness.verdicts.contrast import compare_groups, judge_contrasts
from harness.verdicts.enough import too_few

if TYPE_CHECKING:
    import pandas as pd

    from harness.verdicts.verdict import Verdict


def judge(expectation: Expectation, runs: pd.DataFrame, planned: pd.DataFrame, *, seed: int = 0) -> list[Verdict]:
    """Judge one expectation; with `per`, one verdict for each combination of those columns' values.

    A bound is judged on its interval (`deciding.by_interval`). A contrast holds with `apart` if the first group's
    interval lies above the second's, else if the paired test is significant for the first, its p corrected by Holm over
    the combinations of `per`. With `judge: estimate`, and where a metric has no sampling, the values are compared.

    Args:
        expectation: as the study states it.
        runs: the frame of runs; those that are not planned are ignored.
        planned: a row for each planned run: run_id, seed and every setting.
        seed: of the generator behind bootstrap intervals and random permutations, not of any run.

    Returns:
        verdicts whose state is 'holds', 'fails' or 'undecided'; 'incomplete' if a planned run is missing or failed (no
        verdict on an incomplete sweep); 'not asked' if no planned run matches, which an override can cause.

    Raises:
        HarnessError: if `where`, `per` or `contrast` names a column that is not there.
    """
    from harness.statistics.frames import select

    selected = select(planned, expectation.where)
    combinations = _combinations(selected, expectation.per)
    groups = [select(selected, combination) for combination in combinations]
    each = list(zip(combinations, groups, strict=True))
    if expectation.contrast:
        compared = [compare_groups(expectation, combination, runs, group, seed) for combination, group in each]
        verdicts = judge_contrasts(expectation, compared)
    else:
        verdicts = [judge_bound(expectation, combination, runs, group, seed) for combination, group in each]
    contrasts = sum(verdict.state != "not asked" for verdict in verdicts)
    return [
        verdict
        if verdict.state == "not asked"
        else replace(verdict, warning=too_few(expectation, _seeds(expectation, group), contrasts, verdict.text) or "")
        for verdict, group in zip(verdicts, groups, strict=True)
    ]


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
