"""Tables derived from commits: replaced whole, so that they can be read while a sweep still runs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock

from harness.errors import ResultsError
from harness.schema import EXTRA
from harness.store.columns import RUNS, TABLES
from harness.store.journal import Journal
from harness.study.plan import Plan, Run

Tables = Mapping[str, pa.Table]

ASKED_FOR = frozenset(table.name for table in EXTRA)  # not there unless a study asks for them
JOIN = 1000  # pieces; each alone costs kilobytes beside its data


@dataclass
class Growing:
    """A table that grows by a commit's rows at a time."""

    schema: pa.Schema
    joined: list[pa.Table] = field(default_factory=list)
    pieces: list[pa.Table] = field(default_factory=list)

    def add(self, rows: pa.Table) -> None:
        """Take rows of a commit; a column that it has not is null: commits may be older than a column."""
        if not rows.schema.equals(self.schema):
            columns = [
                rows[f.name].cast(f.type) if f.name in rows.column_names else pa.nulls(len(rows), f.type)
                for f in self.schema
            ]
            rows = pa.Table.from_arrays(columns, schema=self.schema)
        self.pieces.append(rows)
        if len(self.pieces) == JOIN:
            self.joined.append(pa.concat_tables(self.pieces).combine_chunks())
            self.pieces = []

    def table(self) -> pa.Table:
        return pa.concat_tables([self.schema.empty_table(), *self.joined, *self.pieces]).combine_chunks()


def derive(journal: Journal, plan: Plan) -> Tables:
    """The tables of a plan's runs, in the plan's order; orphans (of an older version of the study) are left out."""
    growing = {name: Growing(table.schema()) for name, table in TABLES.items()}
    done: dict[str, int] = {}  # run → its row of what was measured
    for commit in journal.read(run.run_id for run in plan.runs):
        done[commit.run_id] = len(done)
        for name in TABLES.keys() & commit.tables.keys():
            growing[name].add(commit.tables[name])
    for run_id in sorted(journal.failures().keys() & plan.ids - done.keys()):
        done[run_id] = len(done)
        row = {"run_id": run_id, "outcome": "failed"}
        growing[RUNS.name].add(pa.Table.from_pylist([row], schema=RUNS.schema()))
    runs = [run for run in plan.runs if run.run_id in done]
    measured = growing.pop(RUNS.name).table().take(pa.array([done[run.run_id] for run in runs], pa.int64()))
    tables = {RUNS.name: _with_settings(measured, runs, plan)}
    for name, grown in growing.items():
        if grown.pieces or grown.joined or name not in ASKED_FOR:
            tables[name] = grown.table()
    return tables


def _with_settings(measured: pa.Table, runs: Sequence[Run], plan: Plan) -> pa.Table:
    """What was measured, a row a run, and the settings of these runs."""
    points = {id(run.point): run.point for run in runs}
    rows = {key: row for row, key in enumerate(points)}
    which = pa.array([rows[id(run.point)] for run in runs], pa.int64())
    settings = [point.columns() for point in points.values()]
    schema = RUNS.schema(plan.study.setting_columns())
    columns = []
    for column in schema:
        if column.name in measured.column_names:
            columns.append(measured[column.name])
        elif column.name == "seed":
            columns.append(pa.array([run.seed for run in runs], column.type))
        else:
            values = [_cast(row.get(column.name), column.type) for row in settings]
            columns.append(pa.array(values, column.type).take(which))
    return pa.Table.from_arrays(columns, schema=schema)


def _cast(value: object, kind: pa.DataType) -> object:
    """A setting that mixes numbers and words (forget_bias: 1.0 or chrono) is a column of text."""
    return str(value) if value is not None and pa.types.is_string(kind) else value


@contextmanager
def one_writer(folder: Path) -> Iterator[None]:
    """Hold what is derived from the commits (tables, figures, report); wait while another shard does.

    Raises:
        ResultsError: the folder is gone.
    """
    if not folder.is_dir():  # the lock would make it again
        raise ResultsError(f"{folder}: cannot be written: No such file or directory")
    with FileLock(folder / ".derived"):
        yield


def refresh(journal: Journal, plan: Plan) -> Tables:
    """Derive and write the tables in one hold: an older view must not take the place of a newer one."""
    with one_writer(journal.folder):
        derived = derive(journal, plan)
        write(derived, journal.folder)
    return derived


def write(tables: Tables, folder: Path) -> None:
    """Write each table as parquet (zstd), whole or not at all; what an older version of the study left goes.

    Raises:
        ResultsError: the folder cannot be written.
    """
    for name in TABLES.keys() - tables.keys():
        (folder / f"{name}.parquet").unlink(missing_ok=True)
    for name, table in tables.items():
        target = folder / f"{name}.parquet"
        temporary = target.with_name(f".{target.name}-{uuid4().hex}")
        try:
            pq.write_table(table, temporary, compression="zstd")
            os.replace(temporary, target)
        except OSError as error:
            raise ResultsError(f"{target}: cannot be written: {error.strerror or error}") from None
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
