"""`--json`: one document, the same facts as the text, and numbers that every JSON reader knows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from synthetic_results import SyntheticResults

from harness import check, cli, status
from harness.registry import read
from harness.schema import Record
from harness.store.journal import Journal
from harness.study.plan import Plan, plan
from harness.verdicts.documents import standing, verdict_document
from harness.verdicts.expectations import judge
from harness.verdicts.judging import JudgedStudy


def strictly(text: str) -> Any:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_verdicts_are_the_ones_of_the_text_and_infinities_are_null(synthetic: SyntheticResults) -> None:
    verdicts = synthetic.verdicts
    judged = JudgedStudy(Plan(synthetic.study, ()), synthetic.frames, verdicts)
    document = strictly(cli.json_text(verdict_document(judged)))
    assert (document["state"], document["sentence"]) == ("fails", "2 of 5 expectations fail; 1 is undecided.")
    assert [each["state"] for each in document["expectations"]] == [verdict.state for verdict in verdicts]
    groups = [group for each in document["expectations"] for group in each["measured"]]
    beyond = [group for group in groups if group["text"] == "> budget"]
    assert beyond
    assert all(group["value"] is None for group in beyond)
    assert sum(document["outcomes"].values()) == len(synthetic.frames.runs)


def test_a_failure_outweighs_incomplete_verdicts(synthetic: SyntheticResults) -> None:
    verdicts = synthetic.verdicts
    missing = [
        v for each in synthetic.study.expect for v in judge(each, synthetic.frames.runs.iloc[:8], synthetic.planned)
    ]
    assert standing([*verdicts, *missing]) == "fails"
    assert standing([v for v in missing if v.state != "fails"]) == "incomplete"
    assert standing([v for v in verdicts if v.state != "fails"]) == "undecided"
    assert standing([v for v in verdicts if v.state == "holds"]) == "holds"
    assert standing([]) == "none"


def test_the_commands_print_one_document(study_file: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = study_file()
    study_plan = plan(read(path))
    journal = Journal.create(tmp_path / "out" / "tiny")
    first, second, *rest = study_plan.runs
    journal.commit(Record(first.run_id, {"outcome": "solved", "updates": 2}, {}), first.columns())
    journal.fail(second.run_id, second.columns(), "ValueError: no", "trace", 1)
    arguments = [str(path), "-o", str(tmp_path / "out"), "--json"]
    assert status.main(arguments) == cli.DONE
    document = strictly(capsys.readouterr().out)
    assert {name: document[name] for name in ("study", "planned", "done", "missing", "failed", "orphaned")} == {
        "study": "tiny", "planned": 6, "done": 1, "missing": len(rest), "failed": 1, "orphaned": 0,
    }  # fmt: skip
    assert document["failures"] == [{"run_id": second.run_id, "reason": "ValueError: no"}]
    assert document["core_seconds_left"] > 0
    assert check.main(arguments) == cli.DONE
    assert strictly(capsys.readouterr().out)["outcomes"] == {"solved": 1, "failed": 1}
