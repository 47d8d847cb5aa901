"""`--json`: one document, the same facts as the text, and numbers that every JSON reader knows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from synthetic_results import SyntheticResults

from harness import check, cli, status
from harness.registry import read
from harness.report.documents import printed, standing, verdict_document
from harness.report.presenting import JudgedStudy
from harness.schema import Record
from harness.store.journal import Journal
from harness.study.plan import Plan, plan
from harness.verdicts.expectations import judge


def strictly(text: str) -> Any:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_verdicts_are_the_ones_of_the_text_and_infinities_are_null(synthetic: SyntheticResults) -> None:
    verdicts = synthetic.verdicts
    said = strictly(printed(verdict_document(JudgedStudy(Plan(synthetic.study, ()), synthetic.frames, verdicts))))
    assert (said["state"], said["sentence"]) == ("fails", "2 of 5 expectations fail.")
    assert [each["state"] for each in said["expectations"]] == [verdict.state for verdict in verdicts]
    groups = [group for each in said["expectations"] for group in each["measured"]]
    beyond = [group for group in groups if group["text"] == "> budget"]
    assert beyond
    assert all(group["value"] is None for group in beyond)
    assert sum(said["outcomes"].values()) == len(synthetic.frames.runs)


def test_a_failure_outweighs_what_is_open(synthetic: SyntheticResults) -> None:
    verdicts = synthetic.verdicts
    missing = [
        v for each in synthetic.study.expect for v in judge(each, synthetic.frames.runs.iloc[:8], synthetic.planned)
    ]
    assert standing([*verdicts, *missing]) == "fails"
    assert standing([v for v in missing if v.state != "fails"]) == "incomplete"
    assert standing([v for v in verdicts if v.state == "holds"]) == "holds"
    assert standing([]) == "none"


def test_the_doors_print_one_document(study_file: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = study_file()
    asked = plan(read(path))
    journal = Journal.create(tmp_path / "out" / "tiny")
    first, second, *rest = asked.runs
    journal.commit(Record(first.run_id, {"outcome": "solved", "updates": 2}, {}), first.columns())
    journal.fail(second.run_id, second.columns(), "ValueError: no", "trace", 1)
    arguments = [str(path), "-o", str(tmp_path / "out"), "--json"]
    assert status.main(arguments) == cli.DONE
    said = strictly(capsys.readouterr().out)
    assert {name: said[name] for name in ("study", "planned", "done", "missing", "failed", "orphaned")} == {
        "study": "tiny", "planned": 6, "done": 1, "missing": len(rest), "failed": 1, "orphaned": 0,
    }  # fmt: skip
    assert said["failures"] == [{"run_id": second.run_id, "reason": "ValueError: no"}]
    assert said["core_seconds_left"] > 0
    assert check.main(arguments) == cli.DONE
    assert strictly(capsys.readouterr().out)["outcomes"] == {"solved": 1, "failed": 1}
