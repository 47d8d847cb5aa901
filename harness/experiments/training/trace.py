"""What one replica of a pack has recorded so far."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

from harness.experiments.training.settings import Training
from harness.study.plan import Run


@dataclass
class Trace:
    """A run's rows of the tables of curves, gradients and profiles, when it was solved, and the time it has taken."""

    run: Run
    curves: list[dict[str, object]] = field(default_factory=list)
    gradients: list[dict[str, object]] = field(default_factory=list)
    profiles: list[dict[str, object]] = field(default_factory=list)
    solved_at: int | None = None
    seconds: float = 0.0

    def ends(self, update: int, training: Training) -> bool:
        """Whether the run has used its budget, or is solved and stops there."""
        return update == training.max_updates or (training.stop_when_solved and self.solved_at is not None)


@contextmanager
def timed(traces: Sequence[Trace]) -> Iterator[None]:
    """Share the time that a block takes among the replicas that are in it."""
    start = perf_counter()
    yield
    for trace in traces:
        trace.seconds += (perf_counter() - start) / len(traces)
