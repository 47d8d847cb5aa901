"""A measured quantity along its axis, seeds as mean and band, and what theory says drawn over it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from harness.figures import panels
from harness.figures.kind import SEED, FigureKind
from harness.study import labels
from harness.study.spec import StudySpec

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from harness.statistics.frames import Frames


DASHED: Any = (0, (4, 2))


class ProfileFigure(FigureKind):
    """One quantity of the table of profiles, with its theory dashed."""

    kind: Literal["profile"]
    quantity: str = Field(description="which quantity, by its name in the table of profiles")
    hue: str | None = Field(None, description="setting that colours the lines; null: one colour")
    col: str | None = Field(None, description="setting with a panel for each value, side by side")
    row: str | None = Field(None, description="setting with a panel for each value, one below another")
    update: Literal["first", "last"] | int = Field(
        "first", description="which record of each run: first, last, or that of one recorded update"
    )
    log: Literal["none", "x", "y", "both"] = Field("none", description="which axes are logarithmic")
    label: str | None = Field(None, description="what the vertical axis says; default: the quantity's name")

    def draw(self, frames: Frames, study: StudySpec) -> Figure:
        return profile(
            frames.select(self.where).table("profiles"), self.quantity,
            hue=self.hue, col=self.col, row=self.row, update=self.update, log=self.log, label=self.label,
        )  # fmt: skip

    def caption(self, study: StudySpec) -> str:
        return (
            f"{self.label or labels.axis(self.quantity)}: lines are means over seeds, bands their bootstrap 95 % "
            f"intervals. Dashed: what theory says, where it says something.{self.about(study)}"
        )


def profile(
    profiles: pd.DataFrame,
    quantity: str,
    *,
    hue: str | None = None,
    col: str | None = None,
    row: str | None = None,
    update: Literal["first", "last"] | int = "first",
    log: Literal["none", "x", "y", "both"] = "none",
    label: str | None = None,
) -> Figure:
    """Draw one quantity against its axis, a line for each hue, and the theory's mean dashed.

    Args:
        profiles: rows of the table of profiles, joined with their runs.
        quantity: which of them.
        hue, col, row: columns.
        update: which record of each run.
        log: logarithmic axes.
        label: of the vertical axis.

    Raises:
        HarnessError: if nothing was recorded for this choice, or a column is not there.
    """
    from matplotlib.lines import Line2D

    from harness.figures import style
    from harness.figures.decay import at_update

    known = at_update(profiles[profiles["quantity"] == quantity], update)
    panels.demand(known, f"profile of '{quantity}' was recorded")
    hues = panels.levels(known, hue)
    tints = style.colours(hue, hues)
    told = False
    with style.context():
        figure, made = panels.panels(known, row, col)
        for panel in made:
            for level, tint in zip(hues, tints, strict=True):
                told |= _lines(panel.ax, panels.part(panel.frame, hue, level), tint)
            _axes(panel, str(known["axis"].iloc[0]), label or labels.axis(quantity), log)
        handles = [
            Line2D([], [], color=tint, label=labels.value(hue, level))
            for level, tint in zip(hues, tints, strict=True)
            if hue is not None
        ]
        if told:
            handles.append(
                Line2D([], [], color=style.INK, linestyle=DASHED, linewidth=style.scaled(0.8), label="theory")
            )
        panels.legend(figure, handles, title=None if hue in (None, "cell") else labels.axis(str(hue)))
    return figure


def _lines(ax: Axes, group: pd.DataFrame, tint: str) -> bool:
    """Mean and band of a group whose rows share their positions; True if theory was drawn."""
    import numpy as np

    from harness.figures import style
    from harness.statistics.intervals import mean_band

    told = False
    for at, same in group.groupby(group["at"].map(tuple), sort=True):
        x = np.asarray(at, dtype=np.float64)
        rows = np.stack([np.asarray(held, dtype=np.float64) for held in same["measured"]])
        finite = np.where(np.isfinite(rows), rows, np.nan)
        by_seed = np.stack([_mean(finite[(same["seed"] == seed).to_numpy()]) for seed in sorted(same["seed"].unique())])
        band = mean_band(by_seed, np.random.default_rng(SEED))
        marker = "o" if len(x) == 1 else ""
        ax.plot(x, band.mean, color=tint, marker=marker, markersize=style.scaled(3), zorder=3)
        ax.fill_between(x, band.low, band.high, color=tint, alpha=0.22, linewidth=0, zorder=2)
        theory = [np.asarray(held, dtype=np.float64) for held in same["theory"] if held is not None]
        if theory:
            said = _mean(np.stack(theory))
            alone = "_" if np.isfinite(said).sum() == 1 else ""  # a line needs two
            ax.plot(
                x, said, color=style.INK, linestyle=DASHED, linewidth=style.scaled(0.8), zorder=4,
                marker=alone, markersize=style.scaled(9), markeredgewidth=style.scaled(1),
            )  # fmt: skip
            told = True
    return told


def _mean(rows: Any) -> Any:
    import numpy as np

    counts = np.isfinite(rows).sum(axis=0)
    mean = np.full(rows.shape[1], np.nan)
    np.divide(np.nansum(rows, axis=0), counts, out=mean, where=counts > 0)
    return mean


def _axes(panel: panels.Panel, axis: str, label: str, log: str) -> None:
    from harness.figures import style

    style.guide(panel.ax)
    if log in ("x", "both"):
        panel.ax.set_xscale("log")
    if log in ("y", "both"):
        panel.ax.set_yscale("log")
    if panel.bottom:
        panel.ax.set_xlabel(labels.axis(axis))
    if panel.left:
        panel.ax.set_ylabel(label)
