"""Texts of studies, plug-ins, files and machines as they are shown: nothing in them acts on what shows them.

A text that the harness did not write may hold an escape sequence, a character that turns the direction of writing, or
half a character. Terminals, pages, tables and files for machines get it through `printable`; a page, XML, LaTeX and
JSON escape their own markup besides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from shutil import get_terminal_size
from textwrap import wrap
from xml.etree import ElementTree

NARROWEST, WIDEST = 40, 100  # columns of what is printed
LONGEST_REASON = 500  # characters that are shown of an exception's text; docs/reliability.md states it
LONGEST_TRACE = 20_000  # of a traceback in a note

# Controls but line feed and tab (C0, DEL, C1), the soft hyphen, marks of direction, separators of lines, invisible
# operators and tags, halves of surrogate pairs, and what is no character in XML. The two joiners stay: Persian and
# many emoji are written with them.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0e\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)
_BREAK = re.compile(r"\s*[\n\t]\s*")
# What Markdown reads as markup; an underscore within a word, "<= 3", and > or # within a line, are none.
_MARKDOWN = re.compile(
    r"([\\`*\[\]|~$]|<(?=[A-Za-z/!?])|&(?=#|\w+;)|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|^\s*[>#]|^\s*[+-](?=\s))"
)
_ENTITIES: Mapping[str, str] = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}


def terminal_width() -> int:
    """Columns of the terminal that is printed to, at most `WIDEST`; `WIDEST` where there is none."""
    return max(NARROWEST, min(WIDEST, get_terminal_size((WIDEST, 24)).columns))


def wrapped(text: str, width: int, first: str = "", after: str = "") -> list[str]:
    """A text as lines of at most `width` columns, broken at spaces only: a path in it can be copied and found.

    Args:
        text: a sentence or more.
        width: columns; a word that is longer has a line of its own.
        first: what the first line begins with.
        after: what each other line begins with.
    """
    return wrap(
        text, width, initial_indent=first, subsequent_indent=after, break_on_hyphens=False, break_long_words=False
    )


def printable(text: object, *, lines: bool = False) -> str:
    """A text with every character written out that would not be seen: `\\x1b`, `\\u202e`, `\\udcff`.

    Args:
        text: the text, or what is shown by its `str`.
        lines: keep line feeds and tabs; otherwise they become a space each, so that the text stays on its line.
    """
    shown = _HIDDEN.sub(_written_out, str(text).replace("\r\n", "\n"))
    return shown if lines else _BREAK.sub(" ", shown)


def shortened(text: str, most: int = LONGEST_REASON) -> str:
    """At most `most` characters of a text, and how many it has if they are not all."""
    return text if len(text) <= most else f"{text[:most].rstrip()}… ({len(text):,} characters)"


def reason(error: BaseException) -> str:
    """An exception on one line: 'ValueError: no', printable and cut; its type alone where it has no text.

    A HarnessError is a whole sentence by itself (`sentence`), and stands without its type.
    """
    try:
        text = str(error)
    except Exception as second:  # somebody else's __str__
        text = f"its text cannot be made: {type(second).__name__}"
    # cut before anything looks at every character: a text may have millions
    shown = printable(shortened(text)).strip()
    if getattr(error, "sentence", False) and shown:
        return shown
    return f"{type(error).__name__}: {shown}" if shown else type(error).__name__


def markdown(text: object) -> str:
    """A text in a line or a table's cell of Markdown, where no character of it is markup."""
    return _MARKDOWN.sub(lambda match: _ENTITIES.get(match[1], f"\\{match[1].strip()}"), printable(text))


def markdown_code(text: object) -> str:
    """A text as code in Markdown, fenced by more backticks than it has in a row."""
    shown = printable(text)
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    space = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{space}{shown}{space}{fence}"


def xml_bytes(root: ElementTree.Element) -> bytes:
    """An XML document for machines; what XML has no character for is written out, in every text and attribute."""
    for element in root.iter():
        element.attrib = {name: printable(value) for name, value in element.attrib.items()}
        element.text = element.text and printable(element.text, lines=True)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def _written_out(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
