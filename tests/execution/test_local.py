"""Jobs: the same numbers at any -j; failures are retried, isolated and noted; the other runs go on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from harness.execution.options import SweepOptions, conditions
from harness.execution.sweeping import sweep
from harness.experiments.setup import Setup
from harness.registry import read
from harness.schema import Record
from harness.store.journal import Journal
from harness.store.status import Status
from harness.study.plan import Run, plan

# --- experiments that workers import by name ------------------------------------------------------------------------


def instant(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    for run in runs:
        yield Record(run.run_id, {"outcome": "solved", "updates": run.seed}, {})


def poisoned(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    """Seed 1 raises; seed 2 kills its worker as the kernel would; the others are fine."""
    for run in runs:
        if run.seed == 1:
            raise ValueError("seed 1 never works")
        if run.seed == 2:
            os.kill(os.getpid(), 9)
        yield Record(run.run_id, {"outcome": "solved", "updates": run.seed}, {})


def stillborn(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    raise AssertionError("never reached")


def slow(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    while True:
        setup.tick(0.5, len(runs))
        yield from ()


def planned(study_file, entry: str, overrides: Sequence[str] = ()):
    """A plan whose experiment is one of the above."""
    from dataclasses import replace

    study = read(study_file(), overrides)
    return plan(replace(study, experiment=replace(study.experiment, entry=f"{__name__}:{entry}", prepare=None)))


@pytest.fixture(autouse=True)
def importable_in_workers(monkeypatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parents[2]), str(Path(__file__).parent)]))


def content(folder: Path) -> dict[str, str]:
    """The tables without their timing, as text: NaN is not equal to itself."""
    import pyarrow.parquet as pq

    rows = {}
    for name in ("runs", "curves", "gradients"):
        table = pq.read_table(folder / f"{name}.parquet")
        rows[name] = repr(table.drop(["seconds"]).to_pydict() if name == "runs" else table.to_pydict())
    return rows


# --- laws ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["torch", "numba"])
def test_one_job_and_two_give_the_same_tables_bit_for_bit(study_file, tmp_path: Path, engine: str) -> None:
    study_plan = plan(read(study_file(), ["seeds=3", "model.hidden_size=[7, 19]"]))
    for jobs in (1, 2):
        assert sweep(study_plan, tmp_path / str(jobs), SweepOptions(jobs=jobs, engine=engine), shown=False).failed == {}
    assert content(tmp_path / "1") == content(tmp_path / "2")


def test_a_rerun_does_only_what_is_missing_and_the_tables_are_those_of_one_sweep(study_file, tmp_path: Path) -> None:
    study_plan = plan(read(study_file()))
    whole = sweep(study_plan, tmp_path / "whole", SweepOptions(engine="torch"), shown=False)
    assert (whole.computed, whole.missing) == (6, 0)
    first = sweep(study_plan, tmp_path / "parts", SweepOptions(limit=2, engine="torch"), shown=False)
    assert (first.computed, first.missing) == (2, 4)
    second = sweep(study_plan, tmp_path / "parts", SweepOptions(engine="torch"), shown=False)
    assert (second.computed, second.missing) == (4, 0)
    assert sweep(study_plan, tmp_path / "parts", SweepOptions(engine="torch"), shown=False).computed == 0
    assert content(tmp_path / "whole") == content(tmp_path / "parts")


def test_shards_share_the_runs_out_and_together_make_the_whole(study_file, tmp_path: Path) -> None:
    study_plan = planned(study_file, "instant", ["seeds=20"])
    parts = [SweepOptions(shard=(i, 3)).select(study_plan, frozenset(), frozenset()) for i in (1, 2, 3)]
    ids = [run.run_id for part in parts for run in part]
    assert sorted(ids) == sorted(study_plan.ids)
    assert all(parts)


def test_an_exception_and_a_killed_worker_are_isolated_and_noted_and_the_rest_is_done(
    study_file, tmp_path: Path
) -> None:
    study_plan = planned(study_file, "poisoned", ["seeds=5"])
    done = sweep(study_plan, tmp_path, SweepOptions(jobs=2, retries=1), shown=False)
    expected = {run.run_id: run.seed for run in study_plan.runs}
    assert {expected[run_id] for run_id in done.failed} == {1, 2}
    assert len(done.failed) == 6
    assert sorted(expected[run_id] for run_id in Journal.open(tmp_path).done()) == sorted([0, 3, 4] * 3)
    notes = Journal.open(tmp_path).failures()
    for run_id, note in notes.items():
        assert note["settings"]["seed"] == expected[run_id]
        assert note["attempts"] == 2
        assert ("seed 1 never works" in note["traceback"]) == (expected[run_id] == 1)
        assert ("worker killed" in note["error"]) == (expected[run_id] == 2)
    assert not list((tmp_path / "working").glob("*.json"))


def test_workers_that_die_before_they_can_say_what_they_are_at_do_not_keep_a_sweep_for_ever(
    study_file, tmp_path: Path, monkeypatch
) -> None:
    # a torch that kills its process stands for one that runs out of memory while it is imported
    fake = tmp_path / "fake" / "torch"
    fake.mkdir(parents=True)
    (fake / "__init__.py").write_text("import os\nos.kill(os.getpid(), 9)\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(fake.parent), os.environ["PYTHONPATH"]]))
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor().shutdown(wait=True)  # workers of earlier tests have imported the real one
    study_plan = planned(study_file, "stillborn", ["seeds=1", "sweep=[{model.cell: [rnn, lstm]}]"])
    done = sweep(study_plan, tmp_path / "out", SweepOptions(jobs=2, retries=0), shown=False)
    assert set(done.failed) == study_plan.ids
    get_reusable_executor().shutdown(wait=True)


def test_a_forced_run_keeps_its_old_result_until_the_new_one_is_there(study_file, tmp_path: Path) -> None:
    sweep(planned(study_file, "instant", ["seeds=[0, 1]"]), tmp_path, SweepOptions(), shown=False)
    before = Journal.open(tmp_path).done()
    done = sweep(
        planned(study_file, "poisoned", ["seeds=[0, 1]"]), tmp_path, SweepOptions(force=True, retries=0), shown=False
    )
    assert Journal.open(tmp_path).done() == before
    assert done.missing == 0


def test_failed_runs_wait_until_they_are_retried(study_file, tmp_path: Path) -> None:
    sweep(planned(study_file, "poisoned", ["seeds=[0, 1]"]), tmp_path, SweepOptions(), shown=False)
    healthy = planned(study_file, "instant", ["seeds=[0, 1]"])
    assert sweep(healthy, tmp_path, SweepOptions(), shown=False).computed == 0
    again = sweep(healthy, tmp_path, SweepOptions(retry_failed=True), shown=False)
    assert (again.computed, again.failed) == (3, {})


@pytest.mark.parametrize("jobs", [1, 2])
def test_fail_fast_stops_at_the_first_run_that_fails_alone(study_file, tmp_path: Path, jobs: int) -> None:
    study_plan = planned(study_file, "poisoned", ["seeds=[1, 5, 6]"])
    done = sweep(study_plan, tmp_path, SweepOptions(jobs=jobs, fail_fast=True, retries=0), shown=False)
    assert len(done.failed) == 1
    assert {study_plan.runs[i].seed for i, run in enumerate(study_plan.runs) if run.run_id in done.failed} == {1}


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_other_runs_of_a_pack_are_not_blamed(study_file, tmp_path: Path, jobs: int) -> None:
    study_plan = planned(study_file, "poisoned", ["seeds=[1, 5, 6]"])
    done = sweep(study_plan, tmp_path, SweepOptions(jobs=jobs, retries=0), shown=False)
    assert {run.seed for run in study_plan.runs if run.run_id in done.failed} == {1}
    assert done.missing == len(done.failed) == 3


def test_a_deadline_is_a_failure_of_that_run_and_is_not_tried_again(study_file, tmp_path: Path) -> None:
    done = sweep(planned(study_file, "slow", ["seeds=1"]), tmp_path, SweepOptions(timeout=0.2), shown=False)
    assert len(done.failed) == 3
    assert all("DeadlineError" in error for error in done.failed.values())
    assert {note["attempts"] for note in Journal.open(tmp_path).failures().values()} == {1}


def test_force_does_again_what_is_done(study_file, tmp_path: Path) -> None:
    study_plan = planned(study_file, "instant")
    sweep(study_plan, tmp_path, SweepOptions(), shown=False)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "journal").glob("*.run")}
    sweep(study_plan, tmp_path, SweepOptions(force=True), shown=False)
    assert all(path.stat().st_mtime_ns > then for path, then in before.items())


def test_a_filter_takes_columns_and_values(study_file) -> None:
    study_plan = planned(study_file, "instant")
    options = SweepOptions(where=conditions(["cell=lstm,gru", "seed=1"], study_plan.study))
    chosen = options.select(study_plan, frozenset(), frozenset())
    assert sorted((run.point.columns()["cell"], run.seed) for run in chosen) == [("gru", 1), ("lstm", 1)]


def test_a_changed_study_leaves_old_runs_as_orphans(study_file, tmp_path: Path) -> None:
    sweep(planned(study_file, "instant"), tmp_path, SweepOptions(), shown=False)
    changed = planned(study_file, "instant", ["training.max_updates=7"])
    assert Status.of(changed, Journal.open(tmp_path)).counts() == {"done": 0, "failed": 0, "missing": 6, "orphaned": 6}
    after = sweep(changed, tmp_path, SweepOptions(), shown=False)
    assert after.tables["runs"].num_rows == 6
    assert len(Journal.open(tmp_path).done()) == 12
