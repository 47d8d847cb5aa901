"""Values and tables as text and as HTML; every text of a study is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape as escape_markup

from harness.errors.text import printable

MOST_VALUES = 12
MOST_ROWS = 40


def escape(text: str) -> str:
    """A text as HTML; nothing in it is markup, moves a cursor or turns the direction of writing."""
    return escape_markup(printable(text, lines=True))


def listed(values: Iterable[object]) -> str:
    """'10, 20, 50', at most twelve of them."""
    texts = [shown(value) for value in values]
    more = f", … ({len(texts)} in all)" if len(texts) > MOST_VALUES else ""
    return ", ".join(texts[:MOST_VALUES]) + more


def shown(value: object) -> str:
    """A value as text, null as a dash."""
    return "–" if value is None or value != value else str(value)


def paragraph(text: str, strong: str = "") -> str:
    """A paragraph of HTML, with a word in bold before it."""
    return f"<p>{f'<strong>{escape(strong)}</strong>: ' if strong else ''}{escape(text)}</p>"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of HTML, of at most forty rows."""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows[:MOST_ROWS])
    more = paragraph(f"… and {len(rows) - MOST_ROWS} more") if len(rows) > MOST_ROWS else ""
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>{more}"
