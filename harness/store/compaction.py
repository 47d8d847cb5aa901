"""Commits in files of their own → segments, once there are many (docs/decisions/0005-compaction.md).

At every moment each commit is in a file of its own or in a segment that has been synced, for a while in both. So a
crash loses nothing, and readers, who look at the files first, miss nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from harness.store.commit import MALFORMED, checked
from harness.store.journal import Journal, read_file, sync_folder
from harness.store.segments import PACKABLE, QUARANTINED, Segment, Segments, write

LEAST = 1000  # files; fewer stay as they are
SEGMENT_BYTES = 256e6  # a larger one is followed by another: so much more disk does packing need

Records = Iterator[tuple[str, bytes]]


def compact(journal: Journal) -> int:
    """Pack commits into segments, if `LEAST` of them are files; call it while holding the whole folder's lock.

    Returns:
        how many files went into segments.

    Raises:
        OSError: the disk is full, the folder gone or read-only; every commit is still there.
    """
    inodes = journal.loose()
    files = [run_id for run_id in sorted(inodes, key=inodes.__getitem__) if PACKABLE.fullmatch(run_id)]
    if len(files) < LEAST:
        return 0
    segments = journal.segments()
    outdated = list(_outdated(segments, frozenset(files)))
    segments.folder.mkdir(exist_ok=True)
    sync_folder(segments.folder.parent)
    numbers = [segment.path.name.partition("-")[0] for segment in segments.segments]
    number = max((int(text) for text in numbers if text.isdecimal()), default=0)
    records, packed = _sound(journal, segments, files, outdated), 0
    while True:
        number += 1
        written = write(segments.folder / f"{number:06d}", _share(records))
        sync_folder(segments.folder)
        gone = [run_id for run_id in files if run_id in written]
        for run_id in gone:
            journal.path(run_id).unlink(missing_ok=True)
        packed += len(gone)
        if not written:
            break
    sync_folder(segments.folder.parent)
    _remove(journal, outdated)
    return packed


def _outdated(segments: Segments, files: frozenset[str]) -> Iterator[Segment]:
    """Segments that hold what is damaged, or what a newer commit has taken the place of."""
    newer = files
    for segment in segments.segments:
        ids = segment.ids()
        if not segment.sound or segment.quarantined or ids & newer:
            yield segment
        newer |= ids


def _sound(journal: Journal, segments: Segments, files: Sequence[str], outdated: Sequence[Segment]) -> Records:
    """The newest whole commit of every run that has a file or is in an outdated segment, in the order of the disk.

    A damaged file stays where it is; damaged bytes of a segment that will go are set aside.
    """
    taken: set[str] = set()
    for run_id in files:
        with suppress(OSError, *MALFORMED):
            data = read_file(journal.path(run_id))
            checked(data, run_id)
            taken.add(run_id)
            yield run_id, data
    for segment in segments.segments:
        if segment not in outdated:
            taken |= segment.ids()
            continue
        for run_id in sorted(segment.ids() - taken, key=segments.place):
            try:
                data = segment.read(run_id)
                checked(data, run_id)
            except (OSError, *MALFORMED) as error:
                journal.quarantine(run_id, f"{type(error).__name__}: {error}")
                continue
            taken.add(run_id)
            yield run_id, data


def _share(records: Records) -> Records:
    """As many records as one segment takes."""
    size = 0
    for run_id, data in records:
        yield run_id, data
        size += len(data)
        if size >= SEGMENT_BYTES:
            return


def _remove(journal: Journal, outdated: Sequence[Segment]) -> None:
    """Outdated segments go, those with a damaged index to journal/damaged/; so do marks that belong to no segment."""
    shelf = journal.folder / "journal" / "damaged"
    for segment in outdated:
        if segment.sound:
            segment.path.unlink(missing_ok=True)
        else:
            shelf.mkdir(exist_ok=True)
            segment.path.rename(shelf / segment.path.name)
    left = journal.segments()
    there = {segment.path.name for segment in left.segments}
    for name in left.names:
        if name.endswith(QUARANTINED) and name.removesuffix(QUARANTINED).rpartition(".")[0] not in there:
            (left.folder / name).unlink(missing_ok=True)
