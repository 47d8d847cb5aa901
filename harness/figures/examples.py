"""Good and bad: inputs, right answers and the networks' own, a row an example and a column a network."""

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
LINES = 8  # of one input or answer; what is beyond them is cut
GAP = 2  # letters between columns

Cell = list[str]  # the lines of one cell of the table


class Examples(FigureKind):
    """What networks were asked and what they said, the same questions to each."""

    alone: ClassVar[bool] = True

    kind: Literal["examples"]
    col: str | None = Field("cell", description="setting with a column of answers for each value")
    rows: int = Field(4, ge=1, description="examples of each kind: right in all columns, in some, in none")

    def draw(self, frames: Frames, study: StudySpec) -> Figure:
        from harness.statistics.frames import select

        return examples(select(frames.table("examples"), self.where), col=self.col, rows=self.rows)

    def caption(self, study: StudySpec) -> str:
        return (
            "Sequences that were kept at the end of training, from the data of the final accuracy: the input, the "
            f"right answer and each network's own. Of those right in all columns, in some and in none, the first "
            f"{self.rows} are shown, all of the lowest seed; the head of a column counts its right answers among all "
            f"that were kept of that seed.{self.about(study)}"
        )


@dataclass(frozen=True)
class AnsweredQuestion:
    """One question: input, right answer, and for each column the network's answer and whether it is right."""

    text: str
    target: str
    said: tuple[tuple[str, bool] | None, ...]

    @property
    def outcome(self) -> str:
        """Of the columns that were asked."""
        right = {answer[1] for answer in self.said if answer}
        return "right" if right == {True} else "wrong" if right == {False} else "right in some"


OUTCOMES = ("right", "right in some", "wrong")


def asked(kept: pd.DataFrame, levels: Sequence[object], col: str | None) -> list[AnsweredQuestion]:
    """The questions in the order they were kept; of several answers to one in one column, the first."""
    found: dict[tuple[str, str], list[tuple[str, bool] | None]] = {}
    for i, level in enumerate(levels):
        rows = panels.part(kept, col, level)
        for text, target, answer, right in zip(
            rows["text"], rows["target"], rows["answer"], rows["right"], strict=True
        ):
            said = found.setdefault((text, target), [None] * len(levels))
            said[i] = said[i] or (answer, bool(right))
    return [AnsweredQuestion(text, target, tuple(said)) for (text, target), said in found.items()]


def examples(kept: pd.DataFrame, *, col: str | None = "cell", rows: int = 4) -> Figure:
    """Draw a table of inputs and answers, the right ones, the mixed ones and the wrong ones apart.

    Args:
        kept: rows of the table of examples with their runs' columns (`Frames.table("examples")`).
        col: column with a column of answers for each value; null: one.
        rows: how many examples of each kind.

    Raises:
        HarnessError: if no example was kept, or a column is not there.
    """
    from matplotlib.figure import Figure

    from harness.figures import style

    panels.demand(kept, "example was kept")
    levels = panels.levels(kept, col)
    kept = kept[kept["seed"] == kept["seed"].min()]
    questions = asked(kept, levels, col)
    groups = [(name, [each for each in questions if each.outcome == name]) for name in OUTCOMES]
    head = ["input", "right answer", *(_head(questions, i, col, level) for i, level in enumerate(levels))]
    table = [
        (f"{name}: {len(those)} of {len(questions)}", [(each, _cells(each)) for each in those[:rows]])
        for name, those in groups
        if those
    ]
    cells = [each for _, block in table for _, each in block]
    widths = _widths(head, cells)
    wrapped = [(title, [(each, _wrapped(row, widths)) for each, row in block]) for title, block in table]
    tall = 1.5 + sum(1.6 + sum(max(map(len, row)) + 0.5 for _, row in block) for _, block in wrapped)
    with style.context():
        small = style.scaled(style.SMALL)
        letter, line = 0.602 * small, 1.25 * small  # points; DejaVu Sans Mono
        wide = letter * (sum(widths) + GAP * len(widths))
        figure = Figure(figsize=(max(wide, 72 * style.chosen().single) / 72, line * tall / 72 + style.scaled(0.1)))
        ax = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        ax.set_axis_off()
        ax.set_xlim(-GAP / 2, figure.get_figwidth() * 72 / letter - GAP / 2)
        ax.set_ylim(tall + 0.3, -0.3)
        starts = [sum(widths[:i]) + GAP * i for i in range(len(widths))]
        inks = [style.INK] * 2 + style.colours(col, levels)
        for x, text, ink in zip(starts, head, inks, strict=True):
            _line(ax, x, 1, text, color=ink, family="monospace", weight="bold")
        y = 1.5
        for title, block in wrapped:
            ax.axhline(y, color=style.RULE, linewidth=style.scaled(0.5))
            _line(ax, 0, y + 1.1, title, color=style.FAINT, style="italic")
            y += 1.6
            for each, row in block:
                for i, (x, lines) in enumerate(zip(starts, row, strict=True)):
                    answer = each.said[i - 2] if i > 1 else None
                    ink = style.PALETTE[3] if answer is not None and not answer[1] else style.INK
                    for k, text in enumerate(lines):
                        _line(ax, x, y + k + 0.9, text, color=ink, family="monospace")
                y += max(map(len, row)) + 0.5
    return figure


def _line(ax: Axes, x: float, y: float, text: str, **font: Any) -> None:
    from harness.figures import style

    ax.text(x, y, text, fontsize=style.scaled(style.SMALL), va="baseline", parse_math=False, **font)


def _head(questions: Sequence[AnsweredQuestion], i: int, col: str | None, level: object) -> str:
    answers = [each.said[i] for each in questions]
    right = sum(answer is not None and answer[1] for answer in answers)
    name = "network" if col is None else labels.value(col, level) if col == "cell" else labels.title({col: level})
    return f"{name} ({right}/{sum(answer is not None for answer in answers)})"


def _cells(each: AnsweredQuestion) -> list[str]:
    answers = ["–" if answer is None else f"{'✓' if answer[1] else '✗'} {answer[0]}" for answer in each.said]
    return [each.text, each.target, *answers]


def _widths(head: Sequence[str], cells: Sequence[Sequence[str]]) -> list[int]:
    """Letters of each column: what it needs, the widest cut back until all fit the paper's width."""
    from harness.figures import style

    room = int(72 * style.chosen().double / (0.602 * style.scaled(style.SMALL))) - GAP * len(head)
    lines = [[line for row in cells for line in row[i].split("\n")] for i in range(len(head))]
    need = [max(len(title), NARROWEST, *map(len, each)) for title, each in zip(head, lines, strict=True)]
    need[0] = max(len(head[0]), NARROWEST, min(need[0], WIDEST))
    while sum(need) > room and max(need) > NARROWEST:
        need[need.index(max(need))] -= 1
    return need


def _wrapped(row: Sequence[str], widths: Sequence[int]) -> list[Cell]:
    return [shortened(text, width) for text, width in zip(row, widths, strict=True)]


def shortened(text: str, width: int) -> Cell:
    """A text in lines of at most `width` letters, and at most `LINES` of them; its own line breaks are kept."""
    lines = [
        piece for line in text.split("\n") for piece in (textwrap.wrap(line, width) if len(line) > width else [line])
    ]
    return lines if len(lines) <= LINES else [*lines[: LINES - 1], "…"]
