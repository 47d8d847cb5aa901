"""Pairs are the same settings with the same seed, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from grids import grid

from harness.errors import HarnessError
from harness.verdicts.pairing import grid_cells, pair

A = grid(np.ones((3, 4)))


def test_the_order_of_rows_and_the_kind_of_number_do_not_matter() -> None:
    turned = A.sample(frac=1, random_state=0).astype({"sequence_length": "float64", "seed": "float64"})
    pairs = pair(A, turned)
    assert len(pairs) == pairs.identical == 12
    assert (pairs.first["run_id"] == pairs.second["run_id"]).all()
    assert [len(rows) for _, rows in grid_cells(pairs)] == [4, 4, 4]


def test_a_cell_is_labelled_by_the_settings_in_which_it_differs() -> None:
    windowed = A.assign(bptt_window=[None] * 8 + [5.0] * 4)
    names = [name for name, _ in grid_cells(pair(windowed, windowed))]
    assert names == ["sequence_length=10", "sequence_length=20", "sequence_length=30"]  # the rest follows
    alike = windowed.assign(sequence_length=10)
    names = [name for name, _ in grid_cells(pair(alike, alike))]
    assert names == ["cell=rnn, bptt_window=full", "cell=lstm, bptt_window=full", "cell=rnn, bptt_window=5"]


def test_runs_without_a_partner_are_named_and_left_out() -> None:
    pairs = pair(A.iloc[:8], A.iloc[4:])
    assert len(pairs) == 4
    assert pairs.lost == tuple(f"sequence_length=10, seed={seed}" for seed in range(4))
    assert pairs.gained == tuple(f"sequence_length=30, seed={seed}" for seed in range(4))


def test_a_failed_run_is_no_partner() -> None:
    failed = A.assign(outcome=["failed", *A["outcome"][1:]])
    there, back = pair(A, failed), pair(failed, A)
    assert (len(there), len(there.lost), there.failed, len(there.gained)) == (11, 1, 1, 0)
    assert (len(back), len(back.lost), back.failed, len(back.gained)) == (11, 0, 0, 1)


def test_a_timing_and_a_machine_are_no_measurement() -> None:
    elsewhere = A.assign(seconds=9.0, cpu="two", engine="torch", versions="numpy=2.4 torch=2.13")
    pairs = pair(A, elsewhere)
    assert pairs.identical == 12
    assert pairs.notes == (
        "cpu: one in A, two in B.",
        "versions: numpy=2.3 in A, numpy=2.4 in B.",
        "engine: compiled in A, torch in B.",
    )


@pytest.mark.parametrize("column", ["final_accuracy", "final_loss", "solved_at"])
def test_the_last_bit_of_a_measurement_counts(column: str) -> None:
    pairs = pair(A, A.assign(**{column: np.nextafter(A[column].to_numpy(dtype=float), 0)}))
    assert pairs.identical == 0
    assert pairs.differing == (column,)


def test_a_measurement_that_only_one_table_has_is_no_difference() -> None:
    assert pair(A, A.assign(switch_error=0.1)).identical == 12
    assert pair(A.assign(switch_error=np.nan), A.assign(switch_error=0.1)).identical == 0


def test_a_setting_that_an_older_harness_did_not_have_is_noted_and_left_out() -> None:
    pairs = pair(A, A.assign(momentum=0.9, nothing=np.nan))
    assert pairs.identical == 12
    assert pairs.notes == ("settings that B has and A does not have are left out of the pairing: momentum (0.9).",)


def test_a_run_with_two_possible_partners_is_refused() -> None:
    import pandas as pd

    swept = pd.concat([A.assign(momentum=0.9), A.assign(momentum=0.0)])
    with pytest.raises(HarnessError, match=r"B has two runs of seed 0 .* B alone has momentum"):
        pair(A, swept)


def test_settings_that_prevent_every_pair_are_named() -> None:
    other = A.assign(seed=A["seed"] + 100, max_updates=2000)
    message = "max_updates is 1000 in A and 2000 in B; seed is 0, 1, 2, 3 in A and 100, 101, 102, 103 in B"
    with pytest.raises(HarnessError, match=message):
        pair(A, other)


def test_a_table_without_a_finished_run_is_refused() -> None:
    with pytest.raises(HarnessError, match="B has no finished run"):
        pair(A, A.assign(outcome="failed"))
