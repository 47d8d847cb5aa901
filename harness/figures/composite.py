"""Several figures of a study in one, each with a letter, as a paper prints them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from string import ascii_lowercase
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from harness.errors import HarnessError, nearest
from harness.figures import panels
from harness.figures.kind import FigureKind
from harness.study.spec import StudySpec

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

    from harness.statistics.frames import Frames

Row = Annotated[tuple[str, ...], Field(strict=False, min_length=1)]


class Composite(FigureKind):
    """Other figures of the study side by side and one below another."""

    kind: Literal["panels"]
    layout: Annotated[tuple[Row, ...], Field(strict=False)] = Field(
        min_length=1,
        description="rows of names of the study's other figures; a name that is repeated fills a rectangle",
    )
    width: float | None = Field(
        None, gt=0, le=20, description="inches on paper (other styles in proportion); null: both columns"
    )

    def draw(self, frames: Frames, study: StudySpec) -> Figure:
        from harness.figures.canvas import is_stacked

        named = _named(study)
        layout = [[name] for name in places(self.layout)] if is_stacked() else self.layout
        return compose(
            layout, {name: partial(named[name].drawn, frames, study) for name in places(self.layout)}, self.width
        )

    def caption(self, study: StudySpec) -> str:
        named = _named(study)
        captions = (named[name].described(study) for name in places(self.layout))
        return " ".join(f"({letter}) {caption}" for letter, caption in zip(ascii_lowercase, captions, strict=False))

    def misfits(self, study: StudySpec) -> list[str]:
        known = {name: figure for name, figure in _named(study).items() if not isinstance(figure, Composite)}
        faults = [f"where belongs to the figures in the layout, not to '{self.kind}'"] if self.where else []
        if len({len(row) for row in self.layout}) > 1:
            return [*faults, "the rows of a layout are of one length; repeat a name to let it fill several places"]
        for name, place in places(self.layout).items():
            if name not in known:
                faults.append(f"no other figure '{name}'{nearest(name, known)}")
            elif known[name].alone:
                faults.append(
                    f"'{name}' is of kind {known[name].kind}, whose letters fix its size: it cannot be a panel"
                )
            elif not place.filled(self.layout, name):
                faults.append(f"the places of '{name}' are no rectangle")
        if len(places(self.layout)) > len(ascii_lowercase):
            faults.append(f"there are letters for {len(ascii_lowercase)} panels only")
        return faults


@dataclass(frozen=True)
class PanelPosition:
    """The rows and columns of a layout that one panel fills."""

    rows: slice
    columns: slice

    def filled(self, layout: Sequence[Sequence[str]], name: str) -> bool:
        """Whether these rows and columns have this name alone, and all of its places."""
        names = [each for row in layout[self.rows] for each in row[self.columns]]
        return set(names) == {name} and len(names) == sum(row.count(name) for row in layout)


def places(layout: Sequence[Sequence[str]]) -> dict[str, PanelPosition]:
    """The place of each panel, in reading order."""
    at: dict[str, list[tuple[int, int]]] = {}
    for i, row in enumerate(layout):
        for j, name in enumerate(row):
            at.setdefault(name, []).append((i, j))
    return {
        name: PanelPosition(*(slice(min(indices), max(indices) + 1) for indices in zip(*positions, strict=True)))
        for name, positions in at.items()
    }


def compose(
    layout: Sequence[Sequence[str]], draw: Mapping[str, Callable[[], Figure]], width: float | None = None
) -> Figure:
    """Draw figures as panels of one, each with its letter; legends that are all the same become one.

    Args:
        layout: rows of names, all of one length; a repeated name fills a rectangle.
        draw: a function for each name that draws its figure on `canvas.canvas`.
        width: inches on paper; a row is as high as the highest of its figures would be alone.

    Raises:
        HarnessError: a panel has nothing to draw, or its function makes a figure of its own.
    """
    from harness.figures import style
    from harness.figures.canvas import canvas, drawing_on, is_stacked, own_size

    inches = (style.SINGLE if is_stacked() else width or style.DOUBLE) * style.chosen().double / style.DOUBLE
    with style.context():
        figure = canvas((inches, inches))  # its height follows from its panels', which are known once they are drawn
        grid = figure.add_gridspec(len(layout), len(layout[0]))
        heights = [0.0] * len(layout)
        for name, place in places(layout).items():
            with drawing_on(figure.add_subfigure(grid[place.rows, place.columns])) as target:
                try:
                    draw[name]()
                except HarnessError as error:
                    raise HarnessError(f"panel '{name}': {error}") from None
            if target.size is None:
                raise HarnessError(f"'{name}' makes a figure of its own: it cannot be a panel")
            rows = range(len(layout))[place.rows]  # a panel over several rows shares its height among them
            for row in rows:
                heights[row] = max(heights[row], target.size[1] / len(rows))
        # Letters come after the legends: where one stands depends on whether its panel still has a legend.
        above = _share_legend(figure, figure.subfigs)
        for letter, part in zip(ascii_lowercase, figure.subfigs, strict=False):
            _letter(part, f"({letter})")
        grid.set_height_ratios(heights)
        own = None if is_stacked() else own_size()
        figure.set_size_inches(*(own or (inches, sum(heights) + above)))
    return figure


def _named(study: StudySpec) -> dict[str, FigureKind]:
    return {figure.name or figure.kind: figure for figure in study.figures if isinstance(figure, FigureKind)}


def _share_legend(figure: Figure, parts: Sequence[SubFigure]) -> float:
    """Replace the panels' legends by one above all, if they are all the same; the inches that it takes."""
    from harness.figures import style

    legends = [legend for part in parts for legend in part.legends]
    entries = {(legend.get_title().get_text(), *(text.get_text() for text in legend.get_texts())) for legend in legends}
    if len(legends) < 2 or len(legends) < len(parts) or len(entries) > 1:
        return 0.0
    ((title, *texts),) = entries
    handles = list(legends[0].legend_handles)
    for handle, text in zip(handles, texts, strict=True):
        if handle is not None:
            handle.set_label(text.replace("\n", " "))  # a panel is narrower than the figure
    for legend in legends:
        legend.remove()
    panels.legend(figure, [handle for handle in handles if handle is not None], title or None)
    return style.scaled(0.25)


def _letter(part: SubFigure, letter: str) -> None:
    """A letter in the upper left corner; on a line of its own unless a legend or a title already takes one."""
    from matplotlib.transforms import ScaledTranslation

    from harness.figures import style

    if part.legends or any(ax.get_title() for ax in part.axes):
        inches = style.scaled(3) / 72
        corner = part.transSubfigure + ScaledTranslation(inches, -inches, part.dpi_scale_trans)
        part.text(0, 1, letter, transform=corner, ha="left", va="top", fontweight="bold")
    else:
        part.suptitle(letter, x=0.01, ha="left", fontweight="bold")
