"""Every built-in cell at the centre: against its equations in a torch loop, and against the LSTM by its arithmetic."""

from __future__ import annotations

from dataclasses import replace

from benchmarks import flops, own
from benchmarks.measurement import Effort, Measurement, Say
from benchmarks.paired import interleaved, one_core, spread
from benchmarks.peers import contestant
from benchmarks.peers.cell_loop import CellLoop
from benchmarks.problem import Problem
from benchmarks.sizes import BUILT_IN, CENTRE, Sizes


def measure(effort: Effort, say: Say) -> tuple[list[Measurement], list[str]]:
    """One cell after another."""
    with one_core():
        return [row for cell in BUILT_IN for row in point(replace(CENTRE, cell=cell), effort, say)], []


def point(sizes: Sizes, effort: Effort, say: Say) -> list[Measurement]:
    """Ratios of whole training steps; ratios of gradients alone; and the FLOPs that were counted."""
    problem, lstm = Problem(sizes), replace(sizes, cell="lstm")
    effort = replace(effort, repeats=min(effort.repeats, effort.rounds))
    loops = {
        "loop": contestant(CellLoop(problem)),
        "loop, all replicas": contestant(CellLoop(problem, together=True)),
    }
    steps = interleaved(own.contestant(problem), [loops], effort)
    others = [{"lstm": own.gradient(Problem(lstm))}, {"torch engine": own.gradient(problem, "torch")}]
    gradients = interleaved(own.gradient(problem), others, effort)
    counted = flops.step(sizes)
    dearer = [flops.step(lstm) / counted / ratio for ratio in gradients["lstm"].ratios]
    rows = [
        *(Measurement.at(sizes, name, "", pairs.ratios) for name, pairs in steps.items()),
        Measurement.at(sizes, "torch engine", "", gradients["torch engine"].ratios),
        Measurement.at(sizes, "a FLOP against the LSTM's", "", dearer),
    ]
    say(f"{sizes}: " + ", ".join(f"{row.quantity} {spread(row.values)}" for row in rows))
    return [
        *rows,
        Measurement.at(sizes, "harness, time", "ms", [1e3 * s for s in steps["loop"].own]),
        Measurement.at(sizes, "gradient, time", "ms", [1e3 * s for s in gradients["lstm"].own]),
        Measurement.at(sizes, "arithmetic", "MFLOP", [counted / 1e6]),
    ]
