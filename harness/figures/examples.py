"""A table of examples: inputs, right answers and the networks' own, a row an example and a column a network."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.figures import panels
from harness.figures.kind import FigureKind
from harness.study import labels
from harness.study.spec import StudySpec

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from harness.statistics.frames import Frames

WIDEST, NARROWEST = 60, 8  # letters in a line of the input, and of any column
LINES = 8  # of one input or answer; the rest is cut
GAP = 2  # letters between columns
LETTER_WIDTH = 0.602  # of DejaVu Sans Mono, as a share of the font size

Lines = list[str]  # of one entry of the table


class Examples(FigureKind):
    """Inputs with the answers of several networks, the same inputs for each."""

    alone: ClassVar[bool] = True

    pooling = "Runs that differ in {} are pooled: of several answers to one input the first is shown."
    kind: Literal["examples"]
    col: str | None = Field("cell", description="setting with a column of answers for each value")
    rows: int = Field(4, ge=1, description="examples of each kind: right in all columns, in some, in none")

    def draw(self, frames: Frames, study: StudySpec) -> Figure:
        from harness.statistics.frames import select

        return examples(select(frames.table("examples"), self.where), col=self.col, rows=self.rows)

    def caption(self, study: StudySpec) -> str:
        return (
            "Sequences recorded at the end of training, from the data of the final accuracy: the input, the right "
            f"answer and each network's own. Of those right in all columns, in some and in none, the first "
            f"{self.rows} are shown, all of the lowest seed; the head of a column counts its right answers among all "
            f"recorded sequences of that seed.{self.about(study)}"
        )


@dataclass(frozen=True)
class Example:
    """An input, its right answer, and for each column the network's answer and whether it is right; None without."""

    text: str
    target: str
    answers: tuple[tuple[str, bool] | None, ...]

    @property
    def outcome(self) -> str:
        """Over the columns that have an answer."""
        right = {answer[1] for answer in self.answers if answer}
        return "right" if right == {True} else "wrong" if right == {False} else "right in some"


OUTCOMES = ("right", "right in some", "wrong")


def by_input(recorded: pd.DataFrame, levels: Sequence[object], col: str | None) -> list[Example]:
    """The examples in the order they were recorded; of several answers to one input in one column, the first."""
    answers: dict[tuple[str, str], list[tuple[str, bool] | None]] = {}
    for i, level in enumerate(levels):
        rows = panels.part(recorded, col, level)
        for text, target, answer, right in zip(
            rows["text"], rows["target"], rows["answer"], rows["right"], strict=True
        ):
            row = answers.setdefault((text, target), [None] * len(levels))
            row[i] = row[i] or (answer, bool(right))
    return [Example(text, target, tuple(row)) for (text, target), row in answers.items()]


def examples(recorded: pd.DataFrame, *, col: str | None = "cell", rows: int = 4) -> Figure:
    """Draw a table of inputs and answers, the right ones, the mixed ones and the wrong ones apart.

    Args:
        recorded: rows of the table of examples with their runs' columns (`Frames.table("examples")`).
        col: column with a column of answers for each value; null: one.
        rows: how many examples of each kind.

    Raises:
        HarnessError: no example was recorded, or a column does not exist.
    """
    from matplotlib.figure import Figure

    from harness.figures import style

    # The table's texts, in blocks by outcome, before anything is drawn: they decide the size of the figure.
    panels.demand(recorded, "example was recorded")
    levels = panels.levels(recorded, col)
    every = by_input(recorded[recorded["seed"] == recorded["seed"].min()], levels, col)
    groups = [(name, [each for each in every if each.outcome == name]) for name in OUTCOMES]
    head = ["input", "right answer", *(_head(every, i, col, level) for i, level in enumerate(levels))]
    table = [
        (f"{name}: {len(group)} of {len(every)}", [(each, _entries(each)) for each in group[:rows]])
        for name, group in groups
        if group
    ]
    widths = _widths(head, [entries for _, block in table for _, entries in block])
    wrapped = [(title, [(each, _wrapped(row, widths)) for each, row in block]) for title, block in table]
    tall = 1.5 + sum(1.6 + sum(max(map(len, row)) + 0.5 for _, row in block) for _, block in wrapped)
    with style.context():
        # One data unit is a letter across and a line down, so that texts are placed by counting letters and lines.
        small = style.small()
        letter, line = LETTER_WIDTH * small, 1.25 * small  # points
        wide = letter * (sum(widths) + GAP * len(widths))
        figure = Figure(figsize=(max(wide, 72 * style.chosen().single) / 72, line * tall / 72 + style.scaled(0.1)))
        ax = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        ax.set_axis_off()
        ax.set_xlim(-GAP / 2, figure.get_figwidth() * 72 / letter - GAP / 2)
        ax.set_ylim(tall + 0.3, -0.3)
        starts = [sum(widths[:i]) + GAP * i for i in range(len(widths))]
        inks = [style.ink()] * 2 + style.colours(col, levels)
        for x, text, ink in zip(starts, head, inks, strict=True):
            _line(ax, x, 1, text, color=ink, family="monospace", weight="bold")
        y = 1.5
        for title, block in wrapped:
            ax.axhline(y, color=style.rule(), linewidth=style.scaled(0.5))
            _line(ax, 0, y + 1.1, title, color=style.faint(), style="italic")
            y += 1.6
            for each, row in block:
                for i, (x, lines) in enumerate(zip(starts, row, strict=True)):
                    answer = each.answers[i - 2] if i > 1 else None
                    ink = style.wrong_answer() if answer is not None and not answer[1] else style.ink()
                    for k, text in enumerate(lines):
                        _line(ax, x, y + k + 0.9, text, color=ink, family="monospace")
                y += max(map(len, row)) + 0.5
    return figure


def _line(ax: Axes, x: float, y: float, text: str, **font: Any) -> None:
    from harness.figures import style

    ax.text(x, y, text, fontsize=style.small(), va="baseline", parse_math=False, **font)


def _head(every: Sequence[Example], i: int, col: str | None, level: object) -> str:
    answers = [each.answers[i] for each in every]
    right = sum(answer is not None and answer[1] for answer in answers)
    name = "network" if col is None else labels.value(col, level) if col == "cell" else labels.title({col: level})
    return f"{name} ({right}/{sum(answer is not None for answer in answers)})"


def _entries(each: Example) -> list[str]:
    answers = ["–" if answer is None else f"{'✓' if answer[1] else '✗'} {answer[0]}" for answer in each.answers]
    return [each.text, each.target, *answers]


def _widths(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """Letters of each column: those of its longest line, the widest column cut until all fit the paper's width."""
    from harness.figures import style

    available = int(72 * style.chosen().double / (LETTER_WIDTH * style.small())) - GAP * len(head)
    lines = [[line for row in rows for line in row[i].split("\n")] for i in range(len(head))]
    need = [max(len(title), NARROWEST, *map(len, each)) for title, each in zip(head, lines, strict=True)]
    need[0] = max(len(head[0]), NARROWEST, min(need[0], WIDEST))
    while sum(need) > available and max(need) > NARROWEST:
        need[need.index(max(need))] -= 1
    return need


def _wrapped(row: Sequence[str], widths: Sequence[int]) -> list[Lines]:
    return [shortened(text, width) for text, width in zip(row, widths, strict=True)]


def shortened(text: str, width: int) -> Lines:
    """A text in lines of at most `width` letters, and at most `LINES` of them; its own line breaks stay."""
    lines: Lines = []
    for line in text.split("\n"):
        lines += textwrap.wrap(line, width) if len(line) > width else [line]
    return lines if len(lines) <= LINES else [*lines[: LINES - 1], "…"]
