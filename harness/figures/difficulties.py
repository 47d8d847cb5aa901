"""How much a network has right of programs of each difficulty: digits of their numbers across, operations upwards."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from harness.figures import panels
from harness.figures.kind import COL, ROW, SEED, FigureKind
from harness.study.spec import StudySpec
from harness.verdicts.metrics import finished, metric_named

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from harness.statistics.frames import Frames

LABELS = {"exact_match": "whole answers right", "forced_accuracy": "digits right, given those before"}


class Difficulties(FigureKind):
    """One measure of the task of written programs at every difficulty, each panel a kind of network."""

    kind: Literal["difficulties"]
    measure: Literal["exact_match", "forced_accuracy"] = Field(
        "exact_match", description="share of whole answers right, or of digits when those before are given"
    )
    col: str | None = Field("curriculum", description=COL)
    row: str | None = Field(None, description=ROW)

    def draw(self, frames: Frames, study: StudySpec) -> Figure:
        return difficulties(frames.select(self.where).runs, measure=self.measure, col=self.col, row=self.row)

    def caption(self, study: StudySpec) -> str:
        label = LABELS[self.measure]
        return (
            f"Share of {label}: interquartile mean over the seeds of the panel, of one trained "
            "network judged on programs of each difficulty, digits of the numbers across and operations upwards. "
            f"Empty: harder than what the network was trained for.{self.about(study)}"
        )


def values_of(runs: pd.DataFrame, measure: str) -> Mapping[tuple[int, int], float]:
    """The metric by digits and operations, of the columns measure_d…_o… that have values."""
    import numpy as np

    done = finished(runs)
    at = {name: re.fullmatch(rf"{measure}_d(\d+)_o(\d+)", str(name)) for name in done.columns}
    return {
        (int(match[1]), int(match[2])): metric_named(str(name)).of(done, np.random.default_rng(SEED)).value
        for name, match in at.items()
        if match and done[name].notna().any()
    }


def difficulties(
    runs: pd.DataFrame, *, measure: str = "exact_match", col: str | None = "curriculum", row: str | None = None
) -> Figure:
    """Draw one measure as a heat map over digits and operations, its value in every cell.

    Args:
        runs: rows of the table of runs.
        measure: exact_match or forced_accuracy.
        col, row: columns.

    Raises:
        HarnessError: nothing was measured, or a column does not exist.
    """
    import numpy as np
    import seaborn as sns
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    from harness.figures import style

    name = f"{measure}_mean"
    known = runs[runs[name].notna()] if name in runs.columns else runs.iloc[:0]
    panels.demand(known, f"{measure} was recorded (record: {{codes: 1}})")
    most_digits, most_operations = np.max([*values_of(known, measure)], axis=0).tolist()
    with style.context():
        figure, grid = panels.panels(known, row, col, bar=style.BAR)
        for panel in grid:
            values = np.full((most_operations, most_digits), np.nan)
            for (digits, operations), value in (values_of(panel.frame, measure) if len(panel.frame) else {}).items():
                values[operations - 1, digits - 1] = value
            text = np.vectorize(lambda value: "" if np.isnan(value) else f"{value:.2f}".removeprefix("0"))(values)
            sns.heatmap(
                values, ax=panel.ax, vmin=0, vmax=1, cmap=style.rate_map(), cbar=False, annot=text, fmt="",
                linewidths=style.scaled(0.8), linecolor=style.paper(), annot_kws={"fontsize": style.small()},
            )  # fmt: skip
            _axes(panel, most_digits, most_operations)
        scale = ScalarMappable(Normalize(0, 1), style.rate_map())
        bar = figure.colorbar(scale, ax=[panel.ax for panel in grid], pad=0.02, aspect=24)
        bar.outline.set_linewidth(style.scaled(0.5))
        bar.set_label(LABELS[measure])
    return figure


def _axes(panel: panels.Panel, digits: int, operations: int) -> None:
    ax = panel.ax
    ax.set_xlim(0, digits)
    ax.set_ylim(0, operations)
    ax.set_xticks([d + 0.5 for d in range(digits)], [f"{d + 1}" for d in range(digits)], rotation=0)
    ax.set_yticks([o + 0.5 for o in range(operations)], [f"{o + 1}" for o in range(operations)], rotation=0)
    ax.tick_params(length=0, labelbottom=panel.bottom, labelleft=panel.left)
    panel.label_x("digits of a number")
    ax.set_ylabel("operations" if panel.left else "")
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
