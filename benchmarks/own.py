"""The harness's own training step: THE loop itself, between two of its ticks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from time import perf_counter
from unittest.mock import patch

from benchmarks.paired import Contestant
from benchmarks.problem import Problem
from harness.experiments.setup import Setup
from harness.experiments.training import loop
from harness.experiments.training.batches import BatchSource
from harness.experiments.training.replicas import Replicas
from harness.recurrence.adjoints import AdjointRecorder

WARM = 1  # updates before the clock starts, in every turn


class Enough(Exception):  # noqa: N818 - the intended end, no error
    """Ends a training whose time has been taken."""


@dataclass
class Ticks:
    """The times at which updates end; stops the loop after so many."""

    updates: int
    times: list[float] = field(default_factory=list)

    def __call__(self, done: float, replicas: int) -> None:
        self.times.append(perf_counter())
        if len(self.times) == self.updates:
            raise Enough


def train_steps(problem: Problem, steps: int) -> float:
    """Seconds a step of the pack: the whole of it, sampling, gradient, recording, clipping, optimizer and book-keeping.

    Evaluations, and all before update `WARM`, are not in it.
    """
    ticks = Ticks(WARM + steps)
    with no_evaluation(), suppress(Enough):
        for _ in loop.train(problem.runs, Setup("compiled", listener=ticks)):
            pass
    return (ticks.times[-1] - ticks.times[WARM - 1]) / steps


def contestant(problem: Problem) -> Contestant:
    """The harness as something to time: a step trains R replicas."""
    return Contestant(lambda steps: train_steps(problem, steps), problem.sizes.R, fewest=2)


def gradient(problem: Problem, engine: str = "compiled") -> Contestant:
    """The gradient alone, of one batch again and again: forward, loss, backward, recording."""
    model, training = replace(problem.model, engine=engine), problem.training
    seeds = [run.seed for run in problem.runs]
    replicas = Replicas.start([model.initialise(model.cell, seed) for seed in seeds], training, "cpu")
    source = BatchSource(model, training, "cpu", seeds)
    batch = source.batch(0)

    def turn(steps: int) -> float:
        start = perf_counter()
        for _ in range(steps):
            loop.backward_pass(source, replicas, batch, AdjointRecorder())
        return (perf_counter() - start) / steps

    return Contestant(turn, problem.sizes.R)


@contextmanager
def no_evaluation() -> Iterator[None]:
    """The loop evaluates at update 0 whatever the schedule; eigenvalues of large W would outlast the turn itself."""
    with patch.object(loop, "evaluate", lambda *_: None):
        yield
