"""Where codes lie: the codes of one network in the plane of their first two principal components, coloured by label."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from harness.errors import HarnessError, nearest
from harness.figures import panels
from harness.figures.kind import FigureKind
from harness.study import labels
from harness.study.matching import ordered
from harness.study.spec import StudySpec

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    from matplotlib.figure import Figure

    from harness.statistics.frames import Frames

CALENDAR = (*calendar.month_name[1:], *calendar.day_name)  # words that have an order of their own


class Codes(FigureKind):
    """Codes of an encoder–decoder, seen along their two widest directions."""

    kind: Literal["codes"]
    by: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        ("month", "weekday"),
        description="labels of the task: a panel for each, one below another",
        min_length=1,
    )
    col: str | None = Field(None, description="setting with a column of panels for each value, side by side")

    def draw(self, frames: Frames, study: StudySpec) -> Figure:
        from harness.statistics.frames import select

        return codes(select(frames.table("codes"), self.where), names=label_names(study), by=self.by, col=self.col)

    def caption(self, study: StudySpec) -> str:
        return (
            "Codes h_T of held-out inputs on their first two principal components, of one run: the one with the lowest "
            "seed. The axes say which share of the codes' variance they hold; panels one below another show the same "
            "points. s is the mean silhouette (Rousseeuw 1987) of the codes grouped by the panel's label, in the full "
            f"code space and not in the plane shown: 1 is tight and apart, 0 is in one another.{self.about(study)}"
        )


@dataclass(frozen=True)
class Plane:
    """Codes (N, H) on their first two principal components: points (N, 2), and each component's share of variance."""

    points: npt.NDArray[np.float64]
    shares: tuple[float, float]


def label_names(study: StudySpec) -> tuple[str, ...]:
    """What the labels in the table of codes are labels of, by the task's own statement."""
    names: tuple[str, ...] = getattr(study.points[0].sections.by_name().get("task"), "label_names", ())
    return names


def principal(matrix: npt.NDArray[np.float64]) -> Plane:
    """Principal component analysis by the singular values of the centred codes; each axis' largest weight is > 0."""
    import numpy as np

    centred = matrix - matrix.mean(axis=0)
    _, scale, axes = np.linalg.svd(centred, full_matrices=False)
    axes = axes[:2] * np.sign(axes[np.arange(2), np.abs(axes[:2]).argmax(axis=1)])[:, None]
    first, second = (scale[:2] ** 2 / (scale**2).sum()).tolist()
    return Plane(centred @ axes.T, (first, second))


def silhouette(matrix: npt.NDArray[np.float64], groups: list[str]) -> float | None:
    """Mean silhouette; None where it has no meaning: a single group, or nothing but single codes."""
    if not 1 < len(set(groups)) < len(groups):
        return None
    from sklearn.metrics import silhouette_score

    return float(silhouette_score(matrix, groups))


def codes(frame: pd.DataFrame, *, names: tuple[str, ...], by: tuple[str, ...], col: str | None = None) -> Figure:
    """Draw codes on their first two principal components, a row of panels for each label in `by`.

    Args:
        frame: rows of the table of codes; each column of panels shows the first run of its lowest seed.
        names: what each entry of the frame's column `labels` is.
        col: column.

    Raises:
        HarnessError: if there is no code, no such column, or no such label.
    """
    import numpy as np

    from harness.figures import style
    from harness.figures.canvas import canvas

    panels.demand(frame, "code was kept")
    across = panels.levels(frame, col)
    for name in by:
        if name not in names:
            raise HarnessError(f"no label '{name}'{nearest(name, names)}")
    with style.context():
        figure = canvas(style.size(len(across), len(by)))
        axes = figure.subplots(len(by), len(across), squeeze=False)
        for j, level in enumerate(across):
            run = one_run(panels.part(frame, col, level))
            matrix = np.stack([np.asarray(code, dtype=np.float64) for code in run["code"]])
            plane = principal(matrix)
            for i, name in enumerate(by):
                groups = [held[names.index(name)] for held in run["labels"]]
                score = silhouette(matrix, groups)
                parts = [] if col is None else [labels.title({col: level})]
                parts += [name if score is None else f"{name}: s = {score:.2f}".replace("-", "−")]
                axes[i, j].set_title(", ".join(parts))
                _scatter(axes[i, j], plane, groups, legend=j == len(across) - 1)
    return figure


def one_run(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of the first run of the lowest seed."""
    first = frame.sort_values("seed", kind="stable")["run_id"].iloc[0]
    rows: pd.DataFrame = frame[frame["run_id"] == first]
    return rows


def _scatter(ax: Any, plane: Plane, groups: list[str], *, legend: bool) -> None:
    import numpy as np

    from harness.figures import style

    held = np.array(groups)
    known = ordered(groups, CALENDAR)
    for name, colour in zip(known, style.cycle(len(known)), strict=True):
        points = plane.points[held == name]
        ax.scatter(*points.T, s=style.scaled(2) ** 2, color=colour, linewidths=0, label=name)
    ax.set_xticks([])
    ax.set_yticks([])
    for axis, number, share in zip((ax.xaxis, ax.yaxis), (1, 2), plane.shares, strict=True):
        axis.set_label_text(f"component {number} ({share:.0%})")
    if legend:
        ax.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), markerscale=2, handlelength=1)
