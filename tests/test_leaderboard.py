"""python -m harness.leaderboard, its page, and the studies behind ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import cli, leaderboard
from harness.cells.sizes import parameter_counts
from harness.errors import HarnessError
from harness.registry import read
from harness.study.spec import StudySpec
from harness.verdicts.leaderboard import SAME_SIZE

TOP = Path(__file__).parents[1]
COURSE = TOP / "results" / "reference" / "lecture" / "echo-course"
OURS = TOP / "results" / "reference" / "leaderboard"
STUDIES = sorted((TOP / "studies" / "leaderboard").glob("*.yaml"))
NIGHT = 10 * 3600 * 2  # seconds of two cores


@pytest.fixture(scope="module")
def studies() -> list[StudySpec]:
    return [read(path) for path in STUDIES]


def test_the_command_prints_a_table_and_writes_both_pages(tmp_path: Path, capsys) -> None:
    page, markdown = tmp_path / "board.html", tmp_path / "board.md"
    assert leaderboard.main([str(COURSE), "-o", str(page), "--markdown", str(markdown)]) == cli.DONE
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 80
    assert "rests on echo-course; 31 seeds (1, 1000–1029)" in printed
    assert "<script" not in page.read_text()
    assert markdown.read_text().startswith("# Leaderboard\n")
    assert "Rests on echo-course; 31 seeds (1, 1000–1029)" in page.read_text()


@pytest.mark.skipif(not OURS.is_dir(), reason="the studies of the leaderboard have no committed results yet")
def test_the_page_is_that_of_the_committed_results(tmp_path: Path) -> None:
    leaderboard.main([str(OURS), "--markdown", str(tmp_path / "leaderboard.md")])
    written = (tmp_path / "leaderboard.md").read_text()
    command = (
        "python -m harness.leaderboard results/reference/leaderboard --markdown docs/leaderboard.md writes it again"
    )
    assert (TOP / "docs" / "leaderboard.md").read_text() == written, command


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="no such folder"):
        leaderboard.main([str(tmp_path / "nowhere")])


def test_a_folder_without_results_is_an_error_that_says_how_to_get_some(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"no runs.parquet in it or below it; python -m harness.sweep writes"):
        leaderboard.main([str(tmp_path)])


def test_without_a_folder_and_without_ours_the_error_names_the_studies(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(HarnessError, match="studies/leaderboard"):
        leaderboard.main([])


def test_save_takes_one_folder(capsys) -> None:
    with pytest.raises(SystemExit):
        leaderboard.main(["--save", "x"])
    assert "--save saves one results folder" in capsys.readouterr().err


def test_ours_are_at_most_ten_networks_a_study_on_six_tasks_with_one_budget_each(studies: list[StudySpec]) -> None:
    assert 1 <= len({study.rows[0][0].columns()["task"] for study in studies}) <= 6
    for study in studies:
        rows = [point.columns() for point in study.points]
        networks = {
            tuple(str(row.get(name)) for name in ("cell", "init", "nonlinearity", "forget_bias", "eigenvalues"))
            for row in rows
        }
        assert len(networks) <= 10
        for column in ("max_updates", "batch_size", "optimizer", "clip_norm", "evaluation_every"):
            assert len({row[column] for row in rows}) == 1, column


def test_ours_have_equal_numbers_of_parameters(studies: list[StudySpec]) -> None:
    for study in studies:
        counts = [
            parameter_counts(point.sections["model"], point.sections["task"], point.sections["model"].hidden_size)
            for point in study.points
        ]
        every = [count["parameters"] for count in counts]
        assert min(every) >= SAME_SIZE * max(every), study.name


def test_ours_are_computed_in_a_night_on_two_cores(studies: list[StudySpec]) -> None:
    predicted = 0.0
    for study in studies:
        assert study.tuning is not None  # a fixed learning rate would choose the winner
        for candidates in study.rows:
            costs = [study.experiment.cost(point.sections) for point in candidates]
            predicted += sum(costs) * len(study.tuning.seeds) + max(costs) * len(study.judged)
    assert predicted <= NIGHT


def test_ours_are_tuned_over_the_same_candidates(studies: list[StudySpec]) -> None:
    searches = {str(study.tuning and (study.tuning.candidates, study.tuning.seeds)) for study in studies}
    assert len(searches) == 1
