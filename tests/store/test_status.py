"""Every planned run is done, failed or missing, and every report has the same counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import cli, status
from harness.execution.options import SweepOptions
from harness.execution.preview import preview
from harness.registry import read
from harness.report.serving import Live
from harness.schema import Record
from harness.store.journal import Journal
from harness.store.status import Status, clock
from harness.study.plan import Plan, plan

StudyFile = Callable[..., Path]


@pytest.fixture
def study_plan(study_file: StudyFile) -> Plan:
    return plan(read(study_file()))


@pytest.fixture
def journal(study_plan: Plan, tmp_path: Path) -> Journal:
    """Of six planned runs two are committed, one of them damaged, and one failed; and a run that is not planned."""
    journal = Journal.create(tmp_path / "out" / "tiny")
    first, second, third, *_ = study_plan.runs
    for run_id in (first.run_id, second.run_id, "f" * 16):
        journal.commit(Record(run_id, {"outcome": "solved", "updates": 2}, {}), {})
    path = journal.path(second.run_id)
    path.write_bytes(path.read_bytes()[:-1])
    journal.fail(third.run_id, {}, "ValueError: no", "trace", 1)
    return journal


def test_every_planned_run_is_done_failed_or_missing(study_plan: Plan, journal: Journal) -> None:
    first, second, third, *others = study_plan.runs
    result = Status.of(study_plan, journal)
    assert result.done == {first.run_id}
    assert result.failed == {third.run_id: "ValueError: no"}
    assert result.remaining == (second, *others)
    assert result.missing == {run.run_id for run in result.remaining}
    assert set(result.damaged) == {second.run_id}
    assert result.orphaned == {"f" * 16}
    assert result.counts() == {"done": 1, "missing": 4, "failed": 1, "orphaned": 1}
    assert result.core_seconds_left == pytest.approx(sum(study_plan.costs(result.remaining).values()))


def test_without_verification_a_damaged_commit_counts_as_done(study_plan: Plan, journal: Journal) -> None:
    first, second, *_ = study_plan.runs
    result = Status.of(study_plan, journal, verify=False)
    assert result.done == {first.run_id, second.run_id}
    assert result.damaged == {}


def test_a_quarantined_commit_leaves_its_run_missing(study_plan: Plan, journal: Journal) -> None:
    second = study_plan.runs[1]
    journal.quarantine(second.run_id, "spoiled")
    result = Status.of(study_plan, journal)
    assert result.damaged == {}
    assert result.quarantined == (second.run_id,)
    assert second.run_id in result.missing


def test_before_the_first_sweep_every_run_is_missing(study_plan: Plan, tmp_path: Path) -> None:
    result = Status(study_plan, tmp_path / "none")
    assert result.counts() == {"done": 0, "missing": 6, "failed": 0, "orphaned": 0}
    assert result.remaining == study_plan.runs


def test_the_command_its_json_the_dry_run_and_the_live_page_have_the_same_counts(
    study_plan: Plan, journal: Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    journal.quarantine(study_plan.runs[1].run_id, "spoiled")  # the live page does not verify checksums
    arguments = [study_plan.study.path, "-o", str(journal.folder.parent)]
    assert status.main(arguments) == cli.DONE
    text = capsys.readouterr().out
    assert status.main([*arguments, "--json"]) == cli.DONE
    document = json.loads(capsys.readouterr().out)
    counts = Status.of(study_plan, journal).counts()
    assert counts == {"done": 1, "missing": 4, "failed": 1, "orphaned": 1}
    assert all(f"{count}  {name}\n" in text for name, count in counts.items())
    assert {name: document[name] for name in counts} == counts
    assert "6 runs: 1 done, 4 missing, 1 failed; 1 other runs" in preview(study_plan, journal.folder, SweepOptions())
    progress = Live(study_plan, journal.folder).progress()
    assert {name: progress[name] for name in ("done", "missing", "failed")} == {"done": 1, "missing": 4, "failed": 1}


def test_calibration_and_judged_runs_are_counted_apart(study_file: StudyFile, tmp_path: Path) -> None:
    split = plan(read(study_file(), ["seeds={calibration: [7], judged: {first: 1000, count: 2}}"]))
    journal = Journal.create(tmp_path / "out" / "tiny")
    journal.commit(Record(split.runs[0].run_id, {"outcome": "solved", "updates": 2}, {}), {})
    result = Status.of(split, journal)
    assert result.by_purpose() == {"calibration": {"planned": 3, "done": 1}, "judged": {"planned": 6, "done": 0}}
    for text in (result.text(), preview(split, journal.folder, SweepOptions())):
        assert "calibration seeds 7: 1 of 3 runs done\njudged seeds 1000–1001: 0 of 6 runs done\n" in text
    assert result.document()["seeds"] == result.by_purpose()


@pytest.mark.parametrize(("seconds", "text"), [(0.0, "0:00"), (90.0, "1:30"), (4000.0, "1:06:40")])
def test_durations_are_written_as_clocks_write_them(seconds: float, text: str) -> None:
    assert clock(seconds) == text
