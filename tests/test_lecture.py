"""Every study of the lecture, cut short: it reads, plans, trains, draws and judges; `tox -e every` runs them all."""

from __future__ import annotations

from pathlib import Path

import pytest
from samples import sampled

from harness import cli, sweep
from harness.registry import read
from harness.tasks import TASKS

STUDIES = Path(__file__).parents[1] / "studies" / "lecture"
PAGES = Path(__file__).parents[1] / "docs" / "lecture"
NAMES = sorted(path.stem for path in STUDIES.glob("*.yaml"))
# -S replaces the judged seeds; 900 is no calibration seed of any study.
SHORT = ("training.max_updates=2", "evaluation.sequences=8", "training.batch_size=8", "seeds=[900]")
OWN = {  # the lecture's own draws allow no other batch, and no budget but whole epochs
    "course": ("training.max_updates=31", "seeds=[1]"),
    "course-long": ("training.max_updates=31", "seeds=[1]"),
    "echo-course": ("training.max_updates=2", "seeds=[1]"),
    "gates": ("seeds=[900]",),
}


@pytest.mark.usefixtures("drawn_once")
@pytest.mark.parametrize("name", sampled(NAMES, ("course", "digit-names", "echo-course", "skip")))
def test_a_study_of_the_lecture_runs(name: str, tmp_path: Path, capsys, monkeypatch) -> None:
    for task in TASKS.values():
        monkeypatch.setattr(task, "final_sequences", 8)
    path = STUDIES / f"{name}.yaml"
    overrides = OWN.get(name, SHORT)
    arguments = [part for text in overrides for part in ("-S", text)]
    code = sweep.main([str(path), "-o", str(tmp_path), "-j", "1", "--no-progress", "--format", "png", *arguments])
    shown = capsys.readouterr()
    assert code in (cli.DONE, cli.EXPECTATION_FAILED, cli.UNDECIDED), shown.err
    study = read(path, overrides)
    assert (tmp_path / study.name / "report.html").exists()
    drawn = {figure.stem for figure in (tmp_path / study.name / "figures").glob("*.png")}
    expected = {figure.name or figure.kind for figure in study.figures if "max_updates" not in figure.where}
    assert drawn >= expected, shown.out


@pytest.mark.parametrize("name", NAMES)
def test_a_study_of_the_lecture_has_a_page_and_a_row_in_the_table(name: str) -> None:
    table = (PAGES / "README.md").read_text()
    assert f"../../studies/lecture/{name}.yaml" in table
    pages = [page.read_text() for page in PAGES.glob("*.md") if page.stem != "README"]
    assert any(f"studies/lecture/{name}.yaml" in page for page in pages)
