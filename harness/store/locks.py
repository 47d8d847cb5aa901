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
    own = _acquire(folder, shard, 2 if shard else 0)  # seconds: another shard may be looking whether this one is there
    try:
        others = sorted(path.name.removeprefix(".lock-") for path in folder.glob(".lock-*"))
        for other in [""] if shard else others:
            _acquire(folder, other, 2 if shard else 0).release()  # seconds: another shard may be looking, too
        _note_holder(folder, shard)
        try:
            yield
        finally:
            with suppress(OSError):
                _holder_file(folder, shard).unlink(missing_ok=True)
    finally:
        own.release()


@contextmanager
def waiting(folder: Path, shard: str) -> Iterator[None]:
    """Wait for other shards, while holding one's own lock: two that wait for a third must not wait for each other."""
    _note_holder(folder, shard, waiting=True)
    try:
        yield
    finally:
        _note_holder(folder, shard)


def others_at_work(folder: Path, shard: str) -> bool:
    """Whether another shard than this one computes runs in a results folder, and does not wait itself."""
    for path in folder.glob(".lock-*"):
        other = path.name.removeprefix(".lock-")
        # the holder's note is looked at first: a lock that is tried for nothing could be missed by its owner
        if other != shard and _computes(folder, other):
            try:
                _acquire(folder, other, 0).release()
            except ResultsError:
                return True
    return False


def _computes(folder: Path, shard: str) -> bool:
    """Whether the note of a shard's holder is there, and does not say that it waits."""
    with suppress(OSError, ValueError):
        return not read_json(_holder_file(folder, shard)).get("waiting", False)
    return False


def _note_holder(folder: Path, shard: str, waiting: bool = False) -> None:
    note = {"process": os.getpid(), "host": gethostname(), **({"waiting": True} if waiting else {})}
    replace_file(_holder_file(folder, shard), json.dumps(note).encode())


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
