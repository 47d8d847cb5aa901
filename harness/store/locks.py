"""Who may write to a results folder, by locks of the operating system: they end with the process that holds them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import gethostname

from filelock import BaseFileLock, FileLock, Timeout

from harness.errors import ResultsError
from harness.store.files import read_json, replace_file


@contextmanager
def controller_lock(folder: Path, shard: str = "") -> Iterator[None]:
    """Be the only controller of a results folder, or of one shard of it.

    A shard and the whole folder exclude each other, shards do not: each takes its own lock first and then looks for
    the other's, a whole sweep at the lock of every shard, a shard at that of the whole folder.

    Args:
        folder: the results folder.
        shard: its name; empty for the whole folder.

    Raises:
        ResultsError: another process has the lock; the message names it.
    """
    own = _acquire(folder, shard, 0)
    try:
        others = sorted(path.name.removeprefix(".lock-") for path in folder.glob(".lock-*"))
        for other in [""] if shard else others:
            _acquire(folder, other, 2 if shard else 0).release()  # seconds: another shard may be looking, too
        holder = _holder_file(folder, shard)
        replace_file(holder, json.dumps({"process": os.getpid(), "host": gethostname()}).encode())
        try:
            yield
        finally:
            with suppress(OSError):
                holder.unlink(missing_ok=True)
    finally:
        own.release()


@contextmanager
def derived_lock(folder: Path) -> Iterator[None]:
    """Be the only writer of what is derived from the commits (tables, figures, report); wait for another shard's.

    Raises:
        ResultsError: the folder is gone.
    """
    if not folder.is_dir():  # the lock would create it again
        raise ResultsError(f"{folder}: cannot be written: No such file or directory")
    with FileLock(folder / ".derived"):
        yield


def _holder_file(folder: Path, shard: str) -> Path:
    return folder / (f"holder-{shard}.json" if shard else "holder.json")


def _acquire(folder: Path, shard: str, timeout: float) -> BaseFileLock:
    lock = FileLock(folder / (f".lock-{shard}" if shard else ".lock"))
    try:
        lock.acquire(timeout=timeout)
    except Timeout:
        holder = f" shard {shard}" if shard else ""
        with suppress(OSError, ValueError, KeyError):
            note = read_json(_holder_file(folder, shard))
            holder += f" by process {note['process']} on {note['host']}"
        raise ResultsError(
            f"{folder}: another sweep is writing here (held{holder}); wait for it, or choose another -o"
        ) from None
    return lock
