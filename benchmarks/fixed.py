"""Fixed costs: start-up, a large plan, a commit, and a large results folder read again."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from uuid import uuid4

import numpy as np
import pandas as pd

from benchmarks.measurement import Effort, Measurement, Say
from benchmarks.paired import in_turns, quotient, spread
from benchmarks.processes import STUDIES, output, seconds, sweep
from harness.registry import read
from harness.schema import BATCH_STATISTICS, Record
from harness.store import tables
from harness.store.journal import Journal
from harness.study.plan import Plan, packs, plan

PER_STEP = ("log10_adjoint", "log10_immediate", *(f"log10_adjoint_{name}" for name in BATCH_STATISTICS))
SAMPLES = 20  # commits in a turn
SHORT = "48 runs of one update, five figures"
TORCH, WRITE = "`import torch`", "a plain synced write"  # each other time is a ratio to one of these


def measure(effort: Effort, say: Say) -> tuple[list[Measurement], list[str]]:
    """Seconds, and beside each a ratio to something familiar from the same round."""
    rows = [*starting(effort), *committing_and_reading(effort, say)]
    for row in rows:
        say(f"{row.quantity}: {spread(row.values)} {row.unit}")
    return rows, []


def starting(effort: Effort) -> list[Measurement]:
    """--help, the plan of many runs and a sweep of short ones, beside a process that imports torch and nothing else."""
    many = STUDIES / "many.yaml"
    with TemporaryDirectory() as folder:
        turns: Mapping[str, Callable[[], float]] = {
            TORCH: lambda: seconds(["-c", "import torch"]),
            "--help": lambda: seconds(["-m", "harness.sweep", "--help"]),
            "plan of 10,000 runs": _plan_many,
            "the same as a process, -n": lambda: seconds(["-m", "harness.sweep", many, "-n", "-o", folder]),
            SHORT: lambda: seconds(sweep("start", Path(folder) / uuid4().hex, 2)),
        }
        in_turns(turns, 1)  # fills the disk's cache, and that of compiled cells
        times = in_turns(turns, effort.repeats)
        text = output(["-m", "harness.sweep", many, "-n", "-o", folder])
    assert "10000 runs" in text  # the process that was timed has planned them all
    return _beside(times, TORCH)


def committing_and_reading(effort: Effort, say: Say) -> list[Measurement]:
    """A commit beside a plain synced write of the same bytes; then all tables, derived once and read several times."""
    whole = plan(read(STUDIES / "many.yaml"))
    planned = Plan(whole.study, whole.runs[: effort.runs])
    with TemporaryDirectory() as folder:
        journal = Journal.create(Path(folder))
        runs = iter(planned.runs)
        pattern = record(100)

        def commit() -> float:
            chosen = [next(runs) for _ in range(SAMPLES)]
            start = perf_counter()
            for run in chosen:
                journal.commit(replace(pattern, run_id=run.run_id), run.columns())
            return (perf_counter() - start) / SAMPLES

        first = planned.runs[-1]
        journal.commit(replace(pattern, run_id=first.run_id), first.columns())
        data = journal.path(first.run_id).read_bytes()
        turns = {WRITE: lambda: _plain_write(journal.folder, data), "commit of a run": commit}
        times = in_turns(turns, effort.repeats)
        say(f"committing the other {len(planned.runs):,} runs")
        for run in runs:
            journal.commit(replace(pattern, run_id=run.run_id), run.columns())
        loads: Mapping[str, Callable[[], float]] = {
            TORCH: lambda: seconds(["-c", "import torch"]),
            "tables of 10,000 runs from their commits": lambda: _derive(journal, planned),
            "tables of 10,000 runs read": lambda: _read(journal.folder, len(planned.runs)),
        }
        loaded = in_turns(loads, effort.rounds)
    return [*_beside(times, WRITE), *_beside(loaded, TORCH)]


def record(T: int) -> Record:
    """What a run over T steps and 4000 updates leaves: 14 recorded updates, 41 evaluations."""
    levels = np.random.default_rng(0).normal(-3, 1, T).astype(np.float32)
    gradients = [{"update": update, **dict.fromkeys(PER_STEP, levels)} for update in (0, *2 ** np.arange(12), 4000)]
    curves = [
        {
            "update": update,
            "sequences": 32 * update,
            "loss": 1.4,
            "accuracy": 0.25,
            "gradient_norm": 0.1,
            "clipped": False,
        }
        for update in range(0, 4001, 100)
    ]
    return Record(
        "", {"outcome": "unsolved", "updates": 4000, "seconds": 1.0}, {"curves": curves, "gradients": gradients}
    )


def _plan_many() -> float:
    start = perf_counter()
    packs(plan(read(STUDIES / "many.yaml")).runs, jobs=2)
    return perf_counter() - start


def _plain_write(folder: Path, data: bytes) -> float:
    start = perf_counter()
    for _ in range(SAMPLES):
        with (folder / f"plain-{uuid4().hex}").open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    return (perf_counter() - start) / SAMPLES


def _derive(journal: Journal, planned: Plan) -> float:
    start = perf_counter()
    tables.write(tables.derive(journal, planned), journal.folder)
    return perf_counter() - start


def _read(folder: Path, expected: int) -> float:
    """All three tables as frames, as a notebook reads them."""
    start = perf_counter()
    frames = {name: pd.read_parquet(folder / f"{name}.parquet") for name in ("runs", "curves", "gradients")}
    taken = perf_counter() - start
    assert len(frames["runs"]) == expected
    return taken


def _beside(times: Mapping[str, tuple[float, ...]], measure: str) -> list[Measurement]:
    """Seconds of each, and as a ratio to `measure`."""
    rows = [Measurement(name, "s", values) for name, values in times.items() if name != measure]
    return rows + [
        Measurement(f"{name} / {measure}", "", quotient(values, times[measure]))
        for name, values in times.items()
        if name != measure
    ]
