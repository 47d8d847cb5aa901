"""A module of torch.nn that is watched: what a record costs beside the module's own pass, and a watch that waits."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from time import perf_counter

import torch
from torch import nn

import harness
from benchmarks.measurement import Effort, Measurement, Say
from benchmarks.paired import Contestant, interleaved, one_core, spread
from benchmarks.sizes import CELLS, CENTRE, Sizes

MODULES: dict[str, type[nn.RNNBase]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
RECORD, WAITING = "a record", "not recorded"


def measure(effort: Effort, say: Say) -> tuple[list[Measurement], list[str]]:
    """The centre, for the cells that torch.nn has."""
    with one_core():
        return [row for cell in CELLS for row in point(replace(CENTRE, cell=cell), effort, say)], []


def point(sizes: Sizes, effort: Effort, say: Say) -> list[Measurement]:
    """A forward and backward pass of one module on H numbers a step, silent, recorded, and between two records."""
    silent = Pass(sizes, nullcontext)
    recorded = Pass(sizes, lambda: harness.watch(silent.module))
    waiting = Pass(sizes, nullcontext)
    watch = harness.watch(waiting.module, every=2)
    watch.step()  # update 1 is none that is recorded
    both = {RECORD: Contestant(recorded.turn), WAITING: Contestant(waiting.turn)}
    recorded.module = silent.module
    times = interleaved(Contestant(silent.turn), [both], effort)
    watch.close()
    rows = [
        # what is left of a recorded pass without the module's own: its steps computed again, forward and back
        Measurement.at(sizes, RECORD, "", [ratio - 1 for ratio in times[RECORD].ratios]),
        Measurement.at(sizes, WAITING, "", times[WAITING].ratios),
    ]
    say(f"{sizes}: " + ", ".join(f"{row.quantity} {spread(row.values)}" for row in rows))
    return [*rows, Measurement.at(sizes, "module, time", "ms", [1e3 * seconds for seconds in times[RECORD].own])]


class Pass:
    """A forward and backward pass of a module, inside a context."""

    def __init__(self, sizes: Sizes, context: Callable[[], AbstractContextManager[object]]) -> None:
        self.module = MODULES[sizes.cell](sizes.H, sizes.H)
        self.x = torch.randn(sizes.T, sizes.B, sizes.H, generator=torch.Generator().manual_seed(0))
        self.context = context

    def turn(self, steps: int) -> float:
        start = perf_counter()
        for _ in range(steps):
            with self.context():
                self.module.zero_grad()
                self.module(self.x)[0][-1].sum().backward()
        return (perf_counter() - start) / steps
