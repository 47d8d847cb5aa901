"""The fingerprint of each run's gradient beside its slopes: one number each of what probes and clocks recorded.

A results folder has these in its table of profiles, which is too large to be put under version control; a baseline
that a leaderboard has saved has them in a table of their own.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from harness.errors import ResultsError
from harness.schema import PROFILES, RUN_ID
from harness.store import baseline
from harness.store.parquet import read_parquet, write_parquet

FILE = "fingerprints.parquet"
MEASURES: Mapping[str, str] = {
    "initial_saturation": "share of activations within a tenth of their range of a bound, before training: mean over "
    "activations and steps (probe saturation)",
    "final_saturation": "the same at the last record",
    "initial_lyapunov": "largest Lyapunov exponent along the batch, before training, in nats per step (probe "
    "lyapunov_spectrum)",
    "final_lyapunov": "the same at the last record",
}
COLUMNS = tuple(MEASURES)
SCHEMA = pa.schema(
    [pa.field(RUN_ID.name, pa.string()), *(pa.field(name, pa.float64()) for name in ("seconds", *COLUMNS))]
)
SATURATED = ("saturated_low_", "saturated_high_")
EXPONENT = "lyapunov_exponent"


def read(folder: Path) -> pa.Table | None:
    """Seconds and fingerprints of the runs of a folder, null where something was not recorded; None: nothing was.

    Raises:
        ResultsError: a table is there and cannot be read.
    """
    saved = _table(folder / FILE)
    if saved is not None:
        return saved
    profiles = _table(folder / f"{PROFILES.name}.parquet")
    if profiles is None or not {RUN_ID.name, "update", "quantity", "at", "measured"} <= set(profiles.column_names):
        return None
    runs = baseline.read(folder)
    seconds = dict(zip(_column(runs, RUN_ID.name), _column(runs, "seconds"), strict=True))
    measured = of_profiles(profiles.to_pylist())
    rows = [{RUN_ID.name: each, "seconds": seconds[each], **measured.get(each, {})} for each in seconds]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def save(folder: Path, target: Path) -> Path:
    """Save a results folder as a baseline with its fingerprints and seconds beside; the table that was written.

    Raises:
        ResultsError: as `baseline.save`.
    """
    beside = read(folder)
    runs = baseline.read(folder)
    if beside is None:
        ids, seconds = _column(runs, RUN_ID.name), _column(runs, "seconds")
        rows = [{RUN_ID.name: each, "seconds": s} for each, s in zip(ids, seconds, strict=True)]
        beside = pa.Table.from_pylist(rows, schema=SCHEMA)
    path = baseline.save(folder, target)
    # three digits tell a reader all, and what is in the file twice is small
    rounded = [[_rounded(value) for value in beside[name].to_pylist()] for name in SCHEMA.names[1:]]
    table = pa.Table.from_arrays(
        [beside[RUN_ID.name], *map(pa.array, rounded, [pa.float64()] * len(rounded))], schema=SCHEMA
    )
    try:
        write_parquet(target / FILE, table, use_dictionary=False, write_statistics=False, store_schema=False)
    except OSError as error:
        raise ResultsError(f"{target / FILE}: cannot be written: {error.strerror or error}") from None
    return path


def of_profiles(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """run_id → its fingerprint, from rows of the table of profiles.

    The first record of a run is before training where it is of update 0; its last record is that of the largest update.
    A quantity that is NaN somewhere has no mean.
    """
    saturated: dict[tuple[str, int], dict[str, float]] = defaultdict(lambda: defaultdict(float))
    exponents: dict[tuple[str, int], float] = {}
    for row in rows:
        moment = str(row[RUN_ID.name]), int(row["update"])
        quantity, values = str(row["quantity"]), row["measured"] or ()
        prefix = next((each for each in SATURATED if quantity.startswith(each)), "")
        if prefix and len(values):  # the shares at the two bounds of one activation add up
            saturated[moment][quantity.removeprefix(prefix)] += _mean(values)
        elif quantity == EXPONENT and len(values):
            exponents[moment] = float(values[int(np.argmin(row["at"]))])
    shares = {moment: _mean(list(each.values())) for moment, each in saturated.items()}
    measured: dict[str, dict[str, float]] = defaultdict(dict)
    for name, known in (("saturation", shares), ("lyapunov", exponents)):
        for (run_id, update), value in sorted(known.items()):
            if update == 0:
                measured[run_id][f"initial_{name}"] = value
            measured[run_id][f"final_{name}"] = value  # of the largest update in the end
    return dict(measured)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(np.asarray(values, dtype=np.float64)))


def _rounded(value: float | None) -> float | None:
    return value if value is None or not math.isfinite(value) else float(f"{value:.3g}")


def _column(table: pa.Table, name: str) -> list[Any]:
    return list(table[name].to_pylist()) if name in table.column_names else [None] * len(table)


def _table(path: Path) -> pa.Table | None:
    try:
        return read_parquet(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (pa.ArrowException, ValueError) as error:
        raise ResultsError(f"{path}: is damaged: {error}") from None
