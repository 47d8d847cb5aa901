"""What an experiment that trains nothing yields: a measured number, its theory, and profiles of both."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar

from harness.schema import Profile, Record
from harness.study.plan import Run
from harness.study.section import Sections

if TYPE_CHECKING:
    from harness.experiments.setup import Setup

S = TypeVar("S", bound=Sections)


@dataclass(frozen=True)
class TheoryCheck:
    """What one run measured, beside what theory says.

    Attributes:
        measured: the number that the experiment is about.
        predicted: what theory says it is; None where it says nothing.
        residual: the largest deviation from theory, as the experiment compares them; None without theory.
        solved: whether theory, or the experiment's own rule, holds.
        profiles: what is kept along an axis.
        columns: of the table of runs, beside these.
        gradients: rows of the table of gradients, where there are any.
    """

    measured: float
    predicted: float | None
    residual: float | None
    solved: bool
    profiles: Sequence[Profile]
    columns: Mapping[str, object] = field(default_factory=dict)
    gradients: Sequence[Mapping[str, object]] = ()

    @property
    def outcome(self) -> str:
        """What the run ended as: "diverged" if a number is not finite."""
        if not all(isfinite(number) for number in (self.measured, self.residual) if number is not None):
            return "diverged"
        return "solved" if self.solved else "unsolved"


def check_records(
    runs: Sequence[Run], setup: Setup, kind: type[S], measure: Callable[[S, int], TheoryCheck], *, engine: str
) -> Iterator[Record]:
    """A record a run.

    Args:
        runs: of one experiment.
        setup: how they are computed.
        kind: the experiment's sections.
        measure: (sections, seed) → what that run measures.
        engine: "torch" or "numpy", whichever computes it.
    """
    for run in runs:
        start = perf_counter()
        check = measure(run.sections.typed(kind), run.seed)
        row = {
            "outcome": check.outcome,
            "updates": 0,
            **check.columns,
            "measured": check.measured,
            "predicted": check.predicted,
            "residual": check.residual,
            "engine": engine,
            **setup.provenance,
            "device": "cpu",
            "seconds": perf_counter() - start,
        }
        tables = {"profiles": [profile.row(0) for profile in check.profiles]}
        yield Record(run.run_id, row, tables | ({"gradients": check.gradients} if check.gradients else {}))
        setup.tick(1.0, 1)
