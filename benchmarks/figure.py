"""The figure of docs/performance.md: how many times faster, against each peer, along each factor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from matplotlib.figure import Figure

from benchmarks.goals import GOALS
from benchmarks.measurement import Results
from benchmarks.sizes import CELLS, CENTRE, FACTORS, moved
from harness.figures import style

PEERS = {
    "batched": "bmm, recording",
    "batched, silent": "bmm, not recording",
    "module": "module, not recording",
    "jax": "JAX, recording",
}
ENDS = ("median", "low", "high")
FACTOR_NAMES = {"H": "units H", "T": "steps T", "B": "batch B", "R": "replicas R"}


def ticks(values: Sequence[int]) -> list[str]:
    """Labels of a logarithmic axis; a value too close to the one before goes without."""
    before = [0, *values]
    return [f"{value:,}" if value >= 1.5 * last else "" for value, last in zip(values, before, strict=False)]


def draw(results: Results) -> Figure:
    """One row a peer, one column a factor, one line a cell; dotted: the goal at the centre."""
    with style.context():
        figure = Figure(figsize=(style.DOUBLE, 6.1), layout="constrained")
        axes = figure.subplots(len(PEERS), len(FACTORS), sharex="col", sharey="row", squeeze=False)
        rows = results["step"].rows if "step" in results else ()
        measured = {(row.quantity, row.sizes): row for row in rows if row.unit == ""}
        goals = {goal.key: goal.bound for goal in GOALS}
        for i, (peer, title) in enumerate(PEERS.items()):
            for j, (factor, values) in enumerate(FACTORS.items()):
                ax = axes[i, j]
                for cell, colour, marker in zip(CELLS, style.colours("cell", CELLS), style.MARKERS, strict=False):
                    rows_at = {v: measured.get((peer, moved(replace(CENTRE, cell=cell), factor, v))) for v in values}
                    shown = {v: row for v, row in rows_at.items() if row is not None}
                    medians, low, high = ([getattr(row, end) for row in shown.values()] for end in ENDS)
                    ax.plot(list(shown), medians, color=colour, marker=marker, label=cell)
                    ax.vlines(list(shown), low, high, color=colour)
                    goal = goals[f"{peer} {cell}"]
                    if goal is not None:
                        ax.plot(
                            [getattr(CENTRE, factor)],
                            [goal],
                            color=colour,
                            marker="_",
                            markersize=9,
                            linestyle="",
                            zorder=4,
                        )
                ax.axhline(1, color=style.rule(), linewidth=0.6)
                ax.set_xscale("log", base=2)
                ax.set_xticks(values, ticks(values))
                ax.minorticks_off()
                style.guide(ax)
                if i == len(PEERS) - 1:
                    ax.set_xlabel(FACTOR_NAMES[factor])
            axes[i, 0].set_ylim(bottom=0)  # of the whole row, once all of it is drawn: it fixes the other end too
            axes[i, 0].set_ylabel(f"times faster than\n{title}")
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=len(CELLS))
    return figure
