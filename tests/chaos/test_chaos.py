"""Nothing lost, nothing twice, nothing different, whatever is killed and when. The long version: `tox -e chaos`."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from chaos import STUDY, Sweep, leftovers, storm

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds orphans in /proc")

ENDLESS = """\
name: chaos
claim: One run, two workers.
task: {name: temporal_order, sequence_length: 12}
model: {cell: rnn, hidden_size: 4}
training: {max_updates: 10000000, batch_size: 1, stop_when_solved: false}
"""
SHORT = ENDLESS.replace("10000000", "5")


def test_two_rounds_of_kills_change_nothing(tmp_path: Path) -> None:
    short = STUDY.replace("max_updates: 1000", "max_updates: 200").replace("max_updates: [4000]", "max_updates: [800]")
    tally = storm(tmp_path / "chaos", rounds=2, seed=43, text=short)
    assert tally.rounds == 2
    assert tally.faults == {}


@pytest.mark.long
def test_many_rounds_of_kills_change_nothing(tmp_path: Path) -> None:
    rounds, seed = int(os.environ.get("CHAOS_ROUNDS", "24")), int(os.environ.get("CHAOS_SEED", "20261123"))
    tally = storm(tmp_path / "chaos", rounds=rounds, seed=seed)
    assert tally.rounds == rounds
    assert tally.faults == {}
    assert tally.midway >= rounds // 4, "too few kills came when there was something to lose"


def test_a_second_sweep_reports_the_holder_of_the_folder_and_a_killed_ones_is_free_at_once(tmp_path: Path) -> None:
    study = tmp_path / "chaos.yaml"
    study.write_text(ENDLESS)
    first = Sweep(study, tmp_path)
    while not first.begun():
        assert not first.ended(0.1), first.output.read_text()
    second = Sweep(study, tmp_path)
    assert second.ended(60)
    assert second.process.returncode == 2
    assert f"held by process {first.process.pid} " in second.output.read_text()
    while len(first.workers()) < 2:  # one has the run, the other nothing to do
        time.sleep(0.1)
    first.process.send_signal(signal.SIGKILL)
    assert first.ended(10)
    study.write_text(SHORT)
    third = Sweep(study, tmp_path)
    assert third.ended(60)
    assert third.process.returncode == 0, third.output.read_text()
    assert first.orphans() == 0, "a worker outlived its killed controller"


def test_ctrl_c_at_a_terminal_reaches_controller_and_workers_and_leaves_none(tmp_path: Path) -> None:
    study = tmp_path / "chaos.yaml"
    study.write_text(ENDLESS)
    sweep = Sweep(study, tmp_path)
    while not sweep.begun():
        assert not sweep.ended(0.1), sweep.output.read_text()
    os.killpg(sweep.process.pid, signal.SIGINT)
    assert sweep.ended(30)
    output = sweep.output.read_text()
    assert sweep.process.returncode == 130, output
    assert "To go on: python -m harness.sweep" in output
    assert sweep.orphans() == 0


def test_the_storm_sees_what_is_left_over(tmp_path: Path) -> None:
    for name in ("journal/a.run", "journal/.a.run-1", "working/1.json", ".runs.parquet-1", ".lock"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert {path.name for path in leftovers(tmp_path)} == {".a.run-1", "1.json", ".runs.parquet-1"}
