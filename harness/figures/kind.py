"""The base class of all figure kinds: the settings that a study gives, `draw`, a caption, and checks before any run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from harness.study import labels
from harness.study.pooling import pooled
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
        alone: true of a figure whose text fixes its size: it cannot be a panel of another figure.
    """

    alone: ClassVar[bool] = False

    def columns(self) -> tuple[str, ...]:
        """The settings columns whose values the figure shows apart; runs that differ in others are pooled."""
        named = (getattr(self, key, None) for key in ("x", "y", "hue", "row", "col"))
        return tuple(name for name in named if name is not None)

    def draw(self, frames: Frames, study: StudySpec) -> Figure:
        """The figure of the runs that match `where`.

        Raises:
            HarnessError: there is nothing to draw; the text names what is missing.
        """
        raise NotImplementedError

    def caption(self, study: StudySpec) -> str:
        """What the figure shows, and what its bands and bars mean."""
        raise NotImplementedError

    def faults(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        """What cannot be drawn of these points of the grid (their settings as columns), in sentences."""
        return []

    def misfits(self, study: StudySpec) -> list[str]:
        """What contradicts the study's other figures, in sentences."""
        return []

    def about(self, study: StudySpec) -> str:
        """The end of a caption: which runs are shown, and which settings are pooled."""
        parts = [f" Runs with {labels.condition(self.where)}." if self.where else ""]
        columns = pooled(study.points, self.where, self.columns())
        if columns:
            parts.append(f" Runs that differ in {', '.join(map(labels.short, columns))} are pooled.")
        return "".join(parts)
