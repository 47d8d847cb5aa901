"""Networks of two layers: against torch.nn's, and against the same layers one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from time import perf_counter

import numpy as np
import torch

from benchmarks import own
from benchmarks.measurement import Effort, Measurement, Say
from benchmarks.paired import Contestant, interleaved, one_core, spread
from benchmarks.peers import contestant
from benchmarks.peers.torch_module import TorchModule
from benchmarks.problem import Problem
from benchmarks.sizes import CELLS, CENTRE, D, Sizes
from harness.cells import CELLS as BUILT_IN
from harness.cells.layers import shapes, start
from harness.recurrence.adjoints import AdjointRecorder
from harness.recurrence.layers import Stack
from harness.recurrence.scan import scan_layers

LAYERS = 2
MODULE, SUM = "module, two layers", "stack against its layers"


def measure(effort: Effort, say: Say) -> tuple[list[Measurement], list[str]]:
    """The centre, for the cells that torch.nn has."""
    with one_core():
        return [row for cell in CELLS for row in point(replace(CENTRE, cell=cell), effort, say)], []


def point(sizes: Sizes, effort: Effort, say: Say) -> list[Measurement]:
    """A step that records both layers against the silent module; and the recurrences, together and one by one."""
    problem = Problem(sizes, layers=LAYERS)
    module = interleaved(own.contestant(problem), [{"": contestant(TorchModule(problem))}], effort)[""]
    alone = in_sequence(Recurrence(sizes, tokens=True, every_step=True), Recurrence(sizes))
    layers = interleaved(in_sequence(Recurrence(sizes, LAYERS, tokens=True)), [{"": alone}], effort)[""]
    rows = [
        Measurement.at(sizes, MODULE, "", module.ratios),
        Measurement.at(sizes, SUM, "", [1 / ratio for ratio in layers.ratios]),
    ]
    say(f"{sizes}: " + ", ".join(f"{row.quantity} {spread(row.values)}" for row in rows))
    return [
        *rows,
        Measurement.at(sizes, "harness, time", "ms", [1e3 * s for s in module.own]),
        Measurement.at(sizes, f"{MODULE}, time", "ms", [1e3 * s for s in module.peer]),
    ]


class Recurrence:
    """One forward and backward pass of the recurrence alone, recording; no task, readout or optimizer."""

    def __init__(self, sizes: Sizes, layers: int = 1, *, tokens: bool = False, every_step: bool = False) -> None:
        """Draw parameters, an input and the gradient of the output.

        Args:
            sizes: of each layer.
            layers: how many.
            tokens: whether the first layer reads symbols; or H numbers, whose gradient is then computed too.
            every_step: whether the output has a gradient at every step; or at the last.
        """
        T, R, B, H = sizes.T, sizes.R, sizes.B, sizes.H
        width, self.every_step = D if tokens else H, every_step
        cell = BUILT_IN[sizes.cell].model_validate({"cell": sizes.cell, "hidden_size": H, "layers": layers})
        drawn = [start(cell, seed, input_size=width, output_size=1, length=T) for seed in range(R)]
        self.parameters = {
            name: torch.as_tensor(np.stack([own[name] for own in drawn]), dtype=torch.float32).requires_grad_()
            for name in shapes(cell, width)
        }
        self.stack = Stack.of(cell)
        self.state = tuple(torch.zeros(R, B, H) for layer in self.stack.directions for _ in layer.cell.states)
        generator = torch.Generator().manual_seed(0)
        self.inputs = (
            torch.randint(D, (T, R, B), generator=generator)
            if tokens
            else torch.randn(T, R, B, H, generator=generator).requires_grad_()
        )
        self.gradient = torch.randn(*([T] if every_step else []), R, B, H, generator=generator)

    def step(self) -> None:
        for tensor in (self.inputs, *self.parameters.values()):
            tensor.grad = None
        output, _ = scan_layers(
            self.stack, self.parameters, self.inputs, self.state,
            every_step=self.every_step, engine="compiled", recorder=AdjointRecorder(),
        )  # fmt: skip
        output.backward(self.gradient)  # type: ignore[no-untyped-call]


def in_sequence(*recurrences: Recurrence) -> Contestant:
    """One pass of each, as one step."""
    steps: list[Callable[[], None]] = [recurrence.step for recurrence in recurrences]

    def turn(n: int) -> float:
        start = perf_counter()
        for _ in range(n):
            for step in steps:
                step()
        return (perf_counter() - start) / n

    return Contestant(turn)
