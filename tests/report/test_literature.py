"""A published result is as good as its worst expectation, and one that was not run is listed as that."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from study_texts import study_text
from synthetic_results import point, simulate

from harness import cli, compare, papers
from harness.errors import HarnessError, StudyError
from harness.registry import read
from harness.report import literature
from harness.statistics.frames import Frames
from harness.study.plan import plan
from harness.study.spec import Expectation, Paper
from harness.verdicts.expectations import judge
from harness.verdicts.judging import JudgedStudy, planned_runs
from harness.verdicts.quoted import lacks_interval

PAPER = '{source: "Somebody 1999, figure 1", tag: qualitative}'


def written(folder: Path, bound: float = 0.1, paper: str | None = PAPER) -> Path:
    """A study of two expectations, the second with this bound."""
    path = folder / "studies" / "halves.yaml"
    path.parent.mkdir(exist_ok=True)
    expect = f"[{{metric: final_accuracy, at_least: 0.1}}, {{metric: final_accuracy, at_least: {bound}}}]"
    named = {"judge": "estimate", "expect": expect} | ({} if paper is None else {"paper": paper})
    path.write_text(study_text(name="halves", training="{max_updates: 0}", seeds=2, **named))
    return path


def listed(folder: Path, capsys, *arguments: str) -> tuple[int, str]:
    code = papers.main([str(folder / "studies"), "-o", str(folder / "results"), *arguments])
    return code, capsys.readouterr().out


def test_a_study_is_listed_as_not_run_or_with_the_verdict_of_its_worst_expectation(tmp_path: Path, capsys) -> None:
    from harness import sweep

    path = written(tmp_path)
    code, text = listed(tmp_path, capsys)
    assert code == cli.DONE
    assert text.startswith("1 published results, none measured here yet; ")
    assert f"To measure one: python -m harness.sweep {path}" in text
    sweep.main([str(path), "-o", str(tmp_path / "results"), "-j", "1", "-q", "--engine", "torch"])
    code, text = listed(tmp_path, capsys)
    assert code == cli.DONE
    assert "✓ halves: holds, qualitative, point estimate, 2 of 2 runs" in text
    assert "Somebody 1999, figure 1" in text
    compare.main([str(tmp_path / "results" / "halves"), "--save", str(tmp_path / "reference" / "halves")])
    capsys.readouterr()
    assert listed(tmp_path, capsys, "--baselines", str(tmp_path / "reference")) == (cli.DONE, text)
    assert "none measured here yet" in listed(tmp_path, capsys, "--baselines", str(tmp_path / "none"))[1]
    written(tmp_path, 0.99)
    page = tmp_path / "papers.md"
    code, text = listed(tmp_path, capsys, "--markdown", str(page))
    assert code == cli.EXPECTATION_FAILED
    assert text.endswith("1 published results: 1 fails. 1 is judged on point estimates.\n")
    assert page.read_text().count("| ✗ ") == 2  # in the table of all, and at its own expectation
    assert page.read_text().count("| ✓ ") == 1


def test_the_minutes_of_a_result_are_those_that_the_plan_predicts_of_its_judged_runs(tmp_path: Path) -> None:
    study = read(written(tmp_path))
    assert literature.Reproduction(plan(study), study.paper, tmp_path).minutes == "< 1"
    costly = replace(study, experiment=replace(study.experiment, cost=lambda sections: 100.0))
    assert literature.Reproduction(plan(costly), study.paper, tmp_path).minutes == "3"  # two seeds


def test_results_that_hold_are_corrected_for_their_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nine of ten seeds against one half: p is .011, which survives among four and not among five."""
    for count, sentence in (
        (1, "1 published results: 1 holds."),
        (4, "4 published results: 4 hold. Of the 4 judged on intervals, 4 hold after Holm's correction for their "
            "number."),
        (5, "5 published results: 5 hold. Of the 5 judged on intervals, 0 hold after Holm's correction for their "
            "number; not synthetic, synthetic, synthetic, synthetic, synthetic."),
    ):  # fmt: skip
        judged = solved_study(9, 10)
        monkeypatch.setattr(literature, "judge_folder", lambda plan, folder, judged=judged: judged)
        paper = Paper(source="Somebody 1999", tag="faithful")
        results = [literature.reproduction(judged.plan, paper, tmp_path / "a.yaml", tmp_path) for _ in range(count)]
        assert literature.tally(results) == sentence


def test_a_level_that_its_seeds_cannot_reach_is_no_evidence_against_a_result() -> None:
    """Wilson's interval exists at every level, that of a slope's interquartile mean from some number of seeds on."""
    assert not lacks_interval(solved_study(16, 16, "initial_adjoint_slope"), 0.95)
    assert lacks_interval(solved_study(16, 16, "initial_adjoint_slope"), 0.999)
    assert not lacks_interval(solved_study(16, 16), 0.999)


def solved_study(solved: int, seeds: int, metric: str = "success_rate") -> JudgedStudy:
    """A study of which so many seeds are solved, and which claims that more than half of them are."""
    expect = (Expectation(metric=metric, at_least=0.5),)
    whole = plan(replace(simulate([point("rnn", 20, 1.0)], seeds=range(seeds)).study, expect=expect))
    runs = planned_runs(whole)
    runs["outcome"] = ["solved" if i < solved else "unsolved" for i in range(seeds)]
    runs = runs.assign(initial_adjoint_slope=1.0, chance=0.25)
    return JudgedStudy(whole, Frames(runs, pd.DataFrame(), pd.DataFrame()), judge(expect[0], runs, runs))


def test_a_study_without_a_paper_is_not_listed(tmp_path: Path, capsys) -> None:
    assert read(written(tmp_path, paper=None)).paper is None
    assert listed(tmp_path, capsys) == (cli.DONE, "No study names a paper.\n")


def test_a_study_without_a_paper_may_need_packages_that_are_not_here(tmp_path: Path, capsys) -> None:
    path = written(tmp_path, paper=None)
    path.write_text(path.read_text() + "plugins: [no_such_package]\n")
    assert listed(tmp_path, capsys) == (cli.DONE, "No study names a paper.\n")


@pytest.mark.parametrize(
    ("paper", "message"),
    [
        ("{source: Somebody 1999}", "paper: tag:"),
        ("{source: Somebody 1999, tag: exact}", "paper: tag:"),
        ("Somebody 1999", "paper: must be a mapping"),
    ],
)
def test_a_mistake_in_the_paper_is_reported_with_file_line_and_column(tmp_path: Path, paper: str, message: str) -> None:
    with pytest.raises(StudyError, match=rf"halves.yaml:10:\d+: {message}"):
        read(written(tmp_path, paper=paper))


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="no such folder"):
        papers.main([str(tmp_path / "nowhere")])


def test_the_page_has_a_table_for_each_question_in_the_order_of_the_questions(tmp_path, capsys) -> None:
    path = written(tmp_path)
    text = path.read_text()
    for name, question in (("a-last", None), ("b-second", "state"), ("c-first", "decay")):
        own = PAPER if question is None else PAPER.replace("}", f", question: {question}}}")
        path.with_name(f"{name}.yaml").write_text(text.replace(PAPER, own).replace("name: halves", f"name: {name}"))
    path.unlink()
    page = tmp_path / "papers.md"
    papers.main([str(path.parent), "-o", str(tmp_path / "results"), "--markdown", str(page)])
    shown = page.read_text()
    order = [
        "**Does the gradient vanish",
        "| c-first |",
        "**Which recurrences",
        "| b-second |",
        "**Other",
        "| a-last |",
    ]
    places = [shown.index(part) for part in order]
    assert places == sorted(places)
    path.write_text(text.replace(PAPER, PAPER.replace("}", ", question: why}")))
    with pytest.raises(StudyError, match="question"):
        read(path)
