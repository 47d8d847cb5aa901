"""Commits, sweeps and tables of a results folder, as tests write and read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from harness.execution.options import SweepOptions
from harness.execution.sweeping import SweepResult, sweep
from harness.schema import Record
from harness.store.journal import Journal
from harness.study.plan import Plan, Run

TABLES = ("runs", "curves", "gradients")


def commit(journal: Journal, run: Run) -> None:
    """An unsolved run with one evaluation."""
    rows = {"curves": [{"update": 0, "loss": 1.0, "accuracy": 0.25}]}
    journal.commit(Record(run.run_id, {"outcome": "unsolved", "updates": 6, "chance": 0.25}, rows), run.columns())


def quiet_sweep(study_plan: Plan, folder: Path, **options: Any) -> SweepResult:
    """A sweep with these options, on the torch engine where they name none; it shows no progress."""
    return sweep(study_plan, folder, SweepOptions(**{"engine": "torch", **options}), shown=False)


def table_rows(folder: Path) -> dict[str, list[str]]:
    """Every row of the tables as text, as NaN is not equal to itself, its id first; without `seconds`, which differ."""
    rows = {}
    for name in TABLES:
        table = pq.read_table(folder / f"{name}.parquet")
        columns = [column for column in table.column_names if column != "seconds"]
        assert columns[0] == "run_id"
        rows[name] = [",".join(map(repr, row.values())) for row in table.select(columns).to_pylist()]
    return rows
