"""Small multiples: one panel for each combination of a row's and a column's values, with shared axes and one legend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError, nearest
from harness.study import labels

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Panel:
    """One panel: its axes, its rows of the frame, and whether it stands at the left or the bottom edge."""

    ax: Axes
    frame: pd.DataFrame
    left: bool
    bottom: bool


def levels(frame: pd.DataFrame, column: str | None) -> list[Any]:
    """The values of a column in reading order; one null level without a column.

    Raises:
        HarnessError: if there is no such column.
    """
    if column is None:
        return [None]
    if column not in frame.columns:
        raise HarnessError(f"no column '{column}'{nearest(column, map(str, frame.columns))}")
    return labels.levels(column, frame[column].unique())


def part(frame: pd.DataFrame, column: str | None, level: object) -> pd.DataFrame:
    """The rows of one level; all rows without a column."""
    from harness.statistics.frames import select

    return frame if column is None else select(frame, {column: level})


def demand(frame: pd.DataFrame, what: str) -> None:
    """Raise a HarnessError that says so if there is nothing to draw."""
    if frame.empty:
        raise HarnessError(f"nothing to draw: no {what}")


def panels(
    frame: pd.DataFrame, row: str | None, col: str | None, *, share_x: bool = True, share_y: bool = True
) -> tuple[Figure, list[Panel]]:
    """A canvas with a panel for each row and column value; an empty combination says 'no runs'."""
    from harness.figures import style
    from harness.figures.canvas import canvas

    down, across = levels(frame, row), levels(frame, col)
    figure = canvas(style.size(len(across), len(down)))
    axes = figure.subplots(len(down), len(across), squeeze=False, sharey=share_y, sharex=share_x)
    made = []
    for i, row_level in enumerate(down):
        for j, col_level in enumerate(across):
            ax = axes[i, j]
            named = {name: held for name, held in ((row, row_level), (col, col_level)) if name is not None}
            ax.set_title(labels.title(named))
            rows = part(part(frame, row, row_level), col, col_level)
            if rows.empty:
                ax.text(0.5, 0.5, "no runs", transform=ax.transAxes, ha="center", va="center", color=style.FAINT)
            made.append(Panel(ax, rows, j == 0, i == len(down) - 1))
    return figure, made


def legend(figure: Figure, handles: Sequence[Artist], title: str | None = None) -> None:
    """One legend above all panels, in as few lines as fit the width."""
    if not handles:
        return
    from harness.figures import style
    from harness.figures.canvas import room

    texts = [str(handle.get_label()) for handle in handles]
    ncols = _columns([style.legend_entry(text) for text in texts], room(figure))
    figure.legend(handles=list(handles), labels=texts, title=title, loc="outside upper center", ncols=ncols)


def _columns(widths: Sequence[float], points: float) -> int:
    """The fewest columns of those with the fewest lines whose widest entries fit side by side; one if none does."""
    import numpy as np

    for lines in range(1, len(widths) + 1):
        ncols = -(-len(widths) // lines)
        if sum(max(column) for column in np.array_split(np.asarray(widths), ncols)) <= points:
            return ncols
    return 1
