"""The literature's studies: each says its source and its tag; those that train nothing run here, and must hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness import doors, sweep
from harness.catalogue import read

STUDIES = Path(__file__).parents[1] / "studies" / "papers"
PAGES = Path(__file__).parents[1] / "docs" / "papers"
NAMES = sorted(path.stem for path in STUDIES.glob("*.yaml"))
UNTRAINED = [
    name for name in NAMES if re.search(r"^experiment: ", (STUDIES / f"{name}.yaml").read_text(), re.MULTILINE)
]


@pytest.mark.parametrize("name", NAMES)
def test_a_study_says_where_its_claim_is_from_and_how_closely_it_follows(name: str) -> None:
    paper = read(STUDIES / f"{name}.yaml").paper
    assert paper is not None
    assert re.search(r"\b(19|20)\d\d\b", paper.source), "no year"
    assert f"studies/papers/{name}.yaml" in (PAGES / f"{name}.md").read_text()


@pytest.mark.parametrize("name", UNTRAINED)
def test_a_study_that_trains_nothing_holds(name: str, tmp_path: Path, capsys) -> None:
    path, overrides = STUDIES / f"{name}.yaml", ("seeds=[100]",)
    asked = [str(path), "-o", str(tmp_path), "-j", "1", "--no-progress", "-S", overrides[0]]
    code = sweep.main(asked)
    said = capsys.readouterr()
    assert code == doors.DONE, said.out + said.err
    study = read(path, overrides)
    drawn = {figure.stem for figure in (tmp_path / study.name / "figures").glob("*.png")}
    assert drawn == {figure.name or figure.kind for figure in study.figures}
