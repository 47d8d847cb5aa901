"""The synthetic study is planned, stored and judged as any other, and each run's numbers follow from its id."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import scale, synthetic
from harness.experiments.setup import Setup
from harness.store import compaction
from harness.store.journal import Journal
from harness.study import validation
from harness.study.plan import Plan, plan

RUNS = 160


@pytest.fixture
def study_plan(tmp_path: Path) -> Plan:
    path = tmp_path / "toss.yaml"
    path.write_text(synthetic.study(RUNS))
    return plan(validation.read(path, load_names=synthetic.names))


def test_the_study_has_the_requested_number_of_runs(study_plan: Plan) -> None:
    assert len(study_plan.runs) == len(study_plan.ids) == RUNS


def test_a_run_has_the_same_numbers_alone_and_with_others(study_plan: Plan) -> None:
    runs = study_plan.runs[:3]
    together = [record.run for record in synthetic.toss(runs, Setup())]
    assert together == [next(synthetic.toss([run], Setup())).run for run in runs]
    assert len({run["final_loss"] for run in together}) == 3


def test_a_copied_commit_is_read_with_the_id_and_the_settings_of_its_run(study_plan: Plan, tmp_path: Path) -> None:
    journal = Journal.create(tmp_path / "toss")
    for run_id, data in synthetic.copies(study_plan.runs[:5]):
        journal.path(run_id).write_bytes(data)
    commits = {commit.run_id: commit.settings for commit in journal.read(journal.done())}
    assert commits == {run.run_id: run.columns() for run in study_plan.runs[:5]}


def test_a_phase_works_on_the_results_of_the_earlier_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "FEWEST", 2)
    numbers = {name: scale.phase(name, tmp_path, RUNS, None) for name in ("fill", "look", "tables", "compact", "check")}
    assert (numbers["fill"]["filled"], numbers["look"]["ids"], numbers["check"]["verdicts"]) == (RUNS, RUNS, 1 + 10)
    assert numbers["compact"]["packed"] == RUNS
    assert scale.phase("look_packed", tmp_path, RUNS, None)["ids"] == RUNS
    assert scale.occupied(tmp_path)["files"] == 1
