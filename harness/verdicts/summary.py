"""The verdicts as text for a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from harness.errors.text import WIDEST, wrapped
from harness.verdicts.verdict import Verdict, VerdictState, interval_head

SYMBOLS: Mapping[VerdictState, str] = {
    "holds": "✓", "fails": "✗", "undecided": "?", "incomplete": "…", "not asked": "–",
}  # fmt: skip
NARROWEST = 24
READABLE = 40  # columns of text beside numbers


def summary(verdicts: Sequence[Verdict], width: int = 100) -> str:
    """The verdict table as aligned text: symbol, expectation, measured value, interval, n; the reason below.

    Args:
        verdicts: in the study's order.
        width: no line is longer, unless a number alone needs more.
    """
    if not verdicts:
        return "no expectations"
    rows = [list(verdict.rows()) or [("", "–", "–", "0")] for verdict in verdicts]
    values = [[_value(name, value) for name, value, _, _ in groups] for groups in rows]
    head = ("expectation", "measured", interval_head(verdicts), "n")
    widths = (
        max(len(head[1]), *(len(cell) for cells in values for cell in cells)),
        max(len(head[2]), *(len(interval) for groups in rows for _, _, interval, _ in groups)),
        max(len(head[3]), *(len(n) for groups in rows for _, _, _, n in groups)),
    )
    if width < WIDEST and width - sum(widths) - 2 * 4 < READABLE:
        return "\n".join(_paragraphs(verdicts, rows, head, width))
    # The numbers' columns are as wide as they need; the text is wrapped to the rest, or to its longest line.
    text_width = max(NARROWEST, width - sum(widths) - 2 * 4)
    longest = max(len(line) for verdict in verdicts for line in _text(verdict, text_width))
    text_width = min(text_width, max(len(head[0]), longest))
    lines = [_line(" ", head[0], head[1:], text_width, widths)]
    for verdict, groups, cells in zip(verdicts, rows, values, strict=True):
        text = _text(verdict, text_width)
        for i in range(max(len(text), len(groups))):
            numbers = (cells[i], groups[i][2], groups[i][3]) if i < len(groups) else ("", "", "")
            symbol = SYMBOLS[verdict.state] if i == 0 else " "
            lines.append(_line(symbol, text[i] if i < len(text) else "", numbers, text_width, widths))
    return "\n".join(lines)


def _paragraphs(
    verdicts: Sequence[Verdict], rows: Sequence[Sequence[tuple[str, str, str, str]]], head: Sequence[str], width: int
) -> Iterator[str]:
    """A verdict a paragraph: the expectation, below it what was measured, and its remarks."""
    for verdict, groups in zip(verdicts, rows, strict=True):
        for i, line in enumerate(wrapped(_tied(verdict.text), width - 2)):
            yield f"{SYMBOLS[verdict.state] if i == 0 else ' '} {line}".replace("\u00a0", " ")
        for name, value, interval, n in groups:
            entries = (_value(name, value), f"{head[2]} {interval}", f"{head[3]} {n}")
            numbers = ",  ".join(entry.replace(" ", "\u00a0") for entry in entries)
            for line in wrapped(numbers, width, "    ", "      "):
                yield line.replace("\u00a0", " ")
        for text in _remarks(verdict):
            for line in wrapped(_tied(text), width, "  ", "  "):
                yield line.replace("\u00a0", " ")


def _remarks(verdict: Verdict) -> tuple[str, str]:
    """Why it does not hold, or a contrast's paired test; and a warning."""
    reason = verdict.reason if verdict.state != "not asked" else f"not asked: {verdict.reason}"
    return reason, f"warning: {verdict.remark}" if verdict.warning else ""


def _value(name: str, value: str) -> str:
    return f"{name} {value}".strip()


def _text(verdict: Verdict, width: int) -> list[str]:
    """The expectation, and its remarks indented below it."""
    lines = wrapped(_tied(verdict.text), width)
    for text in _remarks(verdict):
        lines += wrapped(_tied(text), width, "  ", "  ")
    return [line.replace("\u00a0", " ") for line in lines]


def _tied(text: str) -> str:
    """Non-breaking spaces around a comparison sign, so that it and its number stay on one line."""
    return re.sub(r" (>=|<=|=) ", "\u00a0\\1\u00a0", text)


def _line(symbol: str, text: str, numbers: tuple[str, ...], width: int, widths: tuple[int, ...]) -> str:
    cells = [number.rjust(size) for number, size in zip(numbers, widths, strict=True)]
    return "  ".join([f"{symbol} {text.ljust(width)}", *cells]).rstrip()
