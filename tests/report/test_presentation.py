"""The presentation of results: figure files, the terminal, the report page."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from page_tags import PageTags
from synthetic_results import SyntheticResults, point, simulate

from harness.figures.rendering import RenderedFigure, render
from harness.report.gridtable import GridRow, grid_rows
from harness.report.page import html, stopped_runs, write
from harness.study import labels
from harness.study.spec import Expectation
from harness.verdicts.expectations import Verdict, judge

PROVENANCE = {"command": "python -m harness.sweep a.yaml -S 'x=<1>'", "date": "today", "versions": {"numpy": "2.4"}}


def page(synthetic: SyntheticResults, verdicts: list[Verdict], **changes: Any) -> str:
    svg = RenderedFigure("success", "What one sees. More.", b"<svg/>")
    png = RenderedFigure("phase", "A map.", b"\x89PNG...", wide=True)
    study, notes = replace(synthetic.study, **changes), ["Figure 'x' is missing."]
    return html(study, synthetic.frames, verdicts, [svg, png], PROVENANCE, notes)


def test_values_are_written_as_in_a_paper() -> None:
    assert [labels.value("bptt_window", value) for value in (None, 25.0)] == ["full", "25"]
    assert [labels.value("forget_bias", value) for value in (None, "1.0", "chrono")] == ["none", "1", "chrono"]
    assert labels.axis("sequence_length") == "sequence length T (steps)"
    assert labels.axis("batch_size", "sequences") == "batch size (sequences)"
    assert labels.title({"cell": "lstm", "sequence_length": 100}) == "cell = lstm, T = 100"


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
    drawings, notes = render(synthetic.study, synthetic.frames, tmp_path, ())
    assert notes == []
    write(tmp_path / "report.html", synthetic.study, synthetic.frames, verdicts, drawings, PROVENANCE)
    assert (tmp_path / "report.html").stat().st_size < 1_500_000
