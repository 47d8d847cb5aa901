"""Tuning beside calibration seeds: what is frozen is the search, and winners are judged once it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from results_folders import quiet_sweep

from harness.errors import StudyError
from harness.execution.swept_seeds import swept_seeds
from harness.registry import read
from harness.store.freezing import FreezeFile
from harness.store.journal import Journal
from harness.store.status import Status
from harness.store.winners import resolved
from harness.study.held_out import registration
from harness.study.plan import Plan, plan
from harness.study.registered import content_of, digest
from harness.verdicts.judging import judge_folder

TUNED = """\
name: tuned
claim: Each cell is judged with its own learning rate.
task: {name: temporal_order, sequence_length: 12}
model: {cell: rnn, hidden_size: 7, init: gaussian}
training: {max_updates: 6, batch_size: 5}
evaluation: {every: 3, sequences: 16}
sweep: {model.cell: [rnn, lstm]}
tune: {over: {training.learning_rate: [0.001, 0.01, 0.1]}, by: final_accuracy, per: [cell], seeds: [0, 100]}
seeds: {calibration: 2, judged: {first: 1000, count: 3}}
expect: [{metric: final_accuracy, per: [cell], at_least: 0.5, judge: estimate}]
"""


@pytest.fixture
def tuned(study_file: Callable[..., Path]) -> Callable[..., Plan]:
    def plan_with(*overrides: str, text: str = TUNED) -> Plan:
        study = read(study_file(text, "tuned.yaml"), overrides)
        experiment = replace(study.experiment, entry="worker_experiments:peaked", notes=None)
        return plan(replace(study, experiment=experiment))

    return plan_with


def sweep_phase(study_plan: Plan, folder: Path, word: str | None = None) -> set[int]:
    """The seeds of all runs that have a result after a sweep of these seeds."""
    quiet_sweep(study_plan, folder, omitted=swept_seeds(study_plan, word).omitted)
    done = Journal.open(folder).done()
    return {run.seed for run in resolved(study_plan, folder).every if run.run_id in done}


def test_winners_are_judged_after_a_freeze(tuned, tmp_path: Path) -> None:
    assert sweep_phase(tuned(), tmp_path) == {0, 1, 100}, "a tuning seed may be one of calibration"
    judged = judge_folder(tuned(), tmp_path)
    assert judged.calibrating
    assert set(judged.frames.runs["seed"]) == {0, 1}
    FreezeFile.of(tuned()).freeze(tmp_path)
    assert sweep_phase(tuned(), tmp_path) == {0, 1, 100, 1000, 1001, 1002}
    judged = judge_folder(tuned(), tmp_path)
    assert not judged.calibrating
    assert set(judged.frames.runs["seed"]) == {1000, 1001, 1002}
    assert judged.registration is not None
    assert judged.registration.state == "registered"
    assert [verdict.state for verdict in judged.verdicts] == ["holds", "holds"]
    status = Status.of(tuned(), Journal.open(tmp_path))
    assert status.counts() == {"done": len(status.plan.every), "missing": 0, "failed": 0, "orphaned": 0}


def test_a_run_that_tunes_and_calibrates_is_one_run(tuned, tmp_path: Path) -> None:
    sweep_phase(tuned(), tmp_path)
    known = resolved(tuned(), tmp_path)
    assert len({run.run_id for run in known.every}) == len(known.every) == 12 + 2 * 5 - 2


def test_judged_runs_that_are_called_for_need_the_winners_first(tuned, tmp_path: Path) -> None:
    assert sweep_phase(tuned(), tmp_path, "judged") == {0, 100, 1000, 1001, 1002}


def test_a_winner_is_no_amendment_and_another_search_is(tuned, tmp_path: Path) -> None:
    sweep_phase(tuned(), tmp_path)
    FreezeFile.of(tuned()).freeze(tmp_path)
    winners = resolved(tuned(), tmp_path).study
    assert digest(content_of(winners)) == digest(content_of(tuned().study))
    assert registration(winners).state == "registered"
    for old, new in (("[0.001, 0.01, 0.1]", "[0.001, 0.01]"), ("seeds: [0, 100]", "seeds: [0, 101]"), ("0.1]", "0.3]")):
        other = tuned(text=TUNED.replace(old, new)).study
        assert registration(other).state == "amended"
        assert any("tune" in problem.message for problem in registration(other).changes)


def test_a_freeze_counts_the_judged_runs_of_winners(tuned, tmp_path: Path) -> None:
    sweep_phase(tuned(), tmp_path, "judged")
    assert FreezeFile.of(tuned()).freeze(tmp_path).judged_runs == 6


def test_no_judged_seed_tunes(tuned) -> None:
    with pytest.raises(StudyError, match="1001 is a seed of the study, too: what chose a setting cannot judge it"):
        tuned("tune.seeds=[0, 1001]")
