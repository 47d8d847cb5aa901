"""The report's page: its structure and text, which scripts can run in it, and legible colours."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from importlib.resources import files
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pytest
from page_tags import PageTags
from synthetic_results import SyntheticResults, point, simulate

from harness.figures.rendering import RenderedFigure, render
from harness.report import page
from harness.report.page import html, stopped_runs, write
from harness.study.spec import Expectation
from harness.verdicts.expectations import judge
from harness.verdicts.verdict import Verdict

PROVENANCE = {"command": "python -m harness.sweep a.yaml -S 'x=<1>'", "date": "today", "versions": {"numpy": "2.4"}}
EVIL = "</script><!--<script>alert(1)</script>&\u2028"
SCRIPT = re.compile(r"<script([^>]*)>(.*?)</script>", re.DOTALL)


def parts(text: str) -> tuple[list[tuple[str, str]], str]:
    """The page's scripts (attributes, content) and its policy."""
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    return SCRIPT.findall(text), policy.replace("&#39;", "'")


def hashed(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def whole_page(synthetic: SyntheticResults, verdicts: list[Verdict], **changes: Any) -> str:
    svg = RenderedFigure("success", "What one sees. More.", b"<svg/>")
    png = RenderedFigure("phase", "A map.", b"\x89PNG...", wide=True)
    study, notes = replace(synthetic.study, **changes), ["Figure 'x' is missing."]
    return html(study, synthetic.frames, verdicts, [svg, png], PROVENANCE, notes)


def test_the_page_is_well_formed_and_needs_no_network(synthetic: SyntheticResults, verdicts: list[Verdict]) -> None:
    tags = PageTags(whole_page(synthetic, verdicts))
    assert not {"link", "iframe", "object", "embed", "form"} & set(tags.names)
    assert not [script for script in tags.attributes("script") if "src" in script]
    sources = [image["src"] for image in tags.attributes("img")]
    assert [str(source).split(";")[0] for source in sources] == ["data:image/svg+xml", "data:image/png"]
    text = re.sub(r"data:[^\"]*", "", whole_page(synthetic, verdicts))
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", text)


def test_headings_descend_by_one_and_images_have_words(synthetic: SyntheticResults, verdicts: list[Verdict]) -> None:
    tags = PageTags(whole_page(synthetic, verdicts))
    heads = [int(name[1]) for name in tags.names if re.fullmatch(r"h\d", name)]
    assert heads[0] == 1
    assert heads.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(heads))
    assert [image["alt"] for image in tags.attributes("img")] == ["success: What one sees.", "phase: A map."]


def test_tables_scroll_in_a_box_that_the_keyboard_reaches(synthetic: SyntheticResults, verdicts: list[Verdict]) -> None:
    tags = PageTags(whole_page(synthetic, verdicts))
    boxes = [attributes for _, attributes in tags.tags if str(attributes.get("class")).split()[0] == "scroll"]
    assert len(boxes) == tags.names.count("table") == 3
    assert all(box["tabindex"] == "0" and box["aria-label"] for box in boxes)


def test_a_malicious_claim_is_only_text(synthetic: SyntheticResults, verdicts: list[Verdict]) -> None:
    attack = "</title><script>alert(1)</script><img src=x onerror=alert(2)>"
    text = whole_page(synthetic, verdicts, claim=attack, name='"><b>')
    assert PageTags(text).names.count("script") == 2
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert not [attributes for _, attributes in PageTags(text).tags if "onerror" in attributes]
    assert "&#39;x=&lt;1&gt;&#39;" in text


def test_the_page_has_verdicts_provenance_and_notes(synthetic: SyntheticResults, verdicts: list[Verdict]) -> None:
    text = whole_page(synthetic, verdicts)
    assert "2 of 5 expectations fail; 1 is undecided." in text
    assert "paired difference +1.00 over 4 shared seeds" in text
    assert "numpy 2.4" in text
    assert "Figure &#39;x&#39; is missing." in text


def test_mixed_machines_are_noted(synthetic: SyntheticResults, verdicts: list[Verdict]) -> None:
    runs = synthetic.frames.runs.assign(engine=["torch", "compiled"] * (len(synthetic.frames.runs) // 2))
    text = html(synthetic.study, replace(synthetic.frames, runs=runs), verdicts, [], {}, [])
    assert "These results mix 2 values of engine: compiled; torch." in text


def test_a_page_without_results_is_well_formed(tmp_path: Path) -> None:
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


def test_the_policy_allows_the_pages_own_script_and_style_and_nothing_else(synthetic: SyntheticResults) -> None:
    text = html(synthetic.study, synthetic.frames, [], [], {})
    scripts, policy = parts(text)
    assert [attributes for attributes, _ in scripts] == [' type="application/json" id="data"', ""]
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules == {
        "default-src": "'none'", "img-src": "data:", "style-src": hashed(style), "script-src": hashed(scripts[1][1]),
        "connect-src": "'none'", "base-uri": "'none'", "form-action": "'none'",
    }  # fmt: skip
    assert " style=" not in text  # the policy forbids it


def test_only_a_live_page_connects_and_only_to_its_own_server(synthetic: SyntheticResults) -> None:
    text = html(synthetic.study, synthetic.frames, [], [], {}, live=3)
    scripts, policy = parts(text)
    assert "connect-src 'self'" in policy
    assert all(hashed(content) in policy for _, content in scripts[1:])
    assert len(scripts) == 3
    assert json.loads(scripts[0][1])["live"] == 3


def test_text_cannot_leave_the_data(synthetic: SyntheticResults) -> None:
    study = replace(synthetic.study, claim=EVIL, name=EVIL)
    scripts, _ = parts(html(study, synthetic.frames, [], [], {"date": EVIL}))
    assert len(scripts) == 2
    assert not set("<>&\u2028") & set(scripts[0][1])
    content = json.loads(scripts[0][1])["summary"]
    assert (content["claim"], content["name"], content["date"]) == (EVIL, EVIL, EVIL)


def test_the_script_builds_no_markup_from_text() -> None:
    folder = files("harness.report") / "templates"
    for name in ("report.js", "live.js"):
        text = (folder / name).read_text(encoding="utf-8")
        assert not re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|Function\(", text)
        assert len(text.splitlines()) < 250


def test_failed_and_diverged_runs_are_listed_with_their_reason(synthetic: SyntheticResults) -> None:
    runs = synthetic.frames.runs.copy()
    runs.loc[[0, 1], "outcome"] = "failed"
    rows = stopped_runs(synthetic.study, runs, {runs["run_id"][0]: "ValueError: no"})
    reasons = {row[4]: row[5] for row in rows}
    assert [reasons[run_id] for run_id in runs["run_id"][:2]] == ["ValueError: no", "no error was recorded"]
    diverged = runs.loc[runs["outcome"] == "diverged", "run_id"]
    assert {reasons[run_id] for run_id in diverged} == {"loss or gradient not finite"}
    assert len(rows) == 2 + len(diverged)
    assert all("spectral_radius=1.2" in row[1] for row in rows if row[4] in set(diverged))


def test_a_study_without_axes_has_a_row_that_opens(synthetic: SyntheticResults) -> None:
    study = replace(synthetic.study, points=synthetic.study.points[:1])
    runs = synthetic.frames.select({"cell": "rnn", "sequence_length": 20, "spectral_radius": 0.8})
    text = html(study, runs, [], [], {})
    assert ">the only one</td>" in text
    assert "<select" not in text


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """WCAG 2's contrast ratio of two colours."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_black_on_white_has_the_largest_contrast() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_ink_is_legible_on_every_ground(scheme: str) -> None:
    css = (files("harness.report") / "templates" / "report.css").read_text(encoding="utf-8")
    light, dark = css.split("@media (prefers-color-scheme: dark)")
    colours: dict[str, Any] = dict(re.findall(r"--(\w+): (#\w{6})", light if scheme == "light" else dark))

    def used(*properties: str) -> set[str]:
        return set(re.findall(rf"[{{;] *(?:{'|'.join(properties)}): [^;}}]*var\(--(\w+)\)", css))

    grounds, inks, lines = used("background"), used("color", "fill"), used("outline", "stroke", "border")
    assert grounds == {"paper", "band"}
    assert inks >= {"ink", "faint", "good", "bad", "open", "link"}
    assert {pair: contrast(*(colours[c] for c in pair)) for pair in product(inks, grounds)
            if contrast(*(colours[c] for c in pair)) < 4.5} == {}  # fmt: skip
    assert {line for line in lines - {"rule"} if contrast(colours[line], colours["paper"]) < 3} == set()


def test_a_grid_of_thousands_of_points_is_cut_with_a_note(synthetic: SyntheticResults, monkeypatch) -> None:
    def rows(text: str) -> list[str]:
        return re.findall(r"<tr>.*?</tr>", text[text.index('<table id="points"') :].split("</table>")[0], re.DOTALL)

    whole = html(synthetic.study, synthetic.frames, [], [], {})
    monkeypatch.setattr(page, "MOST_POINTS", 3)
    text = html(synthetic.study, synthetic.frames, [], [], {})
    assert rows(text) == rows(whole)[:4]  # the head, and three points as they were
    assert f"first 3 of {len(synthetic.study.points)} points" in text
    assert "first 3 of" not in whole
    (data, _), _ = parts(text)
    assert len(json.loads(data[1])["points"]) == 3
