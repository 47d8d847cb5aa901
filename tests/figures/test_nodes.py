"""The node diagram's shades are the recorded adjoints, its marks the recorded gates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba
from matplotlib.patches import Circle
from synthetic_results import point, simulate

from harness.errors import HarnessError
from harness.figures import style
from harness.figures.nodes import HIDDEN, nodes, unit_gates

T = 20
SEQUENCES = ("YabcXabcdaXabcdabcdE"[:T], "BaXbcdabcdYabcdabcdE")


def gradients(cell: str = "lstm") -> pd.DataFrame:
    return simulate([point(cell, T, 1.0)], seeds=[1, 0]).frames.gradients


def state_table(run_id: str) -> pd.DataFrame:
    """Unit 1 is the switch; its forget gate opens at step 10, its input gate is open at X alone, its output never."""
    rows = []
    for sequence, text in enumerate(SEQUENCES):
        words = list(text)
        at = np.arange(T)
        seen = at >= 2 if sequence == 1 else at < 0
        gates = {"i": np.array([float(word == "X") for word in words]), "f": (at >= 10) * 1.0, "o": np.zeros(T)}
        for unit in range(2):
            for part, values in {"c": 2.0 * seen * unit, **gates}.items():
                rows.append({
                    "run_id": run_id, "seed": 0, "sequence": sequence, "symbols": words, "answer": "Q", "part": part,
                    "unit": unit, "values": values if unit else np.full(T, 0.4),
                })  # fmt: skip
    return pd.DataFrame(rows)


def shades(ax: Any) -> list[Any]:
    hidden = [each for each in ax.patches if isinstance(each, Circle) and each.center[1] == HIDDEN]
    return [each.get_facecolor() for each in sorted(hidden, key=lambda each: each.center[0])]


def test_a_node_is_as_dark_as_the_adjoint_is_large() -> None:
    frame = gradients("rnn")
    record = frame[(frame["seed"] == 0) & (frame["update"] == 0)].iloc[0]
    levels = np.asarray(record["log10_adjoint"], dtype=float)
    drawn = shades(nodes(frame, updates=("first",)).axes[0])
    share = (levels - levels.min()) / (levels.max() - levels.min())
    assert drawn == [pytest.approx(to_rgba(style.shade_map()(each))) for each in share]
    darkness = [-sum(shade[:3]) for shade in drawn]
    assert np.argmax(darkness) == np.argmax(levels)
    assert np.argmin(darkness) == np.argmin(levels)


def test_an_exact_zero_is_crossed_and_has_no_shade() -> None:
    frame = gradients("rnn")
    cut = [np.where(np.arange(T) < 5, -np.inf, np.asarray(cell)) for cell in frame["log10_adjoint"]]
    ax = nodes(frame.assign(log10_adjoint=cut), updates=("first",)).axes[0]
    assert shades(ax)[:5] == [to_rgba("white")] * 5
    assert [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "x"] == [0, 1, 2, 3, 4]


def test_the_gates_are_those_of_the_unit_that_turns_on_at_x() -> None:
    gates = unit_gates(state_table("r"), ("X", "Y"))
    assert gates is not None
    assert gates.unit == 1
    assert "".join(gates.symbols) == SEQUENCES[1]  # the one that starts with X
    assert gates.values["f"].tolist() == [0.0] * 10 + [1.0] * 10


def test_open_gates_are_circles_and_closed_ones_dashes() -> None:
    frame = gradients()
    run_id = frame[frame["seed"] == 0]["run_id"].iloc[0]
    figure = nodes(frame, state_table(run_id))
    untrained, trained = (ax for ax in figure.axes if ax.get_title())
    assert not [line for line in untrained.lines if line.get_marker() in ("o", "_")]
    assert trained.get_title().endswith("gates of unit 1")

    def marks(marker: str) -> set[tuple[float, float]]:
        drawn = (line for line in trained.lines if line.get_marker() == marker)
        return {(float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in drawn}

    forget = {(t - 0.5, HIDDEN) for t in range(1, T)}
    assert marks("o") == {(2.0, HIDDEN - 0.5)} | {(x, y) for x, y in forget if x > 9}
    assert marks("_") == ({(float(t), HIDDEN - 0.5) for t in range(T) if t != 2}
                          | {(x, y) for x, y in forget if x < 9.5} - {(9.5, HIDDEN)}
                          | {(float(t), HIDDEN + 0.5) for t in range(T)})  # fmt: skip


def test_of_a_cell_without_a_cell_state_the_hidden_path_is_drawn() -> None:
    hidden, cell = (
        shades(nodes(gradients("rnn"), path=path, updates=("last",)).axes[0]) for path in ("hidden", "cell")
    )
    assert hidden == cell


def test_the_lowest_seed_is_drawn_and_its_updates_named() -> None:
    frame = gradients()
    last = int(frame[frame["seed"] == 0]["update"].max())
    titles = [ax.get_title() for ax in nodes(frame).axes if ax.get_title()]
    assert titles == ["lstm, before training", f"lstm, after {last} updates"]


def test_nothing_to_draw_is_an_error() -> None:
    with pytest.raises(HarnessError, match="no gradient was recorded"):
        nodes(gradients().iloc[:0])
