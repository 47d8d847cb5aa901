"""Curves and maps behind a row of the grid: the same numbers as the tables, fewer of them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from synthetic_results import SyntheticResults

from harness.report.explorer import LARGEST_SIDE, ZERO, learning_curves, point_data, spread, tile_map
from harness.report.gridtable import runs_by_point
from harness.statistics.frames import Frames

WINDOWED = {"cell": "rnn", "bptt_window": 25}


def test_a_line_is_the_runs_own_curve(frames: Frames) -> None:
    part = frames.select({"cell": "lstm", "sequence_length": 20, "spectral_radius": 1.0})
    drawn = learning_curves(part.curves)
    assert drawn is not None
    assert drawn["measure"] == "accuracy"
    for run, (_, rows) in zip(drawn["runs"], part.curves.groupby("seed"), strict=True):
        assert run["x"] == rows["update"].tolist()
        assert run["y"] == pytest.approx(rows["accuracy"].tolist(), abs=1e-3)


def test_the_mean_accuracy_carries_ended_runs_forward(frames: Frames) -> None:
    part = frames.select({"cell": "lstm", "sequence_length": 20, "spectral_radius": 1.0})
    assert set(part.runs["outcome"]) == {"solved"}
    drawn = learning_curves(part.curves)
    assert drawn is not None
    assert drawn["mean"]["y"][-1] == 1.0
    assert drawn["mean"]["x"][-1] == 2000  # the budget
    assert drawn["chance"] == 0.25


def test_the_mean_loss_is_defined_where_every_run_has_one(frames: Frames) -> None:
    curves = frames.select({"cell": "lstm", "sequence_length": 20, "spectral_radius": 1.0}).curves
    drawn = learning_curves(curves.assign(accuracy=np.nan))
    assert drawn is not None
    assert drawn["measure"] == "loss"
    assert drawn["mean"]["x"][-1] == min(run["x"][-1] for run in drawn["runs"])


def test_without_records_nothing_is_drawn(frames: Frames) -> None:
    assert learning_curves(frames.curves.iloc[:0]) is None
    assert tile_map(frames.gradients.iloc[:0]) is None
    assert tile_map(frames.gradients) is None  # several sequence lengths have no common time axis


def test_a_map_that_is_small_enough_is_the_mean_itself(frames: Frames) -> None:
    rows = frames.select({"cell": "rnn", "sequence_length": 20, "spectral_radius": 1.0}).gradients
    drawn = tile_map(rows)
    assert drawn is not None
    assert (drawn["length"], drawn["t"]) == (20, list(range(1, 21)))
    first = np.mean(list(rows.loc[rows["update"] == 0, "log10_adjoint"]), axis=0)
    assert drawn["tiles"][0] == pytest.approx(10 * first, abs=0.5)


def test_exact_zeros_are_no_number(frames: Frames) -> None:
    drawn = tile_map(frames.select(WINDOWED).gradients)
    assert drawn is not None
    zero = [[tile == ZERO for tile in row] for row in drawn["tiles"]]
    cut = [start + 1 < 100 - 25 for start in drawn["t"]]  # a tile of two steps at most, wholly before the window
    assert all(row == zero[0] for row in zero)
    assert [k for k, is_zero in enumerate(zero[0]) if is_zero][-1] >= sum(cut) - 1
    assert zero[0][: sum(cut)] == [True] * sum(cut)
    assert not zero[0][-1]


@pytest.mark.parametrize("most", [64, 300, 4096])
def test_a_map_keeps_within_its_tiles(frames: Frames, most: int) -> None:
    drawn = tile_map(frames.select(WINDOWED).gradients, most)
    assert drawn is not None
    assert len(drawn["tiles"]) * len(drawn["t"]) <= most
    assert max(len(drawn["tiles"]), len(drawn["t"])) <= LARGEST_SIDE
    assert drawn["updates"][0] == 0
    assert all(len(row) == len(drawn["t"]) for row in drawn["tiles"])


def test_a_spread_has_both_ends() -> None:
    assert spread(5, 100) == [0, 1, 2, 3, 4]
    indices = spread(1000, 64)
    assert (len(indices), indices[0], indices[-1]) == (64, 0, 999)
    assert spread(0, 5) == []


def test_every_point_is_there_and_is_json(synthetic: SyntheticResults) -> None:
    drawn = point_data(synthetic.frames, runs_by_point(synthetic.study, synthetic.frames.runs))
    assert len(drawn) == len(synthetic.study.points)
    assert all(each["curves"] and each["map"] for each in drawn)
    assert json.loads(json.dumps(drawn, allow_nan=False)) == drawn
