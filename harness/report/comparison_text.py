"""A comparison as text: for a terminal, as Markdown for a pull request, as JUnit XML and JSON for machines."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any
from xml.etree import ElementTree

from harness.errors.text import WIDEST, markdown_code, printable, terminal_width, wrapped, xml_bytes
from harness.errors.text import markdown as as_markdown
from harness.statistics.intervals import Interval
from harness.statistics.significance import CORRECTED_MEANS, IMPROVEMENT_MEANS, PERMUTATION_MEANS
from harness.verdicts.comparison import ComparedCell, Comparison
from harness.verdicts.metrics import Measured
from harness.verdicts.summary import NARROWEST
from harness.verdicts.verdict import interval_text

LISTED = 3  # runs or cells by name before "…"
HEAD = ("cell", "A", "B", "B − A", "n", "p", "p (BH)")


def text(comparison: Comparison, names: tuple[str, str], width: int | None = None) -> str:
    """Table of the cells in which a pair differs, what the numbers mean, and the verdict.

    Args:
        comparison: the comparison.
        names: of A and B.
        width: no line is longer; default: the terminal's.
    """
    width = terminal_width() if width is None else width
    differing = [cell for cell in comparison.cells if cell.changed]
    lines = [f"A  {printable(names[0])}", f"B  {printable(names[1])}", ""]
    if differing:
        lines += [*_table(comparison, differing, width), ""]
        if len(differing) < len(comparison.cells):
            same = len(comparison.cells) - len(differing)
            lines[-1:] = [f"  no pair differs in the other {_count(same, 'cell')}", ""]
    sentences = [*facts(comparison), *(f"note: {note}" for note in notes(comparison))]
    lines += [line for sentence in sentences for line in wrapped(sentence, width, after="  ")]
    if differing:
        lines.append("")
        lines += [line for sentence in meanings(comparison) for line in wrapped(sentence, width, after="  ")]
    return "\n".join([*lines, "", *wrapped(verdict(comparison), width)])


def verdict(comparison: Comparison) -> str:
    """The comparison in one or two sentences."""
    if comparison.state == "incomplete":
        rest = _count(len(comparison.pairs), "pair")
        return f"No verdict: {_lacking(comparison)}. --allow-partial judges the other {rest}."
    partial = f" Partial: {_lacking(comparison)}." if comparison.lacking else ""
    if comparison.identical:
        return f"Identical: {_count(len(comparison.pairs), 'run')}, bit for bit in every measurement that both have."
    if comparison.state == "no regression":
        rise = comparison.p <= 1 - comparison.level
        return (
            "No regression"
            + (f", and B is better over the whole grid (p = {comparison.p:.2g})." if rise else ".")
            + partial
        )
    worse = []
    if comparison.significant:
        direction = {1: "lower", -1: "higher", 0: "different"}[comparison.gate.better]
        size = _size(comparison, abs(comparison.difference), "")
        worse.append(
            f"over the whole grid {comparison.metric.name} is {direction} in B by {size} (p = {comparison.p:.2g})"
        )
    if comparison.beyond:
        cells = _listed([f"{cell.label} ({_size(comparison, cell.difference)})" for cell in comparison.beyond], "; ")
        change = "changed" if comparison.gate.better == 0 else "became worse"
        worse.append(
            f"{_count(len(comparison.beyond), 'cell')} {change} by more than {comparison.gate.margin:g}: {cells}"
        )
    return f"Regression: {'; and '.join(worse)}.{partial}"


def facts(comparison: Comparison) -> Iterator[str]:
    """Sentences about what was compared, and the result over the whole grid."""
    yield f"{comparison.metric.name}: {comparison.metric.meaning}"
    pairs = comparison.pairs
    yield (
        f"pairs: {len(pairs)} in {_count(len(comparison.cells), 'cell')}, {pairs.identical} of them the same bit for "
        f"bit, {sum(cell.changed for cell in comparison.cells)} different in {comparison.metric.name}"
    )
    if pairs.identical == len(pairs):
        return
    value, ends = comparison.improvement
    better = "P(B > A)" if comparison.gate.better >= 0 else "P(B < A)"
    yield (
        f"whole grid: B − A = {_size(comparison, comparison.difference)} "
        f"{_ends(comparison, comparison.interval)}, p = {comparison.p:.3g}; "
        f"{better} = {value:.2f} [{ends.low:.2f}, {ends.high:.2f}]"
    )
    if comparison.gate.margin is not None:
        yield (
            f"margin: {comparison.gate.margin:g} for each cell; chance alone takes some cell beyond it with "
            f"probability {comparison.false_alarms:.2g}"
        )


def notes(comparison: Comparison) -> Iterator[str]:
    """Sentences about runs without a partner, different machines, and tests with too few seeds."""
    pairs = comparison.pairs
    if pairs.lost:
        yield f"without a result in B: {_listed(pairs.lost, '; ')}."
    if comparison.valueless:
        yield f"{_count(comparison.valueless, 'pair')} with {comparison.metric.name} in A alone."
    if comparison.without:
        yield (
            f"left out: {_count(comparison.without, 'pair')} without {comparison.metric.name} in A: no difference "
            "can be taken of a run that diverged."
        )
    if pairs.gained:
        yield f"in B alone, not compared: {_count(len(pairs.gained), 'run')}, {_listed(pairs.gained, '; ')}."
    yield from pairs.notes
    if pairs.differing:
        yield f"pairs that are not the same differ in {', '.join(pairs.differing)} (--metric compares something else)."
    most, alpha = max(cell.n for cell in comparison.cells), 1 - comparison.level
    if pairs.identical == len(pairs):
        return
    if 2 / 2**most > alpha:
        yield (
            f"with {_count(most, 'pair')} a cell no cell's own p can fall below {2 / 2**most:.3g}: it is descriptive "
            "only."
        )
    total = sum(cell.n for cell in comparison.cells)
    if 2 / 2**total > alpha:
        yield (
            f"with {_count(total, 'pair')} in all, the test over the grid cannot fall below {2 / 2**total:.3g} either: "
            "it cannot be significant."
        )


def meanings(comparison: Comparison) -> Sequence[str]:
    """What each number means, a sentence each."""
    improvement = (
        IMPROVEMENT_MEANS if comparison.gate.better >= 0 else IMPROVEMENT_MEANS.replace("P(B > A)", "P(B < A)")
    )
    return PERMUTATION_MEANS + ".", CORRECTED_MEANS + ".", improvement + "."


def markdown(comparison: Comparison, names: tuple[str, str]) -> str:
    """The comparison for a pull request: verdict first, all cells in a table that opens on a click."""
    sign = {"regression": "❌", "no regression": "✅", "incomplete": "⚠️"}[comparison.state]
    lines = [f"### {sign} {as_markdown(verdict(comparison))}", ""]
    lines += [f"A: {markdown_code(names[0])}, B: {markdown_code(names[1])}", ""]
    lines += [f"- {as_markdown(sentence)}" for sentence in (*facts(comparison), *notes(comparison))]
    changed = sum(bool(cell.changed) for cell in comparison.cells)
    summary = f"{_count(len(comparison.cells), 'cell')}, {changed} with a pair that differs"
    lines += ["", f"<details><summary>{summary}</summary>", "", "| | " + " | ".join(HEAD) + " |"]
    lines += ["|---|---|" + "--:|" * (len(HEAD) - 1)]
    lines += [
        f"| {'✗' if cell.beyond else ''} | " + " | ".join(map(as_markdown, _row(comparison, cell))) + " |"
        for cell in comparison.cells
    ]
    lines += ["", *(f"{as_markdown(sentence)}  " for sentence in meanings(comparison)), "", "</details>"]
    return "\n".join(lines)


def junit(comparison: Comparison, name: str) -> bytes:
    """The comparison as JUnit XML: a test case for the whole grid and one for each cell's margin."""
    state = comparison.state
    complete = state != "incomplete"
    failures = (comparison.significant + len(comparison.beyond)) if complete else 0
    suite = ElementTree.Element(
        "testsuite",
        name=name,
        tests=str(1 + len(comparison.cells)),
        failures=str(failures),
        errors=str(int(not complete)),
    )
    whole = ElementTree.SubElement(
        suite, "testcase", classname=name, name=f"{comparison.metric.name} over the whole grid"
    )
    if not complete:
        ElementTree.SubElement(whole, "error", message=verdict(comparison))
    elif comparison.significant:
        ElementTree.SubElement(whole, "failure", message="; ".join(facts(comparison)))
    for cell in comparison.cells:
        case = ElementTree.SubElement(
            suite, "testcase", classname=name, name=f"{comparison.metric.name} of {cell.label}"
        )
        numbers = " ".join(f"{head} {text}" for head, text in zip(HEAD[1:], _row(comparison, cell)[1:], strict=True))
        if not complete:
            ElementTree.SubElement(case, "skipped", message=verdict(comparison))
        elif cell.beyond:
            ElementTree.SubElement(case, "failure", message=f"by more than {comparison.gate.margin:g}: {numbers}")
    return xml_bytes(suite)


def as_json(comparison: Comparison, names: tuple[str, str]) -> Mapping[str, Any]:
    """The comparison as plain values; a number that is not finite is null."""
    value, ends = comparison.improvement
    pairs = comparison.pairs
    plain: Mapping[str, Any] = _plain(
        {
            "first": names[0],
            "second": names[1],
            "verdict": comparison.state,
            "sentence": verdict(comparison),
            "identical": comparison.identical,
            "metric": comparison.metric.name,
            "margin": comparison.gate.margin,
            "level": comparison.level,
            "pairs": len(pairs),
            "identical_pairs": pairs.identical,
            "lost": list(pairs.lost),
            "gained": list(pairs.gained),
            "difference": comparison.difference,
            "interval": list(comparison.interval),
            "p": comparison.p,
            "probability_of_improvement": value,
            "probability_of_improvement_interval": list(ends),
            "false_alarms_of_margin": comparison.false_alarms,
            "notes": list(notes(comparison)),
            "cells": [
                {
                    "cell": cell.label,
                    "n": cell.n,
                    "changed": cell.changed,
                    "first": _measured(cell.first),
                    "second": _measured(cell.second),
                    "difference": cell.difference,
                    "interval": list(cell.interval),
                    "p": cell.p,
                    "p_corrected": cell.corrected,
                    "beyond_margin": cell.beyond,
                }
                for cell in comparison.cells
            ],
        }
    )
    return plain


def _table(comparison: Comparison, cells: Sequence[ComparedCell], width: int) -> list[str]:
    """Aligned columns; the labels are wrapped to the width that the numbers leave."""
    rows = [HEAD, *(_row(comparison, cell) for cell in cells)]
    sizes = [max(len(row[i]) for row in rows) for i in range(1, len(HEAD))]
    if width < WIDEST and 2 + NARROWEST + sum(size + 2 for size in sizes) > width:
        return _paragraphs(comparison, cells, width)
    label_width = max(NARROWEST, width - 2 - sum(size + 2 for size in sizes))
    labels = [wrap(row[0], label_width, break_on_hyphens=False) for row in rows]
    label_width = max(len(line) for label in labels for line in label)
    lines = []
    for cell, row, label in zip((None, *cells), rows, labels, strict=True):
        numbers = "".join(f"  {number:>{size}}" for number, size in zip(row[1:], sizes, strict=True))
        mark = "✗" if cell is not None and cell.beyond else " "
        lines += [f"{mark} {label[0]:<{label_width}}{numbers}".rstrip(), *(f"  {line}" for line in label[1:])]
    return lines


def _paragraphs(comparison: Comparison, cells: Sequence[ComparedCell], width: int) -> list[str]:
    """A cell a paragraph: its settings, and its numbers by name below them."""
    lines = []
    for cell in cells:
        label, *numbers = _row(comparison, cell)
        entries = [f"{name} {number}".replace(" ", "\u00a0") for name, number in zip(HEAD[1:], numbers, strict=True)]
        text = wrap(label, width - 2, break_on_hyphens=False)
        lines += [f"{'✗' if cell.beyond else ' '} {text[0]}", *(f"  {line}" for line in text[1:])]
        lines += wrapped(";  ".join(entries), width, "    ", "    ")
    return [line.replace("\u00a0", " ") for line in lines]


def _row(comparison: Comparison, cell: ComparedCell) -> tuple[str, ...]:
    first, second = (
        f"{comparison.metric.text(side.value)} {interval_text(comparison.metric, side)}"
        for side in (cell.first, cell.second)
    )
    difference = f"{_size(comparison, cell.difference)} {_ends(comparison, cell.interval)}"
    return cell.label, first, second, difference, str(cell.n), f"{cell.p:.3g}", f"{cell.corrected:.2g}"


def _size(comparison: Comparison, difference: float, sign: str = "+") -> str:
    """A difference in the metric's decimals, more where they would hide it."""
    decimals = comparison.metric.decimals
    if 0 < abs(difference) < 0.5 * 10**-decimals:
        return f"{difference:{sign}.1e}"
    return f"{difference:{sign}.{decimals}f}"


def _ends(comparison: Comparison, interval: Interval) -> str:
    return (
        "–" if math.isnan(interval.low) else f"[{_size(comparison, interval.low)}, {_size(comparison, interval.high)}]"
    )


def _lacking(comparison: Comparison) -> str:
    lost, failed = len(comparison.pairs.lost), comparison.pairs.failed
    parts = [
        f"{count} {state}"
        for count, state in (
            (lost - failed, "missing in B"),
            (failed, "failed in B"),
            (comparison.valueless, f"without {comparison.metric.name} in B"),
        )
        if count
    ]
    return f"of the runs of A {', '.join(parts)}"


def _listed(words: Sequence[str], between: str) -> str:
    return between.join(words[:LISTED]) + (f"{between}…" if len(words) > LISTED else "")


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'s' * (n != 1)}"


def _measured(side: Measured) -> Mapping[str, float]:
    return {"value": side.value, "low": side.low, "high": side.high}


def _plain(value: Any) -> Any:
    """The value with null for every NaN and infinity, which JSON does not have."""
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
