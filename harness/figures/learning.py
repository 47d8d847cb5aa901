"""Accuracy or loss against updates: every run, and the mean over seeds with a band."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import Field

from harness.figures import panels
from harness.figures.kind import SEED, FigureKind
from harness.study import labels
from harness.study.spec import StudySpec

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from harness.statistics.frames import Frames

Quantity = Literal["accuracy", "loss"]


class ReferenceLevel(NamedTuple):
    """What a quantity is compared with: a column of the runs, its name, and what the caption says of it."""

    column: str
    name: str
    words: str


REFERENCES: Mapping[Quantity, ReferenceLevel] = {
    "accuracy": ReferenceLevel("chance", "chance", "chance"),
    "loss": ReferenceLevel("memoryless_loss", "memoryless", "the best prediction from the present input alone"),
}
LOST: Mapping[Quantity, str] = {"accuracy": "guessing", "loss": "untrained (its loss before the first update)"}


class Learning(FigureKind):
    """Accuracy or loss against parameter updates."""

    kind: Literal["learning"]
    y: Quantity = Field("accuracy", description="accuracy, or loss (nats, or squared error), on fresh sequences")
    hue: str | None = Field("cell", description="setting that colours the lines; null: one colour")
    col: str | None = Field("sequence_length", description="setting with a panel for each value, side by side")
    row: str | None = Field(None, description="setting with a panel for each value, one below another")

    def columns(self) -> tuple[str, ...]:
        return tuple(name for name in (self.hue, self.row, self.col) if name is not None)

    def draw(self, frames: Frames, study: StudySpec) -> Figure:
        return learning(frames.select(self.where).curves, y=self.y, hue=self.hue, col=self.col, row=self.row)

    def caption(self, study: StudySpec) -> str:
        return (
            f"{self.y.capitalize()} on fresh sequences against parameter updates. Thin lines are runs, up to where "
            "they ended; thick lines are means over seeds, bands their bootstrap 95 % intervals. For the mean a run "
            f"that was solved, and therefore stopped, keeps its last {self.y} up to the budget: what it would have "
            f"done later was not measured. A diverged run (×) counts as {LOST[self.y]} from there on. Dotted: "
            f"{REFERENCES[self.y].words}.{self.about(study)}"
        )


def carried(curves: pd.DataFrame, y: Quantity = "accuracy") -> pd.DataFrame:
    """Accuracy or loss of each run at every update of the group, ended runs carried on: a row a run.

    Leaving ended runs out would average only those still struggling, and the mean would fall as others succeed. So
    the last value is carried on: of a solved run to the budget; a diverged run has no network left and is set to
    chance, or to the loss of its untrained network, from its last update on. The columns (updates) end at the smallest
    budget of the group, so that every mean is over the same runs.

    Args:
        curves: rows of `Frames.curves`.
        y: the column.
    """
    import numpy as np
    import pandas as pd

    wide = curves.pivot(index="run_id", columns="update", values=y).astype("float64")
    wide = wide.where(np.isfinite(wide))
    runs = curves.drop_duplicates("run_id").set_index("run_id").reindex(wide.index)
    lost = runs["chance"].astype("float64") if y == "accuracy" else wide.bfill(axis=1).iloc[:, 0]
    budget = _budget(runs)
    end = float(budget.min())
    updates = np.unique(np.append(wide.columns.to_numpy(dtype="float64"), [end, *_broken(runs)]))
    wide = wide.reindex(columns=pd.Index(updates[updates <= end], name="update")).ffill(axis=1)
    for run_id in runs.index[runs["outcome"] == "diverged"]:
        wide.loc[run_id, wide.columns >= runs.loc[run_id, "updates"]] = lost[run_id]
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
        HarnessError: if nothing of it was recorded, or a column is not there.
    """
    import numpy as np
    from matplotlib.lines import Line2D

    from harness.figures import style

    panels.demand(curves.dropna(subset=[y]), f"{y} was recorded")
    reference = REFERENCES[y]
    hues = panels.levels(curves, hue)
    tints = style.colours(hue, hues)
    broken = referred = False
    with style.context():
        figure, made = panels.panels(curves, row, col)
        for panel in made:
            for level, tint in zip(hues, tints, strict=True):
                group = panels.part(panel.frame, hue, level)
                if not group.empty:
                    _mean(panel.ax, group, y, tint, np.random.default_rng(SEED))
                    broken |= _runs(panel.ax, group, y, tint)
            for value in panel.frame[reference.column].dropna().unique():
                panel.ax.axhline(value, color=style.FAINT, linestyle=":", linewidth=style.scaled(0.8), zorder=1)
                referred = True
            _axes(panel, y)
        named = (
            [] if hue is None else [(labels.value(hue, level), tint) for level, tint in zip(hues, tints, strict=True)]
        )
        handles = [Line2D([], [], color=tint, label=name) for name, tint in named]
        if referred:
            width = style.scaled(0.8)
            handles.append(Line2D([], [], color=style.FAINT, linestyle=":", linewidth=width, label=reference.name))
        if broken:
            handles.append(Line2D([], [], color=style.FAINT, marker="x", linestyle="none", label="diverged"))
        panels.legend(figure, handles, title=None if hue in (None, "cell") else labels.axis(str(hue)))
    return figure


def _budget(runs: pd.DataFrame) -> pd.Series[float]:
    return (runs["max_updates"] if "max_updates" in runs.columns else runs["updates"]).astype("float64")


def _broken(runs: pd.DataFrame) -> list[float]:
    return [float(update) for update in runs.loc[runs["outcome"] == "diverged", "updates"]]


def _mean(ax: Axes, group: pd.DataFrame, y: Quantity, tint: str, generator: np.random.Generator) -> None:
    from harness.figures import style
    from harness.statistics.intervals import mean_band

    wide = carried(group, y)
    seeds = group.drop_duplicates("run_id").set_index("run_id")["seed"].reindex(wide.index)
    by_seed = wide.groupby(seeds).mean()
    band = mean_band(by_seed.to_numpy(dtype="float64"), generator)
    updates = by_seed.columns.to_numpy(dtype="float64")
    if len(by_seed) > 1:
        ax.plot(updates, band.mean, color=tint, linewidth=style.scaled(1.6), zorder=4)
        ax.fill_between(updates, band.low, band.high, color=tint, alpha=0.15, linewidth=0, zorder=2)


def _runs(ax: Axes, group: pd.DataFrame, y: Quantity, tint: str) -> bool:
    """Each run up to its end; says whether one of them diverged."""
    from harness.figures import style

    one = group["seed"].nunique() == 1 and group["run_id"].nunique() == 1
    width, opacity = (style.scaled(1.6), 1.0) if one else (style.scaled(0.5), 0.45)
    broken = False
    for _, run in group.dropna(subset=[y]).sort_values("update").groupby("run_id", sort=True):
        ax.plot(run["update"], run[y], color=tint, linewidth=width, alpha=opacity, zorder=3)
        if run["outcome"].iloc[0] == "diverged":
            ax.plot(run["update"].iloc[-1:], run[y].iloc[-1:], color=tint, marker="x", linestyle="none", zorder=5)
            broken = True
    return broken


def _axes(panel: panels.Panel, y: Quantity) -> None:
    from harness.figures import style

    style.guide(panel.ax)
    if y == "accuracy":
        panel.ax.set_ylim(-0.03, 1.03)
    panel.ax.margins(x=0.02)
    if panel.bottom:
        panel.ax.set_xlabel("parameter updates")
    if panel.left:
        panel.ax.set_ylabel(labels.axis(y))
