"""The training step against its peers, against the machine's limit, and against itself without recording."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

from benchmarks import own
from benchmarks.measurement import Effort, Measurement, Say
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
    notes = [f"The highest rate of matrix products is that of {N} × {N}."]
    return rows, notes if find_spec("jax") else [*notes, NO_JAX]


def point(sizes: Sizes, N: int, effort: Effort, say: Say) -> list[Measurement]:
    """All ratios at one point, and the milliseconds a step and replica that they come from.

    Args:
        N: size of the square products with the highest rate.
    """
    problem = Problem(sizes)
    torches = {"module": contestant(TorchModule(problem)), "loop": contestant(TorchLoop(problem))}
    others = {"limit, own shapes": own_shapes(sizes), "limit, best rate": best_shape(sizes, N), **_jax(problem)}
    timings = interleaved(own.contestant(problem), [torches, others], effort)
    rows = [Measurement.at(sizes, name, "", pairs.ratios) for name, pairs in timings.items()]
    if sizes == replace(CENTRE, cell=sizes.cell):
        rows.append(recording(sizes, effort))
    seconds = {"harness": timings["module"].own, **{name: pairs.peer for name, pairs in timings.items()}}
    say(f"{sizes}: " + ", ".join(f"{row.quantity} {spread(row.values)}" for row in rows))
    return rows + [Measurement.at(sizes, f"{name}, time", "ms", [1e3 * s for s in v]) for name, v in seconds.items()]


def recording(sizes: Sizes, effort: Effort) -> Measurement:
    """What recording every update adds to a step that records nothing, as a share of the latter."""
    silent = own.contestant(Problem(sizes, record="[0]"))
    longer = replace(effort, seconds=2 * effort.seconds, repeats=2 * effort.repeats)  # a small difference
    pairs = interleaved(own.contestant(Problem(sizes)), [{"silent": silent}], longer)["silent"]
    return Measurement.at(sizes, "recording", "", [1 / ratio - 1 for ratio in pairs.ratios])


def _jax(problem: Problem) -> dict[str, Contestant]:
    """The JAX peer, where there is JAX."""
    if not find_spec("jax"):
        return {}
    from benchmarks.peers.jax_scan import JaxScan

    return {"jax": contestant(JaxScan(problem))}
