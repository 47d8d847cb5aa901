"""Nothing lost, nothing twice, nothing different, whatever is killed and when. The long version: `tox -e chaos`."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from chaos import Sweep, leftovers, storm, study, uninterrupted
from study_texts import study_text

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds orphans in /proc")


def one_run(updates: int) -> str:
    training = f"{{max_updates: {updates}, batch_size: 1, stop_when_solved: false}}"
    return study_text(name="chaos", claim="One run, two workers.", training=training, evaluation="{every: 1000}")


ENDLESS = one_run(updates=10_000_000)


@pytest.mark.long
def test_many_rounds_of_kills_change_nothing(tmp_path: Path) -> None:
    rounds, seed = int(os.environ.get("CHAOS_ROUNDS") or 24), int(os.environ.get("CHAOS_SEED") or 20261123)
    path = tmp_path / "chaos.yaml"
    path.write_text(study())
    tally = storm(path, uninterrupted(path, tmp_path / "reference"), rounds, seed)
    assert tally.rounds == rounds
    assert tally.faults == {}
    assert tally.midway >= rounds // 4, "too few kills came when there was something to lose"


@pytest.mark.long
def test_a_second_sweep_reports_the_holder_of_the_folder_which_is_free_once_that_is_killed(
    tmp_path: Path,
) -> None:
    path = tmp_path / "chaos.yaml"
    path.write_text(ENDLESS)
    first = Sweep(path, tmp_path)
    while not first.begun():
        assert not first.ended(0.1), first.output.read_text()
    second = Sweep(path, tmp_path)
    assert second.ended(60)
    assert second.process.returncode == 2
    assert f"held by process {first.process.pid} " in second.output.read_text()
    while len(first.workers()) < 2:  # one has the run, the other nothing to do
        time.sleep(0.1)
    first.process.send_signal(signal.SIGKILL)
    assert first.ended(10)
    path.write_text(one_run(updates=5))
    third = Sweep(path, tmp_path)
    assert third.ended(60)
    assert third.process.returncode == 0, third.output.read_text()
    assert first.orphans() == 0, "a worker outlived its killed controller"


def test_ctrl_c_at_a_terminal_reaches_controller_and_workers_and_leaves_none(tmp_path: Path) -> None:
    path = tmp_path / "chaos.yaml"
    path.write_text(ENDLESS)
    sweep = Sweep(path, tmp_path)
    while not sweep.begun():
        assert not sweep.ended(0.1), sweep.output.read_text()
    os.killpg(sweep.process.pid, signal.SIGINT)
    assert sweep.ended(30)
    output = sweep.output.read_text()
    assert sweep.process.returncode == 130, output
    assert "To go on: python -m harness.sweep" in output
    assert sweep.orphans() == 0


def test_files_that_no_sweep_should_leave_are_listed(tmp_path: Path) -> None:
    for name in ("journal/a.run", "journal/.a.run-1", "working/1.json", ".runs.parquet-1", ".lock"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert {path.name for path in leftovers(tmp_path)} == {".a.run-1", "1.json", ".runs.parquet-1"}
