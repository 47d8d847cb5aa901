"""A line more in the freeze file of a study: its expectations frozen, or judged runs computed before that."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep
from typing import TypeVar

from harness.errors import HarnessError, ResultsError
from harness.store.files import write_synced
from harness.store.journal import Journal
from harness.store.repository import commit_of, committed
from harness.store.winners import resolved
from harness.study.freezes import FIRST, Event, Freeze, chained, freeze_file, read_freezes
from harness.study.held_out import Registration
from harness.study.plan import Plan
from harness.study.registered import content_of, digest
from harness.study.spec import StudySpec

LOCK_SECONDS = 10.0
Line = TypeVar("Line", Freeze, Freeze | None)


@dataclass(frozen=True)
class FreezeFile:
    """The freeze file of a study, to be written."""

    plan: Plan
    path: Path

    @classmethod
    def of(cls, plan: Plan) -> FreezeFile:
        """The freeze file of a plan's study.

        Raises:
            HarnessError: the study is a text.
        """
        path = freeze_file(plan.study)
        if path is None or not Path(plan.study.path).is_file():
            raise HarnessError(f"{plan.study.path}: only a study that is a file can be frozen, beside it")
        return cls(plan, path)

    def event(self, kind: Event, folder: Path, note: str = "") -> Freeze:
        """What would be written now.

        Args:
            kind: a freeze, or judged runs without one.
            folder: the results folder, in which runs of judged seeds are counted; it need not exist.
            note: the reason of an amendment.
        """
        study = self.plan.study
        content = content_of(study)
        commit, dirty = commit_of(Path(study.path))
        date = datetime.now(UTC).isoformat(timespec="seconds")
        return Freeze(
            kind, date, commit, dirty, digest(content), content, study.claim, judged_runs(self.plan, folder), note
        )

    def freeze(self, folder: Path, note: str = "") -> Freeze:
        """Append a freeze of the study as it is now.

        Raises:
            HarnessError: it is frozen as it is already, a line was edited or cut off, an amendment has no note, or the
                file cannot be written.
        """
        return self._append(lambda freezes: self.checked(freezes, folder, note))

    def checked(self, freezes: tuple[Freeze, ...], folder: Path, note: str = "") -> Freeze:
        """The next freeze after these.

        Raises:
            HarnessError: see `freeze`.
        """
        if self.plan.study.overrides:
            raise HarnessError(f"{self.plan.study.path}: is frozen as it stands in its file, without -S")
        if not self.plan.study.expect:
            raise HarnessError(f"{self.plan.study.path}: expects nothing, so there is nothing to freeze")
        registration = Registration(self.plan.study, freezes)
        if registration.valid and registration.last is not None:
            raise HarnessError(f"{self.path}: frozen as it is on {registration.last.day}; nothing has changed since")
        if registration.last is not None and not note.strip():
            raise HarnessError(
                f"{self.path}: this freeze is an amendment, as the study was frozen on {registration.last.day}; "
                "say why with --note TEXT"
            )
        return self.event("freeze", folder, note)

    def judged_without_freeze(self, folder: Path) -> Freeze | None:
        """Append that judged runs are computed although the study, as it is, is not frozen; once for each such study.

        Returns:
            the event; None where it is there already.

        Raises:
            HarnessError: as `freeze`, but for the note.
        """
        event = self.event("judged", folder)

        def new(freezes: tuple[Freeze, ...]) -> Freeze | None:
            last = freezes[-1] if freezes else None
            return None if last is not None and (last.event, last.digest) == ("judged", event.digest) else event

        return self._append(new)

    def _append(self, new: Callable[[tuple[Freeze, ...]], Line]) -> Line:
        """Add a line while no other process does: what is to replace the file is the lock, as that of git's index."""
        lock = self.path.with_name(f".{self.path.name}.lock")
        try:
            with _exclusive(lock):
                freezes = self.read()
                freeze = new(freezes)
                if freeze is None:
                    return None
                line = chained(freeze, freezes[-1].hash if freezes else FIRST)
                before = self.path.read_bytes() if freezes else b""
                write_synced(lock, before + line.encode() + b"\n")
                os.replace(lock, self.path)
                return freeze
        except OSError as error:
            raise ResultsError(f"{self.path}: cannot be written: {error.strerror or error}") from None

    def read(self) -> tuple[Freeze, ...]:
        """The lines, which are those of the commit that is checked out and perhaps more.

        Raises:
            HarnessError: one was edited, or was cut off since it was committed.
        """
        freezes = read_freezes(self.path)
        before = committed(self.path)
        if before is not None and not (self.path.read_bytes() if freezes else b"").startswith(before):
            raise HarnessError(
                f"{self.path}: lines that were committed are gone; the file is only ever added to: restore it from "
                "your version control"
            )
        return freezes


@contextmanager
def _exclusive(lock: Path) -> Iterator[None]:
    """Hold a file that is there only while one process writes; it is gone at the end.

    Raises:
        ResultsError: it stays there for `LOCK_SECONDS`.
        OSError: it cannot be created.
    """
    until = monotonic() + LOCK_SECONDS
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
            break
        except FileExistsError:
            if monotonic() > until:
                raise ResultsError(
                    f"{lock}: another process is writing the freeze file; if none is, remove it"
                ) from None
            sleep(0.05)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def judged_runs(plan: Plan, folder: Path) -> int:
    """How many runs of judged seeds have a result in a folder; none where it is no results folder."""
    judged = frozenset(plan.study.judged)
    try:
        done = Journal.open(folder).done()
    except ResultsError:
        return 0
    return sum(run.run_id in done for run in resolved(plan, folder).runs if run.seed in judged)


def notes_on(freeze: Freeze, study: StudySpec) -> tuple[str, ...]:
    """What a freeze lacks, in sentences."""
    if freeze.commit is None:
        return (f"{study.path} is in no git repository with a commit: the freeze has a date, but no commit",)
    if freeze.dirty:
        return (f"files differ from commit {freeze.commit[:12]}, or the study is not in it: the freeze notes 'dirty'",)
    return ()
