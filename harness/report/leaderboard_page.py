"""A leaderboard as a page: HTML in one file, and Markdown for the documentation."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.errors.text import markdown as as_markdown
from harness.report.leaderboard_cells import Quantity, evidence, heading, mark, notes, overview, quantities, size_text
from harness.report.markup import fill_template
from harness.verdicts.leaderboard import Board, BoardColumn
from harness.verdicts.metrics import SUCCESS_RATE

INTRODUCTION = """\
# Leaderboard

Cells × tasks, from the results in {folders}, with the gradient beside each result. Written by
`python -m harness.leaderboard --markdown docs/leaderboard.md`; do not edit.

- **Like beside like.** A column is one task under one set of terms: budget in updates, batch, optimizer, clipping,
  evaluation, and numbers of parameters within 5 %. What differs in one of these has a column of its own, and is not
  compared.
- **Ties.** An entry that a test cannot tell from the best of its column is marked, whatever its rank.
- **What it rests on** stands below each table: studies, seeds, versions, processor.
- **Your results.** `python -m harness.leaderboard FOLDER` makes the same of any results folders and baselines;
  `-o board.html` writes a page, `--task NAME` selects. `--save DIR` saves runs, seconds and fingerprints of one
  results folder, small enough to be put under version control.
- **Ours again.** The studies are in `studies/leaderboard/`; `-n` shows what each costs:

```sh
python -m harness.sweep studies/leaderboard/adding.yaml -n
python -m harness.sweep studies/leaderboard/adding.yaml
python -m harness.leaderboard results/leaderboard
```
"""


@dataclass(frozen=True)
class EntryTable:
    """One column of the board as a table: a row an entry."""

    number: int
    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, str, tuple[str, ...]], ...]  # mark, network, numbers
    evidence: tuple[str, ...]


def html(board: Board) -> str:
    """One file without a script; wide tables scroll, and on a narrow screen each row is a block."""
    heads = [
        (i, column.task, size_text(column), "success rate" if column.ranked_by is SUCCESS_RATE else "final accuracy")
        for i, column in enumerate(board.columns, 1)
    ]
    rows = [(label, list(zip(heads, numbers, strict=True))) for label, numbers in overview(board)]
    shown, _ = quantities(board)
    sentences = [sentence for sentence in notes(board) if not any(sentence.startswith(f"{q.head}: ") for q in shown)]
    meanings = [(each.head, each.meaning) for each in shown]
    context = {
        "heads": heads,
        "rows": rows,
        "tables": list(_tables(board, shown)),
        "notes": sentences,
        "meanings": meanings,
        "entries": sum(len(column.entries) for column in board.columns),
    }
    return fill_template("leaderboard.html.j2", context)


def markdown(board: Board) -> str:
    """The page docs/leaderboard.md: what a leaderboard is, the overview, a table a column, and what all means."""
    folders = ", ".join(f"`{source.name}`" for source in board.sources)
    lines = [*INTRODUCTION.format(folders=folders).splitlines(), "", "## Overview", ""]
    lines += [f"{i}. {as_markdown(heading(column))}" for i, column in enumerate(board.columns, 1)]
    heads = [f"{i}: {_short(column)}" for i, column in enumerate(board.columns, 1)]
    lines += ["", *_rows(["", *heads], [[label, *numbers] for label, numbers in overview(board)])]
    shown, _ = quantities(board)
    for table in _tables(board, shown):
        lines += ["", f"## {as_markdown(f'{table.number}: {table.title}')}", ""]
        lines += _rows(
            ["", "network", *table.heads], [[sign, name, *numbers] for sign, name, numbers in table.rows]
        )  # fmt: skip
        lines += ["", *(f"Rests on {as_markdown(each)}." for each in table.evidence)]
    lines += ["", "## What it means", "", *(f"- {as_markdown(note)}" for note in notes(board))]
    return "\n".join([*lines, ""])


def _tables(board: Board, shown: Sequence[Quantity]) -> Iterator[EntryTable]:
    for number, column in enumerate(board.columns, 1):
        rows = ((mark(entry), entry.label, tuple(each.full(entry) for each in shown)) for entry in column.entries)
        yield EntryTable(
            number, heading(column), tuple(each.head for each in shown), tuple(rows), tuple(evidence(column))
        )


def _short(column: BoardColumn) -> str:
    measure = "success" if column.ranked_by is SUCCESS_RATE else "accuracy"
    return f"{column.task}, {measure}"


def _rows(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(map(as_markdown, heads))} |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        yield re.sub(r" +\|", " |", f"| {' | '.join(map(as_markdown, row))} |")
