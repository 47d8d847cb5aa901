"""The grid and the verdicts as LaTeX tables for a paper's `\\input`; they need the package booktabs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from harness.errors import ResultsError
from harness.errors.text import printable
from harness.report.gridtable import MEASURES, grid_rows
from harness.statistics.frames import Frames
from harness.study import labels
from harness.study.spec import StudySpec
from harness.verdicts.metrics import Metric
from harness.verdicts.verdict import Verdict, interval_head, overall

# Characters that LaTeX reads as commands, and signs that its fonts have in formulas only. The rest of Unicode passes.
ESCAPES: Mapping[str, str] = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}",
    "−": "$-$", "±": r"$\pm$", "×": r"$\times$", "·": r"$\cdot$", "≥": r"$\ge$", "≤": r"$\le$", "≈": r"$\approx$",
    "→": r"$\to$", "∞": r"$\infty$", "∂": r"$\partial$", "‖": r"$\|$", "′": r"$'$", "°": r"$^\circ$", "½": r"$\frac12$",
    "α": r"$\alpha$", "β": r"$\beta$", "γ": r"$\gamma$", "δ": r"$\delta$", "ε": r"$\epsilon$", "η": r"$\eta$",
    "θ": r"$\theta$", "λ": r"$\lambda$", "μ": r"$\mu$", "ρ": r"$\rho$", "σ": r"$\sigma$", "τ": r"$\tau$",
    "φ": r"$\phi$", "ω": r"$\omega$", "Δ": r"$\Delta$", "Σ": r"$\Sigma$",
    **{sign: f"$_{digit}$" for digit, sign in enumerate("₀₁₂₃₄₅₆₇₈₉")},
    **{sign: f"$^{digit}$" for digit, sign in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}, "⁻": "$^-$",
}  # fmt: skip
_ESCAPES = str.maketrans({**ESCAPES, "\u00a0": "~", "\n": " "})


def escape(text: str) -> str:
    """The text with every character escaped that LaTeX would not print as it is."""
    return printable(text).translate(_ESCAPES)


def write(
    path: Path,
    study: StudySpec,
    frames: Frames,
    verdicts: Sequence[Verdict],
    measures: Sequence[Metric] = MEASURES,
    sentences: Sequence[str] = (),
) -> None:
    """Write both tables to a file; the same arguments give the same bytes.

    Raises:
        ResultsError: the file cannot be written.
    """
    try:
        path.write_text(latex(study, frames, verdicts, measures, sentences), encoding="utf-8")
    except OSError as error:
        raise ResultsError(f"{path}: cannot be written: {error.strerror or error}") from None


def latex(
    study: StudySpec,
    frames: Frames,
    verdicts: Sequence[Verdict],
    measures: Sequence[Metric] = MEASURES,
    sentences: Sequence[str] = (),
) -> str:
    """The table of the grid, labelled `tab:<study>`, and that of the verdicts, `tab:<study>-verdicts`.

    Args:
        study: whose axes are the first columns, and whose claim is the caption.
        frames: its results, planned runs only.
        measures: the metrics of the grid.
        verdicts: of all its expectations; without any there is no second table.
        sentences: the verdicts in one sentence, their seeds, and whether they are registered, amended or exploratory
            (`JudgedStudy.sentences`); without them the verdicts alone.
    """
    parts = ["% needs \\usepackage{booktabs}", _grid(study, frames, measures)]
    return "\n\n".join([*parts, _verdicts(study, verdicts, sentences)] if verdicts else parts) + "\n"


def _grid(study: StudySpec, frames: Frames, measures: Sequence[Metric]) -> str:
    rows = grid_rows(study, frames.runs_at_lengths, measures=measures)
    head = [labels.short(name) for name in study.axes()] + [metric.label for metric in measures] + ["n"]
    body = [
        [cell.text for cell in (*row.point, *row.cells)]
        + [str(sum(row.counts[name] for name in ("solved", "unsolved", "diverged")))]
        for row in rows
    ]
    meanings = "; ".join(f"{metric.label}: {metric.meaning}" for metric in measures)
    seeds = f"{len(study.seeds)} {'seed' if len(study.seeds) == 1 else 'seeds'} were planned for each row"
    caption = f"{study.claim} {meanings[0].upper()}{meanings[1:]}. Brackets: 95 % intervals. {seeds}; n have a result."
    columns = "l" * len(study.axes()) + "l" * len(measures) + "r"
    return _table(caption, f"tab:{study.name}", columns, head, body)


def _verdicts(study: StudySpec, verdicts: Sequence[Verdict], sentences: Sequence[str]) -> str:
    body = []
    for verdict in verdicts:
        text = verdict.text.replace(">=", "≥").replace("<=", "≤") + (f" ({verdict.reason})" if verdict.reason else "")
        text += f" (warning: {verdict.remark})" if verdict.warning else ""
        for i, (name, value, interval, n) in enumerate(list(verdict.rows()) or [("", "–", "–", "0")]):
            first = [text, verdict.state] if i == 0 else ["", ""]
            body.append([*first, f"{name} {value}".strip(), interval, n])
    opening = f"Expectations of the study {study.name}, judged over seeds."
    caption = " ".join([opening, *(sentences or [overall(list(verdicts))])])
    head = ["expectation", "verdict", "measured", interval_head(verdicts), "n"]
    wide = r">{\raggedright\arraybackslash}p{0.42\linewidth}"
    return "% needs \\usepackage{array}\n" + _table(caption, f"tab:{study.name}-verdicts", f"{wide}llll", head, body)


def _table(caption: str, label: str, columns: str, head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    tied = escape(caption).replace(r" \%", r"~\%")
    lines = [
        r"\begin{table}",
        r"\centering\small",
        rf"\caption{{{tied}}}",
        rf"\label{{{label}}}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        _row(head),
        r"\midrule",
        *map(_row, body),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    # a bracket or a star at the beginning of a row would be read as an argument of the \\ before it
    return " & ".join(f"{{{text}}}" if text.startswith(("[", "*")) else text for text in map(escape, cells)) + r" \\"
