"""One fault at a time: commits stay, damaged ones are computed again, and the message says what to do."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor
from itertools import count
from pathlib import Path

import pytest
from results_folders import quiet_sweep

from harness import cli, status, sweep
from harness.errors import ResultsError
from harness.execution import local, preview, sweeping
from harness.execution.job import JobOptions, Outcome
from harness.execution.options import SweepOptions
from harness.execution.progress import Progress
from harness.schema import Record
from harness.store import journal as journal_module
from harness.store.journal import Journal
from harness.store.status import Status
from harness.study.plan import Plan

Planned = Callable[..., Plan]


def commits(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "journal").glob("*.run")}


# --- damaged files ---------------------------------------------------------------------------------------------------


def test_a_damaged_commit_is_missing_for_readers_and_quarantined_by_the_next_sweep(
    planned: Planned, tmp_path: Path, capsys
) -> None:
    study_plan, folder = planned("steady", seeds="3"), tmp_path / "r"
    quiet_sweep(study_plan, folder)
    before, path = commits(folder), Journal.open(folder).path(study_plan.runs[0].run_id)
    path.write_bytes(before[path.name][:-100])
    spoiled = commits(folder)
    message = f"damaged commit, to be computed again: {study_plan.runs[0].run_id}"
    preview_text = preview.preview(study_plan, folder, SweepOptions())
    status_text = Status.of(study_plan, Journal.open(folder)).text()
    assert message in preview_text
    assert "3 runs: 2 done, 1 missing, 0 failed" in preview_text
    assert "to do now: 1 runs" in preview_text
    assert message in status_text
    assert "1  missing" in status_text
    assert len(list(Journal.open(folder).read(sorted(study_plan.ids)))) == 2
    assert commits(folder) == spoiled, "a reader has changed something"
    capsys.readouterr()
    again = sweeping.sweep(study_plan, folder, SweepOptions(engine="torch"))
    assert f"damaged commit quarantined, its run is missing: {study_plan.runs[0].run_id}" in capsys.readouterr().err
    assert (again.computed, again.missing) == (1, 0)
    assert commits(folder) == before
    assert "damaged commit quarantined" in Status.of(study_plan, Journal.open(folder)).text()


def test_a_commit_whose_checksum_covers_the_tables_alone_is_still_read(planned: Planned, tmp_path: Path) -> None:
    import json
    from hashlib import sha256

    study_plan = planned("steady", seeds="1")
    quiet_sweep(study_plan, tmp_path)
    journal, [run] = Journal.open(tmp_path), study_plan.runs
    line, _, body = journal.path(run.run_id).read_bytes().partition(b"\n")
    old = {**json.loads(line), "sha256": sha256(body).hexdigest()}
    journal.path(run.run_id).write_bytes(json.dumps(old).encode() + b"\n" + body)
    assert [commit.run_id for commit in journal.read([run.run_id])] == [run.run_id]


def test_a_folder_where_a_commit_should_be_is_a_damaged_commit(planned: Planned, tmp_path: Path) -> None:
    study_plan = planned("steady", seeds="2")
    Journal.create(tmp_path).path(study_plan.runs[0].run_id).mkdir()
    assert "2  missing" in Status.of(study_plan, Journal.open(tmp_path)).text()
    assert quiet_sweep(study_plan, tmp_path).missing == 0


def test_a_damaged_note_of_a_failure_is_ignored(planned: Planned, tmp_path: Path) -> None:
    study_plan = planned("steady", seeds="3")
    journal = Journal.create(tmp_path)
    for run in study_plan.runs:
        journal.fail(run.run_id, {}, "ValueError: no", "trace", 1)
    first, second, third = (journal.failure_path(run.run_id) for run in study_plan.runs)
    first.write_bytes(first.read_bytes()[:20])
    second.write_text('{"run_id": "' + study_plan.runs[1].run_id + '"}')
    assert set(journal.failures()) == {study_plan.runs[2].run_id}
    assert "failed" in Status.of(study_plan, journal).text()
    assert quiet_sweep(study_plan, tmp_path).computed == 2
    assert third.exists()


def test_half_written_files_of_a_killed_writer_are_removed_by_the_next_sweep(planned: Planned, tmp_path: Path) -> None:
    study_plan = planned("steady", seeds="1")
    Journal.create(tmp_path)
    halves = [tmp_path / name / f".half-{'0f' * 16}" for name in ("", "journal", "failures", "working", "checkpoints")]
    for half in halves:
        half.parent.mkdir(exist_ok=True)
        half.write_text("half")
    own = tmp_path / ".somebody-elses"
    own.write_text("mine")
    quiet_sweep(study_plan, tmp_path)
    assert [half for half in halves if half.exists()] == []
    assert own.exists()


# --- the folder ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_folder_that_is_moved_while_a_sweep_runs_is_an_error_and_keeps_what_it_had(
    planned: Planned, tmp_path: Path, jobs: int
) -> None:
    folder, moved = tmp_path / "r", tmp_path / "moved"
    quiet_sweep(planned("steady", seeds="[0]"), folder)
    before = commits(folder)
    with pytest.raises(ResultsError, match="No such file or directory"):
        quiet_sweep(planned("moving", seeds="[0, 1, 2, 3]"), folder, jobs=jobs)
    assert before.items() <= commits(moved).items()
    assert not (moved / "failures").exists()
    again = quiet_sweep(planned("steady", seeds="[0, 1, 2, 3]"), moved)
    assert again.missing == 0
    assert before.items() <= commits(moved).items()


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_folder_that_is_deleted_while_a_sweep_runs_is_an_error_and_is_not_made_again(
    planned: Planned, tmp_path: Path, jobs: int
) -> None:
    with pytest.raises(ResultsError, match="No such file or directory"):
        quiet_sweep(planned("deleting", seeds="[0, 1]"), tmp_path / "r", jobs=jobs)
    assert not (tmp_path / "r").exists()


def test_on_a_full_disk_a_sweep_stops_and_blames_no_run_and_continues_once_there_is_space(
    planned: Planned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet_sweep(planned("steady", seeds="[0]"), tmp_path)
    before, study_plan = commits(tmp_path), planned("steady", seeds="[0, 1, 2]")

    def full(path: Path, data: bytes) -> None:
        if path.name.endswith(".json") or ".json-" in path.name:
            return write(path, data)
        path.write_bytes(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    write = journal_module.write_synced
    with monkeypatch.context() as patched:
        patched.setattr(journal_module, "write_synced", full)
        with pytest.raises(ResultsError, match=r"cannot keep run .*: No space left on device"):
            quiet_sweep(study_plan, tmp_path)
    assert commits(tmp_path) == before
    assert not list((tmp_path / "failures").glob("*"))
    assert not list((tmp_path / "journal").glob(".*"))
    after = quiet_sweep(study_plan, tmp_path)
    assert (after.computed, after.missing) == (2, 0)


@pytest.mark.parametrize("part", ["holder.json", "plan.json", "runs.parquet"])
def test_a_file_that_the_controller_cannot_write_is_reported(
    planned: Planned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    quiet_sweep(planned("steady", seeds="[0]"), tmp_path)
    before, swap = commits(tmp_path), os.replace

    def full(source: Path, target: Path) -> None:
        if Path(target).name == part:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        swap(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        with pytest.raises(ResultsError, match=rf"{part}.*No space left on device"):
            quiet_sweep(planned("steady", seeds="[0, 1]"), tmp_path)
    assert before.items() <= commits(tmp_path).items()
    assert quiet_sweep(planned("steady", seeds="[0, 1]"), tmp_path).missing == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, 256 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "harness-test", str(disk)], capture_output=True, check=False
    )
    if not mounted or mounted.returncode:
        pytest.skip("mounting is not permitted here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_disk_that_fills_up_while_a_sweep_runs(planned: Planned, small_disk: Path, jobs: int) -> None:
    folder = small_disk / "r"
    quiet_sweep(planned("steady", seeds="[0]"), folder)
    before = commits(folder)
    with pytest.raises(ResultsError, match="No space left on device"):
        quiet_sweep(planned("filling", seeds="[0, 1, 2]"), folder, jobs=jobs)
    assert before.items() <= commits(folder).items()
    (folder / "junk").unlink()
    assert quiet_sweep(planned("steady", seeds="[0, 1, 2]"), folder).missing == 0
    assert before.items() <= commits(folder).items()


def test_a_read_only_folder_can_be_looked_at_but_not_swept(planned: Planned, small_disk: Path) -> None:
    study_plan, folder = planned("steady", seeds="[0, 1]"), small_disk / "r"
    quiet_sweep(study_plan, folder, limit=1)
    before = commits(folder)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(ResultsError, match="cannot be written: Read-only file system"):
        quiet_sweep(study_plan, folder)
    assert "1  missing" in Status.of(study_plan, Journal.open(folder)).text()
    assert commits(folder) == before


def test_a_clock_that_jumps_back_changes_nothing(
    planned: Planned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study_plan = planned("steady", seeds="4")
    quiet_sweep(study_plan, tmp_path / "steady")
    quiet_sweep(study_plan, tmp_path / "jumping", limit=2)
    for path in (tmp_path / "jumping").rglob("*"):
        os.utime(path, (4e9, 4e9))  # in the year 2096
    back = count(1_000_000_000, -3600)
    with monkeypatch.context() as patched:
        patched.setattr(time, "time", lambda: float(next(back)))
        again = quiet_sweep(study_plan, tmp_path / "jumping", timeout=60)
    assert (again.computed, again.missing, again.failed) == (2, 0, {})
    assert commits(tmp_path / "jumping") == commits(tmp_path / "steady")


# --- jobs ------------------------------------------------------------------------------------------------------------


def test_a_worker_that_dies_without_work_makes_no_suspects(
    planned: Planned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study_plan, calls = planned("steady", seeds="5"), []

    def results(packs, supervision, alone):
        calls.append((len(packs), alone))
        if len(calls) == 1:
            raise BrokenExecutor("a worker died while it was idle")
        for pack in packs:
            yield pack, Outcome({run.run_id: ("solved", 1.0) for run in pack})

    monkeypatch.setattr(local, "_results", results)
    supervision = local.Supervision(
        "", JobOptions(tmp_path, os.getpid()), Journal.create(tmp_path), Progress({}, tmp_path, False), 2
    )
    assert local.execute([(run,) for run in study_plan.runs], supervision) == {}
    assert calls == [(5, False), (5, False)]
    assert not supervision.attempts


def test_failures_are_reported_at_once_and_at_the_end_and_can_be_retried(study_file, tmp_path: Path, capsys) -> None:
    common = [str(study_file()), "-o", str(tmp_path / "out"), "-j", "1", "--engine", "torch"]
    assert cli.guarded(sweep.main, [*common, "--timeout", "1e-9"]) == cli.RUNS_MISSING
    shown = capsys.readouterr().err
    assert shown.count("failed: ") == 6
    assert "DeadlineError" in shown
    assert "6 runs failed; why: " in shown
    assert "add --retry-failed" in shown
    assert cli.guarded(status.main, common[:3]) == cli.DONE
    assert "6  failed" in capsys.readouterr().out
    assert cli.guarded(sweep.main, common) == cli.RUNS_MISSING
    assert cli.guarded(sweep.main, [*common, "--retry-failed"]) == cli.DONE


def test_a_commit_is_synced_and_then_its_name_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal, seen, sync = Journal.create(tmp_path), [], os.fsync

    def fsync(handle: int) -> None:
        seen.append((stat.S_ISDIR(os.fstat(handle).st_mode), journal.path("a" * 16).exists()))
        sync(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    journal.commit(Record("a" * 16, {"outcome": "solved"}, {}), {})
    assert seen == [(False, False), (True, True)]
