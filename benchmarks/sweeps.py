"""Whole sweeps: two jobs against one, fused kernels against torch, and the script that one would write instead."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.measurement import Effort, Measurement, Say
from benchmarks.paired import in_turns, quotient, spread
from benchmarks.processes import seconds, sweep

TEN_MINUTES = 600.0
SHORT = 200  # updates where the torch engine takes part
SCRIPT = Path(__file__).parent / "peer.py"
PEER_UPDATES = 800


def measure(effort: Effort, say: Say) -> tuple[list[Measurement], list[str]]:
    """Everything that is timed as a whole process with jobs of its own."""
    with TemporaryDirectory() as folder:
        Sweeps(Path(folder), None).run("scaling", 1, "-S", "training.max_updates=1", "-S", "seeds=1")  # compiles
        rows = [*scaling(effort), *engines(effort), *peer(effort)]
    for row in rows:
        say(f"{row.quantity}: {spread(row.values)} {row.unit}")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return rows, [] if cores > 1 else ["There is one core here, so two jobs can gain nothing."]


class Sweeps:
    """Sweeps into fresh folders, and what their tables say of the time inside."""

    def __init__(self, folder: Path, updates: int | None) -> None:
        self.folder, self.updates, self.count = folder, updates, 0
        self.training: list[float] = []  # of each sweep: Σ seconds over its runs

    def run(self, study: str, jobs: int, *options: str) -> float:
        """Wall time of a sweep that finds nothing done."""
        self.count += 1
        out = self.folder / str(self.count)
        budget = () if self.updates is None else ("-S", f"training.max_updates={self.updates}")
        wall = seconds(sweep(study, out, jobs, *options, *budget))
        self.training.append(pc.sum(pq.read_table(out / study / "runs.parquet")["seconds"]).as_py())
        return wall


def scaling(effort: Effort) -> list[Measurement]:
    """One job and two on the same study; and what of one job's time was not training."""
    with TemporaryDirectory() as folder:
        sweeps = Sweeps(Path(folder), effort.updates)
        turns: Mapping[str, Callable[[], float]] = {
            "one job": lambda: sweeps.run("scaling", 1),
            "two jobs": lambda: sweeps.run("scaling", 2),
        }
        found = in_turns(turns, effort.rounds)
        alone = sweeps.training[::2]
    other = tuple(wall - training for wall, training in zip(found["one job"], alone, strict=True))
    return [
        Measurement("two jobs", "", quotient(found["one job"], found["two jobs"])),
        Measurement("not training", "", quotient(other, found["one job"])),
        Measurement("not training in ten minutes", "", tuple(seconds / TEN_MINUTES for seconds in other)),
        *(Measurement(name, "s", values) for name, values in found.items()),
    ]


def engines(effort: Effort) -> list[Measurement]:
    """The torch engine against the fused kernels, all cells, as a short study: start-up weighs on both."""
    with TemporaryDirectory() as folder:
        sweeps = Sweeps(Path(folder), effort.updates or SHORT)
        turns: Mapping[str, Callable[[], float]] = {
            "numba": lambda: sweeps.run("scaling", 2),
            "torch": lambda: sweeps.run("scaling", 2, "--engine", "torch"),
        }
        found = in_turns(turns, effort.rounds)
    return [
        Measurement("torch engine", "", quotient(found["torch"], found["numba"])),
        *(Measurement(f"engine {name}", "s", values) for name, values in found.items()),
    ]


def peer(effort: Effort) -> list[Measurement]:
    """The peer's script beside the harness on the same study, two jobs each."""
    updates = effort.updates or PEER_UPDATES
    with TemporaryDirectory() as folder:
        sweeps = Sweeps(Path(folder), updates)
        turns: Mapping[str, Callable[[], float]] = {
            "harness": lambda: sweeps.run("peer", 2),
            "script": lambda: seconds([SCRIPT, Path(folder) / "script", "--updates", str(updates)]),
        }
        found = in_turns(turns, effort.rounds)
    return [
        Measurement("peer script", "", quotient(found["script"], found["harness"])),
        Measurement("peer study, harness", "s", found["harness"]),
        Measurement("peer study, script", "s", found["script"]),
    ]
