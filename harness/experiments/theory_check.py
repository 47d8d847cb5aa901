"""How an experiment that trains nothing reports: a number, what theory says it is, and profiles of both."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from time import perf_counter
from typing import TYPE_CHECKING

from harness.schema import Profile, Record
from harness.study.plan import Run

if TYPE_CHECKING:
    from harness.experiments.setup import Setup


@dataclass(frozen=True)
class TheoryCheck:
    """What one run found out.

    Attributes:
        measured: the number that the experiment is about.
        predicted: what theory says it is; None where it says nothing.
        residual: the largest deviation from theory, as the experiment compares them; None without theory.
        solved: whether theory, or the experiment's own rule, holds.
        profiles: what is kept along an axis.
        columns: of the table of runs, beside these.
    """

    measured: float
    predicted: float | None
    residual: float | None
    solved: bool
    profiles: Sequence[Profile]
    columns: Mapping[str, object] = field(default_factory=dict)

    @property
    def outcome(self) -> str:
        """What the run ended as: "diverged" if a number is not finite."""
        if not all(isfinite(number) for number in (self.measured, self.residual) if number is not None):
            return "diverged"
        return "solved" if self.solved else "unsolved"


def report(runs: Sequence[Run], setup: Setup, find: Callable[[Run], TheoryCheck], *, engine: str) -> Iterator[Record]:
    """A record a run.

    Args:
        find: what is done with one run.
        engine: "torch" or "numpy", whichever computes it.
    """
    for run in runs:
        start = perf_counter()
        found = find(run)
        row = {
            "outcome": found.outcome,
            "updates": 0,
            **found.columns,
            "measured": found.measured,
            "predicted": found.predicted,
            "residual": found.residual,
            "engine": engine,
            **setup.provenance,
            "device": "cpu",
            "seconds": perf_counter() - start,
        }
        yield Record(run.run_id, row, {"profiles": [profile.row(0) for profile in found.profiles]})
        setup.tick(1.0, 1)
