"""A measured quantity along its axis: mean and band over seeds, with the theory's prediction drawn over it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from harness.figures import panels, texts
from harness.figures.kind import COL, HUE, ROW, SEED, FigureKind
from harness.figures.selection import RecordedUpdate, at_update
from harness.study import labels
from harness.study.spec import StudySpec

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from harness.statistics.frames import Frames

Log = Literal["none", "x", "y", "both"]


class ProfileFigure(FigureKind):
    """One quantity of the table of profiles, with its theory dashed."""

    kind: Literal["profile"]
    quantity: str = Field(description="which quantity, by its name in the table of profiles")
    hue: str | None = Field(None, description=HUE)
    col: str | None = Field(None, description=COL)
    row: str | None = Field(None, description=ROW)
    update: RecordedUpdate = Field(
        "first", description="which record of each run: first, last, or that of one recorded update"
    )
    log: Log = Field("none", description="which axes are logarithmic")
    label: str | None = Field(None, description="what the vertical axis says; default: the quantity's name")

    def draw(self, frames: Frames, study: StudySpec) -> Figure:
        return profile(
            frames.select(self.where).table("profiles"), self.quantity,
            hue=self.hue, col=self.col, row=self.row, update=self.update, log=self.log, label=self.label,
        )  # fmt: skip

    def caption(self, study: StudySpec) -> str:
        return (
            f"{self.label or labels.axis(self.quantity)}: lines are means over seeds, bands their bootstrap 95 % "
            f"intervals. Dashed: the theory's prediction, where there is one.{self.about(study)}"
        )


def profile(
    profiles: pd.DataFrame,
    quantity: str,
    *,
    hue: str | None = None,
    col: str | None = None,
    row: str | None = None,
    update: RecordedUpdate = "first",
    log: Log = "none",
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
        HarnessError: nothing was recorded for this choice, or a column does not exist.
    """
    from matplotlib.lines import Line2D

    from harness.figures import style

    known = at_update(profiles[profiles["quantity"] == quantity], update)
    panels.demand(known, f"profile of '{quantity}' was recorded")
    hues = panels.levels(known, hue)
    colours = style.colours(hue, hues)
    any_theory = False
    with style.context():
        figure, grid = panels.panels(known, row, col)
        for panel in grid:
            for level, colour in zip(hues, colours, strict=True):
                any_theory |= _lines(panel.ax, panels.part(panel.frame, hue, level), colour)
            _axes(panel, str(known["axis"].iloc[0]), label or texts.axis(quantity), log)
        handles = panels.hue_handles(hue, hues, colours)
        if any_theory:
            width = style.scaled(0.8)
            handles.append(Line2D([], [], color=style.ink(), linestyle=style.DASHED, linewidth=width, label="theory"))
        panels.legend(figure, handles, title=panels.hue_title(hue))
    return figure


def _lines(ax: Axes, group: pd.DataFrame, colour: str) -> bool:
    """Draw mean, band and theory of a group, a line for each set of positions; whether there was a theory."""
    import numpy as np

    from harness.figures import style
    from harness.statistics.frames import overflow
    from harness.statistics.intervals import finite_mean, mean_band, seed_means

    any_theory = False
    # Runs whose axes differ (other sequence lengths, say) have no common mean: each set of positions has its own line.
    for at, same in group.groupby(group["at"].map(tuple), sort=True):
        x = np.asarray(at, dtype=np.float64)
        measured = np.stack([np.asarray(values, dtype=np.float64) for values in same["measured"]])
        if "outcome" in same.columns:  # NaN of a diverged run is no position at which nothing was measured
            diverged = (same["outcome"] == "diverged").to_numpy(dtype=bool)
            measured[diverged] = overflow(measured[diverged])
        band = mean_band(seed_means(measured, same["seed"]), np.random.default_rng(SEED))
        marker = "o" if len(x) == 1 else ""  # a line needs two points
        ax.plot(x, band.mean, color=colour, marker=marker, markersize=style.scaled(3), zorder=3)
        ax.fill_between(x, band.low, band.high, color=colour, alpha=0.22, linewidth=0, zorder=2)
        theories = [np.asarray(values, dtype=np.float64) for values in same["theory"] if values is not None]
        if theories:
            theory = finite_mean(np.stack(theories))
            marker = "_" if np.isfinite(theory).sum() == 1 else ""
            ax.plot(
                x, theory, color=style.ink(), linestyle=style.DASHED, linewidth=style.scaled(0.8), zorder=4,
                marker=marker, markersize=style.scaled(9), markeredgewidth=style.scaled(1),
            )  # fmt: skip
            any_theory = True
    return any_theory


def _axes(panel: panels.Panel, axis: str, label: str, log: Log) -> None:
    from harness.figures import style

    style.guide(panel.ax)
    if log in ("x", "both"):
        panel.ax.set_xscale("log")
    if log in ("y", "both"):
        panel.ax.set_yscale("log")
    panel.label_x(texts.axis(axis))
    if panel.left:
        panel.ax.set_ylabel(label)
