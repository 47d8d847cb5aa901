"""Two phases: what is judged is what won, whatever is interrupted, sharded, failed or computed again."""

from __future__ import annotations

import json
import math
import os
import signal
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from results_folders import quiet_sweep, table_rows

from harness.errors import ResultsError
from harness.execution import phases
from harness.registry import load_registry, read
from harness.schema import Record
from harness.store import winners
from harness.store.journal import Journal
from harness.store.status import Status
from harness.study.plan import Plan, plan
from harness.study.validation import understand
from harness.study.yaml_document import parse
from harness.verdicts.choosing import chosen
from harness.verdicts.judging import judge_folder

TUNED = """\
name: tuned
claim: Each cell is judged with its own learning rate.
task: {name: temporal_order, sequence_length: 12}
model: {cell: rnn, hidden_size: 7, init: gaussian}
training: {max_updates: 6, batch_size: 5}
evaluation: {every: 3, sequences: 16}
sweep: {model.cell: [rnn, lstm]}
tune: {over: {training.learning_rate: [0.001, 0.01, 0.1, 0.3]}, by: final_accuracy, per: [cell], seeds: [100, 101]}
seeds: 2
expect:
  - {metric: final_accuracy, per: [cell], at_least: 0.5}
"""
BEST = {"rnn": 0.01, "lstm": 0.1}


@pytest.fixture
def tuned(study_file: Callable[..., Path]) -> Callable[..., Plan]:
    def plan_with(entry: str = "peaked", *overrides: str) -> Plan:
        study = read(study_file(TUNED, "tuned.yaml"), overrides)
        experiment = replace(study.experiment, entry=f"worker_experiments:{entry}", notes=None)
        return plan(replace(study, experiment=experiment))

    return plan_with


def judged_rates(study_plan: Plan, folder: Path) -> dict[str, set[float]]:
    runs = judge_folder(study_plan, folder).frames.runs
    return {str(cell): set(rows["learning_rate"]) for cell, rows in runs.groupby("cell")}


def test_the_winner_of_each_combination_is_judged_and_nothing_else(tuned, tmp_path: Path) -> None:
    result = quiet_sweep(tuned(), tmp_path)
    assert result.computed == 16 + 4
    assert not result.missing
    assert result.open_winners == ()
    assert judged_rates(tuned(), tmp_path) == {cell: {rate} for cell, rate in BEST.items()}
    judged = judge_folder(tuned(), tmp_path)
    assert set(judged.frames.runs["seed"]) == {0, 1}, "no tuning run among those that are judged"
    assert set(judged.frames.tuning["seed"]) == {100, 101}
    assert len(judged.frames.tuning) == 16
    assert [verdict.state for verdict in judged.verdicts] != []
    assert all(v.n == 2 for v in judged.verdicts)
    status = Status.of(tuned(), Journal.open(tmp_path))
    assert status.counts() == {"done": 20, "missing": 0, "failed": 0, "orphaned": 0}
    assert "tuning: 16 of 16 runs done, 2 of 2 winners chosen" in status.text()


def test_a_candidate_that_diverged_counts_as_chance(tuned, tmp_path: Path) -> None:
    quiet_sweep(tuned(), tmp_path)
    for each in judge_folder(tuned(), tmp_path).tuned:
        assert each.scores[3] == 0.25, "though it would have been second best"
        assert each.runs == 8, "the same budget for each"


def test_winners_rest_on_the_runs_that_the_file_names(tuned, tmp_path: Path) -> None:
    study_plan = tuned()
    quiet_sweep(study_plan, tmp_path)
    entries = json.loads((tmp_path / "winners.json").read_text())["winners"]
    named = {run for entry in entries for each in entry["candidates"] for run in each["runs"]}
    assert named == {run.run_id for run in study_plan.tuning_runs}
    assert {entry["per"]["cell"]: entry["candidates"][entry["winner"]]["settings"] for entry in entries} == {
        cell: {"training.learning_rate": rate} for cell, rate in BEST.items()
    }


@pytest.mark.parametrize("limit", [7, 16])
def test_a_sweep_that_ends_in_either_phase_goes_on_to_the_same_bits(tuned, tmp_path: Path, limit: int) -> None:
    quiet_sweep(tuned(), tmp_path / "whole")
    first = quiet_sweep(tuned(), tmp_path / "parts", limit=limit)
    assert first.computed == limit
    assert first.missing == 20 - limit
    assert (tmp_path / "parts" / "winners.json").exists() == (limit >= 8)
    assert quiet_sweep(tuned(), tmp_path / "parts").computed == 20 - limit
    assert table_rows(tmp_path / "parts") == table_rows(tmp_path / "whole")
    assert (tmp_path / "parts/winners.json").read_bytes() == (tmp_path / "whole/winners.json").read_bytes()


def test_a_sweep_that_is_killed_in_either_phase_goes_on_to_the_same_bits(tuned, tmp_path: Path) -> None:
    quiet_sweep(tuned(), tmp_path / "whole")
    folder, fork = tmp_path / "killed", get_context("fork")
    phases_seen = set()
    for most in (3, 11, 17, 19):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads: this one computes alone
            child = fork.Process(target=quiet_sweep, args=(tuned("peaked_slowly"), folder))
            child.start()
        while len(list((folder / "journal").glob("*.run"))) < most and child.is_alive():
            time.sleep(0.002)
        os.kill(child.pid, signal.SIGKILL)
        child.join(20)
        phases_seen.add((folder / "winners.json").exists())
    assert phases_seen == {False, True}
    quiet_sweep(tuned(), folder)
    assert table_rows(folder) == table_rows(tmp_path / "whole")
    assert (folder / "winners.json").read_bytes() == (tmp_path / "whole/winners.json").read_bytes()
    assert Status.of(tuned(), Journal.open(folder)).counts()["orphaned"] == 0


def test_winners_that_are_lost_are_chosen_from_the_same_runs(tuned, tmp_path: Path) -> None:
    quiet_sweep(tuned(), tmp_path)
    before = (tmp_path / "winners.json").read_bytes()
    (tmp_path / "winners.json").unlink()
    assert judge_folder(tuned(), tmp_path).verdicts[0].state == "incomplete", "who reads does not choose"
    assert quiet_sweep(tuned(), tmp_path).computed == 0
    assert (tmp_path / "winners.json").read_bytes() == before


def test_winners_that_are_damaged_are_not_chosen_anew_unnoticed(tuned, tmp_path: Path) -> None:
    quiet_sweep(tuned(), tmp_path)
    (tmp_path / "winners.json").write_text('{"winners": [{"name": "x"}]}')
    with pytest.raises(ResultsError, match=r"winners\.json: cannot be read"):
        quiet_sweep(tuned(), tmp_path)


def test_a_winner_stays_whatever_its_runs_later_say(tuned, tmp_path: Path) -> None:
    study_plan = tuned()
    quiet_sweep(study_plan, tmp_path)
    journal = replace(Journal.open(tmp_path), replace=True)
    for run in study_plan.tuning_runs:
        if run.columns()["cell"] == "rnn" and run.columns()["learning_rate"] == 0.001:
            measured = {"outcome": "unsolved", "final_accuracy": 0.99, "final_loss": 0.1, "chance": 0.25}
            journal.commit(Record(run.run_id, measured, {}), run.columns())
    result = quiet_sweep(study_plan, tmp_path)
    sentence = "the tuning runs of cell=rnn now give other scores than those by which its winner was chosen"
    assert len(result.open_winners) == 1
    assert sentence in result.open_winners[0]
    assert judged_rates(study_plan, tmp_path)["rnn"] == {0.01}
    assert any(sentence in note for note in judge_folder(study_plan, tmp_path).notes)


def test_a_failed_run_blocks_its_combination_alone(tuned, tmp_path: Path) -> None:
    study_plan = tuned("peaked_but_once")
    result = quiet_sweep(study_plan, tmp_path / "results", retries=0)
    assert len(result.failed) == 4
    assert len(result.open_winners) == 1
    assert "no winner of cell=lstm: 4 tuning runs failed" in result.open_winners[0]
    assert judged_rates(study_plan, tmp_path / "results") == {"rnn": {0.01}}
    states = {v.text.partition(" >=")[0]: v for v in judge_folder(study_plan, tmp_path / "results").verdicts}
    blocked = states["final_accuracy of cell=lstm"]
    assert blocked.state == "incomplete"
    assert "2 missing of 2" in blocked.reason
    (tmp_path / "mended").touch()
    assert not quiet_sweep(study_plan, tmp_path / "results", retry_failed=True).missing
    assert judged_rates(study_plan, tmp_path / "results") == {"rnn": {0.01}, "lstm": {0.1}}


def test_shards_wait_for_one_another_between_the_phases(tuned, tmp_path: Path, monkeypatch) -> None:
    quiet_sweep(tuned(), tmp_path / "whole")
    results = []

    def others(seconds: float) -> None:
        """While the first shard sleeps, the others are started, one of which waits for the other in turn."""
        if len(results) < 2:
            results.append(None)
            results.append(quiet_sweep(tuned(), tmp_path / "shards", shard=(len(results) // 2 + 2, 3)))

    monkeypatch.setattr(phases, "sleep", others)
    first = quiet_sweep(tuned(), tmp_path / "shards", shard=(1, 3))
    shards = [first, *(each for each in results if each is not None)]
    assert [each.awaited for each in shards] == [0, 0, 0]
    assert sum(each.computed for each in shards) == 20, "each run once"
    quiet_sweep(tuned(), tmp_path / "shards")  # the tables of all three
    assert table_rows(tmp_path / "shards") == table_rows(tmp_path / "whole")


def test_a_shard_does_not_wait_for_one_that_never_comes(tuned, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(phases, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(phases, "PATIENCE_SECONDS", 0.05)
    first = quiet_sweep(tuned(), tmp_path, shard=(1, 2))
    assert first.awaited > 0
    assert first.computed + first.awaited == 16
    second = quiet_sweep(tuned(), tmp_path, shard=(2, 2))
    assert second.awaited == 0
    third = quiet_sweep(tuned(), tmp_path, shard=(1, 2))
    assert first.computed + second.computed + third.computed == 20


def test_another_candidate_asks_again_and_its_runs_are_shared(tuned, tmp_path: Path) -> None:
    quiet_sweep(tuned(), tmp_path)
    wider = tuned("peaked", "training.learning_rate=[0.001, 0.01, 0.1, 0.3, 0.02]")
    assert quiet_sweep(wider, tmp_path).computed == 4, "the tuning runs of one candidate more"
    assert len(winners.read(tmp_path)) == 4, "the earlier choices are still noted"
    assert judged_rates(wider, tmp_path) == {"rnn": {0.01}, "lstm": {0.1}}


def test_runs_of_a_plain_grid_serve_as_candidates(tuned, tmp_path: Path) -> None:
    plain = tuned("peaked", "tune=null", "training.learning_rate=[0.001, 0.01, 0.1, 0.3]", "seeds=[100, 101]")
    assert quiet_sweep(plain, tmp_path).computed == 16
    assert quiet_sweep(tuned(), tmp_path).computed == 4


@cache
def of_text() -> Plan:
    return plan(understand(parse(TUNED, "<text>"), load_names=load_registry))


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), min_size=16, max_size=16))
def test_the_tuned_winner_is_the_argmax_of_the_means(accuracies: list[float]) -> None:
    study_plan = of_text()
    score = {run.run_id: value for run, value in zip(study_plan.tuning_runs, accuracies, strict=True)}
    runs = pd.DataFrame([
        {"run_id": run.run_id, **run.columns(), "outcome": "unsolved", "final_accuracy": score[run.run_id]}
        for run in study_plan.tuning_runs
    ]).assign(final_loss=0.1, chance=0.25)  # fmt: skip
    new, sentences = chosen(study_plan, runs, {})
    assert sentences == []
    assert len(new) == len(study_plan.groups)
    for each, group in zip(new, study_plan.groups, strict=True):
        means = [sum(score[run_id] for run_id in run_ids) / 2 for run_ids in group.run_ids]
        assert each.index == means.index(max(means)), "of equal ones the first of the grid"
        assert all(math.isclose(a, b) for a, b in zip(each.scores, means, strict=True))
    again, _ = chosen(study_plan, runs.sample(frac=1, random_state=0), {})
    assert again == new, "whatever the order of the table"
