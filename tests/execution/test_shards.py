"""Shards: several controllers on one folder, or on folders of their own whose commits are copied together."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from results_folders import quiet_sweep, table_rows
from study_texts import study_text

from harness.execution.options import SweepOptions
from harness.registry import read
from harness.store import tables
from harness.store.freezing import FreezeFile
from harness.store.journal import Journal
from harness.study.held_out import registration
from harness.study.plan import plan

ROOT = Path(__file__).parents[2]


@pytest.fixture
def study_plan(study_file):
    return plan(read(study_file(), ["seeds=4"]))


def test_shards_share_the_runs_and_leave_none(study_plan) -> None:
    shards = [SweepOptions(shard=(index, 3)).select(study_plan, frozenset(), frozenset()) for index in (1, 2, 3)]
    assert sorted(run.run_id for shard in shards for run in shard) == sorted(study_plan.ids)
    assert all(shards)


def test_shards_at_the_same_time_in_one_folder_make_the_tables_of_one_sweep(
    study_file, study_plan, tmp_path: Path
) -> None:
    path = study_file()
    quiet_sweep(study_plan, tmp_path / "whole")
    command = [sys.executable, "-m", "harness.sweep", str(path), "-S", "seeds=4", "-o", str(tmp_path), "-j", "1"]
    command += ["--engine", "torch"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    shards = [
        subprocess.Popen(
            [*command, "--shard", f"{index}/2"], env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for index in (1, 2)
    ]  # fmt: skip
    ended = [(shard.communicate(timeout=300), shard.returncode) for shard in shards]
    assert [code for _, code in ended] == [0, 0], ended
    assert table_rows(tmp_path / "tiny") == table_rows(tmp_path / "whole")
    assert (tmp_path / "tiny" / "report.html").exists(), "the last shard writes it"
    computed = [int(out.split(": ")[1].split()[0]) for (out, _), _ in ended if out.startswith("shard ")]
    assert sum(computed) < len(study_plan.runs), "a shard computes its share only"


def test_folders_of_shards_are_merged_by_copying_their_commits(study_plan, tmp_path: Path) -> None:
    quiet_sweep(study_plan, tmp_path / "whole")
    for index in (1, 2):
        result = quiet_sweep(study_plan, tmp_path / str(index), shard=(index, 2))
        assert 0 < result.missing == len(study_plan.runs) - result.computed
    shutil.copytree(tmp_path / "2" / "journal", tmp_path / "1" / "journal", dirs_exist_ok=True)
    merged = Journal.open(tmp_path / "1")
    tables.refresh(merged, study_plan)
    assert table_rows(tmp_path / "1") == table_rows(tmp_path / "whole")


def test_shards_of_a_study_with_calibration_seeds_share_one_freeze_file(study_file, tmp_path: Path) -> None:
    """Both compute judged runs without a freeze at the same time: that is one amendment, in a chain that is whole."""
    path = study_file(study_text(seeds={"calibration": 2, "judged": {"first": 1000, "count": 6}}))
    path.with_name("tiny.freeze.jsonl").unlink(missing_ok=True)
    study_plan = plan(read(path))
    with ThreadPoolExecutor(8) as pool:
        events = list(pool.map(lambda _: FreezeFile.of(study_plan).judged_without_freeze(tmp_path), range(8)))
    assert len([event for event in events if event is not None]) == 1
    assert [event.event for event in registration(study_plan.study).freezes] == ["judged"]
    assert [each.name for each in path.parent.iterdir() if each.name.startswith(".")] == []
    judged = frozenset(study_plan.study.judged)
    for index in (1, 2, 1):  # the first one again: nothing is left for it
        result = quiet_sweep(study_plan, tmp_path / "out", shard=(index, 2), omitted=judged)
    assert result.missing == 6
    for index in (1, 2):
        result = quiet_sweep(study_plan, tmp_path / "out", shard=(index, 2))
    assert result.missing == 0
    quiet_sweep(study_plan, tmp_path / "whole")
    assert table_rows(tmp_path / "out") == table_rows(tmp_path / "whole")
