"""The bytes of one run: a line of JSON (run, settings, lengths, checksum), then one Arrow IPC stream a table.

The SHA-256 in the line is that of everything else, so that no damage is ever read as data.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pyarrow as pa

from harness.schema import RUN_ID, SCHEMA_VERSION, Record
from harness.store.columns import OF_TASKS, RUNS, TABLES
from harness.store.files import LARGEST
from harness.store.messages import is_compressed
from harness.study.plan import NUMERICS_VERSION

LONGEST_HEAD = 2**24  # bytes: of the first line
BEGINNING = b'{"harness_schema": '  # of every commit: where to look for one among other bytes
MALFORMED = (ValueError, KeyError, TypeError, AttributeError, RecursionError)  # what a damaged head can lead to


@dataclass(frozen=True)
class Commit:
    """A run as it was committed."""

    run_id: str
    settings: Mapping[str, Any]
    tables: Mapping[str, pa.Table]


def encode(record: Record, settings: Mapping[str, Any], versions: Mapping[str, str] | None = None) -> bytes:
    """A run's commit.

    Args:
        record: what the run leaves.
        settings: of the run, by column.
        versions: of the code and data that it was computed with (`study/identity.py`).

    Raises:
        ValueError: a row has a column that no table declares, or the tables are too large.
    """
    rows: dict[str, Sequence[Mapping[str, object]]] = {RUNS.name: [record.run], **record.rows}
    serialised = {
        name: _serialise(name, [{RUN_ID.name: record.run_id, **row} for row in table_rows])
        for name, table_rows in rows.items()
    }
    body = b"".join(serialised.values())
    head = {
        "harness_schema": SCHEMA_VERSION,
        "run_id": record.run_id,
        "settings": dict(settings),
        "numerics": NUMERICS_VERSION,
        "versions": dict(versions or {}),
        "tables": {name: len(data) for name, data in serialised.items()},
    }
    most = LARGEST - LONGEST_HEAD
    if len(body) > most:
        raise ValueError(f"the tables of this run take {len(body)} bytes, and {most} is the most: record less")
    head["sha256"] = _checksum(head, body)
    return json.dumps(head).encode() + b"\n" + body


def checked(data: bytes, run_id: str) -> tuple[Mapping[str, Any], bytes]:
    """A commit's head and body, if it is of this run and undamaged.

    Raises:
        ValueError, or another of MALFORMED: it is not.
    """
    line, _, body = data.partition(b"\n")
    head = json.loads(line)
    checksum = head.pop("sha256")
    # the first commits' checksums were of the body alone
    if head["run_id"] != run_id or checksum not in (_checksum(head, body), sha256(body).hexdigest()):
        raise ValueError("checksum does not match")
    if not all(isinstance(head.get(name, {}), dict) for name in ("settings", "versions", "tables")):
        raise ValueError("not the head of a commit")
    return head, body


def decode(data: bytes, run_id: str) -> Commit:
    """A commit, if it is of this run and undamaged.

    Raises:
        ValueError, or another of MALFORMED: it is not.
        pa.ArrowException: a table cannot be read, though the checksum is right.
    """
    head, body = checked(data, run_id)
    lengths = head["tables"]
    if not all(type(length) is int and length >= 0 for length in lengths.values()) or sum(lengths.values()) > len(body):
        raise ValueError("lengths of tables do not match")
    tables, start = {}, 0
    for name, length in lengths.items():
        if name in TABLES:  # others are of another version
            tables[name] = _table(name, body[start : start + length], run_id)
        start += length
    if tables[RUNS.name].num_rows != 1:
        raise ValueError("not the row of one run")
    if not tables[RUNS.name]["outcome"][0].is_valid:
        raise ValueError("a run without an outcome")
    return Commit(run_id, dict(head["settings"]), tables)


def length_at(data: Any, start: int) -> tuple[str, int]:
    """Run and length of the whole commit that begins at `start` among other bytes.

    Raises:
        ValueError, or another of MALFORMED: there is none.
    """
    end = data.find(b"\n", start, start + LONGEST_HEAD) + 1  # without one: an empty line, which is no JSON
    head = json.loads(data[start:end])
    length = end - start + sum(head["tables"].values())
    if not 0 < length <= LARGEST:
        raise ValueError("not the length of a commit")
    checked(data[start : start + length], head["run_id"])
    return head["run_id"], length


def _serialise(table: str, rows: Sequence[Mapping[str, object]]) -> bytes:
    given = {key for row in rows for key in row}
    whole = TABLES[table].schema()
    # what other tasks measure would be nulls, and several times as many bytes as the run's own numbers
    fields = [field for field in whole if field.name in given or field.name not in OF_TASKS]
    schema = pa.schema(fields, whole.metadata)
    undeclared = given - set(whole.names)
    if undeclared:
        raise ValueError(f"{table}: no column for {sorted(undeclared)}; columns are declared in harness/schema.py")
    columns = [pa.array([row.get(field.name) for row in rows], field.type) for field in schema]
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
    return bytes(sink.getvalue())


def _table(name: str, data: bytes, run_id: str) -> pa.Table:
    """A table with its declared columns; one that the commit lacks is null: a commit may be older than a column.

    A checksum is no proof of origin. Whatever the bytes are, reading them costs a multiple of their number in memory:
    nothing is decompressed, every value has bytes of its own, and all offsets are checked before one is followed.

    Raises:
        ValueError, pa.ArrowException: it is no such table.
    """
    for message in pa.ipc.MessageReader.open_stream(pa.py_buffer(data)):
        if message.type not in ("schema", "record batch") or is_compressed(message.metadata.to_pybytes()):
            raise ValueError(f"{name}: not written by the harness")
    stream, declared = pa.ipc.open_stream(pa.py_buffer(data)), TABLES[name].own_schema
    current = stream.schema.equals(declared)
    if not current and not _is_plain(stream.schema):
        raise ValueError(f"{name}: not columns of the harness")
    table = stream.read_all()
    table.validate(full=True)
    runs = table[RUN_ID.name]
    if runs.null_count or not all(value == run_id for value in runs.unique().to_pylist()):
        raise ValueError(f"{name}: rows of another run")
    if current:
        return table
    columns = [
        table[each.name].cast(each.type) if each.name in table.column_names else pa.nulls(len(table), each.type)
        for each in declared
    ]
    return pa.Table.from_arrays(columns, schema=declared)


def _is_plain(schema: pa.Schema) -> bool:
    """Whether no two columns have one name, and each value takes bytes of its own."""
    kinds = [field.type for field in schema]
    while any(map(pa.types.is_list, kinds)):
        kinds = [kind.value_type if pa.types.is_list(kind) else kind for kind in kinds]
    types = pa.types
    plain = (types.is_integer, types.is_floating, types.is_boolean, types.is_string)
    return len(set(schema.names)) == len(schema) and all(any(is_kind(kind) for is_kind in plain) for kind in kinds)


def _checksum(head: Mapping[str, Any], body: bytes) -> str:
    digest = sha256(json.dumps(head).encode())
    digest.update(body)
    return digest.hexdigest()
