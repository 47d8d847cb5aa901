"""One file a run, written whole or not at all.

A commit is a line of JSON (run, settings, lengths, and the SHA-256 of all else in the file) followed by one Arrow IPC
stream per table. It is written under a temporary name, synced, and linked to its own name: of two writers the first
wins, and a reader never sees half a file. What does not match its checksum is never read as data: its run counts as
missing, and whoever holds the folder sets the file aside.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from socket import gethostname
from stat import S_ISREG
from typing import Any
from uuid import uuid4

import pyarrow as pa
from filelock import BaseFileLock, FileLock, Timeout

from harness.errors import ResultsError
from harness.schema import SCHEMA_VERSION, Record
from harness.store.commit import MALFORMED, Commit, checked, decode, encode
from harness.store.segments import Segments

SUFFIX = ".run"


@dataclass(frozen=True)
class Journal:
    """The commits of one results folder."""

    folder: Path
    replace: bool = False  # a second commit of a run takes the place of the first (--force)
    writing: bool = False  # damaged commits are set aside; who only reads passes them over

    @classmethod
    def create(cls, folder: Path) -> Journal:
        """Open a results folder for writing, making it if need be.

        Raises:
            ResultsError: it cannot be written, or holds another schema version; nothing was changed.
        """
        marker = folder / "store.json"
        try:
            if marker.exists():
                _check_version(marker)
            (folder / "journal").mkdir(parents=True, exist_ok=True)
            if not marker.exists():
                replace_file(marker, json.dumps({"harness_schema": SCHEMA_VERSION}).encode())
            probe = folder / "journal" / f".probe-{uuid4().hex}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise ResultsError(
                f"{folder}: cannot be written: {error.strerror or error}; choose another folder with -o"
            ) from None
        return cls(folder, writing=True)

    @classmethod
    def open(cls, folder: Path) -> Journal:
        """Open a results folder for reading.

        Raises:
            ResultsError: there is none, it cannot be read, or it holds another schema version.
        """
        marker = folder / "store.json"
        try:
            found = marker.exists()
        except OSError as error:
            raise ResultsError(f"{folder}: cannot be read: {error.strerror or error}") from None
        if not found:
            raise ResultsError(f"{folder}: no results here yet; python -m harness.sweep makes them")
        _check_version(marker)
        return cls(folder)

    def path(self, run_id: str) -> Path:
        return self.folder / "journal" / f"{run_id}{SUFFIX}"

    def loose(self) -> dict[str, int]:
        """Ids of runs whose commit is a file of its own, and its inode: disks read files fastest in that order."""
        with suppress(FileNotFoundError), os.scandir(self.folder / "journal") as entries:
            return {e.name.removesuffix(SUFFIX): e.inode() for e in entries if e.name.endswith(SUFFIX)}
        return {}

    def segments(self) -> Segments:
        """The segments of this folder, as they are now."""
        return Segments(self.folder / "journal" / "segments")

    def done(self) -> frozenset[str]:
        """Ids of all committed runs."""
        loose = frozenset(self.loose())  # before the segments: what is packed meanwhile is in them by then
        return loose | self.segments().ids()

    def has(self, run_id: str) -> bool:
        """Whether a run is committed: the time of this does not grow with the journal."""
        return self.path(run_id).exists() or self.segments().find(run_id) is not None

    def commit(self, record: Record, settings: Mapping[str, Any]) -> bool:
        """Keep a run; False where it had been kept before (the first stays, unless `replace`).

        Raises:
            ResultsError: the disk is full, or the folder gone or read-only.
        """
        data = encode(record, settings)
        target = self.path(record.run_id)
        temporary = target.with_name(f".{target.name}-{uuid4().hex}")
        try:
            if not self.replace and self.segments().find(record.run_id):
                return False
            _write_synced(temporary, data)
            if self.replace:
                os.replace(temporary, target)
            else:
                os.link(temporary, target)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.ENOTSUP):
                raise ResultsError(
                    f"{target.parent}: cannot keep run {record.run_id}: {error.strerror or error}"
                ) from None
            os.replace(temporary, target)  # a file system without hard links
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        sync_folder(target.parent)
        return True

    def read(self, run_ids: Iterable[str]) -> Iterator[Commit]:
        """The commits of these runs; a damaged one is left out, and set aside (see `damaged`) by who is writing.

        Raises:
            ResultsError: a commit may not be read.
        """
        segments = self.segments()
        for run_id in run_ids:
            try:
                commit = decode(self._bytes(run_id, segments), run_id)
            except FileNotFoundError:
                continue
            except (OSError, *MALFORMED, pa.ArrowException) as error:
                if self.writing:
                    self.quarantine(run_id, f"{type(error).__name__}: {error}")
                continue
            yield commit

    def faulty(self, run_ids: Iterable[str]) -> dict[str, str]:
        """Of these commits the damaged ones, and what is wrong with them; nothing is touched.

        Raises:
            ResultsError: a commit may not be read.
        """
        found, segments = {}, self.segments()
        for run_id in sorted(run_ids, key=segments.place):
            try:
                checked(self._bytes(run_id, segments), run_id)
            except FileNotFoundError:
                continue
            except (OSError, *MALFORMED) as error:
                found[run_id] = f"{type(error).__name__}: {error}"
        return found

    def _bytes(self, run_id: str, segments: Segments) -> bytes:
        """A commit as it is kept: a file of its own before a segment's, since it is the newer one."""
        try:
            try:
                return read_file(self.path(run_id))
            except FileNotFoundError:
                return segments.read(run_id)
        except PermissionError as error:  # says nothing about the data
            where = error.filename or self.path(run_id)
            raise ResultsError(f"{where}: cannot be read: {error.strerror or error}") from None

    def quarantine(self, run_id: str, why: str) -> None:
        """Move a damaged commit to journal/damaged/, with a note; its run is then missing."""
        shelf = self.folder / "journal" / "damaged"
        with suppress(OSError):
            shelf.mkdir(exist_ok=True)
            (shelf / f"{run_id}.txt").write_text(f"{why}\n")
            kept = shelf / f"{run_id}-{uuid4().hex[:8]}"
            try:
                os.replace(self.path(run_id), kept)
            except FileNotFoundError:
                segments = self.segments()
                kept.write_bytes(segments.read(run_id))
                segments.quarantine(run_id)

    def clear_temporaries(self) -> None:
        """Remove what writers that were killed left half-written; call it while holding the lock."""
        for name in ("", "journal", "journal/segments", "failures", "working", "checkpoints"):
            for path in (self.folder / name).glob(".*-" + "[0-9a-f]" * 32):
                with suppress(OSError):
                    path.unlink()

    def damaged(self) -> tuple[str, ...]:
        """Ids of runs whose commits were found damaged and set aside."""
        return tuple(sorted({p.name[:16] for p in (self.folder / "journal" / "damaged").glob("*.txt")}))

    def failure_path(self, run_id: str) -> Path:
        return self.folder / "failures" / f"{run_id}.json"

    def fail(self, run_id: str, settings: Mapping[str, Any], error: str, trace: str, attempts: int) -> None:
        """Note that a run failed: no result, but why, and with which settings."""
        path = self.failure_path(run_id)
        path.parent.mkdir(exist_ok=True)
        note = {"run_id": run_id, "error": error, "attempts": attempts, "settings": dict(settings), "traceback": trace}
        replace_file(path, json.dumps(note, indent=1).encode())

    def failures(self) -> dict[str, Mapping[str, Any]]:
        """Notes of failed runs by id; a later success takes its note away."""
        found = {}
        for path in sorted((self.folder / "failures").glob("*.json")):
            try:
                note = read_json(path)
                if note["run_id"] == path.stem:
                    found[path.stem] = {**note, "error": str(note["error"])}
            except (OSError, ValueError, KeyError):
                continue
        return {run_id: note for run_id, note in found.items() if not self.has(run_id)}

    @contextmanager
    def lock(self, shard: str = "") -> Iterator[None]:
        """Be the only controller of this folder, or of one shard of it; the lock goes when its holder dies.

        Each looks for the other after it has its own: a whole sweep at every shard's lock, a shard at the whole's.

        Raises:
            ResultsError: another process holds it, and which.
        """
        own = self._take(shard, 0)
        try:
            others = sorted(path.name.removeprefix(".lock-") for path in self.folder.glob(".lock-*"))
            for other in [""] if shard else others:
                self._take(other, 2 if shard else 0).release()  # another shard may be looking, too
            holder = self._holder(shard)
            replace_file(holder, json.dumps({"process": os.getpid(), "host": gethostname()}).encode())
            try:
                yield
            finally:
                with suppress(OSError):
                    holder.unlink(missing_ok=True)
        finally:
            own.release()

    def _holder(self, shard: str) -> Path:
        return self.folder / (f"holder-{shard}.json" if shard else "holder.json")

    def _take(self, shard: str, patience: float) -> BaseFileLock:
        lock = FileLock(self.folder / (f".lock-{shard}" if shard else ".lock"))
        try:
            lock.acquire(timeout=patience)
        except Timeout:
            who = f" shard {shard}" if shard else ""
            with suppress(OSError, ValueError, KeyError):
                note = read_json(self._holder(shard))
                who += f" by process {note['process']} on {note['host']}"
            raise ResultsError(
                f"{self.folder}: another sweep is writing here (held{who}); wait for it, or choose another -o"
            ) from None
        return lock


def read_file(path: Path) -> bytes:
    """A file's bytes; a pipe or a device in its place would never end.

    Raises:
        OSError: it is not there, is no file, or may not be read.
    """
    if not S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "not a file", str(path))
    return path.read_bytes()


def read_json(path: Path) -> dict[str, Any]:
    """A file that holds a JSON object.

    Raises:
        OSError: it cannot be read.
        ValueError: it holds something else.
    """
    try:
        found = json.loads(read_file(path))
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    return found


def replace_file(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(f".{path.name}-{uuid4().hex}")
    try:
        _write_synced(temporary, data)
        os.replace(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _write_synced(path: Path, data: bytes) -> None:
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


def _check_version(marker: Path) -> None:
    try:
        found = read_json(marker)["harness_schema"]
    except (OSError, ValueError, KeyError):
        raise ResultsError(
            f"{marker}: not readable as the mark of a results folder; move the folder away, or choose another with -o"
        ) from None
    if found != SCHEMA_VERSION:
        raise ResultsError(
            f"{marker.parent}: holds schema version {found}, this harness writes {SCHEMA_VERSION}; "
            "choose another folder with -o, nothing here was changed"
        )
