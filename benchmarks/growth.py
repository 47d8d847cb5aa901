"""How cost grows with T: time a step, and peak memory of a process of its own."""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import own
from benchmarks.measurement import Effort, Measurement, Say
from benchmarks.paired import in_turns, one_core, quotient, spread
from benchmarks.problem import STUDY, Problem
from benchmarks.processes import output
from benchmarks.sizes import BUILT_IN, CELLS, CENTRE, Sizes

LENGTHS = (50, 100, 200, 500, 1000, 2000)
LONG = (2000, 5000, 20_000)
MB = 1e6


def measure(effort: Effort, say: Say) -> tuple[list[Measurement], list[str]]:
    """Time of the cells that torch.nn has, and memory of every cell."""
    rows = []
    lengths, long = (LENGTHS[:3], LONG[:2]) if effort.centre_only else (LENGTHS, LONG)
    for cell in CELLS:
        measured = [*time(replace(CENTRE, cell=cell), lengths, effort), longest_step(cell, long, effort)]
        for row in measured:
            say(f"{cell} T={row.T} {row.quantity}: {spread(row.values)} {row.unit}")
        rows += measured
    # Memory needs no quiet machine, so all cores take part.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        steps = pool.map(lambda cell: steps_memory(cell, long), CELLS)
        runs = pool.map(lambda cell: run_memory(cell, long[-1]), BUILT_IN)
        for measured in (*steps, *runs):
            for row in measured:
                say(f"{row.cell} T={row.T} {row.quantity}: {spread(row.values)} {row.unit}")
            rows += measured
    return rows, []


def time(centre: Sizes, lengths: Sequence[int], effort: Effort) -> list[Measurement]:
    """Cost of a time step at each T against that at the centre's, and how far from a straight line the whole is."""
    points = {T: own.contestant(Problem(replace(centre, T=T))) for T in lengths}
    with one_core():
        steps = {T: contestant.pace(effort.seconds) for T, contestant in points.items()}
        times = in_turns({str(T): partial(points[T].turn, steps[T]) for T in lengths}, effort.repeats)
    rows = [
        Measurement.at(replace(centre, T=T), "cost of a time step", "", [s * centre.T / T for s in ratios])
        for T in lengths
        for ratios in [quotient(times[str(T)], times[str(centre.T)])]
    ]
    worst = [worst_deviation(lengths, [times[str(T)][i] for T in lengths]) for i in range(effort.repeats)]
    return [*rows, Measurement.at(replace(centre, T=lengths[-1]), "deviation from a straight line", "", worst)]


def longest_step(cell: str, lengths: Sequence[int], effort: Effort) -> Measurement:
    """Cost of a time step at the longest T, against the shortest of `lengths`."""
    short, long = single(cell, lengths[0]), single(cell, lengths[-1])
    ratios = json.loads(_child("time_ratios", short, long, effort.rounds))
    return Measurement.at(long, f"cost of a time step against T = {lengths[0]}", "", ratios)


def steps_memory(cell: str, lengths: Sequence[int]) -> list[Measurement]:
    """Peak memory of one replica's steps at each T, and bytes per (T·B·H)."""
    rows, added = [], []
    for sizes in (single(cell, T) for T in lengths):
        base, peak, whole = json.loads(_child("steps_peak", sizes))
        rows.append(Measurement.at(sizes, "peak memory", "MB", [whole / MB]))
        added.append(peak - base)
    units = [T * CENTRE.B * CENTRE.H for T in lengths]
    slope = float(np.polyfit(units, added, 1)[0])
    return [*rows, Measurement.at(single(cell, lengths[-1]), "bytes per T·B·H", "B", [slope])]


def run_memory(cell: str, T: int) -> list[Measurement]:
    """Peak memory of a whole run of one replica, and how much of it is not there once all is imported."""
    sizes = single(cell, T)
    base, peak = json.loads(_child("run_peak", sizes))
    return [
        Measurement.at(sizes, "peak memory of a whole run", "MB", [peak / MB]),
        Measurement.at(sizes, "beyond the imports", "MB", [(peak - base) / MB]),
    ]


def single(cell: str, T: int) -> Sizes:
    """One replica."""
    return Sizes(cell, CENTRE.H, T, CENTRE.B, R=1)


def worst_deviation(lengths: Sequence[int], seconds: Sequence[float]) -> float:
    """Largest |measured / fitted − 1| of the line a + b·T that fits best in relative terms."""
    T, y = np.asarray(lengths, float), np.asarray(seconds)
    A = np.stack([1 / y, T / y], axis=1)  # least squares of (a + b·T) / y − 1
    (a, b), *_ = np.linalg.lstsq(A, np.ones_like(y), rcond=None)
    return float(np.abs(y / (a + b * T) - 1).max())


# --- in a process of its own ---------------------------------------------------------------------------------------


def _child(function: str, *arguments: object) -> str:
    """Call one of the functions below in a fresh process; it prints JSON."""
    prepared = "from harness.execution.environment import prepare, single_threaded; prepare()"
    code = f"{prepared}; from benchmarks.growth import {function}, Sizes; single_threaded(); {function}(*{arguments!r})"
    return output(["-c", code])


def steps_peak(sizes: Sizes) -> None:
    """Print [bytes before, peak, peak of the whole process] of three training steps.

    Before them, all is imported and compiled, which takes memory of its own for a while.
    """
    own.train_steps(Problem(replace(sizes, T=12)), 2)
    highest = _peak()
    base = _forget_peak()
    own.train_steps(Problem(sizes), 2)
    print(json.dumps([base, _peak(), max(highest, _peak())]))


def run_peak(sizes: Sizes) -> None:
    """Print [bytes before, peak] of a process that does a whole run: two updates, evaluation, final judgement.

    Before it, a short run of the same cell has imported all.
    """
    base = 0
    for T in (12, sizes.T):
        base = _forget_peak()
        _whole_run(replace(sizes, T=T))
    print(json.dumps([base, _peak()]))


def _whole_run(sizes: Sizes) -> None:
    from harness.experiments.setup import Setup
    from harness.experiments.training.loop import train
    from harness.registry import read
    from harness.study.plan import plan

    overrides = [
        f"model.cell={sizes.cell}", f"model.hidden_size={sizes.H}", f"task.sequence_length={sizes.T}",
        f"training.batch_size={sizes.B}", "training.max_updates=2", "evaluation.sequences=512", "seeds=1",
    ]  # fmt: skip
    for _ in train(plan(read(STUDY, overrides)).runs, Setup("compiled")):
        pass


def time_ratios(short: Sizes, long: Sizes, rounds: int) -> None:
    """Print what a time step costs at the longer T, relative to the shorter."""
    with one_core():
        own.train_steps(Problem(short), 2)
        turns = {str(sizes.T): partial(own.train_steps, Problem(sizes), 2) for sizes in (short, long)}
        times = in_turns(turns, rounds)
    ratios = quotient(times[str(long.T)], times[str(short.T)])
    print(json.dumps([ratio * short.T / long.T for ratio in ratios]))


def _forget_peak() -> int:
    """Start the peak anew at what is resident now, where the system can (Linux), and return it."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> int:
    """Largest resident size of this process so far, in bytes.

    On Linux getrusage will not do: a child inherits the peak of the process that started it.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return 1024 * int(status.read_text().partition("VmHWM:")[2].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
