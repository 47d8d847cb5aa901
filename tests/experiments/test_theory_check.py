"""What an experiment without training reports: the outcome by its own rule, and rows that fit the tables."""

from __future__ import annotations

import math

import numpy as np
import pytest
from study_texts import check_text

from harness.experiments.linear_decay import LinearSections
from harness.experiments.setup import Setup
from harness.experiments.theory_check import TheoryCheck, check_records
from harness.schema import PROFILES, Profile
from harness.store.columns import RUNS


def check(measured: float = 1.0, residual: float | None = 0.1, solved: bool = True) -> TheoryCheck:
    profile = Profile("norm", "lag", np.arange(3.0), np.array([1.0, -math.inf, 2.0]), np.array([1.0, math.nan, 2.0]))
    return TheoryCheck(measured, None, residual, solved, [profile], {"initial_sigma_max": 2.0})


@pytest.mark.parametrize(
    ("theory_check", "outcome"),
    [
        (check(), "solved"),
        (check(solved=False), "unsolved"),
        (check(residual=None), "solved"),
        (check(measured=math.nan), "diverged"),
        (check(measured=math.inf, solved=False), "diverged"),
        (check(residual=math.nan), "diverged"),
    ],
)
def test_the_outcome_is_that_of_the_rule_unless_a_number_is_not_finite(theory_check: TheoryCheck, outcome: str) -> None:
    assert theory_check.outcome == outcome


def test_each_run_has_a_record_in_the_columns_of_the_tables(plan_of) -> None:
    runs = plan_of(check_text("linear_decay", linear={"hidden_size": 3, "longest": 5})).runs
    measured: list[tuple[LinearSections, int]] = []

    def measure(sections: LinearSections, seed: int) -> TheoryCheck:
        measured.append((sections, seed))
        return check()

    ticks: list[float] = []
    setup = Setup(listener=lambda done, replicas: ticks.append(done))
    records = list(check_records(runs, setup, LinearSections, measure, engine="numpy"))
    assert measured == [(run.sections, run.seed) for run in runs]
    assert ticks == [1.0, 1.0]
    for run, record in zip(runs, records, strict=True):
        assert record.run_id == run.run_id
        assert record.run.keys() <= {column.name for column in RUNS.columns}
        assert (record.run["engine"], record.run["device"], record.run["initial_sigma_max"]) == ("numpy", "cpu", 2.0)
        [row] = record.rows["profiles"]
        assert {"run_id", *row} == {column.name for column in PROFILES.columns}
