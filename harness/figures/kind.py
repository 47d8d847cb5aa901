"""What every figure kind has in common: settings that a study gives, `draw`, a caption, and what it can be asked."""

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


class FigureKind(FigureSpec):
    """Base of the figure kinds. A kind is a file with such a class, and a pure function from a frame to a figure."""

    alone: ClassVar[bool] = False  # true where the letters fix the size: such a figure is no panel of another

    def columns(self) -> tuple[str, ...]:
        """The settings columns that the figure tells apart."""
        named = (getattr(self, key, None) for key in ("x", "y", "hue", "row", "col"))
        return tuple(name for name in named if name is not None)

    def draw(self, frames: Frames, study: StudySpec) -> Figure:
        """The figure of those runs that match `where`.

        Raises:
            HarnessError: if there is nothing to draw; its text says what is missing.
        """
        raise NotImplementedError

    def caption(self, study: StudySpec) -> str:
        """What one sees, and what bands and bars mean."""
        raise NotImplementedError

    def faults(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        """What cannot be drawn from these points of the grid (their settings as columns), in sentences."""
        return []

    def misfits(self, study: StudySpec) -> list[str]:
        """What does not go together with the study's other figures, in sentences."""
        return []

    def about(self, study: StudySpec) -> str:
        """The end of a caption: which runs are shown, and which settings are pooled."""
        parts = [f" Runs with {labels.condition(self.where)}." if self.where else ""]
        together = pooled(study.points, self.where, self.columns())
        if together:
            parts.append(f" Runs that differ in {', '.join(map(labels.short, together))} are pooled.")
        return "".join(parts)
