"""The base class of all figure kinds: the settings that a study gives, `draw`, a caption, and checks before any run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, ClassVar

from harness.errors import HarnessError
from harness.figures import appearance, texts
from harness.study import labels
from harness.study.matching import matches
from harness.study.pooling import of_settings, pooled
from harness.study.spec import FigureSpec, StudySpec

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from harness.statistics.frames import Frames

SEED = 0  # of the generators behind bootstrap bands: the same tables give the same picture

# Descriptions of settings that most kinds have.
COL = "setting with a panel for each value, side by side"
ROW = "setting with a panel for each value, one below another"
HUE = "setting that colours the lines; null: one colour"
SERIES_HUE = "setting that colours the series; null: one series"


class FigureKind(FigureSpec):
    """Base of the figure kinds. A kind is a file with such a class, and a pure function from a frame to a figure.

    Attributes:
        pooling: the sentence about runs that differ in settings which the figure does not tell apart.
        tells_apart: columns of its table that it may show apart though they are no settings: layers of one network.
        alone: true of a figure whose text fixes its size: it cannot be a panel of another figure.
    """

    alone: ClassVar[bool] = False
    tells_apart: ClassVar[tuple[str, ...]] = ()
    pooling: ClassVar[str] = "Runs that differ in {} are pooled: those of a seed are averaged first."

    def columns(self) -> tuple[str, ...]:
        """The settings columns whose values the figure shows apart; runs that differ in others are pooled."""
        named = (getattr(self, key, None) for key in ("x", "y", "hue", "row", "col"))
        return tuple(name for name in named if name is not None and name not in self.tells_apart)

    def draw(self, frames: Frames, study: StudySpec) -> Figure:
        """The figure of the runs that match `where`.

        Raises:
            HarnessError: there is nothing to draw; the text names what is missing.
        """
        raise NotImplementedError

    def caption(self, study: StudySpec) -> str:
        """What the figure shows, and what its bands and bars mean."""
        raise NotImplementedError

    def drawn(self, frames: Frames, study: StudySpec) -> Figure:
        """`draw` with the figure's own colours, order, size and letters in force.

        Raises:
            HarnessError: there is nothing to draw, no run meets `where`, or a plug-in returns no figure.
        """
        if self.where and not any(matches(point.columns(), of_settings(self.where)) for point in study.points):
            raise HarnessError(f"no point of the grid has {labels.condition(self.where)}")
        with self.appearing(study):
            figure = self.draw(frames, study)
        if not hasattr(figure, "savefig") and not hasattr(figure, "subfigs"):
            raise HarnessError(f"its draw returned {type(figure).__name__}, not a figure")
        return figure

    def described(self, study: StudySpec) -> str:
        """`caption` with what a null means among the figure's points, and a loss in its unit."""
        with self.appearing(study):
            caption = self.caption(study)
        if not isinstance(caption, str):
            raise HarnessError(f"its caption is {type(caption).__name__}, not a text")
        with self.appearing(study):
            return texts.loss_named(caption)

    def appearing(self, study: StudySpec) -> AbstractContextManager[None]:
        """What the figure's settings and its study say about its looks is in force inside."""
        return appearance.use(appearance.Appearance.of(self, study, self.columns()))

    def faults(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        """What cannot be drawn of these points of the grid (their settings as columns), in sentences."""
        return []

    def crowded(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        """What cannot be drawn because several of these points of the grid meet in one panel, in sentences.

        Told of a grid with overrides too: one that gives a setting more values makes it so.
        """
        return []

    def misfits(self, study: StudySpec) -> list[str]:
        """What contradicts the study's other figures, in sentences."""
        return []

    def about(self, study: StudySpec) -> str:
        """The end of a caption: which runs are shown, and which settings are pooled."""
        parts = [f" Runs with {labels.condition(self.where)}." if self.where else ""]
        columns = pooled(study.points, self.where, self.columns())
        if columns:
            names = ", ".join(map(labels.short, columns))
            parts.append(f" {self.pooling.format(names)}")
        return "".join(parts)
