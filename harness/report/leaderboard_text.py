"""A leaderboard for a terminal: an overview of all columns, then each column with its gradients and its evidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.errors.text import printable, wrapped
from harness.report.leaderboard_cells import (
    NONE,
    Quantity,
    evidence,
    heading,
    mark,
    notes,
    overview,
    quantities,
    standing_text,
)
from harness.verdicts.leaderboard import Board, BoardColumn
from harness.verdicts.metrics import SUCCESS_RATE

LABEL = 22  # columns of a network's name at most
NARROWEST = 12
BRIEF = {
    "accuracy": "acc.",
    "parameters": "par.",
    "seconds": "s",
    "slope before": "slope",
    "slope after": "after",
    "saturation": "sat.",
}


def text(board: Board, width: int = 80) -> str:
    """The whole board, no line wider than `width` unless a number alone needs more."""
    lines = ["Leaderboard", ""]
    lines += _overview(board, width)
    shown, _ = quantities(board)
    for number, column in enumerate(board.columns, 1):
        lines += ["", *_wrapped(f"{number}  {heading(column)}", width, "   "), *_entries(column, shown, width)]
        lines += [line for each in evidence(column) for line in _wrapped(f"rests on {each}", width - 2, "    ", "  ")]
    lines.append("")
    lines += [line for note in notes(board) for line in _wrapped(note, width, "  ")]
    return "\n".join(lines)


def _overview(board: Board, width: int) -> Iterator[str]:
    """Networks by columns: as many columns side by side as there is space for, then the next ones below."""
    numbered = list(enumerate(board.columns, 1))
    heads = [[str(i), *_words(column)] for i, column in numbered]
    sizes = [
        max(*(len(word) for word in head), *(len(standing_text(column, entry)) for entry in column.entries))
        for head, (_, column) in zip(heads, numbered, strict=True)
    ]
    space = min(LABEL, max(len(row) for row in board.rows))
    first = 0
    while first < len(numbered):
        last, used = first + 1, space + 2 + sizes[first]
        while last < len(numbered) and used + 2 + sizes[last] <= width:
            used += 2 + sizes[last]
            last += 1
        if first:
            yield ""
        yield from _block(board, numbered[first:last], heads[first:last], sizes[first:last], space)
        first = last


def _block(
    board: Board,
    columns: Sequence[tuple[int, BoardColumn]],
    heads: Sequence[Sequence[str]],
    sizes: Sequence[int],
    space: int,
) -> Iterator[str]:
    height = max(map(len, heads))
    for i in range(height):
        words = [head[i] if i < len(head) else "" for head in heads]
        yield _line(["", *words], [space, *sizes])
    for row, numbers in overview(board):
        cells = [numbers[i - 1] for i, _ in columns]
        if any(cells):
            first, *more = _wrapped(row, space, " ")
            yield _line([first, *cells], [space, *sizes])
            yield from more


def _words(column: BoardColumn) -> list[str]:
    """A column's task, size and measure, a word a line."""
    name, *settings = column.task.split(", ")
    size = [] if column.size is None else [f"{column.size[1]} par."]
    return [*name.split(), *settings, *size, "success" if column.ranked_by is SUCCESS_RATE else "accuracy"]


def _entries(column: BoardColumn, shown: Sequence[Quantity], width: int) -> list[str]:
    """The entries of a column, the best first: names beside the numbers, else above them, else a paragraph each."""
    terms = {*(() if column.size is None else ("size",)), *(() if _unequal(column) else ("n",))}
    brief = [each for each in shown if each.head not in terms]  # what the lines above and below say of all
    heads = [BRIEF.get(each.head, each.head) for each in brief]
    rows = [[each.brief(entry) for each in brief] for entry in column.entries]
    sizes = [max(len(head), *(len(row[i]) for row in rows)) for i, head in enumerate(heads)]
    numbers, longest = sum(size + 1 for size in sizes), max(len(entry.label) for entry in column.entries)
    names = [f"{mark(entry) or ' '} {entry.label}" for entry in column.entries]
    space = min(longest, width - 2 - numbers)
    if space >= min(longest, NARROWEST):
        lines = [_line(["", *heads], [space + 2, *sizes], 1)]
        for name, row in zip(names, rows, strict=True):
            first, *more = _wrapped(name, space + 2, "   ")
            lines += [_line([first, *row], [space + 2, *sizes], 1), *more]
        return lines
    if 4 + numbers > width:
        return list(_paragraphs(column, shown, width))
    lines = [_line(["", *heads], [4, *sizes], 1)]
    for name, row in zip(names, rows, strict=True):
        lines += [*_wrapped(name, width, "    "), _line(["", *row], [4, *sizes], 1)]
    return lines


def _unequal(column: BoardColumn) -> bool:
    return len({len(entry.evidence.seeds) for entry in column.entries}) > 1


def _paragraphs(column: BoardColumn, shown: Sequence[Quantity], width: int) -> Iterator[str]:
    for entry in column.entries:
        yield from _wrapped(f"{mark(entry) or ' '} {entry.label}", width, "    ")
        numbers = [f"{each.head} {each.brief(entry)}" for each in shown if each.brief(entry) != NONE]
        tied = ";  ".join(number.replace(" ", "\u00a0") for number in numbers)
        yield from (line.replace("\u00a0", " ") for line in _wrapped(tied, width, "    ", "    "))


def _line(cells: Sequence[str], sizes: Sequence[int], gap: int = 2) -> str:
    """The first cell to the left, numbers to the right."""
    first, *rest = cells
    numbers = "".join(" " * gap + cell.rjust(size) for cell, size in zip(rest, sizes[1:], strict=True))
    return f"{first.ljust(sizes[0])}{numbers}".rstrip()


def _wrapped(text: str, width: int, after: str, before: str = "") -> list[str]:
    return wrapped(printable(text), width, before, after) or [""]
