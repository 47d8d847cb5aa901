"""Gates set by hand as switches: what each does to the state, and the deviation if they are not exactly 0 or 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from harness.figures import panels, texts
from harness.figures.kind import FigureKind
from harness.figures.selection import one_run
from harness.figures.states import heat, matrix, scale, spell
from harness.study.matching import matches
from harness.study.spec import StudySpec
from harness.theory.switches import SWITCHES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from harness.statistics.frames import Frames

PARTS = ("c", "h")
MOST_COLUMNS = 3  # of switches side by side


class Switches(FigureKind):
    """The states of one sequence under each switch of gate surgery, one column of panels a switch."""

    pooling = "Runs that differ in {} are not told apart: one of them is shown."
    kind: Literal["switches"]

    def columns(self) -> tuple[str, ...]:
        return ("switch",)

    def draw(self, frames: Frames, study: StudySpec) -> Figure:
        selected = frames.select(self.where)
        panels.demand(selected.runs, "run matches")
        return switches(selected.table("states"))

    def caption(self, study: StudySpec) -> str:
        return (
            "One sequence through one untrained LSTM (the lowest seed), once for each switch; above the cell state c, "
            "below the hidden state h, one row a unit, one column a symbol. Between the two lines the gates are set by "
            "hand as the title says; before and after they are the network's own. Colour is tanh of the state."
            f"{self.about(study)}"
        )

    def crowded(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        several = any(sum(matches(row, {"switch": name}) for row in rows) > 1 for name in SWITCHES)
        return ["a switch has one column of panels, here are several settings: name one in where"] if several else []


class SwitchError(FigureKind):
    """Largest deviation from a switch's promise against the strength with which gates are set."""

    pooling = "Runs that differ in {} are pooled: each counts as one."
    kind: Literal["switch_error"]

    def columns(self) -> tuple[str, ...]:
        return ("strength", "switch")

    def draw(self, frames: Frames, study: StudySpec) -> Figure:
        return switch_error(frames.select(self.where).runs)

    def caption(self, study: StudySpec) -> str:
        return (
            "Largest deviation from what a switch promises, when the gates it sets are σ(±s) instead of 1 and 0: one "
            "point a switch and strength s, bars from the smallest to the largest of the seeds. Dashed: e⁻ˢ. Exact "
            f"gates (no strength) are not on this axis: see the verdicts.{self.about(study)}"
        )


def gates_text(switch: str) -> str:
    """'keep: i = 0, f = 1'."""
    values = ", ".join(f"{gate} = {int(up)}" for gate, up in SWITCHES[switch].items())
    return f"{switch}: {values}" if values else "the network's own"


def switches(frame: pd.DataFrame) -> Figure:
    """Draw c and h of one sequence under each switch.

    Args:
        frame: rows of the table of states, joined with their runs' settings `switch`, `first` and `last`.

    Raises:
        HarnessError: nothing was recorded.
    """
    from harness.figures import style
    from harness.figures.canvas import canvas, width

    panels.demand(frame, "state was recorded")
    present = [name for name in SWITCHES if (frame["switch"] == name).any()]
    with style.context():
        # Blocks of two rows, c above h, with up to three switches side by side; what is left over stays empty.
        units = int(frame["unit"].max()) + 1
        columns, blocks = min(MOST_COLUMNS, len(present)), -(-len(present) // MOST_COLUMNS)
        figure = canvas(style.stack_size(len(PARTS) * blocks, units))
        axes = figure.subplots(len(PARTS) * blocks, columns, squeeze=False)
        for each in axes.ravel():
            each.set_axis_off()
        for i, name in enumerate(present):
            run = one_run(frame[frame["switch"] == name])
            sequence = run[run["sequence"] == run["sequence"].min()]
            for k, part in enumerate(PARTS):
                ax = axes[len(PARTS) * (i // columns) + k, i % columns]
                ax.set_axis_on()
                state = sequence[sequence["part"] == part].set_index("unit")
                image = heat(ax, matrix(state, sorted(state.index)), part)
                spell(ax, list(state["symbols"].iloc[0]), "", width(figure) / columns)
                ax.set_yticks([])
                if name != "none":
                    _mark_steps(ax, int(run["first"].iloc[0]), int(run["last"].iloc[0]))
                if k == 0:
                    ax.set_title(gates_text(name))
                    ax.set_xticks([])
                if i % columns == 0:
                    ax.set_ylabel(f"${part}$", rotation=0, labelpad=style.scaled(7), va="center")
        scale(figure, image, axes.ravel().tolist(), "c")
        figure.axes[-1].set_ylabel("state")
    return figure


def switch_error(runs: pd.DataFrame) -> Figure:
    """Draw the largest deviation against the strength, a series for each switch.

    Args:
        runs: rows of the table of runs of gate surgery.

    Raises:
        HarnessError: no run has a strength and a deviation.
    """
    import numpy as np

    from harness.figures import style
    from harness.figures.canvas import canvas

    panels.demand(runs, "run matches")
    known = runs[runs["strength"].notna() & runs["switch_error"].notna()]
    panels.demand(known, "run has a strength")
    present = [name for name in SWITCHES if (known["switch"] == name).any()]
    with style.context():
        figure = canvas(style.size(1, 1))
        ax = figure.subplots()
        for i, (name, colour) in enumerate(zip(present, style.colours("switch", present), strict=True)):
            groups = known[known["switch"] == name].groupby("strength")["switch_error"]
            at = groups.median().index.to_numpy(dtype=float)
            middle, low, high = (each.to_numpy() for each in (groups.median(), groups.min(), groups.max()))
            ax.errorbar(
                at, middle, yerr=[middle - low, high - middle], color=colour, marker=style.MARKERS[i], label=name,
                linewidth=style.scaled(0.8), elinewidth=style.scaled(0.8),
            )  # fmt: skip
        ends = np.array([known["strength"].min(), known["strength"].max()])
        # σ(−s) = 1/(1 + eˢ) ≈ e⁻ˢ: how far a gate set with strength s is from exactly 0 or 1
        ax.plot(
            ends,
            np.exp(-ends),
            color=style.ink(),
            linestyle=style.DASHED,
            linewidth=style.scaled(0.7),
            label=r"$e^{-s}$",
        )
        ax.set_yscale("log")
        ax.minorticks_off()
        style.guide(ax)
        ax.set_xlabel(texts.axis("strength", "pre-activation s"))
        ax.set_ylabel("largest deviation")
        theory, *measured = ax.get_legend_handles_labels()[0]
        panels.legend(figure, [*measured, theory])
    return figure


def _mark_steps(ax: Axes, first: int, last: int) -> None:
    """Lines around the steps (counted from 1) at which the gates are set by hand."""
    from harness.figures import style

    for edge in (first - 1.5, last - 0.5):
        ax.axvline(edge, color=style.ink(), linewidth=style.scaled(0.8))
