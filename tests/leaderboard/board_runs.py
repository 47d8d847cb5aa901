"""Tables of runs that a leaderboard reads: small, of real tasks and cells, with the outcomes that a test wants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from harness.schema import SCHEMA_VERSION
from harness.store.parquet import write_parquet

SEEDS = tuple(range(20))
BASE: Mapping[str, Any] = {
    "experiment": "training", "task": "adding", "sequence_length": 50, "variant": "sum", "cell": "rnn",
    "hidden_size": 40, "init": "torch", "forget_bias": None, "optimizer": "adam", "learning_rate": 1e-3,
    "batch_size": 32, "max_updates": 1000, "parameters": 1800, "chance": 0.154, "final_loss": 0.1,
    "initial_adjoint_slope": -0.2, "versions": "numerics=2 python=3.11 harness=0.1.0 torch=2.8.0", "cpu": "a processor",
}  # fmt: skip


def runs(solved: Sequence[bool], accuracy: float = 0.5, first_seed: int = 0, **settings: Any) -> list[dict[str, Any]]:
    """A run a seed; those that are solved at half of their budget have accuracy 1."""
    row = {**BASE, **settings}
    name = repr(sorted((key, str(value)) for key, value in row.items()))
    return [
        {
            **row,
            "run_id": f"{hash(name) & 0xFFFFFFFF:08x}{seed:04d}",
            "seed": seed,
            "outcome": "solved" if each else "unsolved",
            "solved_at": row["max_updates"] // 2 if each else None,
            "updates": row["max_updates"] // 2 if each else row["max_updates"],
            "final_accuracy": 1.0 if each else accuracy,
        }
        for seed, each in enumerate(solved, first_seed)
    ]


def written(folder: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """A baseline with these runs."""
    folder.mkdir(parents=True)
    columns = dict.fromkeys(column for row in rows for column in row)
    table = pa.table({column: [row.get(column) for row in rows] for column in columns})
    write_parquet(folder / "runs.parquet", table, {"harness_schema": str(SCHEMA_VERSION)})
    return folder
