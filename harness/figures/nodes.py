"""How far a gradient reaches, drawn on the unrolled network: nodes shaded by ‖∂L/∂h_t‖, gates open or closed.

The node diagram of Graves 2012, "Supervised sequence labelling with recurrent neural networks", figures 4.1 and 4.4,
from measured numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from harness.figures import adjoint, panels, texts
from harness.figures.kind import COL, FigureKind
from harness.figures.layered import one_layer
from harness.figures.selection import at_update, one_run
from harness.figures.states import main_part, ranking
from harness.figures.steps import about_lengths, missing, shortest_of
from harness.study.spec import StudySpec

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from harness.schema import Values
    from harness.statistics.frames import Frames

WhichRecord = Literal["first", "last"]
INPUT, HIDDEN, OUTPUT = 0.0, 1.0, 2.0  # heights of the three layers
RADIUS = 0.27
# Where a gate's mark stands, from the hidden node: input gate below, forget gate left, output gate above.
PLACES: Mapping[str, tuple[float, float]] = {"i": (0.0, -0.5), "f": (-0.5, 0.0), "o": (0.0, 0.5)}
OPEN = 0.5  # a gate above this is drawn open


class Nodes(FigureKind):
    """The unrolled network of one run, its hidden nodes shaded by the size of the gradient that reaches them."""

    pooling = "Runs that differ in {} are not told apart: one of them is shown."
    kind: Literal["nodes"]
    col: str | None = Field("cell", description=COL)
    path: adjoint.GradientPath = Field(
        "hidden", description="gradient of the hidden state, or of the cell state (where there is one)"
    )
    statistic: adjoint.Statistic = Field("mean", description=adjoint.STATISTIC)
    updates: Annotated[tuple[WhichRecord, ...], Field(strict=False)] = Field(
        ("first", "last"), min_length=1, description="records, one below another: first (untrained), last"
    )
    keys: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        ("X", "Y"), min_length=1, description="the gates are those of the unit that best tells the first of these"
    )

    def draw(self, frames: Frames, study: StudySpec) -> Figure:
        selected = frames.select(self.where)
        return nodes(
            one_layer(selected.gradients, self.col), selected.extra.get("states"),
            col=self.col, path=self.path, statistic=self.statistic, updates=self.updates, keys=self.keys,
        )  # fmt: skip

    def caption(self, study: StudySpec) -> str:
        symbol = adjoint.SYMBOL[self.path] + (
            "" if self.path == "hidden" else f" (of a cell without c: {adjoint.SYMBOL['hidden']})"
        )
        return (
            f"The network unrolled over time, inputs below, the loss at the last step. A hidden node is as dark as the "
            f"{adjoint.OVER_BATCH[self.statistic]} of ‖{symbol}‖ is there, as a share of the same at the last step, on "
            f"a logarithmic scale that all panels share; a crossed one is an exact zero."
            f"{about_lengths(study, self.where, 'Steps that no sequence of the batch has are left out.')} "
            f"Marks on an LSTM's edges are gates of one unit over one sequence after training (its symbols are "
            f"the inputs; the unit is the one that best tells {self.keys[0]}): input gate below, forget gate left, "
            f"output gate above a node, ○ above {OPEN:g} and – below. Gates are not recorded before training. Each "
            f"panel is one run, that with the lowest seed.{self.about(study)}"
        )


@dataclass(frozen=True)
class Gates:
    """The gates of one unit over one sequence, by name, and the sequence's symbols."""

    unit: int
    symbols: list[str]
    values: Mapping[str, Values]


def unit_gates(states: pd.DataFrame, keys: Sequence[str]) -> Gates | None:
    """Gates of the best unit of one run, over the first recorded sequence whose first key is `keys[0]`, else the first.

    The best unit is the one that best tells that `keys[0]` has been seen: of all units its gates can be interpreted.
    """
    import numpy as np

    if states.empty:
        return None
    run = states[states["part"] == main_part(states)]
    unit = ranking(run, keys)[0][0]
    words = {row["sequence"]: list(row["symbols"]) for row in run.to_dict("records")}
    with_key = [s for s, each in sorted(words.items()) if next((w for w in each if w in keys), None) == keys[0]]
    sequence = (with_key or sorted(words))[0]
    parts = states[(states["unit"] == unit) & (states["sequence"] == sequence)].set_index("part")["values"]
    values = {name: np.asarray(parts[name], np.float64) for name in PLACES if name in parts.index}
    return Gates(int(unit), words[sequence], values)


def nodes(
    gradients: pd.DataFrame,
    states: pd.DataFrame | None = None,
    *,
    col: str | None = "cell",
    path: adjoint.GradientPath = "hidden",
    statistic: adjoint.Statistic = "mean",
    updates: Sequence[WhichRecord] = ("first", "last"),
    keys: Sequence[str] = ("X", "Y"),
) -> Figure:
    """Draw the unrolled network with its gradient, a row for each record, a column for each value of `col`.

    Args:
        gradients: rows of `Frames.gradients`.
        states: rows of the table of states; without it no gate is drawn.
        col: column; of several runs in a panel the lowest seed's is drawn.
        path: gradient of the hidden state, or of the cell state where there is one.
        statistic: of the norms over the batch.
        updates: which records.
        keys: see `seen_labels` in harness/probes/switches.py.

    Raises:
        HarnessError: nothing was recorded, or there is no such column.
    """
    from matplotlib.cm import ScalarMappable

    from harness.figures import style
    from harness.figures.canvas import canvas

    panels.demand(gradients, "gradient was recorded")
    adjoint.demand_statistic(gradients, ["hidden"], statistic)
    columns = panels.levels(gradients, col)
    runs = [one_run(panels.part(gradients, col, level)) for level in columns]
    records = [[at_update(run, update).iloc[0] for run in runs] for update in updates]
    shares = [[_log_shares(record, path, statistic) for record in row] for row in records]
    norm = style.log_norm([each for row in shares for each in row])  # one scale over all panels: they are compared
    with style.context():
        T = max(len(each) for row in shares for each in row)
        figure = canvas(style.diagram_size(len(columns), len(updates), T))
        axes = figure.subplots(len(updates), len(columns), squeeze=False)
        any_gates = False
        for i, update in enumerate(updates):
            for j, level in enumerate(columns):
                record = records[i][j]
                gates = None
                if states is not None and update == "last":  # states are recorded at the end of training only
                    gates = unit_gates(states[states["run_id"] == record["run_id"]], keys)
                any_gates |= gates is not None and bool(gates.values)
                _network(axes[i, j], shares[i][j], gates, norm, shortest_of(record))
                axes[i, j].set_title(_title(col, level, record, gates))
        bar = figure.colorbar(ScalarMappable(norm, style.shade_map()), ax=axes.ravel().tolist(), pad=0.01, aspect=24)
        bar.outline.set_visible(False)
        style.powers_of_ten(bar.ax.yaxis)
        state = "h" if path == "hidden" else "c"
        bar.set_label(rf"$\|\partial L/\partial {state}_t\|\ /\ \|\partial L/\partial {state}_T\|$")
        if any_gates:
            panels.legend(figure, _handles())
    return figure


def _log_shares(record: pd.Series[Any], path: str, statistic: str) -> Values:
    """log10 ‖∂L/∂h_t‖ / ‖∂L/∂h_T‖, t = 1 … T; of c with `path` "cell", of h in a cell without c.

    Where the gradient at T is an exact zero there is nothing to divide by, and the norms themselves are returned.
    """
    import numpy as np

    entries = record[adjoint.column_of(path, statistic)]
    if entries is None or np.ndim(entries) == 0:  # null, or pandas' NaN for it
        entries = record[adjoint.column_of("hidden", statistic)]
    log_norms = np.asarray(entries, np.float64)
    return log_norms - log_norms[-1] if np.isfinite(log_norms[-1]) else log_norms


def _title(col: str | None, level: object, record: pd.Series[Any], gates: Gates | None) -> str:
    name = "" if col is None else f"{texts.value(col, level)}, "
    when = "before training" if record["update"] == 0 else f"after {record['update']} updates"
    unit = f"; gates of unit {gates.unit}" if gates is not None and gates.values else ""
    return f"{name}{when}{unit}"


def _network(ax: Axes, shares: Values, gates: Gates | None, norm: Any, shortest: float) -> None:
    """Draw the network from the first step on that a sequence of the batch has."""
    import numpy as np
    from matplotlib.patches import Circle

    from harness.figures import style

    T, first = len(shares), missing(shares, shortest)
    words = gates.symbols if gates is not None else [""] * T
    edge: dict[str, Any] = {"color": style.rule(), "linewidth": style.scaled(0.8), "zorder": 1}
    for t in range(first, T):
        share = shares[t]
        # Edges: input to hidden, hidden to hidden; to the outputs dotted, since only the last one has a loss.
        last = t == T - 1
        ax.plot([t, t], [INPUT, HIDDEN], **edge)
        ax.plot([t, t], [HIDDEN, OUTPUT], **{**edge, "linestyle": "-" if last else ":"})
        if t > first:
            ax.plot([t - 1, t], [HIDDEN, HIDDEN], **edge)
        # The hidden node is shaded by the gradient; an exact zero has no logarithm: it is white, and crossed.
        known = np.isfinite(share)
        fill = style.shade_map()(norm(share)) if known else style.paper()
        ax.add_patch(
            Circle((t, HIDDEN), RADIUS, facecolor=fill, edgecolor=style.ink(), linewidth=style.scaled(0.7), zorder=3)
        )
        if not known:
            ax.plot(t, HIDDEN, "x", color=style.faint(), zorder=4)
        for height, solid in ((INPUT, True), (OUTPUT, last)):
            ax.add_patch(Circle(
                (t, height), RADIUS * 0.8, facecolor=style.paper(), edgecolor=style.ink() if solid else style.rule(),
                linewidth=style.scaled(0.7 if solid else 0.5), zorder=3,
            ))  # fmt: skip
        ax.text(
            t, INPUT, words[t], fontsize=style.small(), ha="center", va="center_baseline", zorder=4,
            fontweight="bold" if words[t].isupper() else "normal",
        )  # fmt: skip
        if gates is not None:
            for name, values in gates.values.items():
                if name != "f" or t > 0:  # before the first step there is no state to forget
                    _gate(ax, t + PLACES[name][0], HIDDEN + PLACES[name][1], bool(values[t] > OPEN))
    ax.text(T - 1, OUTPUT, "$L$", fontsize=style.small(), ha="center", va="center", zorder=4)
    ax.set_xlim(-0.6, T - 0.4)
    ax.set_ylim(INPUT - 0.4, OUTPUT + 0.4)
    ax.set_aspect("equal")
    ax.set_axis_off()


def _gate(ax: Axes, x: float, y: float, opened: bool) -> None:
    """○ or – on a white plate, so that the edge beneath is interrupted."""
    from harness.figures import style

    ax.plot(x, y, "s", color=style.paper(), markersize=style.scaled(5.0), markeredgewidth=0, zorder=2)
    mark: dict[str, Any] = (
        {"marker": "o", "markersize": style.scaled(3.6), "markerfacecolor": style.paper()}
        if opened
        else {"marker": "_", "markersize": style.scaled(4.2)}
    )
    ax.plot(x, y, linestyle="none", color=style.ink(), markeredgewidth=style.scaled(0.8), zorder=5, **mark)


def _handles() -> list[Any]:
    from matplotlib.lines import Line2D

    from harness.figures import style

    shared: dict[str, Any] = {"linestyle": "none", "color": style.ink(), "markeredgewidth": style.scaled(0.8)}
    return [
        Line2D(
            [],
            [],
            marker="o",
            markerfacecolor=style.paper(),
            markersize=style.scaled(3.6),
            label="gate open",
            **shared,
        ),
        Line2D([], [], marker="_", markersize=style.scaled(4.2), label="gate closed", **shared),
    ]
