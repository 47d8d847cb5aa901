"""The presentation of results: figure files, the terminal, the report page."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from page_tags import PageTags
from synthetic_results import SyntheticResults, figures, point, simulate

from harness.errors import ResultsError
from harness.figures import style
from harness.figures.rendering import RenderedFigure, render
from harness.report.gridtable import GridRow, grid_rows
from harness.report.page import html, stopped_runs, write
from harness.study import labels
from harness.study.spec import Expectation
from harness.verdicts.expectations import Verdict, judge
from harness.verdicts.metrics import Measured
from harness.verdicts.summary import summary

PROVENANCE = {"command": "python -m harness.sweep a.yaml -S 'x=<1>'", "date": "today", "versions": {"numpy": "2.4"}}


@pytest.fixture(scope="module")
def verdicts(synthetic: SyntheticResults) -> list[Verdict]:
    return synthetic.verdicts


def page(synthetic: SyntheticResults, verdicts: list[Verdict], **changes: Any) -> str:
    svg = RenderedFigure("success", "What one sees. More.", b"<svg/>")
    png = RenderedFigure("phase", "A map.", b"\x89PNG...", wide=True)
    study, notes = replace(synthetic.study, **changes), ["Figure 'x' is missing."]
    return html(study, synthetic.frames, verdicts, [svg, png], PROVENANCE, notes)


def drawn_figure(synthetic: SyntheticResults, index: int) -> Any:
    figure: Any = synthetic.study.figures[index]
    return figure.draw(synthetic.frames, synthetic.study)


def test_no_date_is_in_a_file(synthetic: SyntheticResults, tmp_path: Path) -> None:
    render(replace(synthetic.study, figures=synthetic.study.figures[:1]), synthetic.frames, tmp_path, ["pdf", "svg"])
    assert b"CreationDate" not in (tmp_path / "success.pdf").read_bytes()
    assert b"<dc:date>" not in (tmp_path / "success.svg").read_bytes()


def test_fonts_in_a_pdf_are_truetype(synthetic: SyntheticResults, tmp_path: Path) -> None:
    render(replace(synthetic.study, figures=synthetic.study.figures[:1]), synthetic.frames, tmp_path, ["pdf"])
    assert b"/Type3" not in (tmp_path / "success.pdf").read_bytes()


def test_figures_have_paper_widths(synthetic: SyntheticResults) -> None:
    widths = [drawn_figure(synthetic, i).get_figwidth() for i in range(5)]
    assert widths == [style.SINGLE, *[style.DOUBLE] * 4]


def test_drawing_changes_no_setting_and_opens_no_window(synthetic: SyntheticResults) -> None:
    import matplotlib.pyplot as plt

    before = dict(mpl.rcParams)
    drawn_figure(synthetic, 0)
    assert dict(mpl.rcParams) == before
    assert plt.get_fignums() == []


def test_a_figure_without_data_is_a_note(synthetic: SyntheticResults, tmp_path: Path) -> None:
    study = replace(synthetic.study, figures=figures({"kind": "success", "name": "empty", "where": {"cell": "gru"}}))
    drawings, notes = render(study, synthetic.frames, tmp_path)
    assert drawings == []
    assert notes == ["Figure 'empty' is missing: nothing to draw: no run has a result yet."]


def test_a_file_in_the_place_of_the_folder_is_an_error(synthetic: SyntheticResults, tmp_path: Path) -> None:
    (tmp_path / "figures").write_text("")
    with pytest.raises(ResultsError, match="cannot be written"):
        render(replace(synthetic.study, figures=synthetic.study.figures[:1]), synthetic.frames, tmp_path / "figures")


def test_a_cell_has_one_colour_everywhere() -> None:
    assert style.colours("cell", ["lstm", "rnn"])[::-1] == style.colours("cell", ["rnn", "lstm"])
    assert len(set(style.colours("cell", ["rnn", "lstm", "gru", "janet", "lru"]))) == 5


def test_a_null_is_grey_unless_it_means_a_value() -> None:
    assert style.colours("forget_bias", ["1.0", None])[1] == style.NONE_COLOUR
    assert style.NONE_COLOUR not in style.colours("bptt_window", [5, 25, None])


def test_values_are_written_as_in_a_paper() -> None:
    assert [labels.value("bptt_window", value) for value in (None, 25.0)] == ["full", "25"]
    assert [labels.value("forget_bias", value) for value in (None, "1.0", "chrono")] == ["none", "1", "chrono"]
    assert labels.axis("sequence_length") == "sequence length T (steps)"
    assert labels.axis("batch_size", "sequences") == "batch size (sequences)"
    assert labels.title({"cell": "lstm", "sequence_length": 100}) == "cell = lstm, T = 100"


def test_the_summary_is_aligned_and_narrow(verdicts: list[Verdict]) -> None:
    lines = summary(verdicts).splitlines()
    assert max(map(len, lines)) <= 100
    assert [line[0] for line in lines if line[0] != " "] == ["✓", "✓", "✓", "✗", "✗"]
    assert re.search(r"1\.00 +\[0\.51, 1\.00\] +16 \(4 seeds\)$", lines[1])
    at = next(i for i, line in enumerate(lines) if line.startswith("✓ success_rate of cell=lstm above"))
    assert ["lstm 1.00" in lines[at], "rnn 0.00" in lines[at + 1]] == [True, True]


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_the_summary_wraps_to_any_width(width: int) -> None:
    long = Verdict(f"success_rate of {'cell=lstm, ' * 12}T=100 >= 0.8", "fails", "for a reason", "success_rate",
                   Measured(0.5, 0.1, 0.9, 8, 8))  # fmt: skip
    text = summary([long], width)
    assert max(map(len, text.splitlines())) <= width
    assert ">= 0.8" in text


def test_a_study_without_expectations_has_a_summary() -> None:
    assert summary([]) == "no expectations"


def test_the_page_is_well_formed_and_needs_no_network(synthetic: SyntheticResults, verdicts: list[Verdict]) -> None:
    tags = PageTags(page(synthetic, verdicts))
    assert not {"link", "iframe", "object", "embed", "form"} & set(tags.names)
    assert not [script for script in tags.attributes("script") if "src" in script]
    sources = [image["src"] for image in tags.attributes("img")]
    assert [str(source).split(";")[0] for source in sources] == ["data:image/svg+xml", "data:image/png"]
    text = re.sub(r"data:[^\"]*", "", page(synthetic, verdicts))
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", text)


def test_headings_descend_by_one_and_images_have_words(synthetic: SyntheticResults, verdicts: list[Verdict]) -> None:
    tags = PageTags(page(synthetic, verdicts))
    heads = [int(name[1]) for name in tags.names if re.fullmatch(r"h\d", name)]
    assert heads[0] == 1
    assert heads.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(heads))
    assert [image["alt"] for image in tags.attributes("img")] == ["success: What one sees.", "phase: A map."]


def test_tables_scroll_in_a_box_that_the_keyboard_reaches(synthetic: SyntheticResults, verdicts: list[Verdict]) -> None:
    tags = PageTags(page(synthetic, verdicts))
    boxes = [attributes for _, attributes in tags.tags if str(attributes.get("class")).split()[0] == "scroll"]
    assert len(boxes) == tags.names.count("table") == 3
    assert all(box["tabindex"] == "0" and box["aria-label"] for box in boxes)


def test_a_malicious_claim_is_only_text(synthetic: SyntheticResults, verdicts: list[Verdict]) -> None:
    attack = "</title><script>alert(1)</script><img src=x onerror=alert(2)>"
    text = page(synthetic, verdicts, claim=attack, name='"><b>')
    assert PageTags(text).names.count("script") == 2
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert not [attributes for _, attributes in PageTags(text).tags if "onerror" in attributes]
    assert "&#39;x=&lt;1&gt;&#39;" in text


def test_the_page_has_verdicts_provenance_and_notes(synthetic: SyntheticResults, verdicts: list[Verdict]) -> None:
    text = page(synthetic, verdicts)
    assert "2 of 5 expectations fail." in text
    assert "paired difference +1.00 over 4 shared seeds" in text
    assert "numpy 2.4" in text
    assert "Figure &#39;x&#39; is missing." in text


def test_mixed_machines_are_noted(synthetic: SyntheticResults, verdicts: list[Verdict]) -> None:
    runs = synthetic.frames.runs.assign(engine=["torch", "numba"] * (len(synthetic.frames.runs) // 2))
    text = html(synthetic.study, replace(synthetic.frames, runs=runs), verdicts, [], {}, [])
    assert "These results mix 2 values of engine: numba; torch." in text


def texts(row: GridRow) -> list[str]:
    return [cell.text for cell in row.point]


def test_every_point_of_the_grid_has_a_row(synthetic: SyntheticResults) -> None:
    rows = grid_rows(synthetic.study, synthetic.frames.runs)
    assert len(rows) == len(synthetic.study.points)
    assert all(sum(row.counts.values()) == 4 for row in rows)
    (chrono,) = [row for row in rows if "chrono" in texts(row)]
    assert "25" in texts(chrono)
    assert chrono.counts["solved"] + chrono.counts["unsolved"] == 4


def test_runs_that_are_not_done_are_counted_as_missing(synthetic: SyntheticResults) -> None:
    rows = grid_rows(synthetic.study, synthetic.frames.runs.iloc[:2])
    assert [row.counts["missing"] for row in rows[:2]] == [2, 4]
    assert [cell.text for cell in rows[1].cells] == ["–", "–", "–"]


def test_diverged_runs_are_listed(synthetic: SyntheticResults) -> None:
    rows = stopped_runs(synthetic.study, synthetic.frames.runs, {})
    assert len(rows) == (synthetic.frames.runs["outcome"] == "diverged").sum() > 0
    assert all("spectral_radius=1.2" in row[1] for row in rows)


def test_a_page_of_nothing_is_a_page(tmp_path: Path) -> None:
    synthetic = simulate([point("rnn", 20, 1.0)])
    frames = replace(synthetic.frames, runs=synthetic.frames.runs.iloc[:0])
    expectation = Expectation(metric="success_rate", at_least=0.5)
    verdicts = judge(expectation, frames.runs, synthetic.planned)
    write(tmp_path / "report.html", synthetic.study, frames, verdicts, [], {})
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert PageTags(text).names.count("table") == 2
    assert "No verdict on 1 of 1 expectations" in text


def test_a_study_of_many_runs_makes_a_small_page(
    synthetic: SyntheticResults, verdicts: list[Verdict], tmp_path: Path
) -> None:
    drawings, notes = render(synthetic.study, synthetic.frames, tmp_path)
    assert notes == []
    write(tmp_path / "report.html", synthetic.study, synthetic.frames, verdicts, drawings, PROVENANCE)
    assert (tmp_path / "report.html").stat().st_size < 1_500_000
