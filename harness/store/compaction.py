"""Commits in files of their own → segments, once there are many (docs/decisions/0005-compaction.md).

At every moment each commit is in a file of its own or in a segment that has been synced, for a while in both. So a
crash loses nothing, and readers, which list the files first, miss nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from harness.store.commit import MALFORMED, checked
from harness.store.files import read_file, sync_folder
from harness.store.journal import Journal
from harness.store.segments import PACKABLE, QUARANTINED, Segment, Segments, write

FEWEST = 1000  # files; fewer stay as they are
SEGMENT_BYTES = 256e6  # a segment that reaches this is followed by another: compaction needs so much more disk

Entries = Iterator[tuple[str, bytes]]  # run ids and the bytes of their commits


def compact(journal: Journal) -> int:
    """Move commits into segments if at least `FEWEST` of them are files; call it only under the whole folder's lock.

    Returns:
        how many files were moved into segments.

    Raises:
        OSError: the disk is full, the folder gone or read-only; every commit still exists.
    """
    inodes = journal.loose()
    files = [run_id for run_id in sorted(inodes, key=inodes.__getitem__) if PACKABLE.fullmatch(run_id)]
    if len(files) < FEWEST:
        return 0
    segments = journal.segments()
    outdated = list(_outdated(segments, frozenset(files)))
    segments.folder.mkdir(exist_ok=True)
    sync_folder(segments.folder.parent)
    numbers = [segment.path.name.partition("-")[0] for segment in segments.segments]
    number = max((int(text) for text in numbers if text.isdecimal()), default=0)
    entries, packed = _intact(journal, segments, files, outdated), 0
    while True:
        number += 1
        written = write(segments.folder / f"{number:06d}", _share(entries))
        sync_folder(segments.folder)  # before the files are removed: a power cut must not cost both copies
        superseded = [run_id for run_id in files if run_id in written]
        for run_id in superseded:
            journal.path(run_id).unlink(missing_ok=True)
        packed += len(superseded)
        if not written:
            break
    sync_folder(segments.folder.parent)
    _remove(journal, outdated)
    return packed


def _outdated(segments: Segments, files: frozenset[str]) -> Iterator[Segment]:
    """Segments with a damaged or a superseded commit."""
    newer = files
    for segment in segments.segments:
        ids = segment.ids()
        if not segment.intact or segment.quarantined or ids & newer:
            yield segment
        newer |= ids


def _intact(journal: Journal, segments: Segments, files: Sequence[str], outdated: Sequence[Segment]) -> Entries:
    """The newest undamaged commit of every run that has a file or is in an outdated segment, in the order of the disk.

    A damaged file stays where it is; damaged bytes of a segment that will be removed are quarantined.
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


def _share(entries: Entries) -> Entries:
    """As many entries as one segment takes."""
    size = 0
    for run_id, data in entries:
        yield run_id, data
        size += len(data)
        if size >= SEGMENT_BYTES:
            return


def _remove(journal: Journal, outdated: Sequence[Segment]) -> None:
    """Remove outdated segments (those with a damaged index go to journal/damaged/), and marks without their segment."""
    quarantine = journal.folder / "journal" / "damaged"
    for segment in outdated:
        if segment.intact:
            segment.path.unlink(missing_ok=True)
        else:
            quarantine.mkdir(exist_ok=True)
            segment.path.rename(quarantine / segment.path.name)
    current = journal.segments()
    names = {segment.path.name for segment in current.segments}
    for name in current.names:
        if name.endswith(QUARANTINED) and name.removesuffix(QUARANTINED).rpartition(".")[0] not in names:
            (current.folder / name).unlink(missing_ok=True)
