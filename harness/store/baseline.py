"""The table of runs alone, read from a results folder, and made small enough to be put under version control."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from harness.errors import ResultsError
from harness.schema import SCHEMA_VERSION
from harness.store.columns import RUNS
from harness.store.ownership import MARK
from harness.store.parquet import read_parquet, write_parquet

FILE = f"{RUNS.name}.parquet"
EXCLUDED = ("seconds",)  # a timing of one machine


def read(folder: Path) -> pa.Table:
    """The table of runs of a results folder or of a baseline.

    Raises:
        ResultsError: it does not exist, cannot be read, or is of another schema version.
    """
    path = folder / FILE
    try:
        table = read_parquet(path)
    except FileNotFoundError:
        raise ResultsError(
            f"{folder}: no {FILE} here; python -m harness.sweep makes a results folder, and --save a baseline"
        ) from None
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read: {error.strerror or error}") from None
    except pa.ArrowException as error:
        raise ResultsError(f"{path}: is no parquet file: {error}") from None
    except ValueError as error:
        raise ResultsError(f"{path}: is damaged: {error}") from None
    version = (table.schema.metadata or {}).get(b"harness_schema", b"unknown").decode()
    if version != str(SCHEMA_VERSION):
        raise ResultsError(f"{path}: schema version {version}, this harness compares {SCHEMA_VERSION}")
    missing = {"run_id", "outcome", "seed"} - set(table.column_names)
    if missing:
        raise ResultsError(f"{path}: no column {', '.join(sorted(missing))}; this is no table of runs")
    return table


def save(folder: Path, target: Path) -> Path:
    """Save what a comparison needs of a results folder: settings and measurements, no timings, no gradients.

    The meanings of columns are left out (they are in docs/tables.md), and measurements that no run has.

    Args:
        folder: a results folder.
        target: the baseline's folder, created if need be; its table is replaced whole.

    Returns:
        the file written.

    Raises:
        ResultsError: as `read`, or the target cannot be written.
    """
    table = read(folder)
    measured = {column.name for column in RUNS.columns}
    empty = {name for name in measured & set(table.column_names) if table[name].null_count == len(table)}
    table = table.drop_columns([name for name in table.column_names if name in {*EXCLUDED, *empty}])
    without_meanings = [pa.field(field.name, field.type) for field in table.schema]
    table = table.cast(pa.schema(without_meanings))
    smallest = {"use_dictionary": False, "write_statistics": False, "store_schema": False}
    path = target / FILE
    if (target / MARK).exists():
        raise ResultsError(f"{target}: is a results folder, whose tables a sweep writes; save the baseline elsewhere")
    try:
        target.mkdir(parents=True, exist_ok=True)
        write_parquet(path, table, {"harness_schema": str(SCHEMA_VERSION)}, **smallest)
    except OSError as error:
        raise ResultsError(f"{path}: cannot be written: {error.strerror or error}") from None
    return path
