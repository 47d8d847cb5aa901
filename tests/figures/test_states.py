"""The heat map shows the recorded states, the unit that turns on at the first X on top."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.errors import HarnessError
from harness.figures import style
from harness.figures.selection import one_run
from harness.figures.states import FULL, ranking, states
from harness.figures.switches import gates_text, switch_error, switches
from harness.theory.switches import SWITCHES

WORDS = {"Q": "BaXbbXaE", "R": "BXabbYcE", "S": "BaYccXdE", "U": "BYcdYdaE"}
UNITS = ("constant", "off at X", "on at X")  # unit 2 is the switch, unit 1 nearly one


def state_table(part: str = "c", seed: int = 0) -> pd.DataFrame:
    """Three sequences a class of a synthetic network."""
    rows = []
    for sequence in range(12):
        answer = "QRSU"[sequence % 4]
        words = list(WORDS[answer])
        keys = [t for t, word in enumerate(words) if word in "XY"]
        seen = np.arange(8) >= (keys[0] if words[keys[0]] == "X" else 8)
        blurred = np.where(np.arange(8) == keys[0], 0.0, np.where(seen, -1.0, 0.0))
        for unit, values in enumerate((np.full(8, 0.2), blurred, 3.0 * seen)):
            rows.append({
                "run_id": f"r{seed}", "seed": seed, "cell": "lstm", "sequence": sequence, "symbols": words,
                "answer": answer, "part": part, "unit": unit, "values": values,
            })  # fmt: skip
    return pd.DataFrame(rows)


def images(figure: Any) -> list[Any]:
    return [ax.images[0].get_array() for ax in figure.axes if ax.images]


def test_the_unit_that_turns_on_at_the_first_x_scores_one_and_a_constant_none() -> None:
    ranked = ranking(state_table(), ("X", "Y"))
    assert [unit for unit, _ in ranked] == [2, 1, 0]
    assert (ranked[0][1], ranked[2][1]) == (1.0, 0.0)
    assert 0.5 < ranked[1][1] < 1


def test_the_picture_is_tanh_of_the_states_best_unit_first() -> None:
    figure = states(state_table())
    panels = images(figure)
    assert len(panels) == 8  # two of each class
    assert [ax.get_ylabel() for ax in figure.axes if ax.images][::2] == [f"class {name}" for name in "QRSU"]
    seen = np.arange(8) >= 2
    np.testing.assert_allclose(panels[0][0], np.tanh(3.0 * seen))
    np.testing.assert_allclose(panels[0][2], np.tanh(0.2))
    assert np.tanh(FULL) > 0.98
    top = next(ax for ax in figure.axes if ax.images)
    assert [tick.get_text() for tick in top.get_yticklabels()] == ["2", "1", "0"]
    assert "".join(tick.get_text() for tick in top.get_xticklabels()) == WORDS["Q"]
    assert [line.get_xdata()[0] for line in top.lines] == [1.5, 4.5]  # before each X


def test_units_and_per_class_set_how_many_are_shown() -> None:
    panels = images(states(state_table(), units=1, per_class=3))
    assert [panel.shape for panel in panels] == [(1, 8)] * 12


def test_the_cell_state_is_shown_where_there_is_one() -> None:
    both = pd.concat([state_table("h").assign(values=[np.zeros(8)] * 36), state_table("c")])
    assert images(states(both))[0].max() > 0.9
    assert images(states(both, part="h"))[0].max() == 0
    assert images(states(state_table("h")))[0].max() > 0.9


def test_a_gate_is_shown_from_zero_to_one_without_tanh() -> None:
    [first, *_] = [ax.images[0] for ax in states(state_table("f").assign(values=[np.full(8, 0.9)] * 36), part="f").axes
                   if ax.images]  # fmt: skip
    assert first.get_clim() == (0.0, 1.0)
    assert float(first.get_array().max()) == 0.9


def test_of_several_runs_the_lowest_seed_is_shown() -> None:
    assert set(one_run(pd.concat([state_table(seed=4), state_table(seed=2)]))["run_id"]) == {"r2"}


def test_the_same_states_give_the_same_bytes() -> None:
    assert style.encode(states(state_table()), "png") == style.encode(states(state_table()), "png")


def test_a_part_that_was_not_recorded_is_an_error() -> None:
    with pytest.raises(HarnessError, match=r"part 'z' was recorded \(there are c\)"):
        states(state_table(), part="z")


def test_a_switch_has_a_panel_for_c_and_one_for_h() -> None:
    both = pd.concat([state_table("c"), state_table("h")])
    frame = pd.concat([both.assign(switch=name, first=3, last=5, run_id=name) for name in SWITCHES])
    figure = switches(frame)
    assert len(images(figure)) == 2 * len(SWITCHES)
    titles = [ax.get_title() for ax in figure.axes if ax.get_title()]
    assert titles == [gates_text(name) for name in SWITCHES]
    shown = next(ax for ax in figure.axes if ax.get_title() == gates_text("keep"))
    assert [line.get_xdata()[0] for line in shown.lines] == [1.5, 4.5]  # around steps 3 … 5, counted from 1


def test_deviations_are_drawn_against_the_strength() -> None:
    strengths = np.array([2.0, 5.0, 10.0])
    rows = [
        {"switch": name, "strength": s, "switch_error": k * np.exp(-s), "seed": k}
        for name in ("keep", "reset") for s in strengths for k in (1, 2, 3)
    ]  # fmt: skip
    exact = {"switch": "keep", "strength": None, "switch_error": 0.0, "seed": 1}
    ax: Any = switch_error(pd.DataFrame([*rows, exact])).axes[0]
    drawn = [line for line in ax.lines if line.get_marker() in ("o", "s")]
    for line in drawn:
        np.testing.assert_allclose(line.get_ydata(), 2 * np.exp(-strengths))
    assert len(drawn) == 2
