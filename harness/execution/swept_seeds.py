"""Which seeds a sweep computes: of a study with calibration seeds the judged ones only once it is frozen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from harness.errors import HarnessError, nearest
from harness.store.freezing import FreezeFile
from harness.study.held_out import Phase, registration
from harness.study.plan import Plan
from harness.study.seeding import compact


@dataclass(frozen=True)
class SweptSeeds:
    """The seeds of one sweep.

    Attributes:
        omitted: planned seeds that it does not compute.
        notes: sentences to whoever sweeps: changes since the last freeze, and how to go on.
        unregistered: whether judged runs are computed without a freeze, which is recorded as an amendment.
    """

    omitted: frozenset[int]
    notes: Sequence[str]
    unregistered: bool

    def record(self, plan: Plan, folder: Path) -> None:
        """Record, before the first run, that judged runs are computed without a freeze.

        Raises:
            HarnessError: the freeze file cannot be written, or was edited.
        """
        if self.unregistered:
            FreezeFile.of(plan).judged_without_freeze(folder)


def swept_seeds(plan: Plan, word: str | None = None) -> SweptSeeds:
    """The seeds of a phase, `word` or the one that a study is in.

    Raises:
        HarnessError: the study has no such phase, or its freeze file was edited.
    """
    study, registered = plan.study, registration(plan.study)
    if word is not None and word not in get_args(Phase):
        raise HarnessError(f"no such seeds: '{word}'{nearest(word, get_args(Phase))}")
    phase: Phase = registered.phase if word is None else word  # type: ignore[assignment]
    seeds = registered.seeds(phase)
    if not seeds:
        form = "seeds: {calibration: 5, judged: {first: 1000, count: 20}}"
        raise HarnessError(f"{study.path}: has no {phase} seeds; it has with {form}")
    notes = list(registered.notes())
    if phase == "calibration" and word is None:
        missing = "the study was changed since its freeze" if registered.last else "it is not frozen yet"
        notes.append(f"calibration seeds {compact(seeds)} alone, as {missing}; to go on, {registered.next_step()}")
    first_look = set(seeds) & set(study.written_seeds.judged)
    unregistered = bool(study.written_seeds.calibration and first_look) and not (registered.valid or registered.departs)
    if unregistered:
        notes.append("judged runs without a freeze: they are recorded as an amendment in the freeze file")
    return SweptSeeds(frozenset(study.seeds) - frozenset(seeds), tuple(notes), unregistered)
