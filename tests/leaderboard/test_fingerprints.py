"""The fingerprint beside a result: what probes recorded, one number a run, and the same after it was saved."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from board_runs import runs, written

from harness.registry import read, setting_roles
from harness.schema import PROFILES
from harness.store import fingerprints
from harness.store.parquet import write_parquet
from harness.verdicts.collected import collect
from harness.verdicts.leaderboard import leaderboard


def profile(run_id: str, update: int, quantity: str, at: list[float], measured: list[float]) -> dict[str, object]:
    axis = "rank" if quantity.startswith("lyapunov") else "t"
    return {"run_id": run_id, "update": update, "quantity": quantity, "axis": axis, "at": at, "measured": measured}


def rows_of(run_id: str) -> list[dict[str, object]]:
    return [
        profile(run_id, 0, "saturated_low_f", [1, 2], [0.1, 0.3]),
        profile(run_id, 0, "saturated_high_f", [1, 2], [0.2, 0.2]),
        profile(run_id, 0, "saturated_high_g", [1, 2], [0.0, 0.0]),
        profile(run_id, 900, "saturated_low_f", [1, 2], [0.6, 0.6]),
        profile(run_id, 0, "lyapunov_exponent", [2, 1], [-0.5, -0.25]),
        profile(run_id, 900, "lyapunov_exponent", [1, 2], [0.125, -0.5]),
    ]


def test_saturation_is_the_mean_over_activations_of_the_shares_at_both_bounds() -> None:
    measured = fingerprints.of_profiles(rows_of("a"))["a"]
    assert measured["initial_saturation"] == pytest.approx(((0.2 + 0.2) + 0.0) / 2)
    assert measured["final_saturation"] == pytest.approx(0.6)


def test_the_exponent_is_that_of_rank_one() -> None:
    measured = fingerprints.of_profiles(rows_of("a"))["a"]
    assert (measured["initial_lyapunov"], measured["final_lyapunov"]) == (-0.25, 0.125)


def test_a_saved_folder_gives_the_same_board(tmp_path: Path) -> None:
    rows = runs([True] * 4, seconds=12.25) + runs([False] * 4, cell="gru", seconds=2.5)
    folder = written(tmp_path / "whole" / "a", rows)
    profiles = [each for row in rows for each in rows_of(str(row["run_id"]))]
    write_parquet(folder / "profiles.parquet", pa.Table.from_pylist(profiles, schema=PROFILES.schema()))
    fingerprints.save(folder, tmp_path / "saved" / "a")
    assert not (tmp_path / "saved" / "a" / "profiles.parquet").exists()
    boards = [leaderboard(collect([tmp_path / name], read), setting_roles()) for name in ("whole", "saved")]
    first, second = (board.frame() for board in boards)
    assert first["initial_lyapunov"].tolist() == [-0.25, -0.25]
    assert first["seconds"].tolist() == [12.25, 2.5]
    assert second["seconds"].tolist() == [12.2, 2.5]  # three digits
    assert first.drop(columns="seconds").equals(second.drop(columns="seconds"))
