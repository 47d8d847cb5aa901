"""Files that are read only if they are regular, and written whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_ISREG
from typing import Any
from uuid import uuid4

TEMPORARY = re.compile(r"\..*-[0-9a-f]{32}")  # the names that `temporary_beside` gives
LARGEST = 2**30  # bytes of a file that is read into memory: a sparse file of any size costs its forger nothing


def read_file(path: Path) -> bytes:
    """A file's bytes; reading a pipe or a device in its place would never end.

    Raises:
        OSError: it does not exist, is no regular file, may not be read, or has more than `LARGEST` bytes.
    """
    status = path.stat()
    if not S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a file", str(path))
    with path.open("rb", buffering=0) as file:
        check_size(status.st_size, path)
        return file.read(status.st_size)


def check_size(size: int, path: Path) -> None:
    """That so many bytes may be read into memory.

    Raises:
        OSError: they are more than `LARGEST`.
    """
    if size > LARGEST:
        raise OSError(errno.EFBIG, f"{size} bytes, which is more than a file of the harness can have", str(path))


def read_json(path: Path) -> dict[str, Any]:
    """A file that holds a JSON object.

    Raises:
        OSError: it cannot be read.
        ValueError: it holds something else.
    """
    try:
        value = json.loads(read_file(path))
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


@contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """A name in the folder of `path`, on the same file system; what is still there at the end is removed."""
    temporary = path.with_name(f".{path.name}-{uuid4().hex}")
    try:
        yield temporary
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def replace_file(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    with temporary_beside(path) as temporary:
        write_synced(temporary, data)
        os.replace(temporary, path)


def write_synced(path: Path, data: bytes) -> None:
    """Write a file and wait until the disk has it."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """A name is safe from a power cut when its folder is; some file systems have no such call."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
