"""The training step against its peers, against the machine's limit, and against itself without recording."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

from benchmarks.measurement import Effort, Measurement, Say
from benchmarks.own import train_steps
from benchmarks.paired import Contestant, interleaved, one_core, spread
from benchmarks.peers import contestant
from benchmarks.peers.products import best_shape, best_square, own_shapes
from benchmarks.peers.torch_loop import TorchLoop
from benchmarks.peers.torch_module import TorchModule
from benchmarks.problem import Problem
from benchmarks.sizes import CELLS, CENTRE, Sizes, around

NO_JAX = "JAX is not installed here, so there is no comparison with it (the extra `bench` brings it)."


def measure(effort: Effort, say: Say) -> tuple[list[Measurement], list[str]]:
    """Every point of the grid, for every cell."""
    rows = []
    with one_core():
        N = best_square()
        for cell in CELLS:
            centre = replace(CENTRE, cell=cell)
            for sizes in [centre] if effort.centre_only else around(centre):
                rows += point(sizes, N, effort, say)
    notes = [f"The highest rate of matrix products was that of {N} × {N}."]
    return rows, notes if find_spec("jax") else [*notes, NO_JAX]


def point(sizes: Sizes, N: int, effort: Effort, say: Say) -> list[Measurement]:
    """All ratios at one point; seconds are per step and replica."""
    problem = Problem(sizes)
    silent = Problem(sizes, record="[0]")
    own = Contestant(lambda steps: train_steps(problem, steps), sizes.R)
    contestants = {
        "silent": Contestant(lambda steps: train_steps(silent, steps), sizes.R),
        "module": contestant(TorchModule(problem)),
        "loop": contestant(TorchLoop(problem)),
        "limit, own shapes": own_shapes(sizes),
        "limit, best rate": best_shape(sizes, N),
    }
    if find_spec("jax"):
        from benchmarks.peers.jax_scan import JaxScan

        contestants["jax"] = contestant(JaxScan(problem))
    found = interleaved(own, contestants, effort)
    rows = [Measurement.at(sizes, name, "", pairs.ratios) for name, pairs in found.items()]
    rows.append(Measurement.at(sizes, "own", "ms", [1e3 * seconds for seconds in found["module"].own]))
    rows += [
        Measurement.at(sizes, f"{name} ms", "ms", [1e3 * seconds for seconds in pairs.peer])
        for name, pairs in found.items()
    ]
    say(f"{sizes}: " + ", ".join(f"{name} {spread(pairs.ratios)}" for name, pairs in found.items()))
    return rows
