"""Heat map of the gradient: time step × update, coloured by log10 ‖∂L/∂h_t‖."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from harness.errors import HarnessError
from harness.figures import adjoint, panels, texts
from harness.figures.kind import COL, ROW, FigureKind
from harness.figures.layered import LAYERS, about_directions, about_layers, one_layer
from harness.figures.selection import RecordedUpdate, at_update
from harness.figures.steps import about_lengths, by_lag, levels
from harness.study.matching import Value, canonical, ordered
from harness.study.spec import StudySpec

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

    from harness.schema import Values
    from harness.statistics.frames import Frames

MOST_LABELS = 14  # updates that fit along the vertical axis


class Heatmap(FigureKind):
    """Size of the gradient over time step and update, or over time step and layer; small multiples."""

    pooling = "Runs that differ in {} are pooled: each counts as one."
    tells_apart = (*LAYERS, "update")
    kind: Literal["heatmap"]
    y: Literal["update", "layer"] = Field(
        "update", description="rows: a record each, or at one of them a layer each, from the input up"
    )
    update: RecordedUpdate = Field(
        "first", description="with y: layer, which record of each run: first, last, or that of one recorded update"
    )
    col: str | None = Field("cell", description=COL)
    row: str | None = Field(None, description=ROW)
    path: adjoint.GradientPath = Field(
        "hidden", description="gradient of the hidden state, or of the cell state (gated cells)"
    )
    statistic: adjoint.Statistic = Field("mean", description=adjoint.STATISTIC)

    def draw(self, frames: Frames, study: StudySpec) -> Figure:
        gradients = one_layer(frames.select(self.where).gradients, self.y, self.col, self.row)
        if self.y == "layer":
            gradients = at_update(gradients, self.update)
        return heatmap(gradients, y=self.y, col=self.col, row=self.row, path=self.path, statistic=self.statistic)

    def caption(self, study: StudySpec) -> str:
        if self.y == "layer":
            return self._of_layers(study)
        norms = f"{adjoint.OVER_BATCH[self.statistic].capitalize()} of ‖{adjoint.SYMBOL[self.path]}‖"
        return (
            f"{norms} at each time step t (the last at the right) and each recorded update, one row a record, "
            "not to scale between them; panels side by side have the same rows, empty "
            "(n = –) where no run was recorded. Colour is the mean of the logarithm over the n runs still training at "
            "that update (a run's own last record is shown only if it is on the schedule); grey is an exact zero in "
            "all of them, a white dot one in some, which the mean leaves out; a cross is where the gradient of one of "
            "them is not a finite number, so that there is no mean."
            f"{self._about_steps(study)}{self.about(study)}"
        )

    def _about_steps(self, study: StudySpec) -> str:
        """The sentences about layers, directions and steps that not every sequence has."""
        shown = (self.y, self.col, self.row)
        lengths = "Sequences differ in length and end at the right; a step that none of the batch has is left empty."
        watched = any("sequence_length" not in point.columns() for point in study.points)
        own = " Records of different lengths end together at the right, and the axis is the lag." if watched else ""
        return (
            f"{about_layers(study, self.where, *shown)}{about_directions(study, self.where, *shown)}"
            f"{about_lengths(study, self.where, lengths)}{own}"
        )

    def _of_layers(self, study: StudySpec) -> str:
        when = {"first": "at initialisation", "last": "at each run's last record"}.get(str(self.update))
        norms = f"{adjoint.OVER_BATCH[self.statistic].capitalize()} of ‖{adjoint.SYMBOL[self.path]}‖"
        return (
            f"{norms} of each layer ℓ, from the input up, at each time step t, "
            f"{when or f'at update {self.update}'}. All panels share the colours: the mean of the logarithm over n "
            "runs; grey is an exact zero in all of them, a white dot one in some, which the mean leaves out; a cross "
            "is where the gradient of one of them is not a finite number, so that there is no mean."
            f"{self._about_steps(study)}{self.about(study)}"
        )

    def crowded(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        lengths: dict[tuple[Value, ...], list[Any]] = {}
        for row in rows:
            panel = tuple(canonical(row.get(name)) for name in self.columns())
            lengths.setdefault(panel, []).append(row.get("sequence_length"))
        mixed = next((ordered(values) for values in lengths.values() if len(ordered(values)) > 1), None)
        return [] if mixed is None else [_mixed(mixed)]


@dataclass(frozen=True)
class GradientMap:
    """One panel's data: rows are updates or layers, columns steps 1 … T.

    Args:
        updates: of the rows; layers, where those are the rows.
        n: runs behind each row.
        mean: of the logarithm; NaN where there is none.
        zero: share of the runs that have the step with an exact zero there.
        broken: where one of the runs has no finite number.
        ragged: whether the records differ in length, and end together at the right.
    """

    updates: list[int]
    n: list[int]
    mean: Values
    zero: Values
    broken: npt.NDArray[np.bool_]
    ragged: bool = False


def scheduled(gradients: pd.DataFrame) -> pd.DataFrame:
    """The records on the schedule, without those that a run made only because it ended there.

    Every run records its last update; as rows of a map those records would be means over one run. A last record stays
    where another run, or the budget, has the same update.
    """
    before_end = gradients["update"] < gradients["updates"]
    schedule = set(gradients.loc[before_end, "update"])
    if "max_updates" in gradients.columns:
        schedule |= set(gradients.loc[gradients["update"] == gradients["max_updates"], "update"])
    rows = gradients[gradients["update"].isin(schedule)]
    return rows if len(rows) else gradients


def gradient_map(gradients: pd.DataFrame, column: str, y: str = "update") -> GradientMap:
    """Mean over runs of a list column for each scheduled update, or for each layer.

    Records of a watched training, whose sequences have no length of the study's, end together at the last step.

    Raises:
        HarnessError: if the runs of a study differ in their number of time steps.
    """
    import numpy as np

    from harness.statistics.intervals import finite_mean

    measured = gradients[gradients[column].notna()]
    lengths = ordered(len(entries) for entries in measured[column])
    if len(lengths) > 1 and "sequence_length" in gradients.columns:
        raise HarnessError(_mixed(lengths))
    updates, n, means, zeros, broken = [], [], [], [], []
    for update, rows in (scheduled(measured) if y == "update" else measured).groupby(y, sort=True):
        stack = by_lag(levels(rows, column), max(lengths))[:, ::-1]
        updates.append(int(str(update)))
        n.append(len(rows))
        mean = finite_mean(stack)
        means.append(np.where(np.isinf(mean), np.nan, mean))  # where a run diverged, no mean of the others
        there = np.maximum((~np.isnan(stack)).sum(axis=0), 1)
        zeros.append((stack == -np.inf).sum(axis=0) / there)
        broken.append((stack == np.inf).any(axis=0))
    return GradientMap(updates, n, np.stack(means), np.stack(zeros), np.stack(broken), len(lengths) > 1)


def heatmap(
    gradients: pd.DataFrame,
    *,
    y: Literal["update", "layer"] = "update",
    col: str | None = "cell",
    row: str | None = None,
    path: adjoint.GradientPath = "hidden",
    statistic: adjoint.Statistic = "mean",
) -> Figure:
    """Draw log10 of the adjoint over time step and update; all panels share the colours.

    Args:
        gradients: rows of `Frames.gradients`; with y: layer, of one record of each run.
        y: what the rows are.
        col, row: columns; the runs of one panel must share their sequence length.
        path: gradient of the hidden state or of the cell state.
        statistic: of the norms over the batch.

    Raises:
        HarnessError: nothing was recorded, a column does not exist, or a panel mixes lengths of the study.
    """
    from harness.figures import style

    adjoint.demand_statistic(gradients, [path], statistic)
    column = adjoint.column_of(path, statistic)
    known = gradients[gradients[column].notna()]
    panels.demand(known, f"gradient of the {path} state was recorded")
    with style.context():
        figure, grid = panels.panels(known, row, col, share_x=False, share_y=False, bar=style.BAR)
        maps = _aligned([(panel, gradient_map(panel.frame, column, y)) for panel in grid if len(panel.frame)])
        # One colour scale over all panels, so that they can be compared.
        norm = style.log_norm([each.mean for _, each in maps])
        time = texts.axis("t") if "direction" not in (col, row) else "step t of the direction"
        if any(each.ragged for _, each in maps):
            maps = [(panel, replace(each, ragged=True)) for panel, each in maps]
            time = texts.axis("lag")
        images = [_image(panel, each, norm, y, time) for panel, each in maps]
        bar = figure.colorbar(images[0], ax=[panel.ax for panel in grid], pad=0.01, aspect=24)
        bar.outline.set_linewidth(style.scaled(0.5))
        style.powers_of_ten(bar.ax.yaxis)
        bar.set_label(f"{adjoint.OVER_BATCH[statistic]} of {adjoint.NORM[path]}")
        panels.legend(figure, _handles([each for _, each in maps]))
    return figure


def _aligned(maps: Sequence[tuple[panels.Panel, GradientMap]]) -> list[tuple[panels.Panel, GradientMap]]:
    """Maps that stand side by side with the same rows: equal heights are equal updates, a missing record is empty."""
    import numpy as np

    aligned = []
    for panel, each in maps:
        beside = [other for neighbour, other in maps if neighbour.row == panel.row]
        updates = sorted({update for other in beside for update in other.updates})
        places = [updates.index(update) for update in each.updates]
        n = [0] * len(updates)
        mean = np.full((len(updates), each.mean.shape[1]), np.nan)
        zero, broken = np.zeros_like(mean), np.zeros(mean.shape, dtype=bool)
        for place, count in zip(places, each.n, strict=True):
            n[place] = count
        mean[places], zero[places], broken[places] = each.mean, each.zero, each.broken
        aligned.append((panel, GradientMap(updates, n, mean, zero, broken, each.ragged)))
    return aligned


def _mixed(lengths: Sequence[Any]) -> str:
    shown = ", ".join(str(length) for length in lengths)
    return (
        f"a heat map needs one sequence length a panel, here are {shown}: "
        "name one in where, or use col or row: sequence_length"
    )


def _image(panel: panels.Panel, each: GradientMap, norm: Any, y: str, time: str) -> ScalarMappable:
    import numpy as np
    from matplotlib.colors import ListedColormap

    from harness.figures import style

    ax: Axes = panel.ax
    T, rows = each.mean.shape[1], len(each.updates)
    layout: dict[str, Any] = {"origin": "lower", "aspect": "auto", "interpolation": "none"}
    layout["extent"] = (0.5, T + 0.5, -0.5, rows - 0.5)  # so that steps count from 1, and a row is centred on its index
    # Exact zeros are an image of their own below the magnitudes: −inf is no colour of a logarithmic scale.
    zero = np.where(each.zero == 1, 0.0, np.nan)
    ax.imshow(zero, cmap=ListedColormap([style.ZERO]), **layout)
    image = ax.imshow(each.mean, cmap=style.magnitude_map(), norm=norm, **layout)
    some = np.argwhere((each.zero > 0) & (each.zero < 1))
    if len(some):
        ax.plot(some[:, 1] + 1, some[:, 0], ".", color="white", markersize=style.scaled(1.2), markeredgewidth=0)
    broken = np.argwhere(each.broken)
    if len(broken):
        ax.plot(broken[:, 1] + 1, broken[:, 0], "x", color=style.faint(), markersize=style.scaled(2))
    _axes(panel, each, y, time)
    return image


def _axes(panel: panels.Panel, each: GradientMap, y: str, time: str) -> None:
    from harness.figures import fitting, style

    step = -(-len(each.updates) // MOST_LABELS)
    shown = range(0, len(each.updates), step)
    panel.ax.set_yticks(list(shown), [f"{each.updates[i]}" if panel.left else "" for i in shown])
    panel.ax.tick_params(length=0)
    for side in ("top", "right", "left", "bottom"):
        panel.ax.spines[side].set_visible(False)
    T = each.mean.shape[1]
    steps = fitting.steps(T, panel.points)
    if each.ragged:  # one t is another lag in each of them
        lags = sorted({0 if step == 1 else min(step, T - 1) for step in steps})
        panel.ax.set_xticks([T - lag for lag in lags], [str(lag) for lag in lags])
    else:
        panel.ax.set_xticks(steps)
    # How many runs are behind each row, in a column headed n.
    text: dict[str, Any] = {"fontsize": style.small(), "color": style.faint(), "ha": "left"}
    for i in shown:
        panel.ax.text(
            1.015,
            (i + 0.5) / len(each.updates),
            f"{each.n[i] or '–'}",
            transform=panel.ax.transAxes,
            va="center",
            **text,
        )
    panel.ax.text(1.015, 1.0, "n", transform=panel.ax.transAxes, va="bottom", **text)
    panel.label_x(time)
    if panel.left:
        panel.ax.set_ylabel(texts.axis("layer") if y == "layer" else "parameter updates (one row a record)")


def _handles(maps: Sequence[GradientMap]) -> list[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    from harness.figures import style

    handles: list[Any] = []
    if any((each.zero == 1).any() for each in maps):
        handles.append(Patch(facecolor=style.ZERO, label="exact zero"))
    if any(((each.zero > 0) & (each.zero < 1)).any() for each in maps):
        handles.append(
            Line2D([], [], color=style.faint(), marker=".", linestyle="none", label="exact zero in some runs")
        )
    if any(each.broken.any() for each in maps):
        handles.append(
            Line2D([], [], color=style.faint(), marker="x", linestyle="none", label="not finite in some runs")
        )
    return handles
