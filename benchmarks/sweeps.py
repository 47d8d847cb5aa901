"""Whole sweeps: two jobs against one, and a script without the harness."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.measurement import Effort, Measurement, Say
from benchmarks.paired import in_turns, quotient, spread
from benchmarks.processes import seconds, sweep

TEN_MINUTES = 600.0
SCRIPT = Path(__file__).parent / "peer.py"
PEER_UPDATES = 800


def measure(effort: Effort, say: Say) -> tuple[list[Measurement], list[str]]:
    """Everything that is timed as a whole process with jobs of its own."""
    with TemporaryDirectory() as folder:
        sweeps = Sweeps(Path(folder), say)
        sweeps.run("scaling", 2, 1)  # compiles, and fills the disk's cache
        rows = [*scaling(sweeps, effort), *peer(sweeps, effort)]
    for row in rows:
        say(f"{row.quantity}: {spread(row.values)} {row.unit}")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return rows, [] if cores > 1 else ["There is one core here, so two jobs can gain nothing."]


@dataclass
class Sweeps:
    """Sweeps into fresh folders; `training` is Σ seconds over the runs of each, by their own tables."""

    folder: Path
    say: Say
    training: list[float] = field(default_factory=list)

    def run(self, study: str, jobs: int, updates: int | None, *options: str) -> float:
        """Wall time of a sweep that finds nothing done."""
        out = self.folder / str(len(self.training))
        budget = () if updates is None else ("-S", f"training.max_updates={updates}")
        wall = seconds(sweep(study, out, jobs, *options, *budget))
        self.training.append(float(pc.sum(pq.read_table(out / study / "runs.parquet")["seconds"]).as_py()))
        self.say(f"{study} -j {jobs} {' '.join((*options, *budget))}: {wall:.1f} s")
        return wall

    def script(self, updates: int) -> float:
        """Wall time of the peer's script."""
        wall = seconds(["-P", SCRIPT, self.folder / "script", "--updates", str(updates)])
        self.say(f"script: {wall:.1f} s")
        return wall


def scaling(sweeps: Sweeps, effort: Effort) -> list[Measurement]:
    """One job and two on the same study; and with one update, which is start and end alone."""
    first = len(sweeps.training)
    turns: Mapping[str, Callable[[], float]] = {
        "time with one job": partial(sweeps.run, "scaling", 1, effort.updates),
        "time with two jobs": partial(sweeps.run, "scaling", 2, effort.updates),
        "time with one job, one update": partial(sweeps.run, "scaling", 1, 1),
        "time with two jobs, one update": partial(sweeps.run, "scaling", 2, 1),
    }
    times = in_turns(turns, effort.rounds)
    one, two, start_one, start_two = times.values()
    training = sweeps.training[first :: len(turns)]
    other = [wall - inside for wall, inside in zip(one, training, strict=True)]
    beyond = quotient(
        [a - s for a, s in zip(one, start_one, strict=True)], [a - s for a, s in zip(two, start_two, strict=True)]
    )
    return [
        Measurement("two jobs against one", "", quotient(one, two)),
        Measurement("two jobs against one, beyond start and end", "", beyond),
        Measurement("not training, of this study", "", quotient(other, one)),
        Measurement("not training, of ten minutes", "", tuple(wall / TEN_MINUTES for wall in other)),
        *(Measurement(name, "s", values) for name, values in times.items()),
    ]


def peer(sweeps: Sweeps, effort: Effort) -> list[Measurement]:
    """The peer's script beside the harness on the same study, two jobs each."""
    updates = effort.updates or PEER_UPDATES
    turns: Mapping[str, Callable[[], float]] = {
        "time of the harness": partial(sweeps.run, "peer", 2, updates),
        "time of the script": partial(sweeps.script, updates),
    }
    times = in_turns(turns, effort.rounds)
    own, script = times.values()
    return [
        Measurement("script against harness", "", quotient(script, own)),
        *(Measurement(name, "s", values) for name, values in times.items()),
    ]
