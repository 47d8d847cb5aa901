"""LaTeX tables: every number of the study is in them, and nothing in them is a command by accident."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from synthetic_results import SyntheticResults

from harness.errors import ResultsError
from harness.report.gridtable import grid_rows
from harness.report.latex import ESCAPES, escape, latex, write
from harness.study import labels
from harness.verdicts.verdict import Verdict

ATTACK = r"100 % of \textbf{a_b} & {c} #1 $x$ ~ ^ < > | \input{secret} − ∞ ρ ±½ h₁ 10⁻³ ‖∂L‖ ≥ σ"


def rows(text: str) -> list[list[str]]:
    """The cells of all rows but the heads'."""
    bodies = re.findall(r"\\midrule\n(.*?)\n\\bottomrule", text, re.DOTALL)
    return [line.removesuffix(r" \\").split(" & ") for body in bodies for line in body.splitlines()]


def test_every_point_is_a_row_with_its_measures(synthetic: SyntheticResults, verdicts: list[Verdict]) -> None:
    lines = rows(latex(synthetic.study, synthetic.frames, []))
    expected = grid_rows(synthetic.study, synthetic.frames.runs)
    assert len(lines) == len(expected) == len(synthetic.study.points)
    for line, row in zip(lines, expected, strict=True):
        assert [cell.removeprefix("{").removesuffix("}") for cell in line[:-1]] == [
            escape(cell.text) for cell in (*row.point, *row.cells)
        ]
        assert line[-1] == str(4 - row.counts["missing"] - row.counts["failed"])


def test_the_head_names_axes_and_measures(synthetic: SyntheticResults) -> None:
    (head,) = re.findall(r"\\toprule\n(.*) \\\\\n", latex(synthetic.study, synthetic.frames, []))
    assert head.split(" & ")[: len(synthetic.study.axes())] == [
        escape(labels.short(name)) for name in synthetic.study.axes()
    ]
    assert "success rate & updates to solve & final accuracy & n" in head


def test_the_caption_has_claim_seeds_and_label(synthetic: SyntheticResults) -> None:
    text = latex(synthetic.study, synthetic.frames, [])
    assert rf"\caption{{{synthetic.study.claim}" in text
    assert "4 seeds were planned for each row" in text
    assert r"\label{tab:synthetic}" in text


def test_the_caption_says_how_the_verdicts_are_registered(synthetic: SyntheticResults, verdicts: list[Verdict]) -> None:
    sentences = ["Both hold, after 1 amendment.", "Exploratory: other seeds than the frozen ones."]
    text = latex(synthetic.study, synthetic.frames, verdicts, sentences=sentences)
    assert f"judged over seeds. {' '.join(sentences)}}}" in text


def test_every_verdict_is_there_with_value_interval_and_n(synthetic: SyntheticResults, verdicts: list[Verdict]) -> None:
    text = latex(synthetic.study, synthetic.frames, verdicts)
    assert r"\label{tab:synthetic-verdicts}" in text
    body = [[cell.removeprefix("{").removesuffix("}") for cell in row] for row in rows(text) if len(row) == 5]
    for verdict in verdicts:
        for _, value, interval, n in verdict.rows():
            assert [escape(interval), n] in [row[3:] for row in body if row[2].endswith(escape(value))]
        assert escape(verdict.text.replace(">=", "≥").replace("<=", "≤")) in text
    assert [row[1] for row in rows(text) if len(row) == 5 and row[1]] == [verdict.state for verdict in verdicts]


def test_nothing_of_a_text_is_a_command() -> None:
    left = escape(ATTACK)
    for known in sorted(set(ESCAPES.values()), key=len, reverse=True):
        left = left.replace(known, "")
    assert not re.search(r"[\\{}$&#%_~^<>|]", left)


def test_signs_of_formulas_are_set_as_formulas() -> None:
    assert escape("−0.5 ± ∞, ρ = 1 %") == r"$-$0.5 $\pm$ $\infty$, $\rho$ = 1 \%"
    assert escape("10⁻³") == "10$^-$$^3$"


def test_every_row_has_as_many_cells_as_columns(synthetic: SyntheticResults, verdicts: list[Verdict]) -> None:
    odd = replace(synthetic.study, claim=ATTACK)
    text = latex(odd, synthetic.frames, verdicts)
    assert {len(row) for row in rows(text)} == {len(synthetic.study.axes()) + 4, 5}
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 2
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")


def test_no_row_begins_like_an_argument_of_a_line_break(synthetic: SyntheticResults, verdicts: list[Verdict]) -> None:
    assert not re.search(r"\\\\\n[\[*]", latex(synthetic.study, synthetic.frames, verdicts))


def test_the_same_results_give_the_same_bytes(
    synthetic: SyntheticResults, verdicts: list[Verdict], tmp_path: Path
) -> None:
    for name in ("a.tex", "b.tex"):
        write(tmp_path / name, synthetic.study, synthetic.frames, verdicts)
    assert (tmp_path / "a.tex").read_bytes() == (tmp_path / "b.tex").read_bytes()


def test_a_file_that_cannot_be_written_is_an_error(synthetic: SyntheticResults, tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="cannot be written"):
        write(tmp_path / "missing" / "a.tex", synthetic.study, synthetic.frames, [])


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex on this machine")
def test_pdflatex_reads_the_tables(synthetic: SyntheticResults, verdicts: list[Verdict], tmp_path: Path) -> None:
    write(tmp_path / "tables.tex", replace(synthetic.study, claim=ATTACK), synthetic.frames, verdicts)
    (tmp_path / "paper.tex").write_text(
        "\\documentclass{article}\n\\usepackage{booktabs,array}\n\\begin{document}\n\\input{tables}\n\\end{document}\n"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
