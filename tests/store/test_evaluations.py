"""The table of evaluations goes through the store as other tables do, and is there only where a study asks for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import exit_code
from results_folders import quiet_sweep
from study_texts import study_text

import harness
from harness import cli, compare
from harness.errors import HarnessError, ResultsError
from harness.schema import EVALUATIONS
from harness.store import baseline, compaction, tables
from harness.store.journal import Journal
from harness.store.parquet import read_parquet
from harness.tasks.temporal_order import TemporalOrder
from harness.verdicts.comparison import compare as compared
from harness.verdicts.feasibility import judged_lengths
from harness.verdicts.judging import judge_folder
from harness.verdicts.pairing import comparable_runs, pair

JUDGED = {"every": 2, "sequences": 16, "lengths": [12, 24]}
EXPECT = [{"metric": "accuracy_at_length(24)", "at_least": 0.0, "judge": "estimate"}]


@pytest.fixture(autouse=True)
def few_sequences(monkeypatch) -> None:
    monkeypatch.setattr(TemporalOrder, "final_sequences", 80)


def text_of(lengths: list[int]) -> str:
    return study_text(evaluation={**JUDGED, "lengths": lengths}, expect=EXPECT if 24 in lengths else None)


@pytest.fixture
def folder(plan_of, tmp_path: Path) -> Path:
    """Results of two seeds, judged at two lengths."""
    plan = plan_of(text_of([12, 24]))
    quiet_sweep(plan, tmp_path / "out")
    tables.refresh(Journal.open(tmp_path / "out"), plan)
    return tmp_path / "out"


def test_a_sweep_leaves_a_row_for_each_run_and_length(folder: Path) -> None:
    table = read_parquet(folder / "evaluations.parquet")
    assert table.schema.equals(EVALUATIONS.own_schema, check_metadata=True)
    results = harness.load(folder)
    frame = results.table("evaluations")
    assert frame[["seed", "length", "trained_length", "sequences"]].values.tolist() == [
        [seed, length, 12, 80] for seed in (0, 1) for length in (12, 24)
    ]
    assert set(frame["sequence_length"]) == {12}  # the setting of the run
    assert {judged_lengths(run) for run in results.runs.to_dict("records")} == {frozenset({12, 24})}
    assert "accuracy_at_length(24)" not in results.runs  # which are those of the file
    assert [verdict.state for verdict in results.verdicts] == ["holds"]


def test_packing_the_journal_loses_no_row(folder: Path, plan_of, monkeypatch) -> None:
    monkeypatch.setattr(compaction, "FEWEST", 2)
    before = read_parquet(folder / "evaluations.parquet")
    journal, plan = Journal.create(folder), plan_of(text_of([12, 24]))
    compaction.compact(journal)
    assert not journal.loose()
    assert tables.derive(journal, plan)["evaluations"].equals(before)


def test_a_study_that_asks_for_it_no_more_has_no_such_table(folder: Path, plan_of) -> None:
    plan = plan_of(text_of([]))
    quiet_sweep(plan, folder)
    tables.refresh(Journal.open(folder), plan)
    assert not (folder / "evaluations.parquet").exists()
    with pytest.raises(HarnessError, match="no table of evaluations was recorded"):
        judge_folder(plan, folder).frames.table("evaluations")


def test_a_baseline_has_the_table_and_a_comparison_the_metric(folder: Path, tmp_path: Path, capsys) -> None:
    saved = tmp_path / "baseline"
    baseline.save(folder, saved)
    assert sorted(path.name for path in saved.iterdir()) == ["evaluations.parquet", "runs.parquet"]
    first, second = comparable_runs(saved), comparable_runs(folder)
    assert compared(first, second, metric="accuracy_at_length(24)").identical
    assert exit_code(compare, saved, folder, "--metric", "accuracy_at_length(24)") == cli.DONE
    assert "accuracy_at_length(24): accuracy on sequences of length 24" in capsys.readouterr().out
    assert exit_code(compare, saved, folder, "--metric", "accuracy_at_length(48)") == cli.USAGE_ERROR
    assert "no pair of runs has a value of accuracy_at_length(48)" in capsys.readouterr().err


def test_accuracies_at_lengths_are_compared_and_are_no_settings(folder: Path) -> None:
    first, second = comparable_runs(folder), comparable_runs(folder)
    second.loc[0, "accuracy_at_length(24)"] += 0.125
    pairs = pair(first, second)
    assert (len(pairs), pairs.identical, pairs.differing, pairs.notes) == (2, 1, ("accuracy_at_length(24)",), ())
    assert compared(first, second, metric="accuracy_at_length(24)").difference == pytest.approx(0.0625)


def test_a_baseline_of_a_study_without_the_table_replaces_one_with_it(folder: Path, plan_of, tmp_path: Path) -> None:
    baseline.save(folder, tmp_path / "baseline")
    plan = plan_of(text_of([]))
    quiet_sweep(plan, tmp_path / "other")
    tables.refresh(Journal.open(tmp_path / "other"), plan)
    baseline.save(tmp_path / "other", tmp_path / "baseline")
    assert [path.name for path in (tmp_path / "baseline").iterdir()] == ["runs.parquet"]
    assert baseline.read_evaluations(tmp_path / "baseline") is None


def test_a_damaged_table_is_refused(folder: Path) -> None:
    path = folder / "evaluations.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ResultsError, match=r"evaluations\.parquet: "):
        comparable_runs(folder)
