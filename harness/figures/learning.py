"""Learning curves: accuracy or loss against updates, every run, and the mean over seeds with a band."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from harness.figures import panels, texts
from harness.figures.kind import COL, HUE, ROW, SEED, FigureKind
from harness.figures.reference import CHANCE, MEMORYLESS, Reference
from harness.study.spec import StudySpec

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from harness.statistics.frames import Frames

Quantity = Literal["accuracy", "loss"]

REFERENCES: Mapping[Quantity, Reference] = {"accuracy": CHANCE, "loss": MEMORYLESS}
DIVERGED: Mapping[Quantity, str] = {"accuracy": "guessing", "loss": "untrained (its loss before the first update)"}


class Learning(FigureKind):
    """Accuracy or loss against parameter updates."""

    kind: Literal["learning"]
    y: Quantity = Field("accuracy", description="accuracy, or loss (nats, or squared error), on fresh sequences")
    hue: str | None = Field("cell", description=HUE)
    col: str | None = Field("sequence_length", description=COL)
    row: str | None = Field(None, description=ROW)

    def columns(self) -> tuple[str, ...]:
        return tuple(name for name in (self.hue, self.row, self.col) if name is not None)  # y is no setting here

    def draw(self, frames: Frames, study: StudySpec) -> Figure:
        return learning(frames.select(self.where).curves, y=self.y, hue=self.hue, col=self.col, row=self.row)

    def caption(self, study: StudySpec) -> str:
        return (
            f"{self.y.capitalize()} on fresh sequences against parameter updates. Thin lines are runs, up to where "
            "they ended; thick lines are means over seeds, bands their bootstrap 95 % intervals. For the mean a run "
            f"that was solved, and therefore stopped, keeps its last {self.y} up to the budget: what it would have "
            f"done later was not measured. A diverged run (×) counts as {DIVERGED[self.y]} from there on."
            f"{REFERENCES[self.y].caption}{self.about(study)}"
        )


def carried_forward(curves: pd.DataFrame, y: Quantity = "accuracy") -> pd.DataFrame:
    """Accuracy or loss of each run at every update of the group, ended runs carried forward: a row a run.

    Without ended runs the mean would be over those still unsolved, and would fall as others succeed. So the last value
    is carried forward: of a solved run to the budget; a diverged run has no network left and is set to chance, or to
    the loss of its untrained network, from its last update on. The columns (updates) end at the smallest budget of the
    group, so that every mean is over the same runs.

    Args:
        curves: rows of `Frames.curves`.
        y: the column.
    """
    import numpy as np
    import pandas as pd

    wide = curves.pivot(index="run_id", columns="update", values=y).astype("float64")
    wide = wide.where(np.isfinite(wide))
    runs = curves.drop_duplicates("run_id").set_index("run_id").reindex(wide.index)
    after_divergence = runs["chance"].astype("float64") if y == "accuracy" else wide.bfill(axis=1).iloc[:, 0]
    budget = (runs["max_updates"] if "max_updates" in runs.columns else runs["updates"]).astype("float64")
    end = float(budget.min())
    # A run may diverge between two evaluations: its last update gets a column, so that its mean changes there.
    diverged_at = runs.loc[runs["outcome"] == "diverged", "updates"].astype("float64")
    updates = np.unique(np.append(wide.columns.to_numpy(dtype="float64"), [end, *diverged_at]))
    wide = wide.reindex(columns=pd.Index(updates[updates <= end], name="update")).ffill(axis=1)
    for run_id in runs.index[runs["outcome"] == "diverged"]:
        wide.loc[run_id, wide.columns >= runs.loc[run_id, "updates"]] = after_divergence[run_id]
    return wide


def learning(
    curves: pd.DataFrame,
    *,
    y: Quantity = "accuracy",
    hue: str | None = "cell",
    col: str | None = "sequence_length",
    row: str | None = None,
) -> Figure:
    """Draw accuracy or loss against updates, each run thin and the mean over seeds thick, with a bootstrap band.

    Args:
        curves: rows of `Frames.curves`.
        y: accuracy, or loss in nats.
        hue, col, row: columns.

    Raises:
        HarnessError: none of it was recorded, or a column does not exist.
    """
    import numpy as np
    from matplotlib.lines import Line2D

    from harness.figures import reference, style

    panels.demand(curves.dropna(subset=[y]), f"{y} was recorded")
    hues = panels.levels(curves, hue)
    colours = style.colours(hue, hues)
    any_diverged = any_reference = False
    with style.context():
        figure, grid = panels.panels(curves, row, col)
        for panel in grid:
            for level, colour in zip(hues, colours, strict=True):
                group = panels.part(panel.frame, hue, level)
                if not group.empty:
                    _mean(panel.ax, group, y, colour, np.random.default_rng(SEED))
                    any_diverged |= _runs(panel.ax, group, y, colour)
            for value in REFERENCES[y].of(panel.frame).dropna().unique():
                panel.ax.axhline(value, zorder=1, **reference.line_style())
                any_reference = True
            _axes(panel, y)
        # The legend explains only what was drawn.
        handles = panels.hue_handles(hue, hues, colours)
        if any_reference:
            handles.append(reference.handle(REFERENCES[y]))
        if any_diverged:
            handles.append(Line2D([], [], color=style.faint(), marker="x", linestyle="none", label="diverged"))
        panels.legend(figure, handles, title=panels.hue_title(hue))
    return figure


def _mean(ax: Axes, group: pd.DataFrame, y: Quantity, colour: str, generator: np.random.Generator) -> None:
    from harness.figures import style
    from harness.statistics.intervals import mean_band

    wide = carried_forward(group, y)
    seeds = group.drop_duplicates("run_id").set_index("run_id")["seed"].reindex(wide.index)
    # A run without a value (its loss was never finite) leaves no mean, rather than one of the others.
    by_seed = wide[wide.columns[wide.notna().all()]].groupby(seeds).mean()
    band = mean_band(by_seed.to_numpy(dtype="float64"), generator)
    updates = by_seed.columns.to_numpy(dtype="float64")
    if len(by_seed) > 1:
        ax.plot(updates, band.mean, color=colour, linewidth=style.scaled(1.6), zorder=4)
        ax.fill_between(updates, band.low, band.high, color=colour, alpha=0.15, linewidth=0, zorder=2)


def _runs(ax: Axes, group: pd.DataFrame, y: Quantity, colour: str) -> bool:
    """Draw each run up to its end; whether one of them diverged."""
    from harness.figures import style

    one = group["seed"].nunique() == 1 and group["run_id"].nunique() == 1  # then it is its own mean, and drawn so
    width, opacity = (style.scaled(1.6), 1.0) if one else (style.scaled(0.5), 0.45)
    any_diverged = False
    for _, run in group.dropna(subset=[y]).sort_values("update").groupby("run_id", sort=True):
        ax.plot(run["update"], run[y], color=colour, linewidth=width, alpha=opacity, zorder=3)
        if run["outcome"].iloc[0] == "diverged":
            ax.plot(run["update"].iloc[-1:], run[y].iloc[-1:], color=colour, marker="x", linestyle="none", zorder=5)
            any_diverged = True
    return any_diverged


def _axes(panel: panels.Panel, y: Quantity) -> None:
    from harness.figures import style

    style.guide(panel.ax)
    if y == "accuracy":
        panel.ax.set_ylim(-0.03, 1.03)
    panel.ax.margins(x=0.02)
    panel.label_x("parameter updates")
    if panel.left:
        panel.ax.set_ylabel(texts.axis(y))
