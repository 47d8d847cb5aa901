"""Pairs of words as arrows between their vectors: parallel where one difference makes every pair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from harness.errors import HarnessError, nearest
from harness.figures import panels
from harness.figures.codes import principal
from harness.figures.kind import FigureKind
from harness.figures.selection import one_run
from harness.study.spec import StudySpec

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from harness.schema import Values
    from harness.statistics.frames import Frames

HEIGHT = 2.6  # inches


class Arrows(FigureKind):
    """Word vectors of pairs, an arrow from the first word of each pair to the second."""

    pooling = "Runs that differ in {} are not told apart: one of them is shown."
    kind: Literal["arrows"]
    relations: Annotated[tuple[str, ...], Field(strict=False, min_length=1)] | None = Field(
        None, description="a panel for each of these relations; null: all that the task has"
    )
    most: int = Field(8, description="pairs of a relation that are drawn, at most: the first by their words", ge=1)

    def draw(self, frames: Frames, study: StudySpec) -> Figure:
        from harness.statistics.frames import select

        return arrows(select(frames.table("codes"), self.where), relations=self.relations, most=self.most)

    def caption(self, study: StudySpec) -> str:
        return (
            "Word vectors of pairs of one relation, an arrow from the first word to the second, on the first two "
            "principal components of the vectors shown in the panel; the axes say which share of their variance these "
            "hold. n is the number of pairs drawn, and c the mean cosine of two pairs' differences, in all dimensions: "
            "1 where all arrows are parallel, 0 where they have nothing in common. Of one run: the one with the lowest "
            f"seed.{self.about(study)}"
        )


def arrows(frame: pd.DataFrame, *, relations: Sequence[str] | None = None, most: int = 8) -> Figure:
    """Draw the first pairs of each relation, a panel for each.

    Args:
        frame: rows of the table of codes, `labels` being relation, pair and side ("first", "second"); the first run of
            the lowest seed is shown.
        relations: panels, in this order; default: all, in the order of the table.
        most: pairs of a relation.

    Raises:
        HarnessError: there is no vector, these are no pairs of words, or there is no such relation.
    """
    import numpy as np

    from harness.figures import style
    from harness.figures.canvas import canvas

    panels.demand(frame, "vector was recorded")
    run = one_run(frame)
    if any(len(labels) != 3 for labels in run["labels"]):
        raise HarnessError("nothing to draw: these codes are of whole inputs, not of pairs of words")
    known = list(dict.fromkeys(labels[0] for labels in run["labels"]))
    shown = known if relations is None else list(relations)
    for name in shown:
        if name not in known:
            raise HarnessError(f"no relation '{name}'{nearest(name, known)}")
    with style.context():
        columns = min(len(shown), 3)
        rows = -(-len(shown) // columns)
        figure = canvas((style.size(columns, rows)[0], style.scaled(0.3 + HEIGHT * rows)))
        axes = figure.subplots(rows, columns, squeeze=False)
        for ax in axes.flat[len(shown) :]:
            ax.set_visible(False)
        for name, ax in zip(shown, axes.flat, strict=False):
            own = run[[labels[0] == name for labels in run["labels"]]]
            pairs = sorted(dict.fromkeys(labels[1] for labels in own["labels"]))[:most]
            ends = [_ends(own, pair) for pair in pairs]
            vectors = np.stack([vector for pair in ends for _, vector in pair])  # (2 n, D)
            title = f"{name} (n = {len(pairs)}): c = {parallel(vectors[1::2] - vectors[::2]):.2f}".replace("-", "−")
            ax.set_title(title)
            _draw(ax, vectors, [word for pair in ends for word, _ in pair])
    return figure


def parallel(differences: Values) -> float:
    """Mean cosine of two of the differences (n, D), over all pairs of them; NaN of fewer than two."""
    import numpy as np

    n = len(differences)
    if n < 2:
        return float("nan")
    unit = differences / np.linalg.norm(differences, axis=1, keepdims=True)
    return float(((unit @ unit.T).sum() - n) / (n * (n - 1)))


def _ends(rows: pd.DataFrame, pair: str) -> list[tuple[str, Values]]:
    """The two words of a pair with their vectors, the first first."""
    import numpy as np

    own = rows[[labels[1] == pair for labels in rows["labels"]]]
    by_side = {
        labels[2]: (text, code) for labels, text, code in zip(own["labels"], own["text"], own["code"], strict=True)
    }
    return [(by_side[side][0], np.asarray(by_side[side][1], dtype=np.float64)) for side in ("first", "second")]


def _draw(ax: Axes, vectors: Values, words: Sequence[str]) -> None:
    from harness.figures import style

    plane = principal(vectors)
    ink, colour = style.scheme().ink, style.cycle(1)[0]
    for start, end in zip(plane.points[::2], plane.points[1::2], strict=True):
        ax.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": colour, "shrinkA": 0, "shrinkB": 0})
    ax.scatter(plane.points[:, 0], plane.points[:, 1], s=style.scaled(2) ** 2, color=colour, linewidths=0)
    for word, point in zip(words, plane.points, strict=True):
        ax.annotate(
            word, point, (0, style.scaled(2)), textcoords="offset points", ha="center", va="bottom", color=ink,
            fontsize=style.small(),
        )  # fmt: skip
    ax.margins(0.15, 0.12)
    ax.set_xticks([])
    ax.set_yticks([])
    for axis, number, share in zip((ax.xaxis, ax.yaxis), (1, 2), plane.shares, strict=True):
        axis.set_label_text(f"component {number} ({share:.0%})")
