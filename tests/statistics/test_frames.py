"""Tables become frames whose rows carry their settings; conditions select the rows that a study means."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_results import SyntheticResults, point, simulate

from harness.errors import HarnessError
from harness.statistics.frames import Frames, by_lag, long, select


def test_every_evaluation_carries_the_columns_of_its_run(frames: Frames) -> None:
    row = frames.curves.iloc[-1]
    run = frames.runs.set_index("run_id").loc[row["run_id"]]
    assert row["cell"] == run["cell"]
    assert row["outcome"] == run["outcome"]
    assert row["sequence_length"] == run["sequence_length"]


def test_settings_are_distinguished_from_measurements(synthetic: SyntheticResults) -> None:
    settings = synthetic.frames.settings
    assert {"cell", "sequence_length", "forget_bias", "seed", "bptt_window"} <= set(settings)
    assert not {"run_id", "outcome", "final_accuracy", "seconds"} & set(settings)


def test_runs_that_are_not_planned_are_left_out(synthetic: SyntheticResults) -> None:
    planned = Frames.from_tables(synthetic.tables, run_ids=["0000", "0003"])
    assert set(planned.runs["run_id"]) == {"0000", "0003"}
    assert set(planned.curves["run_id"]) == {"0000", "0003"}
    assert set(planned.gradients["run_id"]) == {"0000", "0003"}


def test_missing_tables_are_empty_frames() -> None:
    frames = Frames.from_tables({})
    assert frames.runs.empty
    assert frames.gradients.empty


@pytest.mark.parametrize(("where", "cells"), [
    ({"bptt_window": None}, {"rnn", "lstm"}),
    ({"bptt_window": None, "forget_bias": 1.0}, {"lstm"}),
    ({"forget_bias": None}, {"rnn"}),
    ({"forget_bias": [None, "chrono"]}, {"rnn", "lstm"}),
    ({"cell": "gru"}, set()),
])  # fmt: skip
def test_conditions_select_their_rows(frames: Frames, where: dict[str, object], cells: set[str]) -> None:
    assert set(select(frames.runs, where)["cell"]) == cells


def test_null_matches_null_and_nothing_else(frames: Frames) -> None:
    full = select(frames.runs, {"bptt_window": None})
    assert full["bptt_window"].isna().all()
    assert len(full) + len(select(frames.runs, {"bptt_window": 25})) == len(frames.runs)


def test_text_that_spells_a_number_is_that_number(frames: Frames) -> None:
    assert set(frames.runs["forget_bias"].dropna()) == {"1.0", "chrono"}
    assert len(select(frames.runs, {"forget_bias": 1})) == len(select(frames.runs, {"forget_bias": "1.0"})) == 36
    assert len(select(frames.runs, {"forget_bias": "chrono"})) == 4


def test_planned_settings_and_stored_ones_are_matched_alike(synthetic: SyntheticResults) -> None:
    for where in ({"forget_bias": 1.0}, {"forget_bias": None}, {"bptt_window": [25]}, {"stop_when_solved": True}):
        assert set(select(synthetic.planned, where)["run_id"]) == set(select(synthetic.frames.runs, where)["run_id"])


def test_true_is_not_one(frames: Frames) -> None:
    assert select(frames.runs, {"stop_when_solved": 1}).empty
    assert len(select(frames.runs, {"stop_when_solved": True})) == len(frames.runs)


def test_an_unknown_column_names_the_nearest(frames: Frames) -> None:
    with pytest.raises(HarnessError, match="no column 'sequence_lenght'; did you mean 'sequence_length'"):
        select(frames.runs, {"sequence_lenght": 50})


def test_selecting_frames_keeps_them_together(frames: Frames) -> None:
    selected = frames.select({"cell": "lstm", "sequence_length": 20})
    assert set(selected.curves["run_id"]) == set(selected.runs["run_id"]) == set(selected.gradients["run_id"])


def test_the_long_form_has_a_row_a_time_step(frames: Frames) -> None:
    row = frames.gradients.iloc[[3]]
    opened = long(row, ["run_id", "update"])
    T = int(row["sequence_length"].iloc[0])
    assert opened["t"].tolist() == list(range(1, T + 1))
    assert opened["lag"].tolist() == list(range(T - 1, -1, -1))
    assert opened["log10_adjoint"].tolist() == [float(x) for x in row["log10_adjoint"].iloc[0]]


def test_the_long_form_is_float64_with_minus_infinity_for_zeros_and_nan_for_gaps(frames: Frames) -> None:
    opened = long(select(frames.gradients, {"bptt_window": 25}))
    columns = ["log10_adjoint", "log10_immediate", "log10_adjoint_cell"]
    assert (opened[columns].dtypes == np.float64).all()
    assert (opened.loc[opened["lag"] >= 25, "log10_adjoint"] == -np.inf).all()
    assert np.isfinite(opened.loc[opened["lag"] < 25, "log10_adjoint"]).all()
    assert opened.loc[opened["cell"] == "rnn", "log10_adjoint_cell"].isna().all()


def test_the_long_form_of_nothing_is_empty(frames: Frames) -> None:
    assert long(frames.gradients.iloc[:0]).empty


def test_rows_by_lag_start_at_the_end_of_the_sequence() -> None:
    matrix = by_lag([np.array([1.0, 2.0, 3.0]), np.array([7.0])])
    assert matrix == pytest.approx(np.array([[3, 2, 1], [7, np.nan, np.nan]]), nan_ok=True)


def test_a_failed_run_without_numbers_is_read() -> None:
    synthetic = simulate([point("rnn", 20, 1.0)])
    rows = synthetic.tables["runs"].to_pylist()
    rows[0] |= {"outcome": "failed", "updates": None, "solved_at": None, "final_accuracy": None}
    table = type(synthetic.tables["runs"]).from_pylist(rows, schema=synthetic.tables["runs"].schema)
    frames = Frames.from_tables({**synthetic.tables, "runs": table})
    assert frames.runs.loc[frames.runs["outcome"] == "failed", "run_id"].tolist() == ["0000"]
    assert frames.runs["updates"].isna().tolist() == [True, False, False, False]
    assert set(frames.curves.loc[frames.curves["outcome"] == "failed", "run_id"]) == {"0000"}
