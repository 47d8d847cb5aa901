"""Tables derived from commits: replaced whole, so that they can be read while a sweep still runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from pathlib import Path

import pyarrow as pa

from harness.errors import ResultsError
from harness.schema import EVALUATIONS, EXTRA, RUN_ID
from harness.store.columns import OF_TASKS, RUNS, TABLES, TUNING
from harness.store.journal import Journal
from harness.store.locks import derived_lock
from harness.store.parquet import write_parquet
from harness.study.at_length import QUANTITIES, at_length
from harness.study.plan import Plan, Run

Tables = Mapping[str, pa.Table]

OPTIONAL = frozenset(table.name for table in EXTRA)  # written only where a study records them
JOIN = 1000  # tables of single commits; each costs kilobytes beside its data


@dataclass
class TableBuilder:
    """A table that grows by the rows of one commit at a time."""

    schema: pa.Schema
    joined: list[pa.Table] = field(default_factory=list)
    single: list[pa.Table] = field(default_factory=list)

    def add(self, rows: pa.Table) -> None:
        """Append the rows of a commit."""
        self.single.append(rows)
        if len(self.single) == JOIN:
            self.joined.append(pa.concat_tables(self.single).combine_chunks())
            self.single = []

    def table(self) -> pa.Table:
        return pa.concat_tables([self.schema.empty_table(), *self.joined, *self.single]).combine_chunks()


def derive(journal: Journal, plan: Plan) -> Tables:
    """The tables of a plan's runs, in the plan's order; orphans (of an older version of the study) are left out."""
    tables = _tables_of(journal, plan, plan.runs, TABLES.keys())
    if plan.tuning_runs:
        tables[TUNING] = tuning_table(journal, plan)
    return tables


def tuning_table(journal: Journal, plan: Plan) -> pa.Table:
    """The runs of tuning, a row a run, with what they scored at other lengths as columns."""
    tuned = _tables_of(journal, plan, plan.tuning_runs, {RUNS.name, EVALUATIONS.name})
    return _with_lengths(tuned[RUNS.name], tuned.get(EVALUATIONS.name))


def _tables_of(journal: Journal, plan: Plan, planned: Sequence[Run], names: Collection[str]) -> dict[str, pa.Table]:
    """Some of the tables of some of a plan's runs."""
    builders = {name: TableBuilder(TABLES[name].schema()) for name in names}
    ids = {run.run_id for run in planned}
    row_of: dict[str, int] = {}  # run id → its row in the table of runs
    for commit in journal.read(run.run_id for run in planned):
        row_of[commit.run_id] = len(row_of)
        for name in names & commit.tables.keys():
            builders[name].add(commit.tables[name])
    # a failed run has no commit but is a row, so that a verdict cannot overlook it
    for run_id in sorted(journal.failures().keys() & ids - row_of.keys()):
        row_of[run_id] = len(row_of)
        row = {"run_id": run_id, "outcome": "failed"}
        builders[RUNS.name].add(pa.Table.from_pylist([row], schema=RUNS.schema()))
    runs = [run for run in planned if run.run_id in row_of]
    measured = builders.pop(RUNS.name).table().take(pa.array([row_of[run.run_id] for run in runs], pa.int64()))
    tables = {RUNS.name: _with_settings(measured, runs, plan)}
    for name, builder in builders.items():
        if builder.single or builder.joined or name not in OPTIONAL:
            tables[name] = builder.table()
    return tables


def _with_lengths(runs: pa.Table, evaluations: pa.Table | None) -> pa.Table:
    """Runs with accuracy, loss and chance at each length as columns: a winner may be chosen by them."""
    place = {run_id: i for i, run_id in enumerate(runs[RUN_ID.name].to_pylist())}
    columns: dict[str, list[float | None]] = {}
    for row in evaluations.to_pylist() if evaluations is not None else ():
        for quantity in QUANTITIES:
            column = columns.setdefault(at_length(quantity, row["length"]), [None] * len(runs))
            column[place[row[RUN_ID.name]]] = row[quantity]
    for name, values in columns.items():
        runs = runs.append_column(name, pa.array(values, pa.float64()))
    return runs


def _with_settings(measured: pa.Table, runs: Sequence[Run], plan: Plan) -> pa.Table:
    """The measurements, a row a run, and the settings of these runs."""
    # settings are looked up once a point, since thousands of seeds may share it; runs of a point are neighbours
    settings, positions = list[Mapping[str, object]](), list[int]()
    for point, of_point in groupby(runs, key=attrgetter("point")):
        positions += [len(settings) for _ in of_point]
        settings.append(point.columns())
    settings_of_run = pa.array(positions, pa.int64())
    schema = RUNS.schema(plan.study.setting_columns())
    tasks = (point.sections.by_name().get("task") for point in plan.study.points)
    others = OF_TASKS - {column.name for task in tasks for column in getattr(task, "measures", ())}
    schema = pa.schema([column for column in schema if column.name not in others], schema.metadata)
    columns = []
    for column in schema:
        if column.name in measured.column_names:
            columns.append(measured[column.name])
        elif column.name == "seed":
            columns.append(pa.array([run.seed for run in runs], column.type))
        else:
            values = [_cast(row.get(column.name), column.type) for row in settings]
            columns.append(pa.array(values, column.type).take(settings_of_run))
    return pa.Table.from_arrays(columns, schema=schema)


def _cast(value: object, kind: pa.DataType) -> object:
    """A setting that mixes numbers and words (forget_bias: 1.0 or chrono) is a column of text."""
    return str(value) if value is not None and pa.types.is_string(kind) else value


def refresh(journal: Journal, plan: Plan) -> Tables:
    """Derive and write the tables under one lock: an older view must not replace a newer one."""
    with derived_lock(journal.folder):
        derived = derive(journal, plan)
        write(derived, journal.folder)
    return derived


def write(tables: Tables, folder: Path) -> None:
    """Write each table as parquet (zstd), whole or not at all; tables of an older version of the study are removed.

    Raises:
        ResultsError: the folder cannot be written.
    """
    for name in {*TABLES, TUNING} - tables.keys():
        (folder / f"{name}.parquet").unlink(missing_ok=True)
    for name, table in tables.items():
        target = folder / f"{name}.parquet"
        try:
            write_parquet(target, table)
        except OSError as error:
            raise ResultsError(f"{target}: cannot be written: {error.strerror or error}") from None
