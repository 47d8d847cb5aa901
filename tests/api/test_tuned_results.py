"""What tuning found, from Python: the same numbers as in winners.json."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from results_folders import quiet_sweep

import harness
from harness.store.journal import Journal
from harness.study.plan import plan

TUNED = """\
name: tuned
claim: Each cell has its own learning rate.
task: {name: temporal_order, sequence_length: 12}
model: {cell: rnn, hidden_size: 5}
training: {max_updates: 2, batch_size: 4}
evaluation: {every: 2, sequences: 16}
sweep: [{model.cell: [rnn]}, {model.cell: [lstm], model.forget_bias: [1.0, 2.0]}]
tune: {over: {training.learning_rate: [0.001, 0.01]}, by: final_loss, seeds: [100]}
seeds: 2
"""


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[harness.Study, Path]:
    path = tmp_path_factory.mktemp("studies") / "tuned.yaml"
    path.write_text(TUNED)
    study = harness.Study.from_yaml(path)
    folder = path.parent / "results"
    quiet_sweep(plan(study.spec), folder)
    return replace(study, folder=folder), folder


def test_a_row_a_candidate_with_its_score_and_whether_it_won(swept: tuple[harness.Study, Path]) -> None:
    study, folder = swept
    results = harness.load(folder)
    table = results.tuning
    assert list(table.columns) == ["cell", "learning_rate", "score", "runs", "won", "forget_bias"]
    assert len(table) == 6
    assert table["won"].sum() == 3
    by_group = [group for _, group in table.groupby(["cell", "forget_bias"], dropna=False)]
    assert len(by_group) == 3, "an RNN has no forget bias, and is one combination"
    for group in by_group:
        assert group.loc[group["won"], "score"].item() == group["score"].min(), "of a loss the lowest wins"
    stored = json.loads((folder / "winners.json").read_text())["winners"]
    scores = sorted(each["score"] for entry in stored for each in entry["candidates"])
    assert scores == sorted(table["score"])
    assert set(results.runs["seed"]) == {0, 1}
    assert "tuning" not in results.judged.frames.extra
    assert study.results().tuning.equals(table)


def test_a_plan_has_the_role_of_each_run_and_those_of_winners_once_they_are_known(
    swept: tuple[harness.Study, Path], tmp_path: Path
) -> None:
    study, _ = swept
    assert study.plan().runs["role"].value_counts().to_dict() == {"tuning": 6, "judged": 6}
    before = replace(study, folder=tmp_path / "none").plan()
    assert before.runs["role"].value_counts().to_dict() == {"tuning": 6}
    assert len(before) == 12
    assert "cost of fairness: 6 tuning runs for 6 of the winners" in repr(before)


def test_the_networks_of_tuning_leave_no_other_table(swept: tuple[harness.Study, Path]) -> None:
    _, folder = swept
    judged = {run.run_id for run in harness.load(folder).judged.plan.runs}
    assert set(harness.load(folder).curves["run_id"]) == judged
    assert Journal.open(folder).done() > judged
