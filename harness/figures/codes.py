"""Codes of one encoder in the plane of their first two principal components, coloured by a label of their inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from harness.errors import HarnessError, nearest
from harness.figures import panels, texts
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

MOST_VALUES = 12  # of a label that is shown by default: as many colours can be told apart


class Codes(FigureKind):
    """Codes of an encoder–decoder, on their first two principal components."""

    pooling = "Runs that differ in {} are not told apart: one of them is shown."
    kind: Literal["codes"]
    by: Annotated[tuple[str, ...], Field(strict=False, min_length=1)] | None = Field(
        None,
        description="labels of the task: a panel for each, one below another; "
        f"null: all its labels that have at most {MOST_VALUES} values",
    )
    col: str | None = Field(None, description="setting with a column of panels for each value, side by side")

    def draw(self, frames: Frames, study: StudySpec) -> Figure:
        from harness.statistics.frames import select

        task: Any = study.points[0].sections.by_name()["task"]
        return codes(
            select(frames.table("codes"), self.where),
            names=getattr(task, "label_names", ()),
            orders=getattr(task, "label_orders", {}),
            by=self.by,
            col=self.col,
        )

    def caption(self, study: StudySpec) -> str:
        return (
            "Codes h_T of held-out inputs on their first two principal components, of one run: the one with the lowest "
            "seed. The axes say which share of the codes' variance they hold; panels one below another show the same "
            "points. s is the mean silhouette (Rousseeuw 1987) of the codes grouped by the panel's label, in the full "
            f"code space and not in the plane shown: 1 is tight and apart, 0 is overlapping.{self.about(study)}"
        )


@dataclass(frozen=True)
class Plane:
    """Codes (N, H) on their first two principal components: points (N, 2), and each component's share of variance."""

    points: Values
    shares: tuple[float, float]


def principal(matrix: Values) -> Plane:
    """Principal component analysis by the singular values of the centred codes.

    The sign of a component is arbitrary; it is chosen so that the largest weight is positive, and a picture does not
    depend on the LAPACK that made it.
    """
    import numpy as np

    centred = matrix - matrix.mean(axis=0)
    _, scale, axes = np.linalg.svd(centred, full_matrices=False)
    axes = axes[:2] * np.sign(axes[np.arange(2), np.abs(axes[:2]).argmax(axis=1)])[:, None]
    first, second = (scale[:2] ** 2 / (scale**2).sum()).tolist()
    return Plane(centred @ axes.T, (first, second))


def silhouette(matrix: Values, groups: list[str]) -> float | None:
    """Mean silhouette; None where it is not defined: for a single group, or if every group is a single code."""
    if not 1 < len(set(groups)) < len(groups):
        return None
    from sklearn.metrics import silhouette_score

    return float(silhouette_score(matrix, groups))


def codes(
    frame: pd.DataFrame,
    *,
    names: Sequence[str],
    orders: Mapping[str, Sequence[str]] | None = None,
    by: Sequence[str] | None = None,
    col: str | None = None,
) -> Figure:
    """Draw codes on their first two principal components, a row of panels for each label in `by`.

    Args:
        frame: rows of the table of codes; each column of panels shows the first run of its lowest seed.
        names: the task's label names: what each entry of the frame's column `labels` is.
        orders: values of a label in reading order, by its name; others are sorted.
        by: labels; default: all that have at most `MOST_VALUES` values.
        col: column.

    Raises:
        HarnessError: there is no code, no such column, or no such label.
    """
    import numpy as np

    from harness.figures import style
    from harness.figures.canvas import canvas

    panels.demand(frame, "code was recorded")
    levels = panels.levels(frame, col)
    shown = few_valued(frame, names) if by is None else tuple(by)
    for name in shown:
        if name not in names:
            raise HarnessError(f"no label '{name}'{nearest(name, names)}")
    with style.context():
        figure = canvas(style.size(len(levels), len(shown)))
        axes = figure.subplots(len(shown), len(levels), squeeze=False)
        for j, level in enumerate(levels):
            run = one_run(panels.part(frame, col, level))
            matrix = np.stack([np.asarray(code, dtype=np.float64) for code in run["code"]])
            plane = principal(matrix)
            for i, name in enumerate(shown):
                groups = [values[names.index(name)] for values in run["labels"]]
                score = silhouette(matrix, groups)
                parts = [] if col is None else [texts.title({col: level})]
                parts += [name if score is None else f"{name}: s = {score:.2f}".replace("-", "−")]
                axes[i, j].set_title(", ".join(parts))
                order = ordered(groups, (orders or {}).get(name, ()))
                _scatter(axes[i, j], plane, groups, order, legend=j == len(levels) - 1)
    return figure


def few_valued(frame: pd.DataFrame, names: Sequence[str]) -> tuple[str, ...]:
    """The labels that have at most `MOST_VALUES` values in the table of codes.

    Raises:
        HarnessError: there is none.
    """
    values = zip(*frame["labels"], strict=True)
    few = tuple(name for name, each in zip(names, values, strict=True) if len(set(each)) <= MOST_VALUES)
    if not few:
        raise HarnessError(f"nothing to draw: no label has at most {MOST_VALUES} values; name one with by")
    return few


def _scatter(ax: Axes, plane: Plane, groups: list[str], order: Sequence[str], *, legend: bool) -> None:
    import numpy as np

    from harness.figures import style

    members = np.array(groups)
    for name, colour in zip(order, style.cycle(len(order)), strict=True):
        points = plane.points[members == name]
        ax.scatter(points[:, 0], points[:, 1], s=style.scaled(2) ** 2, color=colour, linewidths=0, label=name)
    ax.set_xticks([])
    ax.set_yticks([])
    for axis, number, share in zip((ax.xaxis, ax.yaxis), (1, 2), plane.shares, strict=True):
        axis.set_label_text(f"component {number} ({share:.0%})")
    if legend:
        ax.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), markerscale=2, handlelength=1)
