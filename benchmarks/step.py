"""The training step against its peers, against the machine's limit, and against itself without recording."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

import torch

from benchmarks import own
from benchmarks.measurement import Effort, Measurement, Say
from benchmarks.paired import Contestant, interleaved, one_core, spread
from benchmarks.peers import contestant
from benchmarks.peers.products import best_shape, described, own_shapes
from benchmarks.peers.torch_batched import TorchBatched
from benchmarks.peers.torch_compiled import TorchCompiled, unavailable
from benchmarks.peers.torch_loop import TorchLoop
from benchmarks.peers.torch_module import TorchModule
from benchmarks.problem import Problem
from benchmarks.sizes import CELLS, CENTRE, Sizes, around

NO_JAX = "JAX is not installed here, so there is no comparison with it (the extra `bench` brings it)."
COMPILE_TIME = "compiled, time to compile"
COMPILED = ("compiled", "compiled, silent")


def measure(effort: Effort, say: Say) -> tuple[list[Measurement], list[str]]:
    """Every point of the grid, for the cells that torch.nn has; what is compiled by torch, at the centre."""
    rows, notes = [], [] if find_spec("jax") else [NO_JAX]
    with one_core():
        notes.append(described())
        for cell in CELLS:
            centre = replace(CENTRE, cell=cell)
            for sizes in [centre] if effort.centre_only else around(centre):
                away = replace(effort, repeats=min(effort.repeats, effort.rounds))
                rows += point(sizes, effort if sizes == centre else away, say)
            if not effort.centre_only:
                measured, reasons = compiled(centre, effort, say)
                rows += measured
                notes += [reason for reason in reasons if reason not in notes]
    return rows, notes


def point(sizes: Sizes, effort: Effort, say: Say) -> list[Measurement]:
    """All ratios at one point, and the milliseconds a step and replica that they come from."""
    problem = Problem(sizes)
    groups = [
        {"module": contestant(TorchModule(problem)), "loop": contestant(TorchLoop(problem))},
        {
            "batched": contestant(TorchBatched(problem)),
            "batched, silent": contestant(TorchBatched(problem, record=False)),
        },
        {**_jax(problem), "limit, own shapes": own_shapes(sizes), "limit, best rate": best_shape(sizes)},
    ]
    timings = interleaved(own.contestant(problem), groups, effort)
    rows = [Measurement.at(sizes, name, "", pairs.ratios) for name, pairs in timings.items()]
    if sizes == replace(CENTRE, cell=sizes.cell):
        rows.append(recording(sizes, effort))
    seconds = {"harness": timings["module"].own, **{name: pairs.peer for name, pairs in timings.items()}}
    say(f"{sizes}: " + ", ".join(f"{row.quantity} {spread(row.values)}" for row in rows))
    return rows + [Measurement.at(sizes, f"{name}, time", "ms", [1e3 * s for s in v]) for name, v in seconds.items()]


def compiled(sizes: Sizes, effort: Effort, say: Say) -> tuple[list[Measurement], list[str]]:
    """The loop compiled by torch, recording and silent, and how long that takes; or the reason why not."""
    reason = unavailable()
    if reason is not None:
        return [], [reason]
    problem = Problem(sizes)
    torch.compiler.reset()
    peers = {name: TorchCompiled(problem, record=name == "compiled") for name in COMPILED}
    try:
        seconds = [peer.compile() for peer in peers.values()]
    except Exception as error:  # whatever keeps a compiler from working here: the other peers do not need it
        return [], [f"torch.compile was not measured: it failed here with {type(error).__name__}."]
    group = {name: contestant(peer) for name, peer in peers.items()}
    timings = interleaved(own.contestant(problem), [group], effort)
    rows = [Measurement.at(sizes, name, "", pairs.ratios) for name, pairs in timings.items()]
    rows.append(Measurement.at(sizes, COMPILE_TIME, "s", seconds))
    say(f"{sizes}: " + ", ".join(f"{row.quantity} {spread(row.values)}" for row in rows))
    return rows, []


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
