"""How far a gradient reaches, drawn on the unrolled network: nodes shaded by ‖∂L/∂h_t‖, gates open or shut.

The node diagram of Graves 2012, "Supervised sequence labelling with recurrent neural networks", figures 4.1 and 4.4,
from measured numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from harness.figures import panels
from harness.figures.decay import COLUMN, at_update
from harness.figures.kind import FigureKind
from harness.figures.states import main_part, one_run, ranking
from harness.study import labels
from harness.study.spec import StudySpec

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from harness.statistics.frames import Frames

When = Literal["first", "last"]
INPUT, HIDDEN, OUTPUT = 0.0, 1.0, 2.0  # heights of the three layers
RADIUS = 0.27
# Where a gate's mark stands, from the hidden node: input gate below, forget gate left, output gate above.
PLACES: Mapping[str, tuple[float, float]] = {"i": (0.0, -0.5), "f": (-0.5, 0.0), "o": (0.0, 0.5)}
OPEN = 0.5  # a gate above this is drawn open


class Nodes(FigureKind):
    """The unrolled network of one run, its hidden nodes shaded by the size of the gradient that reaches them."""

    kind: Literal["nodes"]
    col: str | None = Field("cell", description="setting with a panel for each value, side by side")
    path: Literal["hidden", "cell"] = Field(
        "hidden", description="gradient of the hidden state, or of the cell state (where there is one)"
    )
    updates: Annotated[tuple[When, ...], Field(strict=False)] = Field(
        ("first", "last"), min_length=1, description="records, one below another: first (untrained), last"
    )
    keys: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        ("X", "Y"), min_length=1, description="the gates are those of the unit that best tells the first of these"
    )

    def draw(self, frames: Frames, study: StudySpec) -> Figure:
        chosen = frames.select(self.where)
        return nodes(
            chosen.gradients, chosen.extra.get("states"),
            col=self.col, path=self.path, updates=self.updates, keys=self.keys,
        )  # fmt: skip

    def caption(self, study: StudySpec) -> str:
        what = "∂L/∂h_t" if self.path == "hidden" else "∂L/∂c_t (of a cell without c: ∂L/∂h_t)"
        return (
            f"The network unrolled over time, inputs below, the loss at the last step. A hidden node is as dark as the "
            f"batch mean of ‖{what}‖ is there, as a share of the same at the last step, on a logarithmic scale that "
            f"all panels share; a crossed one is an exact zero. "
            f"Marks on an LSTM's edges are gates of one unit over one sequence after training (its symbols are "
            f"the inputs; the unit is the one that best tells {self.keys[0]}): input gate below, forget gate left, "
            f"output gate above a node, ○ above {OPEN:g} and – below. Gates are not kept before training. Each panel "
            f"is one run, that with the lowest seed.{self.about(study)}"
        )


@dataclass(frozen=True)
class Gates:
    """The gates of one unit over one sequence, by name, and the sequence's symbols."""

    unit: int
    symbols: list[str]
    values: Mapping[str, npt.NDArray[np.float64]]


def unit_gates(states: pd.DataFrame, keys: Sequence[str]) -> Gates | None:
    """Gates of the best unit of one run, over the first kept sequence that starts with `keys[0]`, else the first."""
    import numpy as np

    if states.empty:
        return None
    run = states[states["part"] == main_part(states)]
    unit = ranking(run, keys)[0][0]
    words = {row["sequence"]: list(row["symbols"]) for row in run.to_dict("records")}
    found = [s for s, each in sorted(words.items()) if next((w for w in each if w in keys), None) == keys[0]]
    sequence = (found or sorted(words))[0]
    mine = states[(states["unit"] == unit) & (states["sequence"] == sequence)].set_index("part")["values"]
    values = {name: np.asarray(mine[name], np.float64) for name in PLACES if name in mine.index}
    return Gates(int(unit), words[sequence], values)


def nodes(
    gradients: pd.DataFrame,
    states: pd.DataFrame | None = None,
    *,
    col: str | None = "cell",
    path: Literal["hidden", "cell"] = "hidden",
    updates: Sequence[When] = ("first", "last"),
    keys: Sequence[str] = ("X", "Y"),
) -> Figure:
    """Draw the unrolled network with its gradient, a row for each record, a column for each value of `col`.

    Args:
        gradients: rows of `Frames.gradients`.
        states: rows of the table of states; without it no gate is drawn.
        col: column; of several runs in a panel the lowest seed's is drawn.
        path: gradient of the hidden state, or of the cell state where there is one.
        updates: which records.
        keys: see `seen_labels` in harness/probes/switches.py.

    Raises:
        HarnessError: nothing was recorded, or there is no such column.
    """
    import numpy as np
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    from harness.figures import style
    from harness.figures.canvas import canvas

    panels.demand(gradients, "gradient was recorded")
    across = panels.levels(gradients, col)
    runs = [one_run(panels.part(gradients, col, level)) for level in across]
    records = [[at_update(run, update).iloc[0] for run in runs] for update in updates]
    levels = [[_levels(record, path) for record in line] for line in records]
    drawn = np.concatenate([each[np.isfinite(each)] for line in levels for each in line])
    low, high = (float(drawn.min()), float(drawn.max())) if drawn.size else (-1.0, 0.0)
    norm = Normalize(low, high if high > low else low + 1)
    with style.context():
        T = max(len(each) for line in levels for each in line)
        figure = canvas(style.diagram_size(len(across), len(updates), T))
        axes = figure.subplots(len(updates), len(across), squeeze=False)
        marked = False
        for i, update in enumerate(updates):
            for j, level in enumerate(across):
                record = records[i][j]
                gates = None
                if states is not None and update == "last":
                    gates = unit_gates(states[states["run_id"] == record["run_id"]], keys)
                marked |= gates is not None and bool(gates.values)
                _network(axes[i, j], levels[i][j], gates, norm)
                axes[i, j].set_title(_title(col, level, record, gates))
        bar = figure.colorbar(ScalarMappable(norm, style.shade_map()), ax=axes.ravel().tolist(), pad=0.01, aspect=24)
        bar.outline.set_visible(False)
        style.powers_of_ten(bar.ax.yaxis)
        state = "h" if path == "hidden" else "c"
        bar.set_label(rf"$\|\partial L/\partial {state}_t\|\ /\ \|\partial L/\partial {state}_T\|$")
        if marked:
            panels.legend(figure, _handles())
    return figure


def _levels(record: pd.Series[Any], path: str) -> npt.NDArray[np.float64]:
    """log10 ‖∂L/∂h_t‖ / ‖∂L/∂h_T‖, t = 1 … T; of c where asked and there is one. No share where nothing is at T."""
    import numpy as np

    asked = record[COLUMN[path]]
    levels = np.asarray(record[COLUMN["hidden"]] if asked is None or np.ndim(asked) == 0 else asked, np.float64)
    return levels - levels[-1] if np.isfinite(levels[-1]) else levels


def _title(col: str | None, level: object, record: pd.Series[Any], gates: Gates | None) -> str:
    name = "" if col is None else f"{labels.value(col, level)}, "
    when = "before training" if record["update"] == 0 else f"after {record['update']} updates"
    whose = f"; gates of unit {gates.unit}" if gates is not None and gates.values else ""
    return f"{name}{when}{whose}"


def _network(ax: Axes, levels: npt.NDArray[np.float64], gates: Gates | None, norm: Any) -> None:
    import numpy as np
    from matplotlib.patches import Circle

    from harness.figures import style

    T = len(levels)
    words = gates.symbols if gates is not None else [""] * T
    edge: dict[str, Any] = {"color": style.RULE, "linewidth": style.scaled(0.8), "zorder": 1}
    for t, level in enumerate(levels):
        last = t == T - 1
        ax.plot([t, t], [INPUT, HIDDEN], **edge)
        ax.plot([t, t], [HIDDEN, OUTPUT], **{**edge, "linestyle": "-" if last else ":"})
        if t > 0:
            ax.plot([t - 1, t], [HIDDEN, HIDDEN], **edge)
        known = np.isfinite(level)
        fill = style.shade_map()(norm(level)) if known else "white"
        ax.add_patch(
            Circle((t, HIDDEN), RADIUS, facecolor=fill, edgecolor=style.INK, linewidth=style.scaled(0.7), zorder=3)
        )
        if not known:
            ax.plot(t, HIDDEN, "x", color=style.FAINT, zorder=4)
        for height, solid in ((INPUT, True), (OUTPUT, last)):
            ax.add_patch(Circle(
                (t, height), RADIUS * 0.8, facecolor="white", edgecolor=style.INK if solid else style.RULE,
                linewidth=style.scaled(0.7 if solid else 0.5), zorder=3,
            ))  # fmt: skip
        ax.text(
            t, INPUT, words[t], fontsize=style.scaled(style.SMALL), ha="center", va="center_baseline", zorder=4,
            fontweight="bold" if words[t].isupper() else "normal",
        )  # fmt: skip
        if gates is not None:
            for name, values in gates.values.items():
                if name != "f" or t > 0:  # nothing is there to forget
                    _gate(ax, t + PLACES[name][0], HIDDEN + PLACES[name][1], bool(values[t] > OPEN))
    ax.text(T - 1, OUTPUT, "$L$", fontsize=style.scaled(style.SMALL), ha="center", va="center", zorder=4)
    ax.set_xlim(-0.6, T - 0.4)
    ax.set_ylim(INPUT - 0.4, OUTPUT + 0.4)
    ax.set_aspect("equal")
    ax.set_axis_off()


def _gate(ax: Axes, x: float, y: float, opened: bool) -> None:
    """○ or – on a white plate, so that the edge beneath is interrupted."""
    from harness.figures import style

    ax.plot(x, y, "s", color="white", markersize=style.scaled(5.0), markeredgewidth=0, zorder=2)
    mark: dict[str, Any] = (
        {"marker": "o", "markersize": style.scaled(3.6), "markerfacecolor": "white"}
        if opened
        else {"marker": "_", "markersize": style.scaled(4.2)}
    )
    ax.plot(x, y, linestyle="none", color=style.INK, markeredgewidth=style.scaled(0.8), zorder=5, **mark)


def _handles() -> list[Any]:
    from matplotlib.lines import Line2D

    from harness.figures import style

    shared: dict[str, Any] = {"linestyle": "none", "color": style.INK, "markeredgewidth": style.scaled(0.8)}
    return [
        Line2D([], [], marker="o", markerfacecolor="white", markersize=style.scaled(3.6), label="gate open", **shared),
        Line2D([], [], marker="_", markersize=style.scaled(4.2), label="gate closed", **shared),
    ]
