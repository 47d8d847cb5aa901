"""Small multiples: a panel for each combination of a row's and a column's values, with shared axes and one legend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError, nearest
from harness.figures import appearance, texts

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


MOST_ACROSS = 6  # panels side by side without a row column; more go on in a line below


@dataclass(frozen=True)
class Panel:
    """One panel: its axes, its rows of the frame, whether it is at the left or the bottom edge, and its row."""

    ax: Axes
    frame: pd.DataFrame
    left: bool
    bottom: bool
    row: int = 0
    points: float = 0.0  # across it

    def label_x(self, text: str) -> None:
        """Name the horizontal axis, below the lowest panel, in as many lines as its width asks for."""
        from harness.figures import fitting

        self.ax.set_xlabel(fitting.label(text, self.points) if self.bottom else "")


def levels(frame: pd.DataFrame, column: str | None) -> list[Any]:
    """The values of a column in reading order; one null level without a column.

    Raises:
        HarnessError: there is no such column.
    """
    if column is None:
        return [None]
    if column not in frame.columns:
        raise HarnessError(f"no column '{column}'{nearest(column, map(str, frame.columns))}")
    return appearance.levels(column, frame[column].unique())


def part(frame: pd.DataFrame, column: str | None, level: object) -> pd.DataFrame:
    """The rows of one level; all rows without a column."""
    from harness.statistics.frames import select

    return frame if column is None else select(frame, {column: level})


def named(column: str | None, level: object) -> str:
    """A level in a title of several parts: 'lstm', 'T = 50'; what a cell's name is of is known."""
    if column is None:
        return ""
    return texts.value(column, level) if column == "cell" else texts.title({column: level})


def demand(frame: pd.DataFrame, missing: str) -> None:
    """Raise a HarnessError if the frame is empty.

    Args:
        frame: the rows to draw.
        missing: the end of the message "nothing to draw: no …".
    """
    if frame.empty:
        raise HarnessError(f"nothing to draw: no {missing}")


def panels(
    frame: pd.DataFrame,
    row: str | None,
    col: str | None,
    *,
    share_x: bool = True,
    share_y: bool = True,
    bar: float = 0.0,
    below: float = 0.0,
) -> tuple[Figure, list[Panel]]:
    """A canvas with a panel for each row and column value; a combination without rows is labelled 'no runs'.

    Without `row`, more than `MOST_ACROSS` values of `col` stand in several lines of equal numbers but for the last.

    Args:
        frame: the rows to draw.
        row, col: columns.
        share_x, share_y: whether panels have the same axes.
        bar: points on paper at the right of all panels, for a colour scale.
        below: inches that the ticks of the horizontal axis take beyond a line.
    """
    from harness.figures import fitting, style
    from harness.figures.canvas import canvas

    row_levels, col_levels = levels(frame, row), levels(frame, col)
    values = [(i, j) for i in range(len(row_levels)) for j in range(len(col_levels))]
    lines, columns = _lines_and_columns(len(row_levels), len(col_levels))
    points = across(frame, row, col, bar)
    titles = [
        fitting.title([texts.title({n: v}) for n, v in ((row, row_levels[i]), (col, col_levels[j])) if n], points)
        for i, j in values
    ]
    width, height = style.size(columns, lines)
    ticked = 2 if lines > 1 and len(values) % columns else 1  # lines with ticks: those above a place left empty, too
    height += below * ticked + sum(fitting.more_height(titles[i : i + columns]) for i in range(0, len(titles), columns))
    figure = canvas((width, height))
    axes = figure.subplots(lines, columns, squeeze=False, sharey=share_y, sharex=share_x).ravel()
    grid = []
    for k, (i, j) in enumerate(values):
        ax = axes[k]
        ax.set_title(titles[k])
        part_rows = part(part(frame, row, row_levels[i]), col, col_levels[j])
        if part_rows.empty:
            ax.text(0.5, 0.5, "no runs", transform=ax.transAxes, ha="center", va="center", color=style.faint())
        lowest = k + columns >= len(values)
        if lowest:
            ax.xaxis.set_tick_params(labelbottom=True)  # also above a place that is left empty
        grid.append(Panel(ax, part_rows, k % columns == 0, lowest, i, points))
    for ax in axes[len(values) :]:
        ax.remove()
    return figure, grid


def across(frame: pd.DataFrame, row: str | None, col: str | None, bar: float = 0.0) -> float:
    """Points across each of the panels that `panels` makes of these."""
    from harness.figures import canvas, fitting, style

    lines, columns = _lines_and_columns(len(levels(frame, row)), len(levels(frame, col)))
    return fitting.panel_points(canvas.across(style.size(columns, lines)), columns, bar)


def _lines_and_columns(rows: int, cols: int) -> tuple[int, int]:
    """In how many lines of how many panels these stand: one below another for a phone, and no line of too many."""
    from harness.figures.canvas import is_stacked

    if is_stacked():
        return rows * cols, 1
    if rows > 1:
        return rows, cols
    lines = -(-cols // MOST_ACROSS)
    return lines, -(-cols // lines)


def legend(figure: Figure, handles: Sequence[Artist], title: str | None = None) -> None:
    """One legend above all panels, in as few lines as fit the width."""
    if not handles:
        return
    from harness.figures import style
    from harness.figures.canvas import legend_width

    width = legend_width(figure)
    texts = [_entry(str(handle.get_label()), width) for handle in handles]
    ncols = _columns([style.legend_entry(text) for text in texts], width)
    figure.legend(handles=list(handles), labels=texts, title=title, loc="outside upper center", ncols=ncols)


def _entry(text: str, points: float) -> str:
    """A legend's entry, broken where it is wider than so many points; a formula stays as it is."""
    from harness.figures import fitting, style

    own = style.legend_entry("")
    if style.legend_entry(text) <= points or "$" in text:
        return text
    return "\n".join(fitting.lines(text, fitting.letters(points - own, fitting.size_of("legend.fontsize"))))


def hue_handles(hue: str | None, hues: Sequence[object], colours: Sequence[str]) -> list[Artist]:
    """A legend's lines for the values of the hue; none without a hue."""
    from matplotlib.lines import Line2D

    if hue is None:
        return []
    return [Line2D([], [], color=c, label=texts.value(hue, level)) for level, c in zip(hues, colours, strict=True)]


def hue_title(hue: str | None) -> str | None:
    """A legend's title: the hue's name; none for cells, whose names are known."""
    return None if hue in (None, "cell") else texts.axis(str(hue))


def _columns(widths: Sequence[float], points: float) -> int:
    """The fewest columns of those with the fewest lines whose widest entries fit side by side; one if none does."""
    import numpy as np

    for lines in range(1, len(widths) + 1):
        ncols = -(-len(widths) // lines)
        # matplotlib fills a legend column by column, the first ones with one entry more, as array_split does
        if sum(max(column) for column in np.array_split(np.asarray(widths), ncols)) <= points:
            return ncols
    return 1
