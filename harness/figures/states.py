"""The state of a network over a few sequences: a row a unit, a column a symbol of the input.

Units that tell that a symbol has been seen come first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from harness.figures import panels
from harness.figures.kind import FigureKind
from harness.figures.selection import one_run
from harness.study.matching import ordered
from harness.study.spec import StudySpec

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

    from harness.schema import Values
    from harness.statistics.frames import Frames

FULL = 2.5  # a state of this size has almost full colour: tanh(2.5) = .987
TICKS = (-FULL, -1.0, -0.5, 0.0, 0.5, 1.0, FULL)
SYMBOL: Mapping[str, str] = {"c": "cell state c", "h": "hidden state h", "g": "candidate g", "n": "candidate n"}
GATES = ("i", "f", "o", "r", "z")


class States(FigureKind):
    """The states of one run over a few sequences of each class."""

    pooling = "Runs that differ in {} are not told apart: one of them is shown."
    kind: Literal["states"]
    part: str | None = Field(
        None, description="h, c, or a gate by its name; null: the cell state where there is one, else the hidden state"
    )
    keys: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        ("X", "Y"),
        min_length=1,
        description="units are ranked by how well they tell that the first of these symbols has been seen",
    )
    per_class: int = Field(2, ge=1, description="sequences of each class")
    units: int = Field(12, ge=1, description="units shown, the best first")

    def draw(self, frames: Frames, study: StudySpec) -> Figure:
        selected = frames.select(self.where)
        panels.demand(selected.runs, "run matches")
        return states(
            selected.table("states"), part=self.part, keys=self.keys, per_class=self.per_class, units=self.units
        )

    def caption(self, study: StudySpec) -> str:
        return (
            "State of one run (named above) after training: one row a unit, one column a symbol of the input, printed "
            f"below; two sequences side by side belong to one class. Colour is tanh of the state, so that ±{FULL} is "
            f"almost full colour. Units are ranked by |2·AUC − 1| (right): how surely one threshold on a unit's value "
            f"tells that {self.keys[0]} has been seen, in all recorded sequences up to the second of "
            f"{', '.join(self.keys)}; 1 is always, 0 no better than chance. A line marks each {self.keys[0]}. Of "
            f"several runs the one with the lowest seed is shown.{self.about(study)}"
        )

    def crowded(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        return (
            [] if len(rows) == 1 else ["the states are those of one run, here are several settings: name one in where"]
        )


def main_part(frame: pd.DataFrame) -> str:
    """The part "c" where there is a cell state, else "h"."""
    return "c" if (frame["part"] == "c").any() else "h"


def ranking(rows: pd.DataFrame, keys: Sequence[str]) -> list[tuple[int, float]]:
    """Units of one part of one run with their scores, the best first; a unit without a score (NaN) comes last.

    See `switch_scores` in harness/probes/switches.py.
    """
    from harness.probes.switches import scores

    records: Any = rows[["sequence", "symbols", "unit", "values"]].to_dict("records")
    return sorted(scores(records, keys).items(), key=lambda item: (-item[1] if item[1] == item[1] else 1.0, item[0]))


def states(
    frame: pd.DataFrame,
    *,
    part: str | None = None,
    keys: Sequence[str] = ("X", "Y"),
    per_class: int = 2,
    units: int = 12,
) -> Figure:
    """Draw one run's states, a row of panels for each class.

    Args:
        frame: rows of the table of states, joined with their runs'; of several runs the lowest seed's is drawn.
        part: h, c, or a gate; None: c where there is one.
        keys: what the units are ranked by; see `seen_labels` in harness/probes/switches.py.
        per_class: sequences of each class.
        units: how many are shown.

    Raises:
        HarnessError: this part was not recorded.
    """
    from harness.figures import style
    from harness.figures.canvas import canvas, width

    panels.demand(frame, "state was recorded")
    run = one_run(frame)
    part = part or main_part(run)
    rows = run[run["part"] == part]
    panels.demand(rows, f"part '{part}' was recorded (there are {', '.join(sorted(run['part'].unique()))})")
    ranked = ranking(rows, keys)[:units]
    answers = ordered(rows["answer"].unique())
    with style.context():
        figure = canvas(style.stack_size(len(answers), len(ranked)))
        axes = figure.subplots(len(answers), per_class, squeeze=False)
        images: list[ScalarMappable] = []
        order = [unit for unit, _ in ranked]
        for i, answer in enumerate(answers):
            ids = sorted(rows.loc[rows["answer"] == answer, "sequence"].unique())[:per_class]
            for j, ax in enumerate(axes[i]):
                if j >= len(ids):  # a class of which fewer sequences were recorded
                    ax.set_axis_off()
                    continue
                sequence = rows[rows["sequence"] == ids[j]].set_index("unit")
                images.append(heat(ax, matrix(sequence, order), part))
                spell(ax, list(sequence["symbols"].iloc[0]), keys[0], width(figure) / per_class)
                ax.set_yticks(range(len(order)), [str(unit) for unit in order] if j == 0 else [])
                if j == 0:
                    ax.set_ylabel(f"class {answer}")
                if j in (per_class - 1, len(ids) - 1):
                    _scores(ax, [score for _, score in ranked], title=i == 0)
        settings = run.iloc[0]
        figure.suptitle(f"{settings.get('cell', '')}, seed {settings['seed']}: {SYMBOL.get(part, f'gate {part}')}")
        scale(figure, images[0], axes.ravel().tolist(), part)
    return figure


def matrix(sequence: pd.DataFrame, units: Sequence[int]) -> Values:
    """Values (U, T) of one sequence, from rows that are indexed by unit."""
    import numpy as np

    return np.stack([np.asarray(sequence.loc[unit, "values"], np.float64) for unit in units])


def heat(ax: Axes, values: Values, part: str) -> ScalarMappable:
    """Values (U, T) as colours: tanh of a state, on a diverging map; a gate as it is, from 0 to 1."""
    import numpy as np

    from harness.figures import style

    gate = part in GATES
    shades, low = (style.rate_map(), 0.0) if gate else (style.diverging_map(), -1.0)
    shown = values if gate else np.tanh(values)
    image = ax.imshow(shown, cmap=shades, vmin=low, vmax=1.0, aspect="auto", interpolation="none")
    ax.tick_params(length=0, pad=style.scaled(1.5))
    for side in ("top", "right", "left", "bottom"):
        ax.spines[side].set_visible(False)
    return image


def spell(ax: Axes, words: Sequence[str], symbol: str, inches: float) -> None:
    """The symbols below their columns, upper case in bold; a line stands before each occurrence of `symbol`.

    Args:
        ax: the heat map of one sequence.
        words: the symbols.
        symbol: which of them is marked.
        inches: width of the panel, to which the letters shrink.
    """
    from harness.figures import style

    column = 0.8 * inches * 72 / max(len(words), 1)  # points; the other fifth is labels and gaps
    ax.set_xticks(range(len(words)), list(words), fontsize=min(style.small(), 1.3 * column))
    for t, (word, text) in enumerate(zip(words, ax.get_xticklabels(), strict=True)):
        text.set_color(style.ink() if word.isupper() else style.faint())
        text.set_fontweight("bold" if word.isupper() else "normal")
        if word == symbol:
            ax.axvline(t - 0.5, color=style.ink(), linewidth=style.scaled(0.7))


def scale(figure: Figure, image: ScalarMappable, axes: Sequence[Axes], part: str) -> None:
    """The colour bar, labelled with states rather than with their tanh."""
    import numpy as np

    bar = figure.colorbar(image, ax=list(axes), pad=0.01, aspect=40)
    bar.outline.set_visible(False)
    if part not in GATES:
        bar.set_ticks(np.tanh(TICKS).tolist(), labels=[f"{tick:g}".replace("-", "−") for tick in TICKS])
    bar.set_label(SYMBOL.get(part, f"gate {part}"))


def _scores(ax: Axes, scores: Sequence[float], *, title: bool) -> None:
    from harness.figures import style

    marks: dict[str, Any] = {"fontsize": style.small(), "color": style.faint(), "va": "center", "ha": "left"}
    for row, score in enumerate(scores):
        ax.text(1.012, row, f"{score:.2f}", transform=ax.get_yaxis_transform(), **marks)
    if title:
        ax.text(1.012, -1.0, "score", transform=ax.get_yaxis_transform(), **marks)
