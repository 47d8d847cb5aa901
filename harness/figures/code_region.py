"""A region of the plane of codes, zoomed in, with what its codes are written beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from harness.errors import HarnessError, nearest
from harness.figures import panels
from harness.figures.codes import principal
from harness.figures.kind import FigureKind
from harness.figures.selection import one_run
from harness.study.matching import ordered
from harness.study.spec import StudySpec

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from harness.schema import Values
    from harness.statistics.frames import Frames

EDGE = 0.05  # of the members on each side in each direction that do not widen the region
MARGIN = 0.08  # of the region's width and height around it
LETTER = 0.62  # mean width of a letter, in heights of the font
PANEL = 0.85  # of the figure's width and height is the panel's, at least
HEIGHT = 3.6  # inches


class CodeRegion(FigureKind):
    """Where the codes of one kind of input lie, and which inputs they are."""

    pooling = "Runs that differ in {} are not told apart: one of them is shown."
    kind: Literal["code_region"]
    by: str = Field(description="label of the task")
    value: str = Field(description="value of that label: the region is where its codes lie")

    def draw(self, frames: Frames, study: StudySpec) -> Figure:
        from harness.statistics.frames import select

        task: Any = study.points[0].sections.by_name()["task"]
        frame = select(frames.table("codes"), self.where)
        return code_region(
            frame,
            names=getattr(task, "label_names", ()),
            orders=getattr(task, "label_orders", {}),
            by=self.by,
            value=self.value,
        )

    def caption(self, study: StudySpec) -> str:
        return (
            f"Codes h_T of held-out inputs on their first two principal components, as in the figure of all codes: the "
            f"region that holds nine tenths of those with {self.by} '{self.value}' in each direction, of the run with "
            f"the lowest seed. Inputs of that {self.by} are written out as far as there is room; all other codes that "
            f"lie in the region are grey.{self.about(study)}"
        )


def code_region(
    frame: pd.DataFrame,
    *,
    names: Sequence[str],
    orders: Mapping[str, Sequence[str]] | None = None,
    by: str,
    value: str,
) -> Figure:
    """Draw the region where the codes with one value of a label lie, on the first two components of all codes.

    Args:
        frame: rows of the table of codes; the first run of the lowest seed is shown.
        names: the task's label names: what each entry of the frame's column `labels` is.
        orders: values of a label in reading order, by its name: they fix the colour, as in the figure of all codes.
        by, value: the label and its value.

    Raises:
        HarnessError: there is no code, no such label, or no code with that value.
    """
    import numpy as np

    from harness.figures import style
    from harness.figures.canvas import canvas

    panels.demand(frame, "code was recorded")
    if by not in names:
        raise HarnessError(f"no label '{by}'{nearest(by, names)}")
    run = one_run(frame)
    groups = [values[names.index(by)] for values in run["labels"]]
    if value not in groups:
        raise HarnessError(f"no code has the {by} '{value}'{nearest(value, sorted(set(groups)))}")
    order = ordered(groups, (orders or {}).get(by, ()))
    plane = principal(np.stack([np.asarray(code, dtype=np.float64) for code in run["code"]]))
    members = np.array([group == value for group in groups])
    with style.context():
        colour = style.cycle(len(order))[order.index(value)]
        figure = canvas((style.size(2, 1)[0], style.scaled(HEIGHT)))
        ax = figure.subplots()
        low, high = np.quantile(plane.points[members], [EDGE, 1 - EDGE], axis=0)
        low, high = low - MARGIN * (high - low), high + MARGIN * (high - low)
        ax.set_xlim(low[0], high[0])
        ax.set_ylim(low[1], high[1])
        inside = ((plane.points >= low) & (plane.points <= high)).all(axis=1)
        others, own = plane.points[inside & ~members], plane.points[inside & members]
        ax.scatter(others[:, 0], others[:, 1], s=style.scaled(2) ** 2, color=style.scheme().null, linewidths=0)
        ax.scatter(own[:, 0], own[:, 1], s=style.scaled(2) ** 2, color=colour, linewidths=0)
        written = dict.fromkeys(zip(map(tuple, own.tolist()), run["text"][inside & members], strict=True))
        write(ax, list(written), (low, high), figure.get_size_inches().tolist())
        ax.set_title(f"{by}: {value}, {len(own)} of {len(own) + len(others)} codes in the region")
        ax.set_xticks([])
        ax.set_yticks([])
        for axis, number, share in zip((ax.xaxis, ax.yaxis), (1, 2), plane.shares, strict=True):
            axis.set_label_text(f"component {number} ({share:.0%})")
    return figure


def write(
    ax: Axes,
    points: Sequence[tuple[tuple[float, float], str]],
    region: tuple[Values, Values],
    inches: Sequence[float],
) -> None:
    """Write each point's text beside it, unless a text that is already there, or the right edge, is in its way."""
    import numpy as np

    from harness.figures import style

    low, high = region
    size = style.small()
    extent = 72 * PANEL * np.asarray(inches)  # points
    taken: list[tuple[float, float, float, float]] = []  # left, right, bottom, top in points
    for (x, y), text in points:
        left, middle = extent * ((x, y) - low) / (high - low)
        box = (left, left + size * (1 + LETTER * len(text)), middle - 0.6 * size, middle + 0.6 * size)
        free = all(box[1] < a or b < box[0] or box[3] < c or d < box[2] for a, b, c, d in taken)
        if free and box[1] < extent[0]:
            taken.append(box)
            ax.annotate(text, (x, y), (style.scaled(2), 0), textcoords="offset points", va="center", fontsize=size)
