"""Many commits in one file, for folders where a file a run would be too many.

A segment is the bytes of commits one after another, an index (run, start, length) sorted by run, and a trailer with the
index' SHA-256. It is never changed: a newer one, by its number, or a file of a run's own takes a commit's place, and an
empty file `<segment>.<run_id>.quarantined` says that a commit in it is damaged. Where the index is damaged the commits
are found by their own heads. Only `compaction` writes segments.
"""

from __future__ import annotations

import mmap
import os
import re
import struct
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from stat import S_ISREG
from uuid import uuid4

import numpy as np
import numpy.typing as npt

from harness.store.commit import BEGINNING, MALFORMED, length_at

SUFFIX, QUARANTINED = ".segment", ".struck"
PACKABLE = re.compile(r"[0-9a-f]{16}")  # as plan makes run ids: 64 bits of a hash
TRAILER = struct.Struct("<Q32s8s")  # where the index begins, its SHA-256, MAGIC
MAGIC = b"segment1"
NUMBER = np.dtype("<u8")

Index = npt.NDArray[np.uint64]  # (3, commits): run, start and length, sorted by run


@dataclass(frozen=True, eq=False)
class Segment:
    """One segment: where in it which commit lies."""

    path: Path
    index: Index
    sound: bool  # its index is as it was written
    quarantined: frozenset[str] = frozenset()

    def ids(self) -> frozenset[str]:
        return frozenset(f"{run:016x}" for run in self.index[0].tolist()) - self.quarantined

    def find(self, run_id: str) -> tuple[int, int] | None:
        """Start and length of a run's commit."""
        run = np.uint64(int(run_id, 16))
        at = int(np.searchsorted(self.index[0], run))
        if at == self.index.shape[1] or self.index[0, at] != run or run_id in self.quarantined:
            return None
        return int(self.index[1, at]), int(self.index[2, at])

    def read(self, run_id: str) -> bytes:
        """The bytes of a run's commit, unchecked.

        Raises:
            FileNotFoundError: it has none here, or the segment is gone.
        """
        place = self.find(run_id)
        if place is None:
            raise FileNotFoundError(run_id)
        with self.path.open("rb", buffering=0) as file:
            file.seek(place[0])
            return file.read(place[1])


@dataclass
class Segments:
    """The segments of one folder, newest first, as they were when last looked at."""

    folder: Path
    names: frozenset[str] = frozenset()
    segments: tuple[Segment, ...] = field(default=())

    def __post_init__(self) -> None:
        self.look()

    def look(self) -> None:
        """See what is there. Who wants every commit looks for files of their own before this, not after.

        Raises:
            PermissionError: a segment may not be read.
        """
        while True:
            self.names = _listing(self.folder)
            loaded = [_open(self.folder / name) for name in sorted(self.names, reverse=True) if name.endswith(SUFFIX)]
            if _listing(self.folder) == self.names:  # else one may have taken another's place meanwhile
                break
        quarantined: dict[str, set[str]] = {}
        for name in self.names:
            if name.endswith(QUARANTINED):
                segment, _, run_id = name.removesuffix(QUARANTINED).rpartition(".")
                quarantined.setdefault(segment, set()).add(run_id)
        self.segments = tuple(replace(s, quarantined=frozenset(quarantined.get(s.path.name, ()))) for s in loaded)

    def ids(self) -> frozenset[str]:
        """All runs that have a commit here."""
        return frozenset[str]().union(*(segment.ids() for segment in self.segments))

    def find(self, run_id: str) -> Segment | None:
        """The newest segment that holds a run."""
        if self.segments and PACKABLE.fullmatch(run_id):
            return next((segment for segment in self.segments if segment.find(run_id)), None)
        return None

    def place(self, run_id: str) -> tuple[str, int]:
        """Where a run lies, to read many in the order of the disk."""
        segment = self.find(run_id)
        found = segment.find(run_id) if segment else None
        return (segment.path.name, found[0]) if segment and found else ("", 0)

    def read(self, run_id: str) -> bytes:
        """The bytes of a run's commit, unchecked.

        Raises:
            FileNotFoundError: there is none, also after another look.
        """
        while True:
            if segment := self.find(run_id):
                with suppress(FileNotFoundError):  # packed anew since the last look
                    return segment.read(run_id)
            elif _listing(self.folder) == self.names:
                raise FileNotFoundError(run_id)
            self.look()

    def quarantine(self, run_id: str) -> None:
        """Take a damaged commit out of the index."""
        if segment := self.find(run_id):
            (self.folder / f"{segment.path.name}.{run_id}{QUARANTINED}").touch()


def write(path: Path, records: Iterable[tuple[str, bytes]]) -> frozenset[str]:
    """Write a segment, whole or not at all; its name ends in the hash of its content.

    Args:
        path: its folder and the beginning of its name, up to the hash.
        records: runs and the bytes of their commits.

    Returns:
        the runs that are in it now; without any there is no segment.
    """
    temporary = path.with_name(f".{path.name}-{uuid4().hex}")
    entries, digest = [], sha256()
    try:
        with temporary.open("wb") as file:
            for run_id, data in records:
                entries.append((int(run_id, 16), file.tell(), len(data)))
                file.write(data)
                digest.update(data)
            index = _index(entries).tobytes()
            file.write(index)
            file.write(TRAILER.pack(file.tell() - len(index), sha256(index).digest(), MAGIC))
            file.flush()
            os.fsync(file.fileno())
        if entries:
            os.replace(temporary, path.with_name(f"{path.name}-{digest.hexdigest()[:16]}{SUFFIX}"))
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    return frozenset(f"{run:016x}" for run, _, _ in entries)


def _listing(folder: Path) -> frozenset[str]:
    with suppress(FileNotFoundError):
        return frozenset(name for name in os.listdir(folder) if name.endswith((SUFFIX, QUARANTINED)))
    return frozenset()


def _open(path: Path) -> Segment:
    """A segment; what is none, or cannot be read, is one without commits."""
    try:
        found = path.stat()
        if S_ISREG(found.st_mode):
            return _load(path, (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns))
    except PermissionError:  # says nothing about the data
        raise
    except OSError:
        pass
    return Segment(path, _index(()), sound=False)


@lru_cache(maxsize=4096)
def _load(path: Path, identity: tuple[int, ...]) -> Segment:
    """The index of a segment, by its trailer or by the commits' own heads; `identity` is what it was when read."""
    with path.open("rb") as file, suppress(ValueError, struct.error):
        end = identity[2] - TRAILER.size
        file.seek(max(0, end))
        start, digest, magic = TRAILER.unpack(file.read())
        if magic == MAGIC and start <= end:
            file.seek(start)
            data = file.read(end - start)
            index = np.frombuffer(data, NUMBER).reshape(3, -1)
            if sha256(data).digest() == digest and index[1:].max(initial=0) <= start:
                return Segment(path, index, sound=True)
    return Segment(path, _recovered(path), sound=False)


def _recovered(path: Path) -> Index:
    found: dict[str, tuple[int, int]] = {}
    with path.open("rb") as file, suppress(ValueError), mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        start = data.find(BEGINNING)
        while start >= 0:
            length = 1
            with suppress(*MALFORMED):
                run_id, length = length_at(data, start)
                if PACKABLE.fullmatch(run_id):
                    found[run_id] = start, length
            start = data.find(BEGINNING, start + length)
    return _index([(int(run_id, 16), *place) for run_id, place in found.items()])


def _index(entries: Sequence[tuple[int, int, int]]) -> Index:
    return np.ascontiguousarray(np.array(sorted(entries), NUMBER).reshape(-1, 3).T)
