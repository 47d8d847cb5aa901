"""A study's figures as files: the same bytes twice, no dates, and a note where there is nothing to draw."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import pytest
from samples import sampled
from synthetic_results import SyntheticResults, figures

from harness import cli
from harness.errors import ResultsError
from harness.figures import style
from harness.figures.rendering import figures_folder, render
from harness.study.spec import StudySpec


@pytest.fixture
def study(synthetic: SyntheticResults) -> StudySpec:
    """The synthetic study with its first figure alone."""
    return replace(synthetic.study, figures=synthetic.study.figures[:1])


@pytest.mark.parametrize("look", sampled(style.STYLES, ["talk"]))
def test_files_are_the_same_bytes_twice_in_every_style_and_format(
    synthetic: SyntheticResults, study: StudySpec, tmp_path: Path, look: str
) -> None:
    first, again = (render(study, synthetic.frames, tmp_path / name, cli.FORMATS, look) for name in ("a", "b"))
    assert first == again
    a, b = (figures_folder(tmp_path / name, look) for name in ("a", "b"))
    names = sorted(path.name for path in a.glob("[!.]*"))
    assert names == ["success.pdf", "success.png", "success.svg"]
    assert all((a / name).read_bytes() == (b / name).read_bytes() for name in names)


def test_files_are_pdf_and_png_by_default_and_those_of_other_formats_are_removed(
    synthetic: SyntheticResults, study: StudySpec, tmp_path: Path
) -> None:
    render(study, synthetic.frames, tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    assert sorted(path.name for path in tmp_path.glob("[!.]*")) == ["notes.txt", "success.pdf", "success.png"]
    render(study, synthetic.frames, tmp_path, ["svg"])
    assert sorted(path.name for path in tmp_path.glob("[!.]*")) == ["notes.txt", "success.svg"]


def test_a_talks_figures_lie_beside_the_papers_and_not_over_them(
    synthetic: SyntheticResults, study: StudySpec, tmp_path: Path
) -> None:
    render(study, synthetic.frames, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.glob("[!.]*")}
    render(study, synthetic.frames, tmp_path, ["svg", "png"], "talk")
    render(study, synthetic.frames, tmp_path, ["png"], "talk")
    assert {path.name: path.read_bytes() for path in tmp_path.glob("[!.]*") if path.is_file()} == before
    assert [path.name for path in (tmp_path / "talk").glob("[!.]*")] == ["success.png"]
    assert (tmp_path / "talk" / "success.png").read_bytes() != before["success.png"]


def test_no_date_is_in_a_file(synthetic: SyntheticResults, study: StudySpec, tmp_path: Path) -> None:
    render(study, synthetic.frames, tmp_path, ["pdf", "svg"])
    assert b"CreationDate" not in (tmp_path / "success.pdf").read_bytes()
    assert b"<dc:date>" not in (tmp_path / "success.svg").read_bytes()


def test_fonts_in_a_pdf_are_truetype(synthetic: SyntheticResults, study: StudySpec, tmp_path: Path) -> None:
    render(study, synthetic.frames, tmp_path, ["pdf"])
    assert b"/Type3" not in (tmp_path / "success.pdf").read_bytes()


def test_a_figure_without_data_is_a_note(synthetic: SyntheticResults, tmp_path: Path) -> None:
    empty = {"kind": "success", "name": "empty", "where": {"cell": "gru"}}
    study = replace(synthetic.study, figures=figures(empty))
    drawings, notes = render(study, synthetic.frames, tmp_path)
    assert drawings == []
    assert notes == ["Figure 'empty' is missing: no point of the grid has cell=gru."]


def test_a_file_in_the_place_of_the_folder_is_an_error(
    synthetic: SyntheticResults, study: StudySpec, tmp_path: Path
) -> None:
    (tmp_path / "figures").write_text("")
    with pytest.raises(ResultsError, match="cannot be written"):
        render(study, synthetic.frames, tmp_path / "figures")


def test_drawing_changes_no_setting_and_opens_no_window(synthetic: SyntheticResults, study: StudySpec) -> None:
    import matplotlib.pyplot as plt

    before = dict(mpl.rcParams)
    study.figures[0].draw(synthetic.frames, study)
    assert dict(mpl.rcParams) == before
    assert plt.get_fignums() == []
