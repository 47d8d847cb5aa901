"""What of a plan has a result: computed once, and read by status, `-n`, the live page, sweeps and the Python API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.errors.text import printable, shortened
from harness.store.journal import Journal
from harness.store.other_versions import other_versions, sentences
from harness.store.winners import resolved
from harness.study.plan import Plan, Run
from harness.study.seeding import compact


@dataclass(frozen=True)
class Status:
    """The runs of a plan in a results folder, and what else is there.

    Every planned run is done, failed or missing. A damaged commit is no result: its run is missing.
    """

    plan: Plan
    folder: Path
    done: frozenset[str] = frozenset()  # ids of planned runs with an undamaged commit
    failed: Mapping[str, str] = field(default_factory=dict)  # run_id → error, of planned runs without a commit
    damaged: Mapping[str, str] = field(default_factory=dict)  # run_id → reason, of planned runs
    quarantined: tuple[str, ...] = ()  # ids of runs of which a damaged commit was moved to journal/damaged/
    orphaned: frozenset[str] = frozenset()  # ids of committed runs that are not planned
    other_versions: Mapping[str, str] = field(default_factory=dict)  # run_id → how it differs, of orphans (if verified)

    @classmethod
    def of(cls, plan: Plan, journal: Journal, *, verify: bool = True) -> Status:
        """The status of a plan as its results folder is now; nothing is written.

        Args:
            plan: whose runs count.
            journal: of the results folder.
            verify: read every commit and compare its checksum, and look among orphans for runs of another version.
                Without it a damaged commit counts as done, and the time does not grow with the size of the results.

        Raises:
            ResultsError: a commit may not be read.
        """
        plan = resolved(plan, journal.folder)
        committed = journal.done()
        damaged = journal.damaged(sorted(committed & plan.ids)) if verify else {}
        done = committed & plan.ids - damaged.keys()
        notes = {run_id: note for run_id, note in journal.failures().items() if run_id in plan.ids - done}
        failed = {run_id: printable(shortened(note["error"])) for run_id, note in notes.items()}
        orphaned = committed - plan.ids
        others = other_versions(plan, journal, orphaned) if verify and orphaned else {}
        return cls(plan, journal.folder, done, failed, damaged, journal.quarantined(), orphaned, others)

    @cached_property
    def missing(self) -> frozenset[str]:
        """Ids of planned runs that are neither done nor failed."""
        return self.plan.ids - self.done - self.failed.keys()

    @cached_property
    def remaining(self) -> tuple[Run, ...]:
        """The missing runs, in the order of the plan: what a sweep without options computes."""
        return tuple(run for run in self.plan.every if run.run_id in self.missing)

    @cached_property
    def core_seconds_left(self) -> float:
        """Predicted seconds on one core of all missing runs; of winners that are not known, as the mean candidate."""
        return sum(self.plan.costs(self.remaining).values()) + self.plan.waiting_seconds

    def counts(self) -> Mapping[str, int]:
        """How many runs are done, missing, failed and orphaned; those of winners that are not known yet are missing."""
        return {
            "done": len(self.done),
            "missing": len(self.missing) + self.plan.waiting,
            "failed": len(self.failed),
            "orphaned": len(self.orphaned),
        }

    def by_purpose(self) -> Mapping[str, Mapping[str, int]]:
        """How many runs of calibration and of judged seeds are planned and done; empty where all are judged."""
        study = self.plan.study
        if not study.calibration:
            return {}
        counts = {}
        for purpose, seeds in (("calibration", frozenset(study.calibration)), ("judged", frozenset(study.judged))):
            ids = [run.run_id for run in self.plan.runs if run.seed in seeds]
            counts[purpose] = {"planned": len(ids), "done": sum(run_id in self.done for run_id in ids)}
        return counts

    def purposes(self) -> list[str]:
        """A line for calibration runs and one for judged runs."""
        study = self.plan.study
        seeds = {"calibration": study.calibration, "judged": study.judged}
        return [
            f"{purpose} seeds {compact(seeds[purpose])}: {count['done']} of {count['planned']} runs done"
            for purpose, count in self.by_purpose().items()
        ]

    def text(self) -> str:
        """As `python -m harness.status` prints it."""
        lines = [
            f"{self.plan.study.name}: {self.plan.count} runs in {self.folder}",
            *(f"{count:8d}  {name}" for name, count in self.counts().items()),
            *self.phases(),
            *self.purposes(),
            f"still to come: about {clock(self.core_seconds_left)} of one core",
            *(f"failed {run_id}: {error}" for run_id, error in self.failed.items()),
            *self.damage(),
            *sentences(self.other_versions.values()),
            *(f"damaged commit quarantined: {run_id}" for run_id in self.quarantined),
        ]
        return "\n".join(lines)

    def phases(self) -> list[str]:
        """A line for each phase of a study with tuning."""
        if not self.plan.tuning_runs:
            return []
        counts, groups = self._phase_counts(), len(self.plan.groups)
        known = f"{counts['chosen']} of {groups} winners chosen"
        return [
            f"tuning: {counts['tuning']['done']} of {counts['tuning']['planned']} runs done, {known}",
            f"winners: {counts['winners']['done']} of {counts['winners']['planned']} runs done"
            + (f", {self.plan.waiting} wait for their winners" if self.plan.waiting else ""),
        ]

    def _phase_counts(self) -> dict[str, Any]:
        tuning = {run.run_id for run in self.plan.tuning_runs}
        judged = {run.run_id for run in self.plan.runs}
        return {
            "tuning": {"planned": len(tuning), "done": len(tuning & self.done)},
            "chosen": self.plan.winners_known,
            "winners": {"planned": self.plan.judged_count, "done": len(judged & self.done)},
        }

    def damage(self) -> list[str]:
        """A line for each damaged commit."""
        reasons = {run_id: printable(shortened(text)) for run_id, text in self.damaged.items()}
        return [f"damaged commit, to be computed again: {run_id}: {text}" for run_id, text in reasons.items()]

    def document(self) -> Mapping[str, Any]:
        """As `python -m harness.status --json` prints it; docs/concepts.md lists the keys."""
        return {
            "study": self.plan.study.name,
            "folder": str(self.folder),
            "planned": self.plan.count,
            **self.counts(),
            **({"phases": self._phase_counts()} if self.plan.tuning_runs else {}),
            "seeds": self.by_purpose(),
            "core_seconds_left": round(self.core_seconds_left, 3),
            "failures": [{"run_id": run_id, "reason": error} for run_id, error in self.failed.items()],
            "damaged": [{"run_id": run_id, "reason": reason} for run_id, reason in self.damaged.items()],
            "set_aside": list(self.quarantined),
            "other_versions": [{"run_id": run_id, "reason": reason} for run_id, reason in self.other_versions.items()],
        }


def clock(seconds: float) -> str:
    """90 → 1:30; 4000 → 1:06:40."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
