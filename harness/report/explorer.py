"""The data behind a row of the report's grid: learning curves and a gradient map, reduced to few numbers.

The page embeds them as JSON, and its script draws them when a reader opens the row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isqrt
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from harness.errors import HarnessError
from harness.figures.heatmap import gradient_map
from harness.figures.layered import one_layer
from harness.figures.learning import carried_forward
from harness.schema import Values
from harness.statistics.frames import Frames

LARGEST_SIDE = 64  # rows and columns of a map
MOST_TILES = 400_000  # of all maps of a page; with MOST_DOTS the page of 500 runs stays below 5 MB
MOST_DOTS = 60_000  # of the curves of all runs of a page
FEWEST = 8  # rows and columns of a map, and dots of a curve, in a page of any size
ZERO = "0"  # an exact zero on a map; null is "not measured", a number is tenths of a decade

COLUMNS = (
    "run_id", "update", "seed", "outcome", "accuracy", "loss", "log10_adjoint", "chance", "updates", "max_updates",
)  # fmt: skip

PlotData = Mapping[str, Any]


def point_data(frames: Frames, points: Sequence[pd.DataFrame]) -> list[PlotData]:
    """The `curves` and the `map` of each point, each None where nothing was recorded.

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
            "curves": learning_curves(_rows(curves, evaluations, runs["run_id"]), dots),
            "map": tile_map(_rows(gradients, records, runs["run_id"]), tiles),
        }
        for runs in points
    ]


def learning_curves(curves: pd.DataFrame, most: int = 100) -> PlotData | None:
    """A curve for each run and the mean over seeds: accuracy against updates, or loss where no accuracy was recorded.

    The mean accuracy is that of the figure `learning`: ended runs are carried forward. The mean loss is defined at the
    updates at which every run has one.

    Args:
        curves: rows of `Frames.curves`, of one point of the grid.
        most: dots of a curve; a longer one is thinned evenly, with its first and last dot.
    """
    measure = next((name for name in ("accuracy", "loss") if curves[name].notna().any()), None)
    if measure is None:
        return None
    ordered = curves.sort_values("update")
    known = ordered.dropna(subset=[measure])
    runs = [
        {"seed": int(rows["seed"].iloc[0]), "outcome": str(rows["outcome"].iloc[0]), **_line(rows, measure, most)}
        for _, rows in known.groupby("run_id", sort=False)
    ]
    if measure == "accuracy":
        wide = carried_forward(ordered)
    else:  # of all runs: one whose loss was never finite leaves no update at which every run has one
        wide = ordered.pivot(index="run_id", columns="update", values=measure).dropna(axis=1)
    mean = pd.DataFrame({"update": wide.columns.to_numpy(), measure: wide.mean(axis=0, skipna=False).to_numpy()})
    chance = curves["chance"].dropna().to_list() if measure == "accuracy" else []
    return {
        "measure": measure,
        "runs": sorted(runs, key=lambda run: run["seed"]),
        "mean": _line(mean, measure, most),
        "chance": float(chance[0]) if chance else None,
    }


def tile_map(gradients: pd.DataFrame, most: int = LARGEST_SIDE**2) -> PlotData | None:
    """log10 of the adjoint over update and time step: a row a record, neighbouring steps averaged.

    A tile is the mean of the logarithm over its steps and seeds where the adjoint is not zero, in tenths of a
    decade; it is `ZERO` only where the adjoint is zero in all of them.

    Args:
        gradients: rows of `Frames.gradients`, of one point of the grid.
        most: tiles of the map.

    Returns:
        `updates` (a row each), `t` (each column's first step), `length` (T), `n` (runs behind each row), `tiles`.
    """
    known = one_layer(gradients[gradients["log10_adjoint"].notna()])
    if known.empty:
        return None
    try:
        each = gradient_map(known, "log10_adjoint")
    except HarnessError:  # sequence lengths are mixed: there is no common time axis
        return None
    T = each.mean.shape[1]
    if T == 0:
        return None
    rows = spread(len(each.updates), max(FEWEST, min(LARGEST_SIDE, isqrt(most))))
    columns = min(T, LARGEST_SIDE, max(FEWEST, most // len(rows)))
    steps = np.array_split(np.arange(T), columns)
    return {
        "updates": [each.updates[row] for row in rows],
        "n": [each.n[row] for row in rows],
        "t": [int(part[0]) + 1 for part in steps],
        "length": T,
        "tiles": _tiles(each.mean[rows], each.zero[rows], [int(part[0]) for part in steps]),
    }


def spread(count: int, most: int) -> list[int]:
    """Up to `most` of the indices 0 … count − 1, evenly spread, first and last among them."""
    return [int(index) for index in np.unique(np.linspace(0, count - 1, min(count, most)).round())]


def _tiles(mean: Values, zero: Values, starts: Sequence[int]) -> list[list[int | str | None]]:
    """A tile for each row and each stretch of steps that begins at one of `starts`, as `tile_map` describes it.

    All sums at once: a page of 500 points has up to 400,000 tiles, and a call of numpy for each takes seconds.
    """
    finite = np.isfinite(mean)
    count = np.add.reduceat(finite, starts, axis=1, dtype=np.int64)
    total = np.add.reduceat(np.where(finite, mean, 0.0), starts, axis=1)
    every = np.logical_and.reduceat(zero == 1, starts, axis=1)
    tenths = np.rint(10 * total / np.maximum(count, 1)).astype(np.int64)
    return [
        [tile if n else ZERO if gone else None for tile, n, gone in zip(*row, strict=True)]
        for row in zip(tenths.tolist(), count.tolist(), every.tolist(), strict=True)
    ]


def _line(rows: pd.DataFrame, measure: str, most: int) -> Mapping[str, list[Any]]:
    thinned = rows.iloc[spread(len(rows), most)]
    values = thinned[measure].astype("float64")
    return {
        "x": [int(update) for update in thinned["update"]],
        "y": [float(f"{value:.3g}") if np.isfinite(value) else None for value in values],
    }


def _narrow(frame: pd.DataFrame) -> pd.DataFrame:
    """Only the columns that are needed: selecting rows costs time by the column, and every setting is one."""
    return frame[[name for name in COLUMNS if name in frame.columns]]


def _by_run(frame: pd.DataFrame) -> Mapping[str, npt.NDArray[np.intp]]:
    return {str(run_id): np.asarray(rows) for run_id, rows in frame.groupby("run_id").indices.items()}


def _rows(frame: pd.DataFrame, by_run: Mapping[str, npt.NDArray[np.intp]], run_ids: pd.Series[str]) -> pd.DataFrame:
    positions = [by_run[run_id] for run_id in run_ids if run_id in by_run]
    return frame.iloc[np.concatenate(positions)] if positions else frame.iloc[:0]
