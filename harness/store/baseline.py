"""What a comparison reads of a results folder, and keeps small enough to be put under version control.

That is the table of runs and, where a study has one, the table of evaluations at other lengths.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from harness.errors import ResultsError
from harness.schema import EVALUATIONS, RUN_ID, SCHEMA_VERSION, Table
from harness.store.columns import RUNS
from harness.store.files import read_file, replace_file
from harness.store.ownership import MARK
from harness.store.parquet import read_parquet, write_parquet
from harness.store.winners import FILE as WINNERS

FILE = f"{RUNS.name}.parquet"
AT_LENGTHS = f"{EVALUATIONS.name}.parquet"
EXCLUDED = ("seconds",)  # a timing of one machine
NULLS = b"harness_nulls"  # settings that no run has, as [place, name, type]: as columns they were an eighth of a file
PLAIN = (pa.float64(), pa.int64(), pa.string(), pa.bool_())  # types whose name gives them again


def read(folder: Path) -> pa.Table:
    """The table of runs of a results folder or of a baseline.

    Raises:
        ResultsError: it does not exist, cannot be read, or is of another schema version.
    """
    table = _read(folder / FILE, {RUN_ID.name, "outcome", "seed"}, RUNS)
    if table is None:
        raise ResultsError(
            f"{folder}: no {FILE} here; python -m harness.sweep makes a results folder, and --save a baseline"
        )
    return table


def read_evaluations(folder: Path) -> pa.Table | None:
    """The table of evaluations at other lengths; None where the study has none.

    Raises:
        ResultsError: it cannot be read, or is of another schema version.
    """
    return _read(folder / AT_LENGTHS, set(EVALUATIONS.own_schema.names), EVALUATIONS)


def _read(path: Path, needed: set[str], declared: Table) -> pa.Table | None:
    try:
        table = read_parquet(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read: {error.strerror or error}") from None
    except pa.ArrowException as error:
        raise ResultsError(f"{path}: is no parquet file: {error}") from None
    except ValueError as error:
        raise ResultsError(f"{path}: is damaged: {error}") from None
    metadata = table.schema.metadata or {}
    version = metadata.get(b"harness_schema", b"unknown").decode()
    if version != str(SCHEMA_VERSION):
        raise ResultsError(f"{path}: schema version {version}, this harness compares {SCHEMA_VERSION}")
    missing = needed - set(table.column_names)
    if missing:
        raise ResultsError(f"{path}: no column {', '.join(sorted(missing))}; this is no table of {declared.name}")
    try:
        for place, name, kind in json.loads(metadata.get(NULLS, b"[]")):
            table = table.add_column(place, name, pa.nulls(len(table), pa.type_for_alias(kind)))
    except (TypeError, ValueError, pa.ArrowException) as error:
        raise ResultsError(f"{path}: is damaged: {NULLS.decode()}: {error}") from None
    return table


def save(folder: Path, target: Path) -> Path:
    """Save what a comparison needs of a results folder: settings and measurements, no timings, no gradients.

    What was tuned is saved as well: the scores of all candidates. The meanings of columns are left out (they are in
    docs/tables.md), and measurements that no run has; settings that no run has are a line of the file's metadata, from
    which they are read as columns again. The accuracies at other lengths are a table of their own, as they
    are in the results folder.

    Args:
        folder: a results folder.
        target: the baseline's folder, created if need be; its tables are replaced whole.

    Returns:
        the table of runs that was written.

    Raises:
        ResultsError: as `read`, or the target cannot be written.
    """
    table = read(folder)
    measured = {column.name for column in RUNS.columns}
    empty = {name for name in measured & set(table.column_names) if table[name].null_count == len(table)}
    table = table.drop_columns([name for name in table.column_names if name in {*EXCLUDED, *empty}])
    evaluations = read_evaluations(folder)
    path = target / FILE
    if (target / MARK).exists():
        raise ResultsError(f"{target}: is a results folder, whose tables a sweep writes; save the baseline elsewhere")
    try:
        target.mkdir(parents=True, exist_ok=True)
        _write(path, table)
        if evaluations is not None:
            _write(target / AT_LENGTHS, evaluations)
        else:
            (target / AT_LENGTHS).unlink(missing_ok=True)
        if (folder / WINNERS).exists():
            replace_file(target / WINNERS, read_file(folder / WINNERS))
        else:
            (target / WINNERS).unlink(missing_ok=True)
    except OSError as error:
        raise ResultsError(f"{path}: cannot be written: {error.strerror or error}") from None
    return path


def _write(path: Path, table: pa.Table) -> None:
    without_meanings = pa.schema([pa.field(field.name, field.type) for field in table.schema])
    nulls = [
        (place, field.name, str(field.type))
        for place, field in enumerate(table.schema)
        if field.type in PLAIN and table[field.name].null_count == len(table) > 0
    ]
    written = table.cast(without_meanings).drop_columns([name for _, name, _ in nulls])
    # bytes of one rank side by side: half of those of a number that was measured in float32 are noughts
    encodings = {field.name: "BYTE_STREAM_SPLIT" for field in written.schema if pa.types.is_floating(field.type)}
    smallest: dict[str, Any] = {
        "use_dictionary": False,
        "write_statistics": False,
        "store_schema": False,
        "compression_level": 19,
    }
    smallest |= {"column_encoding": encodings} if encodings else {}
    metadata = {"harness_schema": str(SCHEMA_VERSION)} | ({NULLS.decode(): json.dumps(nulls)} if nulls else {})
    write_parquet(path, written, metadata, **smallest)
