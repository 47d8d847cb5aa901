"""Trained runs, and what makes two of them the same: every digit that is recorded but the seconds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.experiments.setup import Setup
from harness.experiments.training.loop import train
from harness.schema import Record
from harness.study.plan import Run


def trained(runs: Sequence[Run], engine: str = "torch") -> dict[str, Record]:
    """The records of runs that are trained as one pack, by run id."""
    return {record.run_id: record for record in train(runs, Setup(engine))}


def bits(record: Record) -> list[bytes]:
    """Everything of a record but its seconds, to the bit."""
    cells = [repr(sorted((name, value) for name, value in record.run.items() if name != "seconds")).encode()]
    for row in [row for rows in record.rows.values() for row in rows]:
        cells += [
            name.encode() + (value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
            for name, value in row.items()
        ]
    return cells


def assert_packs_change_nothing(runs: Sequence[Run], engine: str = "torch") -> dict[str, Record]:
    """A run alone is, bit for bit, the run in a pack, at any place in it; returns the pack's records."""
    together, reversed_pack = trained(runs, engine), trained(runs[::-1], engine)
    for run in runs:
        alone = trained([run], engine)[run.run_id]
        assert bits(alone) == bits(together[run.run_id]) == bits(reversed_pack[run.run_id])
    return together
