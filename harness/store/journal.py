"""The commits of a results folder: one file a run, written whole or not at all.

A commit (see `commit`) is written under a temporary name, synced, and linked to its own name: of two writers the first
wins, and a reader never sees half a file. What does not match its checksum is never read as data: its run counts as
missing, and the next sweep quarantines the file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa

from harness.errors import NoResultsError, ResultsError, check_current_folder
from harness.schema import SCHEMA_VERSION, Record
from harness.store.commit import MALFORMED, Commit, checked, decode, encode
from harness.store.files import (
    TEMPORARY,
    read_file,
    read_json,
    replace_file,
    sync_folder,
    temporary_beside,
    write_synced,
)
from harness.store.ownership import FOLDERS, MARK, check_owned, check_version
from harness.store.segments import Segments
from harness.study.identity import Versions

SUFFIX = ".run"


@dataclass(frozen=True)
class Journal:
    """The commits of one results folder."""

    folder: Path
    replace: bool = False  # a second commit of a run takes the place of the first (--force)
    writing: bool = False  # `read` quarantines damaged commits; a reader only skips them

    @classmethod
    def create(cls, folder: Path) -> Journal:
        """Open a results folder for writing; it is created if need be.

        Raises:
            ResultsError: it cannot be written, holds another schema version, or is not the harness's own; nothing was
                changed.
        """
        check_owned(folder)
        marker = folder / MARK
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not marker.exists():
                replace_file(marker, json.dumps({"harness_schema": SCHEMA_VERSION}).encode())
            (folder / "journal").mkdir(exist_ok=True)
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
            ResultsError: it has no results, cannot be read, or holds another schema version.
        """
        check_current_folder()
        marker = folder / MARK
        try:
            exists = marker.exists()
        except OSError as error:
            raise ResultsError(f"{folder}: cannot be read: {error.strerror or error}") from None
        if not exists:
            raise NoResultsError(f"{folder}: no results here yet; python -m harness.sweep STUDY makes them")
        check_version(marker)
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

    def commit(self, record: Record, settings: Mapping[str, Any], versions: Versions | None = None) -> bool:
        """Commit a run; False where it had been committed before (the first commit stays, unless `replace`).

        Args:
            record: what the run leaves.
            settings: of the run, by column.
            versions: of the code and data that it was computed with.

        Raises:
            ResultsError: the disk is full, or the folder is gone or read-only.
        """
        data = encode(record, settings, versions)
        target = self.path(record.run_id)
        with temporary_beside(target) as temporary:
            try:
                if not self.replace and self.segments().find(record.run_id):
                    return False
                write_synced(temporary, data)
                if self.replace:
                    os.replace(temporary, target)
                elif not _link(temporary, target):
                    return False
            except OSError as error:
                raise ResultsError(
                    f"{target.parent}: cannot keep run {record.run_id}: {error.strerror or error}"
                ) from None
        sync_folder(target.parent)
        return True

    def read(self, run_ids: Iterable[str]) -> Iterator[Commit]:
        """The commits of these runs; a damaged one is left out, and quarantined if the journal is open for writing.

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

    def heads(self, run_ids: Iterable[str]) -> Iterator[Mapping[str, Any]]:
        """The heads (run, settings, versions) of the undamaged ones of these commits.

        Raises:
            ResultsError: a commit may not be read.
        """
        segments = self.segments()
        for run_id in sorted(run_ids, key=segments.place):
            with suppress(OSError, *MALFORMED):
                yield checked(self._bytes(run_id, segments), run_id)[0]

    def damaged(self, run_ids: Iterable[str], *, decoded: bool = False) -> dict[str, str]:
        """run_id → reason, of those of these commits that are damaged; every checksum is verified, nothing changed.

        Args:
            run_ids: of these commits.
            decoded: read their tables too, which takes several times as long and tells whether a commit with a matching
                checksum was forged.

        Raises:
            ResultsError: a commit may not be read.
        """
        reasons, segments = {}, self.segments()
        for run_id in sorted(run_ids, key=segments.place):
            try:
                (decode if decoded else checked)(self._bytes(run_id, segments), run_id)
            except FileNotFoundError:
                continue
            except (OSError, *MALFORMED, pa.ArrowException) as error:
                reasons[run_id] = f"{type(error).__name__}: {error}"
        return reasons

    def _bytes(self, run_id: str, segments: Segments) -> bytes:
        """The bytes of a commit: its own file before a segment's, since that is the newer one."""
        try:
            try:
                return read_file(self.path(run_id))
            except FileNotFoundError:
                return segments.read(run_id)
        except PermissionError as error:  # this says nothing about the data
            where = error.filename or self.path(run_id)
            raise ResultsError(f"{where}: cannot be read: {error.strerror or error}") from None

    def quarantine(self, run_id: str, reason: str) -> None:
        """Move a damaged commit to journal/damaged/, with a note; its run is then missing."""
        folder = self.folder / "journal" / "damaged"
        with suppress(OSError):
            folder.mkdir(exist_ok=True)
            replace_file(folder / f"{run_id}.txt", f"{reason}\n".encode(errors="backslashreplace"))
            target = folder / f"{run_id}-{uuid4().hex[:8]}"
            try:
                os.replace(self.path(run_id), target)
            except FileNotFoundError:
                segments = self.segments()
                replace_file(target, segments.read(run_id))
                segments.quarantine(run_id)

    def quarantined(self) -> tuple[str, ...]:
        """Ids of runs of which a damaged commit was quarantined."""
        return tuple(sorted({p.name[:16] for p in (self.folder / "journal" / "damaged").glob("*.txt")}))

    def clear_temporaries(self) -> None:
        """Remove what killed writers left half-written; call it only under the lock of the whole folder."""
        for name in ("", *FOLDERS, "journal/segments", "journal/damaged"):
            for path in (self.folder / name).glob(".*"):
                if TEMPORARY.fullmatch(path.name):
                    with suppress(OSError):
                        path.unlink()

    def failure_path(self, run_id: str) -> Path:
        return self.folder / "failures" / f"{run_id}.json"

    def fail(self, run_id: str, settings: Mapping[str, Any], error: str, trace: str, attempts: int) -> None:
        """Note that a run failed: it has no result, but a reason, with its settings."""
        path = self.failure_path(run_id)
        path.parent.mkdir(exist_ok=True)
        note = {"run_id": run_id, "error": error, "attempts": attempts, "settings": dict(settings), "traceback": trace}
        replace_file(path, json.dumps(note, indent=1).encode())

    def failures(self) -> dict[str, Mapping[str, Any]]:
        """The notes of failed runs by id; a note counts no longer once its run is committed."""
        notes = {}
        for path in sorted((self.folder / "failures").glob("*.json")):
            try:
                note = read_json(path)
                if note["run_id"] == path.stem:
                    notes[path.stem] = {**note, "error": str(note["error"])}
            except (OSError, ValueError, KeyError):
                continue
        return {run_id: note for run_id, note in notes.items() if not self.has(run_id)}


def _link(temporary: Path, target: Path) -> bool:
    """Give a file its name, unless another writer was first; then False.

    Raises:
        OSError: the disk is full, or the folder is gone or read-only.
    """
    try:
        os.link(temporary, target)  # unlike a rename it fails where another writer was first
    except FileExistsError:
        return False
    except OSError:  # file systems without hard links have no error number in common; a rename says what else is wrong
        if target.exists():
            return False
        os.replace(temporary, target)
    return True
