"""A comparison as text: for the terminal, as Markdown for a pull request, as JUnit XML and JSON for machines."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from textwrap import fill, wrap
from typing import Any
from xml.etree import ElementTree

from harness.statistics.intervals import Interval
from harness.statistics.significance import CORRECTED_MEANS, IMPROVEMENT_MEANS, PERMUTATION_MEANS
from harness.verdicts.comparison import ComparedCell, Comparison
from harness.verdicts.expectations import interval_text
from harness.verdicts.metrics import Measured
from harness.verdicts.summary import NARROWEST

WIDTH = 100
LISTED = 3  # runs or cells by name before "…"
HEAD = ("cell", "A", "B", "B − A", "n", "p", "p (BH)")


def text(found: Comparison, names: tuple[str, str], width: int = WIDTH) -> str:
    """Verdict, table of the cells in which a pair differs, and what the numbers mean; no line is longer than `width`.

    Args:
        found: the comparison.
        names: what A and B are called.
        width: unless the numbers alone are wider.
    """
    differing = [cell for cell in found.cells if cell.changed]
    lines = [f"A  {names[0]}", f"B  {names[1]}", ""]
    if differing:
        lines += [*_table(found, differing, width), ""]
        if len(differing) < len(found.cells):
            lines[-1:] = [f"  no pair differs in the other {_count(len(found.cells) - len(differing), 'cell')}", ""]
    sentences = [*facts(found), *(f"note: {note}" for note in notes(found))]
    lines += [line for sentence in sentences for line in wrap(sentence, width, subsequent_indent="  ")]
    if differing:
        lines += ["", *(line for sentence in meanings(found) for line in wrap(sentence, width, subsequent_indent="  "))]
    return "\n".join([*lines, "", fill(verdict(found), width)])


def verdict(found: Comparison) -> str:
    """The comparison in one or two sentences."""
    if found.state == "incomplete":
        return f"No verdict: {_lacking(found)}. --allow-partial judges the other {_count(len(found.pairs), 'pair')}."
    partial = f" Partial: {_lacking(found)}." if found.lacking else ""
    if found.identical:
        return f"Identical: {_count(len(found.pairs), 'run')}, bit for bit in every measurement that both have."
    if found.state == "no regression":
        rise = found.p <= 1 - found.level
        return (
            "No regression" + (f", and B is better over the whole grid (p = {found.p:.2g})." if rise else ".") + partial
        )
    worse = []
    if found.significant:
        how = {1: "lower", -1: "higher", 0: "different"}[found.gate.better]
        worse.append(
            f"over the whole grid {found.metric.name} is {how} in B by {_size(found, abs(found.difference), '')} "
            f"(p = {found.p:.2g})"
        )
    if found.beyond:
        cells = _listed([f"{cell.label} ({_size(found, cell.difference)})" for cell in found.beyond], "; ")
        how = "changed" if found.gate.better == 0 else "became worse"
        worse.append(f"{_count(len(found.beyond), 'cell')} {how} by more than {found.gate.margin:g}: {cells}")
    return f"Regression: {'; and '.join(worse)}.{partial}"


def facts(found: Comparison) -> Iterator[str]:
    """What was compared and what came out over the whole grid, a sentence each."""
    yield f"{found.metric.name}: {found.metric.meaning}"
    pairs = found.pairs
    yield (
        f"pairs: {len(pairs)} in {_count(len(found.cells), 'cell')}, {pairs.identical} of them the same bit for bit, "
        f"{sum(cell.changed for cell in found.cells)} different in {found.metric.name}"
    )
    if pairs.identical == len(pairs):
        return
    value, ends = found.improvement
    better = "P(B > A)" if found.gate.better >= 0 else "P(B < A)"
    yield (
        f"whole grid: B − A = {_size(found, found.difference)} {_ends(found, found.interval)}, p = {found.p:.3g}; "
        f"{better} = {value:.2f} [{ends.low:.2f}, {ends.high:.2f}]"
    )
    if found.gate.margin is not None:
        yield (
            f"margin: {found.gate.margin:g} for each cell; chance alone takes some cell beyond it with probability "
            f"{found.false_alarms:.2g}"
        )


def notes(found: Comparison) -> Iterator[str]:
    """What stands beside the numbers: runs without a partner, machines, and what so few seeds cannot show."""
    pairs = found.pairs
    if pairs.lost:
        yield f"without a result in B: {_listed(pairs.lost, '; ')}."
    if found.valueless:
        yield f"{_count(found.valueless, 'pair')} with {found.metric.name} in A alone."
    if pairs.gained:
        yield f"in B alone, not compared: {_count(len(pairs.gained), 'run')}, {_listed(pairs.gained, '; ')}."
    yield from pairs.notes
    if pairs.differing:
        yield f"pairs that are not the same differ in {', '.join(pairs.differing)} (--metric compares something else)."
    most, alpha = max(cell.n for cell in found.cells), 1 - found.level
    if pairs.identical == len(pairs):
        return
    if 2 / 2**most > alpha:
        yield (
            f"with {_count(most, 'pair')} a cell no cell's own p can fall below {2 / 2**most:.3g}: it describes, and "
            "decides nothing."
        )
    total = sum(cell.n for cell in found.cells)
    if 2 / 2**total > alpha:
        yield (
            f"with {_count(total, 'pair')} in all, the test over the grid cannot fall below {2 / 2**total:.3g} either: "
            "it cannot find anything here."
        )


def meanings(found: Comparison) -> Sequence[str]:
    """What each test says, a sentence each."""
    improvement = IMPROVEMENT_MEANS if found.gate.better >= 0 else IMPROVEMENT_MEANS.replace("P(B > A)", "P(B < A)")
    return PERMUTATION_MEANS + ".", CORRECTED_MEANS + ".", improvement + "."


def markdown(found: Comparison, names: tuple[str, str]) -> str:
    """The comparison for a pull request: verdict first, all cells in a table that opens on a click."""
    sign = {"regression": "❌", "no regression": "✅", "incomplete": "⚠️"}[found.state]
    lines = [f"### {sign} {_escaped(verdict(found))}", "", f"A: `{names[0]}`, B: `{names[1]}`", ""]
    lines += [f"- {_escaped(sentence)}" for sentence in (*facts(found), *notes(found))]
    changed = sum(bool(cell.changed) for cell in found.cells)
    summary = f"{_count(len(found.cells), 'cell')}, {changed} with a pair that differs"
    lines += ["", f"<details><summary>{summary}</summary>", "", "| | " + " | ".join(HEAD) + " |"]
    lines += ["|---|---|" + "--:|" * (len(HEAD) - 1)]
    lines += [
        f"| {'✗' if cell.beyond else ''} | " + " | ".join(map(_escaped, _row(found, cell))) + " |"
        for cell in found.cells
    ]
    lines += ["", *(f"{_escaped(sentence)}  " for sentence in meanings(found)), "", "</details>"]
    return "\n".join(lines)


def junit(found: Comparison, name: str) -> bytes:
    """The comparison as JUnit XML: a test case for the whole grid and one for each cell's margin."""
    state = found.state
    judged = state != "incomplete"
    failures = (found.significant + len(found.beyond)) if judged else 0
    suite = ElementTree.Element(
        "testsuite", name=name, tests=str(1 + len(found.cells)), failures=str(failures), errors=str(int(not judged))
    )
    whole = ElementTree.SubElement(suite, "testcase", classname=name, name=f"{found.metric.name} over the whole grid")
    if not judged:
        ElementTree.SubElement(whole, "error", message=verdict(found))
    elif found.significant:
        ElementTree.SubElement(whole, "failure", message="; ".join(facts(found)))
    for cell in found.cells:
        case = ElementTree.SubElement(suite, "testcase", classname=name, name=f"{found.metric.name} of {cell.label}")
        said = " ".join(f"{head} {held}" for head, held in zip(HEAD[1:], _row(found, cell)[1:], strict=True))
        if not judged:
            ElementTree.SubElement(case, "skipped", message=verdict(found))
        elif cell.beyond:
            ElementTree.SubElement(case, "failure", message=f"by more than {found.gate.margin:g}: {said}")
    return bytes(ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True))


def as_json(found: Comparison, names: tuple[str, str]) -> Mapping[str, Any]:
    """The comparison as plain values; what has no value is null."""
    value, ends = found.improvement
    pairs = found.pairs
    plain: Mapping[str, Any] = _plain(
        {
            "first": names[0],
            "second": names[1],
            "verdict": found.state,
            "sentence": verdict(found),
            "identical": found.identical,
            "metric": found.metric.name,
            "margin": found.gate.margin,
            "level": found.level,
            "pairs": len(pairs),
            "identical_pairs": pairs.identical,
            "lost": list(pairs.lost),
            "gained": list(pairs.gained),
            "difference": found.difference,
            "interval": list(found.interval),
            "p": found.p,
            "probability_of_improvement": value,
            "probability_of_improvement_interval": list(ends),
            "false_alarms_of_margin": found.false_alarms,
            "notes": list(notes(found)),
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
                for cell in found.cells
            ],
        }
    )
    return plain


def _table(found: Comparison, cells: Sequence[ComparedCell], width: int) -> list[str]:
    """Aligned columns; the first one is wrapped to what the numbers leave."""
    rows = [HEAD, *(_row(found, cell) for cell in cells)]
    sizes = [max(len(row[i]) for row in rows) for i in range(1, len(HEAD))]
    room = max(NARROWEST, width - 2 - sum(size + 2 for size in sizes))
    words = [wrap(row[0], room, break_on_hyphens=False) for row in rows]
    across = max(len(line) for lines in words for line in lines)
    lines = []
    for cell, row, label in zip((None, *cells), rows, words, strict=True):
        numbers = "".join(f"  {held:>{size}}" for held, size in zip(row[1:], sizes, strict=True))
        mark = "✗" if cell is not None and cell.beyond else " "
        lines += [f"{mark} {label[0]:<{across}}{numbers}".rstrip(), *(f"  {line}" for line in label[1:])]
    return lines


def _row(found: Comparison, cell: ComparedCell) -> tuple[str, ...]:
    first, second = (
        f"{found.metric.text(side.value)} {interval_text(found.metric, side)}" for side in (cell.first, cell.second)
    )
    difference = f"{_size(found, cell.difference)} {_ends(found, cell.interval)}"
    return cell.label, first, second, difference, str(cell.n), f"{cell.p:.3g}", f"{cell.corrected:.2g}"


def _size(found: Comparison, difference: float, sign: str = "+") -> str:
    """A difference in the metric's decimals, more where they would hide it."""
    decimals = found.metric.decimals
    if 0 < abs(difference) < 0.5 * 10**-decimals:
        return f"{difference:{sign}.1e}"
    return f"{difference:{sign}.{decimals}f}"


def _ends(found: Comparison, interval: Interval) -> str:
    return "–" if math.isnan(interval.low) else f"[{_size(found, interval.low)}, {_size(found, interval.high)}]"


def _lacking(found: Comparison) -> str:
    lost, failed = len(found.pairs.lost), found.pairs.failed
    parts = [
        f"{count} {what}"
        for count, what in (
            (lost - failed, "missing in B"),
            (failed, "failed in B"),
            (found.valueless, f"without {found.metric.name} in B"),
        )
        if count
    ]
    return f"of the runs of A {', '.join(parts)}"


def _listed(words: Sequence[str], between: str) -> str:
    return between.join(words[:LISTED]) + (f"{between}…" if len(words) > LISTED else "")


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'s' * (n != 1)}"


def _escaped(sentence: str) -> str:
    """What Markdown would take for markup or for the end of a table's cell."""
    return sentence.replace("|", "\\|").replace("_", "\\_").replace("<", "&lt;")


def _measured(side: Measured) -> Mapping[str, float]:
    return {"value": side.value, "low": side.low, "high": side.high}


def _plain(held: Any) -> Any:
    """JSON has no NaN and no infinity."""
    if isinstance(held, Mapping):
        return {name: _plain(value) for name, value in held.items()}
    if isinstance(held, list):
        return [_plain(value) for value in held]
    return None if isinstance(held, float) and not math.isfinite(held) else held
