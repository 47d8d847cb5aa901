"""Where a training step goes: the functions that THE loop calls, each with a stopwatch around it.

Nothing is copied: the loop runs as it is, and the watched functions are wrapped in place. A stopwatch counts self time,
without that of watched functions it calls; the remainder is the loop's own book-keeping, "rest".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any
from unittest.mock import patch

from benchmarks.measurement import Effort, Measurement, Say
from benchmarks.own import WARM, Enough, Ticks, no_evaluation
from benchmarks.paired import one_core, spread
from benchmarks.problem import Problem
from benchmarks.sizes import CELLS, CENTRE
from harness.experiments.setup import Setup
from harness.experiments.training import loop
from harness.experiments.training.batches import BatchSource
from harness.experiments.training.optimizers import Optimizer
from harness.experiments.training.replicas import Replicas
from harness.models.sequence_to_vector import SequenceToVector
from harness.recurrence.compiler import recurrence
from harness.recurrence.compiler.kernel import CompiledCell
from harness.recurrence.compiler.stack import CompiledStack

PARTS = (
    "sampling",
    "kernel forward",
    "kernel backward",
    "around the kernel",
    "readout and loss",
    "autograd",
    "clipping",
    "optimizer",
    "recording",
    "rest",
)


@dataclass
class Stopwatches:
    """Self time by name."""

    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    inner: list[float] = field(default_factory=list)  # time of watched callees, one level a call in progress

    def around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function`, timed under `name`."""

        def timed(*arguments: Any, **keywords: Any) -> Any:
            self.inner.append(0.0)
            start = perf_counter()
            try:
                return function(*arguments, **keywords)
            finally:
                taken = perf_counter() - start
                self.seconds[name] += taken - self.inner.pop()
                if self.inner:
                    self.inner[-1] += taken

        return timed

    @contextmanager
    def placed(self) -> Iterator[None]:
        """Wrap what the loop calls, for as long as this lasts."""
        places: list[tuple[Any, str, str]] = [
            (BatchSource, "batch", "sampling"),
            (SequenceToVector, "outputs", "readout and loss"),
            (SequenceToVector, "losses", "readout and loss"),
            (recurrence, "run", "around the kernel"),
            (loop, "backward_pass", "autograd"),
            (Replicas, "gradient_norms", "clipping"),
            (Replicas, "clip", "clipping"),
            (Optimizer, "step", "optimizer"),
            (loop, "adjoint_rows", "recording"),
        ]
        call, backward = CompiledCell.call, CompiledStack.backward
        directions = {name: self.around(f"kernel {name}", call) for name in ("forward", "backward")}

        def kernel(compiled: CompiledCell, name: str, *arguments: Any) -> None:
            directions[name.partition("_")[0]](compiled, name, *arguments)

        with ExitStack() as stack:
            stack.enter_context(patch.object(CompiledCell, "call", kernel))
            around = staticmethod(self.around("around the kernel", backward))
            stack.enter_context(patch.object(CompiledStack, "backward", around))
            for place, name, part in places:
                stack.enter_context(patch.object(place, name, self.around(part, getattr(place, name))))
            yield


def measure(effort: Effort, say: Say) -> tuple[list[Measurement], list[str]]:
    """The share of each part at the centre, for every cell."""
    rows = []
    with one_core():
        for cell in CELLS:
            sizes = replace(CENTRE, cell=cell)
            steps = max(3, round(200 * effort.seconds))
            turns = [shares(Problem(sizes), steps) for _ in range(effort.repeats + 1)][1:]
            own = [Measurement.at(sizes, part, "", [turn[part] for turn in turns]) for part in PARTS]
            say(f"{sizes}: " + ", ".join(f"{row.quantity} {spread(row.values)}" for row in own))
            rows += own
    return rows, []


def shares(problem: Problem, steps: int) -> dict[str, float]:
    """The share of each part in some steps of the loop; they add up to one."""
    watches = Stopwatches()
    at_start: dict[str, float] = {}
    ticks = Ticks(WARM + steps)

    def listener(done: float, replicas: int) -> None:
        if len(ticks.times) == WARM - 1:
            at_start.update(watches.seconds)
        ticks(done, replicas)

    with no_evaluation(), watches.placed(), suppress(Enough):
        for _ in loop.train(problem.runs, Setup("compiled", listener=listener)):
            pass
    whole = ticks.times[-1] - ticks.times[WARM - 1]
    measured = {part: (watches.seconds[part] - at_start.get(part, 0.0)) / whole for part in PARTS}
    return {**measured, "rest": 1 - sum(measured.values())}
