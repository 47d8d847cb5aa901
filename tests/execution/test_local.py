"""Jobs: the same numbers at any -j; failures are retried, isolated and noted; the other runs go on."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from results_folders import quiet_sweep, table_rows
from samples import sampled

from harness.registry import read
from harness.store.journal import Journal
from harness.store.status import Status
from harness.study.plan import Plan, plan

Planned = Callable[..., Plan]


@pytest.mark.parametrize("engine", sampled(["torch", "compiled"], ["compiled"]))
def test_one_job_and_two_give_the_same_tables_bit_for_bit(study_file, tmp_path: Path, engine: str) -> None:
    study_plan = plan(read(study_file(), ["seeds=3"]))
    for jobs in (1, 2):
        assert quiet_sweep(study_plan, tmp_path / str(jobs), jobs=jobs, engine=engine).failed == {}
    assert table_rows(tmp_path / "1") == table_rows(tmp_path / "2")


def test_a_rerun_does_only_what_is_missing_and_the_tables_are_those_of_one_sweep(study_file, tmp_path: Path) -> None:
    study_plan = plan(read(study_file()))
    whole = quiet_sweep(study_plan, tmp_path / "whole")
    assert (whole.computed, whole.missing) == (6, 0)
    first = quiet_sweep(study_plan, tmp_path / "parts", limit=2)
    assert (first.computed, first.missing) == (2, 4)
    second = quiet_sweep(study_plan, tmp_path / "parts")
    assert (second.computed, second.missing) == (4, 0)
    assert quiet_sweep(study_plan, tmp_path / "parts").computed == 0
    assert table_rows(tmp_path / "whole") == table_rows(tmp_path / "parts")


def test_an_exception_and_a_killed_worker_are_isolated_and_noted_and_the_rest_is_done(
    planned: Planned, tmp_path: Path
) -> None:
    study_plan = planned("poisoned", seeds="5")
    result = quiet_sweep(study_plan, tmp_path, jobs=2, retries=1)
    expected = {run.run_id: run.seed for run in study_plan.runs}
    assert sorted(expected[run_id] for run_id in result.failed) == [1, 2]
    assert sorted(expected[run_id] for run_id in Journal.open(tmp_path).done()) == [0, 3, 4]
    notes = Journal.open(tmp_path).failures()
    for run_id, note in notes.items():
        assert note["settings"]["seed"] == expected[run_id]
        assert note["attempts"] == 2
        assert ("seed 1 never works" in note["traceback"]) == (expected[run_id] == 1)
        assert ("worker killed" in note["error"]) == (expected[run_id] == 2)
    assert not list((tmp_path / "working").glob("*.json"))


def test_workers_that_die_before_they_mark_their_runs_do_not_keep_a_sweep_for_ever(
    planned: Planned, tmp_path: Path, monkeypatch
) -> None:
    # a torch that kills its process stands for one that runs out of memory while it is imported
    fake = tmp_path / "fake" / "torch"
    fake.mkdir(parents=True)
    (fake / "__init__.py").write_text("import os\nos.kill(os.getpid(), 9)\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(fake.parent), os.environ["PYTHONPATH"]]))
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor().shutdown(wait=True)  # workers of earlier tests have imported the real one
    study_plan = planned("unreachable", seeds="1", cells="[rnn, lstm]")
    result = quiet_sweep(study_plan, tmp_path / "out", jobs=2, retries=0)
    assert set(result.failed) == study_plan.ids
    get_reusable_executor().shutdown(wait=True)


def test_a_forced_run_keeps_its_old_result_until_the_new_one_is_there(planned: Planned, tmp_path: Path) -> None:
    quiet_sweep(planned("steady", seeds="[0, 1]"), tmp_path)
    before = Journal.open(tmp_path).done()
    result = quiet_sweep(planned("poisoned", seeds="[0, 1]"), tmp_path, force=True, retries=0)
    assert Journal.open(tmp_path).done() == before
    assert result.missing == 0


def test_failed_runs_wait_until_they_are_retried(planned: Planned, tmp_path: Path) -> None:
    quiet_sweep(planned("poisoned", seeds="[0, 1]"), tmp_path)
    healthy = planned("steady", seeds="[0, 1]")
    assert quiet_sweep(healthy, tmp_path).computed == 0
    again = quiet_sweep(healthy, tmp_path, retry_failed=True)
    assert (again.computed, again.failed) == (1, {})


@pytest.mark.parametrize("jobs", [1, 2])
def test_fail_fast_stops_at_the_first_run_that_fails_alone(planned: Planned, tmp_path: Path, jobs: int) -> None:
    study_plan = planned("poisoned", seeds="[1, 5, 6]")
    result = quiet_sweep(study_plan, tmp_path, jobs=jobs, fail_fast=True, retries=0)
    assert len(result.failed) == 1
    assert {run.seed for run in study_plan.runs if run.run_id in result.failed} == {1}


@pytest.mark.parametrize("jobs", sampled([1, 2], [1]))
def test_the_other_runs_of_a_pack_are_not_blamed(planned: Planned, tmp_path: Path, jobs: int) -> None:
    study_plan = planned("poisoned", seeds="[1, 5, 6]")
    result = quiet_sweep(study_plan, tmp_path, jobs=jobs, retries=0)
    assert {run.seed for run in study_plan.runs if run.run_id in result.failed} == {1}
    assert result.missing == len(result.failed) == 1


def test_a_deadline_is_a_failure_of_that_run_and_is_not_tried_again(planned: Planned, tmp_path: Path) -> None:
    result = quiet_sweep(planned("endless", seeds="1"), tmp_path, timeout=0.2)
    assert len(result.failed) == 1
    assert all("DeadlineError" in error for error in result.failed.values())
    assert {note["attempts"] for note in Journal.open(tmp_path).failures().values()} == {1}


def test_force_does_again_what_is_done(planned: Planned, tmp_path: Path) -> None:
    study_plan = planned("steady")
    quiet_sweep(study_plan, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "journal").glob("*.run")}
    assert len(before) == 2
    quiet_sweep(study_plan, tmp_path, force=True)
    assert all(path.stat().st_mtime_ns > then for path, then in before.items())


def test_a_changed_study_leaves_old_runs_as_orphans(planned: Planned, tmp_path: Path) -> None:
    quiet_sweep(planned("steady"), tmp_path)
    changed = planned("steady", "training.max_updates=7")
    assert Status.of(changed, Journal.open(tmp_path)).counts() == {"done": 0, "failed": 0, "missing": 2, "orphaned": 2}
    after = quiet_sweep(changed, tmp_path)
    assert after.tables["runs"].num_rows == 2
    assert len(Journal.open(tmp_path).done()) == 4
