from typing import TYPE_CHECKING, Literal

from pydantic import Field

from harness.figures import panels
from harness.figures.kind import FigureKind
from harness.study import labels
from harness.study.spec import Study

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from harness.statistics.frames import Frames


class Slope(FigureKind):
    """How fast the adjoint fades before training, a point a run."""

    kind: Literal["slope"]
    x: str = Field("cell", description="setting on the x axis")

    def draw(self, frames: "Frames", study: Study) -> "Figure":
        return slope(frames.select(self.where).runs, x=self.x)

    def caption(self, study: Study) -> str:
        return f"Mean change of log10 ‖∂L/∂h_t‖ over one step back in time before training.{self.about(study)}"


def slope(runs: "pd.DataFrame", *, x: str) -> "Figure":
    """Draw the table of runs; pandas and matplotlib are imported where they are used, so that reading stays fast."""
    from harness.figures import style

    panels.demand(runs, "run has a result yet")
    places = panels.levels(runs, x)
    with style.context():
        figure, [panel] = panels.panels(runs, None, None)
        for place, level in enumerate(places):
            slopes = panels.part(runs, x, level)["initial_adjoint_slope"]
            panel.ax.plot([place] * len(slopes), slopes, marker="o", linestyle="none")
        panel.ax.set_xticks(range(len(places)), [labels.value(x, level) for level in places])
        panel.ax.set(xlabel=labels.axis(x), ylabel="log10 per step")
    return figure
