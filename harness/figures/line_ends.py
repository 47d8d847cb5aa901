"""Values written at the ends of their lines, in the lines' colours, instead of a legend that a reader has to match."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from harness.figures import texts
from harness.study import labels
from harness.study.matching import canonical

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BROAD = 1 / 3  # of a panel's width: labels that take more leave too little to the lines
SHARE = 0.72  # of a panel's height in the figure: the rest is title, ticks and label
LINE = 1.15  # heights of its letters that a label takes


@dataclass(frozen=True)
class LineEnd:
    """Where a line ends, the value that it is of, and its colour."""

    ax: Axes
    x: float
    y: float
    level: Any
    colour: str


def write(figure: Figure, ends: Sequence[LineEnd], hue: str, hues: Sequence[Any]) -> bool:
    """Write each line's value at its end, where all end at one place and there is room; whether that was done.

    There is room where the labels of a panel fit its height and take no more than a third of its width.
    Labels of one panel are moved apart vertically as little as possible. The uppermost one names the setting.
    """
    from harness.figures import fitting, style

    by_panel: dict[Axes, list[LineEnd]] = {}
    for end in ends:
        by_panel.setdefault(end.ax, []).append(end)
    height = 72 * float(figure.bbox.height / figure.dpi) / _shape(figure)[0] * SHARE  # points
    gap = LINE * style.small()
    places = {canonical(level): i for i, level in enumerate(hues)}
    if not ends or max(map(len, by_panel.values())) * gap > height:
        return False
    if any(len({end.x for end in group}) > 1 for group in by_panel.values()):
        return False  # other lines go on where one ends, and a label there would lie on them
    written: list[tuple[LineEnd, float, str]] = []
    for ax, group in by_panel.items():
        low, high = ax.get_ylim()
        points = (high - low) / height
        # lines that end at one place, to the height of a label, are labelled in the order of their values
        group = sorted(group, key=lambda end: (round(end.y / (gap * points)), -places[canonical(end.level)]))
        heights = apart(_rising([end.y for end in group]), gap * points, low, high)
        for i, (end, y) in enumerate(zip(group, heights, strict=True)):
            text = texts.value(hue, end.level)
            if i == len(group) - 1 and hue != "cell":
                text = f"{texts.literal(labels.short(hue))} = {text}"
            written.append((end, y, text))
    letters = max(len(text) for _, _, text in written)
    broad = fitting.panel_points(float(figure.bbox.width / figure.dpi), _shape(figure)[1])
    if fitting.WIDTH * style.small() * letters > BROAD * broad:
        return False
    for end, y, text in written:
        end.ax.annotate(
            text, (end.x, y), xytext=(style.scaled(3), 0), textcoords="offset points", va="center", ha="left",
            fontsize=style.small(), color=end.colour, annotation_clip=False, zorder=6,
        )  # fmt: skip
    return True


def apart(heights: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Rising heights moved as little as possible (least squares) until neighbours are at least `gap` apart.

    Pool adjacent violators on the heights less i·gap, then into [low, high] where they fit.
    """
    blocks: list[list[float]] = []  # mean and size
    for i, height in enumerate(heights):
        blocks.append([height - i * gap, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            mean, size = blocks.pop()
            blocks[-1] = [(blocks[-1][0] * blocks[-1][1] + mean * size) / (blocks[-1][1] + size), blocks[-1][1] + size]
    level = [mean for mean, size in blocks for _ in range(int(size))]
    most = max(low, high - (len(heights) - 1) * gap)
    return [min(max(mean, low), most) + i * gap for i, mean in enumerate(level)]


def _rising(heights: Sequence[float]) -> list[float]:
    """Each height, or the highest before it."""
    return list(accumulate(heights, max))


def _shape(figure: Figure) -> tuple[int, int]:
    """Rows and columns of panels of a figure."""
    grids = [grid for ax in figure.axes if (grid := ax.get_gridspec()) is not None]
    return max((grid.nrows for grid in grids), default=1), max((grid.ncols for grid in grids), default=1)
