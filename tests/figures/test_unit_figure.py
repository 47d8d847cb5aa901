"""Gradients of units as they were recorded: sorted, on one scale, of one run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from artists import entries, panel

from harness.errors import HarnessError
from harness.figures import FIGURES, style
from harness.figures.canvas import stacked
from harness.figures.units import units

T = 4
LEVELS = {0: -3.0, 1: -1.0, 2: -2.0}  # of each unit at the last step


def run(seed: int = 0, cell: str = "rnn", states: tuple[str, ...] = ("h",), **changes: Any) -> list[dict[str, Any]]:
    """Rows of one run with three units, each falling by half a decade a step, and by a third after 8 updates."""
    rows = []
    for update, rate in ((0, 0.5), (8, 1 / 3)):
        for state in states:
            for unit, level in changes.get("levels", LEVELS).items():
                lag = np.arange(T - 1, -1, -1)
                rows.append({
                    "run_id": f"{cell}-{seed}", "update": update, "quantity": f"log10_gradient of {state}, unit {unit}",
                    "axis": "t", "at": [float(t) for t in range(1, T + 1)], "measured": (level - rate * lag).tolist(),
                    "theory": None, "seed": seed, "cell": cell, "updates": 8, "max_updates": 8,
                })  # fmt: skip
    return rows


def table(*runs: Any) -> pd.DataFrame:
    return pd.DataFrame([row for rows in runs for row in rows])


def finite(ax: Any) -> np.ndarray:
    return np.ma.filled(ax.images[-1].get_array().astype(float), np.nan)


def test_rows_are_units_the_largest_on_top_and_columns_steps() -> None:
    ax = panel(units(table(run())), "update 0")
    lag = np.arange(T - 1, -1, -1)
    np.testing.assert_allclose(finite(ax), [level - 0.5 * lag for level in (-1.0, -2.0, -3.0)])
    assert ax.images[-1].get_extent() == [0.5, T + 0.5, 3.5, 0.5]
    top, bottom = ax.get_ylim()[::-1]
    assert (top, bottom) == (0.5, 3.5)


def test_records_stand_one_below_another_on_one_scale() -> None:
    figure = units(table(run(), run(cell="lstm")))
    titles = [ax.get_title() for ax in figure.axes if ax.images]
    assert titles == ["rnn, update 0", "lstm, update 0", "rnn, update 8", "lstm, update 8"]
    assert len({ax.images[-1].norm for ax in figure.axes if ax.images}) == 1
    norm = figure.axes[0].images[-1].norm
    assert (norm.vmin, norm.vmax) == (-4.5, -1.0)
    assert [ax.get_title() for ax in units(table(run()), updates=[8]).axes if ax.images] == ["update 8"]
    with stacked():
        one_column = units(table(run(), run(cell="lstm")))
    assert one_column.axes[0].get_subplotspec().get_gridspec().get_geometry() == (4, 1)


def test_the_run_with_the_lowest_seed_is_drawn() -> None:
    ax = panel(units(table(run(seed=3, levels={0: -9.0}), run(seed=1, levels={0: -5.0}))), "update 0")
    assert finite(ax)[0, -1] == -5.0


def test_every_layer_has_its_row() -> None:
    figure = units(table(run(states=("h", "h.2"))), updates=["last"])
    assert [ax.get_title() for ax in figure.axes if ax.images] == ["h, update 8", "h.2, update 8"]


def test_exact_zeros_and_what_is_not_finite_have_shades_of_their_own() -> None:
    rows = run()
    for row in rows:
        unit = row["quantity"][-1]
        row["measured"] = {
            "0": [-np.inf] * T, "1": [-np.inf, -np.inf, *row["measured"][2:]], "2": [np.nan, *row["measured"][1:]],
        }[unit]  # fmt: skip
    figure = units(table(rows))
    ax = panel(figure, "update 0")
    zero, broken, _ = (np.ma.getmaskarray(np.ma.masked_invalid(image.get_array())) for image in ax.images)
    # the unit that overflows on top, the one that is zero throughout at the bottom
    np.testing.assert_array_equal(~zero, [[0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1]])
    np.testing.assert_array_equal(~broken, [[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    assert entries(figure.legends[0]) == ["exact zero", "not finite"]
    assert units(table(run())).legends == []


def test_an_update_that_was_not_recorded_is_named() -> None:
    with pytest.raises(HarnessError, match="nothing to draw: no gradient of the units of h was recorded at update 5"):
        units(table(run()), updates=[5])
    with pytest.raises(HarnessError, match=r"nothing to draw: .*record\.probes: \[unit_gradients\]"):
        units(table(run()).assign(quantity="lyapunov_exponent"))


def test_several_settings_in_a_panel_are_refused_before_they_run() -> None:
    kind = FIGURES["units"](kind="units")
    rows = [{"cell": "rnn", "hidden_size": 5}, {"cell": "rnn", "hidden_size": 6}, {"cell": "lstm", "hidden_size": 5}]
    assert kind.crowded(rows) == ["a panel shows one run, here are several settings in one: name one in where"]
    assert kind.crowded(rows[1:]) == []
    assert FIGURES["units"](kind="units", col=None).crowded(rows[1:]) != []


def test_the_same_rows_give_the_same_bytes() -> None:
    assert style.encode(units(table(run())), "png") == style.encode(units(table(run())), "png")


def test_a_layer_that_one_network_does_not_have_is_an_empty_panel() -> None:
    deep = [{**row, "layers": 2} for row in run(states=("h", "h.2"))]
    shallow = [{**row, "layers": 1, "run_id": "shallow"} for row in run()]
    figure = units(table(shallow, deep), col="layers", updates=["last"])
    empty, drawn = figure.axes[2], figure.axes[3]
    assert [text.get_text() for text in empty.texts] == ["no such layer"]
    assert not empty.images
    assert (empty.get_title(), drawn.get_title()) == ("", "L = 2, h.2\nupdate 8")
    assert drawn.images
    with pytest.raises(HarnessError, match="no gradient of the units of h was recorded at update 5"):
        units(table(shallow, deep), col="layers", updates=[5])
