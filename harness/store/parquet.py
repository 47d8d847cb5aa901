"""Parquet files whose bits are checked: each page by its CRC-32, and the whole file by a SHA-256.

The SHA-256 stands between the last page and the footer, where readers of parquet do not look: a checksum of pages
covers neither their headers nor the footer, and a flipped bit there can rename a column.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from harness.store.files import read_file, temporary_beside

MAGIC = b"vanishing-gradient-harness:sha-256:"
END = 8  # bytes: the length of the footer, and "PAR1"
CHUNK = 2**20


def write_parquet(path: Path, table: pa.Table, metadata: Mapping[str, str] | None = None, **options: Any) -> None:
    """Write a table with its checksums, whole or not at all.

    Args:
        path: of the file; what is there is replaced.
        table: what is written.
        metadata: further entries of the file's metadata.
        options: of `pyarrow.parquet.ParquetWriter`.

    Raises:
        OSError: the file cannot be written.
    """
    with temporary_beside(path) as temporary:
        with temporary.open("w+b") as file:  # pyarrow would read `~`, `a:b` and `s3:x` in a path as a place
            with pq.ParquetWriter(
                pa.PythonFile(file, "w"), table.schema, compression="zstd", write_page_checksum=True, **options
            ) as writer:
                writer.write_table(table)
                writer.add_key_value_metadata(dict(metadata or {}))
            _insert_checksum(file)
        os.replace(temporary, path)


def read_parquet(path: Path) -> pa.Table:
    """A table whose checksums match; a file without the SHA-256 (of another program, or an earlier release) is read.

    Raises:
        OSError: the file cannot be read.
        ValueError, pa.ArrowException: it is damaged, or no parquet file.
    """
    data = read_file(path)
    if MAGIC in data:  # wherever it stands: a flipped bit in the footer's length must not hide it
        file = BytesIO(data)
        start, expected = _footer(file) - len(MAGIC) - sha256().digest_size, b""
        if start >= 0:
            file.seek(start)
            magic, expected = file.read(len(MAGIC)), file.read(sha256().digest_size)
            expected = expected if magic == MAGIC else b""
        if expected != _digest(file, start, start + len(MAGIC) + sha256().digest_size):
            raise ValueError("checksum does not match")
    return pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True).read()


def _insert_checksum(file: BinaryIO) -> None:
    footer = _footer(file)
    digest = _digest(file, footer, footer)
    file.seek(footer)
    end = file.read()
    file.seek(footer)
    file.write(MAGIC + digest + end)


def _footer(file: BinaryIO) -> int:
    """Where the footer begins."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - END))
    return size - END - int.from_bytes(file.read(4), "little")


def _digest(file: BinaryIO, pages: int, footer: int) -> bytes:
    """The SHA-256 of all pages, which end at one place, and the footer, which begins at another."""
    digest, rest = sha256(), max(0, pages)
    file.seek(0)
    while rest:
        chunk = file.read(min(CHUNK, rest))
        digest.update(chunk)
        rest -= len(chunk)
        if not chunk:
            break
    file.seek(max(0, footer))
    digest.update(file.read())
    return digest.digest()
