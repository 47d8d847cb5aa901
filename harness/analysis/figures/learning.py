"""Accuracy against updates: every run, and the mean over seeds with a band."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from harness.analysis import labels
from harness.analysis.figures import panels
from harness.analysis.figures.kind import SEED, FigureKind
from harness.study.spec import Study

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

    from harness.analysis.frames import Frames


class Learning(FigureKind):
    """Accuracy against parameter updates."""

    kind: Literal["learning"]
    hue: str | None = Field("cell", description="setting that colours the lines; null: one colour")
    col: str | None = Field("sequence_length", description="setting with a panel for each value, side by side")
    row: str | None = Field(None, description="setting with a panel for each value, one below another")

    def draw(self, frames: Frames, study: Study) -> Drawing:
        return learning(frames.select(self.where).curves, hue=self.hue, col=self.col, row=self.row)

    def caption(self, study: Study) -> str:
        return (
            "Accuracy on fresh sequences against parameter updates. Thin lines are runs, up to where they ended; thick "
            "lines are means over seeds, bands their bootstrap 95 % intervals. For the mean a run that was solved, and "
            "therefore stopped, keeps its last accuracy up to the budget: what it would have done later was not "
            f"measured. A diverged run (×) counts as guessing from there on. Dotted: chance.{self.about(study)}"
        )


def carried(curves: pd.DataFrame) -> pd.DataFrame:
    """Accuracy of each run at every update of the group, ended runs carried on: a row a run, a column an update.

    Leaving ended runs out would average only those still struggling, and the mean would fall as others succeed. So
    the last accuracy is carried on: of a solved run to the budget; a diverged run has no network left and is set to
    chance from its last update on. The columns end at the smallest budget of the group, so that every mean is over
    the same runs.

    Args:
        curves: rows of `Frames.curves`.
    """
    import numpy as np
    import pandas as pd

    wide = curves.pivot(index="run_id", columns="update", values="accuracy").astype("float64")
    runs = curves.drop_duplicates("run_id").set_index("run_id").reindex(wide.index)
    budget = _budget(runs)
    end = float(budget.min())
    updates = np.unique(np.append(wide.columns.to_numpy(dtype="float64"), [end, *_broken(runs)]))
    wide = wide.reindex(columns=pd.Index(updates[updates <= end], name="update")).ffill(axis=1)
    for run_id in runs.index[runs["outcome"] == "diverged"]:
        wide.loc[run_id, wide.columns >= runs.loc[run_id, "updates"]] = runs.loc[run_id, "chance"]
    return wide


def learning(
    curves: pd.DataFrame, *, hue: str | None = "cell", col: str | None = "sequence_length", row: str | None = None
) -> Drawing:
    """Draw accuracy against updates, each run thin and the mean over seeds thick, with a bootstrap band.

    Args:
        curves: rows of `Frames.curves`.
        hue, col, row: columns.

    Raises:
        HarnessError: if no accuracy was recorded, or a column is not there.
    """
    import numpy as np
    from matplotlib.lines import Line2D

    from harness.analysis import style

    panels.demand(curves.dropna(subset=["accuracy"]), "accuracy was recorded")
    hues = panels.levels(curves, hue)
    tints = style.colours(hue, hues)
    broken = False
    with style.context():
        figure, made = panels.panels(curves, row, col)
        for panel in made:
            for level, tint in zip(hues, tints, strict=True):
                group = panels.part(panel.frame, hue, level)
                if not group.empty:
                    _mean(panel.ax, group, tint, np.random.default_rng(SEED))
                    broken |= _runs(panel.ax, group, tint)
            for chance in np.unique(panel.frame["chance"].dropna()) if len(panel.frame) else ():
                panel.ax.axhline(chance, color=style.FAINT, linestyle=":", linewidth=0.8, zorder=1)
            _axes(panel)
        named = (
            [] if hue is None else [(labels.value(hue, level), tint) for level, tint in zip(hues, tints, strict=True)]
        )
        handles = [Line2D([], [], color=tint, label=name) for name, tint in named]
        handles.append(Line2D([], [], color=style.FAINT, linestyle=":", linewidth=0.8, label="chance"))
        if broken:
            handles.append(Line2D([], [], color=style.FAINT, marker="x", linestyle="none", label="diverged"))
        panels.legend(figure, handles, title=None if hue in (None, "cell") else labels.axis(str(hue)))
    return figure


def _budget(runs: pd.DataFrame) -> pd.Series[float]:
    return (runs["max_updates"] if "max_updates" in runs.columns else runs["updates"]).astype("float64")


def _broken(runs: pd.DataFrame) -> list[float]:
    return [float(update) for update in runs.loc[runs["outcome"] == "diverged", "updates"]]


def _mean(ax: Axes, group: pd.DataFrame, tint: str, generator: np.random.Generator) -> None:
    from harness.analysis.statistics import mean_band

    wide = carried(group)
    seeds = group.drop_duplicates("run_id").set_index("run_id")["seed"].reindex(wide.index)
    by_seed = wide.groupby(seeds).mean()
    band = mean_band(by_seed.to_numpy(dtype="float64"), generator)
    updates = by_seed.columns.to_numpy(dtype="float64")
    if len(by_seed) > 1:
        ax.plot(updates, band.mean, color=tint, linewidth=1.6, zorder=4)
        ax.fill_between(updates, band.low, band.high, color=tint, alpha=0.15, linewidth=0, zorder=2)


def _runs(ax: Axes, group: pd.DataFrame, tint: str) -> bool:
    """Each run up to its end; says whether one of them diverged."""
    one = group["seed"].nunique() == 1 and group["run_id"].nunique() == 1
    width, opacity = (1.6, 1.0) if one else (0.5, 0.45)
    broken = False
    for _, run in group.dropna(subset=["accuracy"]).sort_values("update").groupby("run_id", sort=True):
        ax.plot(run["update"], run["accuracy"], color=tint, linewidth=width, alpha=opacity, zorder=3)
        if run["outcome"].iloc[0] == "diverged":
            ax.plot(
                run["update"].iloc[-1:], run["accuracy"].iloc[-1:], color=tint, marker="x", linestyle="none", zorder=5
            )
            broken = True
    return broken


def _axes(panel: panels.Panel) -> None:
    from harness.analysis import style

    style.guide(panel.ax)
    panel.ax.set_ylim(-0.03, 1.03)
    panel.ax.margins(x=0.02)
    if panel.bottom:
        panel.ax.set_xlabel("parameter updates")
    if panel.left:
        panel.ax.set_ylabel("accuracy")
