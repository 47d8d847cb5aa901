"""What the report draws when a point of the grid is opened: learning curves and a gradient map, as few numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isqrt
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from harness.errors import HarnessError
from harness.figures.heatmap import gradient_map
from harness.figures.learning import carried_forward
from harness.statistics.frames import Frames

LARGEST_SIDE = 64  # rows and columns of a map
MOST_TILES = 400_000  # of all maps of a page: with the dots, what keeps 500 runs below 5 MB
MOST_DOTS = 60_000  # of all thin lines of a page
FEWEST = 8  # rows and columns of a map, however many points there are
ZERO = "0"  # an exact zero on a map; null is "not measured", a number is tenths of a decade

NEEDED = (
    "run_id", "update", "seed", "outcome", "accuracy", "loss", "log10_adjoint", "chance", "updates", "max_updates",
)  # fmt: skip

Drawn = Mapping[str, Any]


def explored(frames: Frames, points: Sequence[pd.DataFrame]) -> list[Drawn]:
    """What is drawn of each point: `curves` and `map`, each None where nothing was recorded.

    Args:
        frames: the results.
        points: each point's rows of `frames.runs`.
    """
    curves, gradients = _narrow(frames.curves), _narrow(frames.gradients)
    evaluations, records = _by_run(curves), _by_run(gradients)
    dots = max(FEWEST, min(100, MOST_DOTS // max(len(frames.runs), 1)))
    tiles = MOST_TILES // max(len(points), 1)
    return [
        {
            "curves": lines(_rows(curves, evaluations, runs["run_id"]), dots),
            "map": tiled(_rows(gradients, records, runs["run_id"]), tiles),
        }
        for runs in points
    ]


def lines(curves: pd.DataFrame, most: int = 100) -> Drawn | None:
    """A thin line for each run and the mean over seeds: accuracy against updates, or loss where none was recorded.

    The mean accuracy is that of the figure `learning`: ended runs are carried on. The mean loss stands where every
    run has one.

    Args:
        curves: rows of `Frames.curves`, of one point of the grid.
        most: dots of a line; of more, evenly spread ones are kept, the first and the last among them.
    """
    measure = next((name for name in ("accuracy", "loss") if curves[name].notna().any()), None)
    if measure is None:
        return None
    known = curves.dropna(subset=[measure]).sort_values("update")
    runs = [
        {"seed": int(rows["seed"].iloc[0]), "outcome": str(rows["outcome"].iloc[0]), **_line(rows, measure, most)}
        for _, rows in known.groupby("run_id", sort=False)
    ]
    if measure == "accuracy":
        wide = carried_forward(known)
    else:
        wide = known.pivot(index="run_id", columns="update", values=measure).dropna(axis=1)
    mean = pd.DataFrame({"update": wide.columns.to_numpy(), measure: wide.mean(axis=0).to_numpy()})
    chance = curves["chance"].dropna().to_list() if measure == "accuracy" else []
    return {
        "measure": measure,
        "runs": sorted(runs, key=lambda run: run["seed"]),
        "mean": _line(mean, measure, most),
        "chance": float(chance[0]) if chance else None,
    }


def tiled(gradients: pd.DataFrame, most: int = LARGEST_SIDE**2) -> Drawn | None:
    """log10 of the adjoint over update and time step: a row a record, neighbouring steps averaged.

    A tile is the mean of the logarithm over its steps and seeds where the adjoint is not zero, in tenths of a
    decade; it is `ZERO` only where all of them are.

    Args:
        gradients: rows of `Frames.gradients`, of one point of the grid.
        most: tiles of the map.

    Returns:
        `updates` (a row each), `t` (each column's first step), `length` (T), `n` (runs behind each row), `tiles`.
    """
    known = gradients[gradients["log10_adjoint"].notna()]
    if known.empty:
        return None
    try:
        each = gradient_map(known, "log10_adjoint")
    except HarnessError:  # sequence lengths are mixed: there is no common time axis
        return None
    T = each.mean.shape[1]
    if T == 0:
        return None
    kept = spread(len(each.updates), max(FEWEST, min(LARGEST_SIDE, isqrt(most))))
    columns = min(T, LARGEST_SIDE, max(FEWEST, most // len(kept)))
    steps = np.array_split(np.arange(T), columns)
    return {
        "updates": [each.updates[row] for row in kept],
        "n": [each.n[row] for row in kept],
        "t": [int(part[0]) + 1 for part in steps],
        "length": T,
        "tiles": [[_tile(each.mean[row, part], each.zero[row, part]) for part in steps] for row in kept],
    }


def spread(count: int, most: int) -> list[int]:
    """Up to `most` of the indices 0 … count − 1, evenly spread, first and last among them."""
    return [int(index) for index in np.unique(np.linspace(0, count - 1, min(count, most)).round())]


def _tile(mean: npt.NDArray[np.float64], zero: npt.NDArray[np.float64]) -> int | str | None:
    finite = mean[np.isfinite(mean)]
    if len(finite):
        return round(10 * float(finite.mean()))
    return ZERO if bool((zero == 1).all()) else None


def _line(rows: pd.DataFrame, measure: str, most: int) -> Mapping[str, list[Any]]:
    kept = rows.iloc[spread(len(rows), most)]
    values = kept[measure].astype("float64")
    return {
        "x": [int(update) for update in kept["update"]],
        "y": [float(f"{value:.3g}") if np.isfinite(value) else None for value in values],
    }


def _narrow(frame: pd.DataFrame) -> pd.DataFrame:
    """Only what is drawn: taking rows costs by the column, and every setting is one."""
    return frame[[name for name in NEEDED if name in frame.columns]]


def _by_run(frame: pd.DataFrame) -> Mapping[str, npt.NDArray[np.intp]]:
    return {str(run_id): np.asarray(rows) for run_id, rows in frame.groupby("run_id").indices.items()}


def _rows(frame: pd.DataFrame, by_run: Mapping[str, npt.NDArray[np.intp]], run_ids: pd.Series[str]) -> pd.DataFrame:
    there = [by_run[run_id] for run_id in run_ids if run_id in by_run]
    return frame.iloc[np.concatenate(there)] if there else frame.iloc[:0]
