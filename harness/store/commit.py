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
from harness.store.columns import RUNS, TABLES
from harness.study.plan import NUMERICS_VERSION

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
        ValueError: a row has a column that no table declares.
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
    return head, body


def decode(data: bytes, run_id: str) -> Commit:
    """A commit, if it is of this run and undamaged.

    Raises:
        ValueError, or another of MALFORMED: it is not.
        pa.ArrowException: a table cannot be read, though the checksum is right.
    """
    head, body = checked(data, run_id)
    tables, start = {}, 0
    for name, length in head["tables"].items():
        tables[name] = pa.ipc.open_stream(pa.py_buffer(body[start : start + length])).read_all()
        start += length
    if tables[RUNS.name].num_rows != 1:
        raise ValueError("not the row of one run")
    return Commit(run_id, head["settings"], tables)


def length_at(data: Any, start: int) -> tuple[str, int]:
    """Run and length of the whole commit that begins at `start` among other bytes.

    Raises:
        ValueError, or another of MALFORMED: there is none.
    """
    end = data.find(b"\n", start) + 1  # without one: an empty line, which is no JSON
    head = json.loads(data[start:end])
    length = end - start + sum(head["tables"].values())
    checked(data[start : start + length], head["run_id"])
    return head["run_id"], length


def _serialise(table: str, rows: Sequence[Mapping[str, object]]) -> bytes:
    schema = TABLES[table].schema()
    known = {field.name for field in schema}
    undeclared = {key for row in rows for key in row} - known
    if undeclared:
        raise ValueError(f"{table}: no column for {sorted(undeclared)}; columns are declared in harness/schema.py")
    columns = [pa.array([row.get(field.name) for row in rows], field.type) for field in schema]
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
    return bytes(sink.getvalue())


def _checksum(head: Mapping[str, Any], body: bytes) -> str:
    digest = sha256(json.dumps(head).encode())
    digest.update(body)
    return digest.hexdigest()
