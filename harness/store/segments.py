"""Many commits in one file, for folders where a file a run would be too many.

A segment is the bytes of commits one after another, an index (run, start, length) sorted by run, and a trailer with the
SHA-256 of the index. It is never changed: a commit is superseded by that in a segment of a higher number, or by a file
of its own, and an empty file `<segment>.<run_id>.struck` quarantines a damaged commit in it. Where the index is damaged
the commits are recovered by their own heads. Only `compaction` writes segments.
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

import numpy as np
import numpy.typing as npt

from harness.store.commit import BEGINNING, MALFORMED, length_at
from harness.store.files import check_size, replace_file, temporary_beside

SUFFIX, QUARANTINED = ".segment", ".struck"
PACKABLE = re.compile(r"[0-9a-f]{16}")  # run ids as `study.plan` gives them: 64 bits of a hash
TRAILER = struct.Struct("<Q32s8s")  # start of the index, its SHA-256, MAGIC
MAGIC = b"segment1"
NUMBER = np.dtype("<u8")

Index = npt.NDArray[np.uint64]  # (3, commits): run, start and length, sorted by run


@dataclass(frozen=True, eq=False)
class Segment:
    """One segment and the place of each commit in it."""

    path: Path
    index: Index
    intact: bool  # the index matches its checksum
    quarantined: frozenset[str] = frozenset()

    def ids(self) -> frozenset[str]:
        return frozenset(f"{run:016x}" for run in self.index[0].tolist()) - self.quarantined

    def find(self, run_id: str) -> tuple[int, int] | None:
        """Start and length of a run's commit."""
        run = np.uint64(int(run_id, 16))
        column = int(np.searchsorted(self.index[0], run))
        if column == self.index.shape[1] or self.index[0, column] != run or run_id in self.quarantined:
            return None
        return int(self.index[1, column]), int(self.index[2, column])

    def read(self, run_id: str) -> bytes:
        """The bytes of a run's commit, unchecked.

        Raises:
            FileNotFoundError: the run has no commit here, or the segment no longer exists.
        """
        place = self.find(run_id)
        if place is None:
            raise FileNotFoundError(run_id)
        check_size(place[1], self.path)
        with self.path.open("rb", buffering=0) as file:
            file.seek(place[0])
            return file.read(place[1])


@dataclass
class Segments:
    """The segments of one folder, newest first, as they were at the last `refresh`."""

    folder: Path
    names: frozenset[str] = frozenset()
    segments: tuple[Segment, ...] = field(default=())

    def __post_init__(self) -> None:
        self.refresh()

    def refresh(self) -> None:
        """List and open the segments again.

        A reader of every commit lists the files of single runs before this, not after: compaction moves commits from
        files to segments.

        Raises:
            PermissionError: a segment may not be read.
        """
        while True:
            self.names = _listing(self.folder)
            opened = [_open(self.folder / name) for name in sorted(self.names, reverse=True) if name.endswith(SUFFIX)]
            if _listing(self.folder) == self.names:  # otherwise one may have replaced another in the meantime
                break
        quarantined: dict[str, set[str]] = {}
        for name in self.names:
            if name.endswith(QUARANTINED):
                segment, _, run_id = name.removesuffix(QUARANTINED).rpartition(".")
                quarantined.setdefault(segment, set()).add(run_id)
        self.segments = tuple(replace(s, quarantined=frozenset(quarantined.get(s.path.name, ()))) for s in opened)

    def ids(self) -> frozenset[str]:
        """All runs that have a commit here."""
        return frozenset[str]().union(*(segment.ids() for segment in self.segments))

    def find(self, run_id: str) -> Segment | None:
        """The newest segment that holds a run."""
        if self.segments and PACKABLE.fullmatch(run_id):
            return next((segment for segment in self.segments if segment.find(run_id)), None)
        return None

    def place(self, run_id: str) -> tuple[str, int]:
        """Segment and start of a run's commit: a sort key, to read many commits in the order of the disk."""
        segment = self.find(run_id)
        place = segment.find(run_id) if segment else None
        return (segment.path.name, place[0]) if segment and place else ("", 0)

    def read(self, run_id: str) -> bytes:
        """The bytes of a run's commit, unchecked.

        Raises:
            FileNotFoundError: the run has no commit in the segments that exist now.
        """
        while True:
            if segment := self.find(run_id):
                with suppress(FileNotFoundError):  # compacted again since the last refresh
                    return segment.read(run_id)
            elif _listing(self.folder) == self.names:
                raise FileNotFoundError(run_id)
            self.refresh()

    def quarantine(self, run_id: str) -> None:
        """Take a damaged commit out of the index."""
        if segment := self.find(run_id):
            replace_file(self.folder / f"{segment.path.name}.{run_id}{QUARANTINED}", b"")


def write(path: Path, commits: Iterable[tuple[str, bytes]]) -> frozenset[str]:
    """Write a segment, whole or not at all; its name ends in the hash of its content.

    Args:
        path: its folder and the beginning of its name, up to the hash.
        commits: run ids and the bytes of their commits.

    Returns:
        the runs that are in it now; without any no segment is written.
    """
    entries, digest = [], sha256()
    with temporary_beside(path) as temporary:
        with temporary.open("wb") as file:
            for run_id, data in commits:
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
    return frozenset(f"{run:016x}" for run, _, _ in entries)


def _listing(folder: Path) -> frozenset[str]:
    with suppress(FileNotFoundError):
        return frozenset(name for name in os.listdir(folder) if name.endswith((SUFFIX, QUARANTINED)))
    return frozenset()


def _open(path: Path) -> Segment:
    """A segment; one without commits in place of what is no segment or cannot be read."""
    try:
        status = path.stat()
        if S_ISREG(status.st_mode):
            return _load(path, (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns))
    except PermissionError:  # this says nothing about the data
        raise
    except OSError:
        pass
    return Segment(path, _index(()), intact=False)


@lru_cache(maxsize=4096)
def _load(path: Path, identity: tuple[int, ...]) -> Segment:
    """The index of a segment, by its trailer or by the commits' own heads; a changed file has another `identity`."""
    with path.open("rb") as file, suppress(OSError, ValueError, struct.error):
        end = identity[2] - TRAILER.size
        file.seek(max(0, end))
        start, digest, magic = TRAILER.unpack(file.read())
        if magic == MAGIC and start <= end:
            file.seek(start)
            check_size(end - start, path)
            data = file.read(end - start)
            index = np.frombuffer(data, NUMBER).reshape(3, -1)
            if sha256(data).digest() == digest and index[1:].max(initial=0) <= start:
                return Segment(path, index, intact=True)
    return Segment(path, _recovered(path), intact=False)


def _recovered(path: Path) -> Index:
    places: dict[str, tuple[int, int]] = {}
    with path.open("rb") as file, suppress(ValueError), mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        start = data.find(BEGINNING)
        while start >= 0:
            length = 1
            with suppress(*MALFORMED):
                run_id, length = length_at(data, start)
                if PACKABLE.fullmatch(run_id):
                    places[run_id] = start, length
            start = data.find(BEGINNING, start + length)
    return _index([(int(run_id, 16), *place) for run_id, place in places.items()])


def _index(entries: Sequence[tuple[int, int, int]]) -> Index:
    return np.ascontiguousarray(np.array(sorted(entries), NUMBER).reshape(-1, 3).T)
