"""The index page: every results folder is on it with the summary of its report, and a damaged one hides no other."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from study_texts import study_text

from harness import cli
from harness.errors import ResultsError
from harness.registry import read
from harness.report import __main__ as report
from harness.report.index import STALE, entry, folders, read_summary
from harness.schema import Record
from harness.store.journal import Journal
from harness.study.plan import plan


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "results"


def fill(root: Path, name: str) -> None:
    """Results of a study, all runs solved, with a plan of an older claim and a report."""
    path = root.parent / f"{name}.yaml"
    path.write_text(
        study_text(
            name=name,
            claim="An untrained network guesses & no more.",
            seeds=3,
            figures="[{kind: success}]",
            expect="[{metric: success_rate, at_least: 0.4}]",
        )
    )
    planned = plan(read(path))
    journal = Journal.create(root / name)
    for run in planned.runs:
        row = {"outcome": "solved", "updates": 2, "solved_at": 2, "final_accuracy": 1.0}
        journal.commit(Record(run.run_id, row, {}), run.columns())
    (root / name / "plan.json").write_text(json.dumps({"name": name, "claim": "old", "ids": sorted(planned.ids)}))
    (root / name / "provenance.json").write_text(json.dumps({"date": "2026-01-02T03:04:05+00:00"}))
    assert report.main([str(path), "-o", str(root)]) == cli.DONE


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results folders of two studies."""
    top = tmp_path_factory.mktemp("studies")
    for name in ("one", "two"):
        fill(top / "results", name)
    return top / "results"


@pytest.fixture
def two_studies(reports: Path, root: Path) -> Path:
    """A copy of them that a test may spoil."""
    return shutil.copytree(reports, root)


def test_every_study_is_there_with_its_verdict(two_studies: Path, root: Path, capsys: Any) -> None:
    assert report.main(["--all", "-o", str(root)]) == cli.DONE
    assert capsys.readouterr().out == f"{root / 'index.html'}: 2 studies\n"
    text = (root / "index.html").read_text(encoding="utf-8")
    links = re.findall(r'<a href="([^"]*)"', text)
    assert links == ["one/report.html", "two/report.html"]
    assert all((root / link).is_file() for link in links)
    assert text.count("The expectation holds.") == text.count("guesses &amp; no more.") == 2
    assert text.count("3 runs: 3 solved · 2026-01-02") == 2
    assert text.count('src="data:image/png;base64,') == 2
    assert "<script" not in text


def test_a_report_that_is_older_than_its_runs_has_a_note(two_studies: Path, root: Path) -> None:
    folder = two_studies / "one"
    assert entry(folder, root).note == ""
    next((folder / "journal").glob("*.run")).unlink()
    assert entry(folder, root).note == STALE.format("python -m harness.report STUDY")


@pytest.mark.parametrize(
    "text",
    ["", "\0", '<script type="application/json" id="data">{}</script>',
     '<script type="application/json" id="data">[1]</script>', '<script type="application/json" id="data">{</script>',
     '<script type="application/json" id="data">{"summary": {"planned": "x", "outcomes": {}}}</script>',
     '<script type="application/json" id="data">{"summary": {"planned": 1, "outcomes": [1]}}</script>'],
)  # fmt: skip
def test_a_damaged_report_hides_no_other(two_studies: Path, root: Path, text: str) -> None:
    page = two_studies / "one" / "report.html"
    page.write_text(text)
    assert read_summary(page) == {}
    one, other = (entry(each, root) for each in folders(root))
    assert (one.name, one.claim, one.state, one.link) == ("one", "old", "none", "one/report.html")
    assert other.state == "holds"


def test_a_figure_is_taken_from_the_studys_own_folder_alone(two_studies: Path, root: Path) -> None:
    folder = two_studies / "one"
    (root / "secret.png").write_bytes(b"\x89PNG secret")
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert entry(folder, root).image
    (folder / "report.html").write_text(page.replace('"figure":"success"', '"figure":"../../secret"'))
    assert entry(folder, root).image == ""
    (folder / "report.html").write_text(page)
    (folder / "figures" / "success.png").write_bytes(b"<svg/>")
    assert entry(folder, root).image == ""


def test_another_schema_is_reported(two_studies: Path, root: Path) -> None:
    folder = two_studies / "one"
    (folder / "store.json").write_text('{"harness_schema": 0}')
    assert "holds schema version 0" in entry(folder, root).sentence


def test_studies_below_studies_are_listed_and_a_journal_is_not_searched(tmp_path: Path, root: Path) -> None:
    for name in ("lecture", "lecture/echo", "a"):
        Journal.create(root / name)
    (root / "a" / "journal" / "store.json").write_text("{}")
    assert [str(folder.relative_to(root)) for folder in folders(root)] == ["a", "lecture", "lecture/echo"]


def test_a_folder_without_results_is_an_error(root: Path) -> None:
    with pytest.raises(ResultsError, match="no results below it"):
        report.main(["--all", "-o", str(root)])


@pytest.mark.parametrize("arguments", [[], ["--all", "s.yaml"], ["--all", "--live"], ["s.yaml", "--port", "5"],
                                       ["s.yaml", "--live", "--port", "70000"]])  # fmt: skip
def test_arguments_that_exclude_each_other_are_exit_code_2(arguments: list[str], capsys: Any) -> None:
    with pytest.raises(SystemExit) as left:
        report.main(arguments)
    assert left.value.code == cli.USAGE_ERROR
    assert "error" in capsys.readouterr().err
