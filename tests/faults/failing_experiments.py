"""Experiments that end as no experiment should, or change the process for whatever is computed after them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from harness.errors import ResultsError
from harness.experiments.setup import Setup
from harness.schema import Record
from harness.study.plan import Run


class OwnError(BaseException):
    """Not an Exception."""


class TextlessError(Exception):
    """Whose text cannot be made."""

    def __str__(self) -> str:
        raise ValueError("no text")


def record(run: Run) -> Record:
    return Record(run.run_id, {"outcome": "solved", "updates": run.seed}, {})


def steady(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    yield from map(record, runs)


def exits(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    sys.exit(0)
    yield from steady(runs, setup)


def closes(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    raise GeneratorExit
    yield from steady(runs, setup)


def own_error(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    raise OwnError("own")
    yield from steady(runs, setup)


def textless(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    raise TextlessError
    yield from steady(runs, setup)


def empty_text(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    raise ValueError
    yield from steady(runs, setup)


def long_text(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    raise ValueError("x" * 1_000_000)
    yield from steady(runs, setup)


def own_folder(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    raise ResultsError("the experiment's own folder is full")
    yield from steady(runs, setup)


def without_records(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    yield from ()


def no_iterator(runs: Sequence[Run], setup: Setup) -> Any:
    return None


def no_record(runs: Sequence[Run], setup: Setup) -> Iterator[Any]:
    yield None


def foreign(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    yield Record("0123456789abcdef", {"outcome": "solved"}, {})


def odd_outcome(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    yield from (Record(run.run_id, {"outcome": "great", "updates": 1}, {}) for run in runs)


def failed_outcome(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    yield from (Record(run.run_id, {"outcome": "failed", "updates": 1}, {}) for run in runs)


def without_outcome(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    yield from (Record(run.run_id, {"updates": 1}, {}) for run in runs)


def only_first(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    """Of a study whose first seed is 0."""
    yield from (record(run) for run in runs if run.seed == 0)


def changes_the_process(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    """Leaves every mode of the process that a number or a file may depend on in another state."""
    import numpy as np
    import torch

    torch.set_grad_enabled(False)
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    torch.set_float32_matmul_precision("medium")
    torch.use_deterministic_algorithms(True)
    torch.set_flush_denormal(True)
    torch.autograd.set_detect_anomaly(True)
    torch.set_autocast_enabled("cpu", True)
    np.seterr(all="raise")
    os.umask(0o777)
    os.chdir("/")
    sys.stdout = sys.stderr = None  # type: ignore[assignment]
    yield from steady(runs, setup)
