"""Texts that fit: titles, labels and ticks broken into lines by an estimate of their width, before anything is drawn.

matplotlib makes room for a text by taking it from the axes, or lets two lie on one another; so long texts are broken
to the width of their panel, and the figure is made higher by their lines.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from harness.figures import style, texts

WIDTH = 0.6  # of a letter, on average, relative to its size
LINE = 1.2  # height of a line, relative to the size of its letters
EDGE = 42.0  # points on paper at the left of all panels, for the labels of their vertical axis
GAP = 8.0  # points on paper between two panels
FEWEST = 5  # letters in a line, however narrow its panel
MOST_LINES = 5  # of a tick's label that is not turned


def panel_points(inches: float, columns: int, bar: float = 0.0) -> float:
    """Points across each of so many panels side by side.

    Args:
        inches: of the whole figure.
        columns: panels side by side.
        bar: points on paper at the right of all panels: a colour scale.
    """
    return (72 * inches - style.scaled(EDGE + bar)) / columns - style.scaled(GAP)


def size_of(name: str) -> float:
    """Points of the letters that a setting of matplotlib's is of: `axes.titlesize`, `xtick.labelsize`."""
    return style.scaled(style.LENGTHS[name] * style.letters())


def letters(points: float, size: float) -> int:
    """How many letters of so many points fit side by side."""
    return max(FEWEST, int(points / (WIDTH * size)))


def lines(text: str, most: int) -> list[str]:
    """A text in lines of at most so many letters: after a comma where one is, else at a space, else within a word."""
    if len(text) <= most:
        return [text]
    broken, line = list[str](), ""
    for part in re.split(r"(?<=,) ", text.replace(r"\$", "$")):
        if line and len(line) + 1 + len(part) <= most:
            line = f"{line} {part}"
            continue
        broken += [line] if line else []
        *full, line = wrap(part, most, break_on_hyphens=False) or [""]
        broken += full
    return [texts.literal(each) for each in [*broken, line]]


def label(text: str, points: float) -> str:
    """An axis' label broken to so many points."""
    return "\n".join(lines(text, letters(points, size_of("axes.labelsize"))))


def title(parts: Sequence[str], points: float) -> str:
    """A panel's title of several parts: a line has as many of them as fit, one that does not has lines of its own."""
    most = letters(points, size_of("axes.titlesize"))
    rows: list[str] = []
    whole = False  # whether the last row has whole parts alone
    for part in filter(None, parts):
        if whole and len(f"{rows[-1]}, {part}") <= most:
            rows[-1] = f"{rows[-1]}, {part}"
            continue
        broken = lines(part, most)
        rows, whole = [*rows, *broken], len(broken) == 1
    return "\n".join(rows)


def more_height(titles: Sequence[str]) -> float:
    """Inches that the lines of titles side by side take beyond the first."""
    return max((text.count("\n") for text in titles), default=0) * LINE * size_of("axes.titlesize") / 72


@dataclass(frozen=True)
class Ticks:
    """Labels of ticks at equal distances: their texts, how they are turned, and the points of height they take."""

    texts: list[str]
    rotation: float
    height: float

    @property
    def extra(self) -> float:
        """Inches beyond a line."""
        return max(0.0, self.height - LINE * size_of("xtick.labelsize")) / 72

    @property
    def keywords(self) -> dict[str, Any]:
        """Of matplotlib's `set_xticks`."""
        return {"rotation": self.rotation}


def ticks(words: Sequence[str], points: float) -> Ticks:
    """Labels below an axis, each with so many points across: broken into lines, turned where that is not enough."""
    size = size_of("xtick.labelsize")
    gap = 1 if len(words) > 1 else 0
    most = int(points / (WIDTH * size)) - gap
    longest = max((len(part) for word in words for part in word.split()), default=0)
    if max(map(len, words), default=0) <= most + gap:
        return Ticks(list(words), 0.0, LINE * size)
    if longest <= most:
        broken = [lines(word, most) for word in words]
        high = max(map(len, broken))
        if high <= MOST_LINES:
            return Ticks(["\n".join(each) for each in broken], 0.0, high * LINE * size)
    beside = max(1, int(points / (LINE * size)))  # lines of a turned label
    turned = [_in_lines(word, beside) for word in words]
    broad = max(len(line) for each in turned for line in each)
    return Ticks(["\n".join(each) for each in turned], 90.0, WIDTH * size * broad)


def _in_lines(word: str, count: int) -> list[str]:
    """A text in at most so many lines, as short as they can be without breaking a word."""
    longest = max((len(part) for part in word.split()), default=1)
    return next(broken for most in range(longest, len(word) + 1) if len(broken := lines(word, most)) <= count)


def steps(T: int, points: float) -> list[int]:
    """The steps that are written below a map of T steps: the first, the last, and as many quarters as fit."""
    count = points / (WIDTH * size_of("xtick.labelsize") * (len(str(T)) + 1))  # labels with a letter's gap
    parts = 4 if count >= 5 else 2 if count >= 3 else 1
    return sorted({1, T, *(round(T * k / parts) for k in range(1, parts))} - {0})
