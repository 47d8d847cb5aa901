"""A sweep: what of a plan is missing is computed, committed and put into the tables."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from platform import platform
from time import monotonic

from harness.errors import HarnessError, ResultsError, nearest
from harness.execution import cluster
from harness.execution.job import JobOptions
from harness.execution.local import Supervision, clear_markers, execute, interruptible, workers
from harness.execution.progress import Progress
from harness.store import tables
from harness.store.checkpoints import Checkpoints
from harness.store.compaction import compact
from harness.store.journal import Journal, replace_file
from harness.study.matching import matches
from harness.study.plan import Plan, Run, packs
from harness.study.spec import StudySpec

NAMED: Mapping[str, object] = {"null": None, "none": None, "full": None, "true": True, "false": False}


@dataclass(frozen=True)
class SweepOptions:
    """How a sweep is to be done, as opposed to what is asked."""

    jobs: int = 1
    engine: str = "numba"
    device: str = "cpu"
    retries: int = 1
    timeout: float | None = None
    fail_fast: bool = False
    retry_failed: bool = False
    force: bool = False
    limit: int | None = None
    where: Mapping[str, object] = field(default_factory=dict)
    shard: tuple[int, int] = (1, 1)
    scheduler: str | None = None

    @property
    def shard_name(self) -> str:
        """I-of-N, or nothing for the whole."""
        return "" if self.shard[1] == 1 else f"{self.shard[0]}-of-{self.shard[1]}"

    def owns(self, run: Run) -> bool:
        """Whether a run belongs to this shard: by its id, whatever else is in the study."""
        return int(run.run_id, 16) % self.shard[1] == self.shard[0] - 1


@dataclass(frozen=True)
class SweepResult:
    """What a sweep has done."""

    tables: tables.Tables
    failed: Mapping[str, str]
    computed: int
    missing: int  # of the whole plan, other shards' included
    seconds: float


def todo(plan: Plan, options: SweepOptions, done: frozenset[str], failed: frozenset[str]) -> list[Run]:
    """The runs that this sweep is to compute, in the plan's order."""
    chosen = [
        run for run in plan.runs if options.owns(run) and (not options.where or matches(run.columns(), options.where))
    ]
    if not options.force:
        skip = done if options.retry_failed else done | failed
        chosen = [run for run in chosen if run.run_id not in skip]
    return chosen[: options.limit]


def costs(plan: Plan, runs: Sequence[Run]) -> dict[str, float]:
    """Predicted seconds of each run."""
    by_point: dict[int, float] = {}
    for run in runs:
        if id(run.point) not in by_point:
            by_point[id(run.point)] = plan.study.experiment.cost(run.sections)
    return {run.run_id: by_point[id(run.point)] for run in runs}


def sweep(
    plan: Plan, folder: Path, options: SweepOptions, *, shown: bool = True, command: Sequence[str] = ()
) -> SweepResult:
    """Compute what is missing of a plan, and write its tables.

    Raises:
        ResultsError: the folder cannot be used, or no longer (disk full, folder moved); what had finished stays.
        KeyboardInterrupt: interrupted; what had finished is kept, and in the tables.
    """
    if options.scheduler:
        options = replace(options, jobs=cluster.size(options.scheduler))
    journal = Journal.create(folder)
    job = JobOptions(
        folder.resolve(),
        os.getpid(),
        options.engine,
        options.device,
        options.timeout,
        options.force,
        options.shard_name,
    )
    try:
        with journal.lock(options.shard_name), interruptible():
            clear_markers(job.markers)
            if not options.shard_name:  # else it may be another shard's, which is at work
                journal.clear_temporaries()
            result = _locked(plan, journal, options, job, shown, command)
            if not options.shard_name:
                with suppress(OSError):  # what it would pack is as good as it is; the next sweep tries again
                    compact(journal)
            return result
    except OSError as error:
        where = error.filename or folder
        raise ResultsError(f"{where}: {error.strerror or error}; runs that are kept stay as they are") from None


def _locked(
    plan: Plan, journal: Journal, options: SweepOptions, job: JobOptions, shown: bool, command: Sequence[str]
) -> SweepResult:
    start, folder = monotonic(), journal.folder
    mine = frozenset(run.run_id for run in plan.runs if options.owns(run))
    damaged = journal.faulty(sorted(journal.done() & mine))
    for run_id, why in damaged.items():
        journal.quarantine(run_id, why)
    done, failed = journal.done() & plan.ids, frozenset(journal.failures())
    runs = todo(plan, options, done, failed)
    _describe(plan, folder, runs, command)
    prepare = plan.study.experiment.prepare
    if runs and prepare and options.engine == "numba" and options.device == "cpu":
        prepare([point.sections for point in {id(run.point): run.point for run in runs}.values()])
    refreshed, spent = monotonic(), 0.0
    with Progress(costs(plan, runs), job.markers, shown) as progress:
        for run_id, why in damaged.items():
            progress.say(f"damaged commit set aside, its run is missing: {run_id}: {why}")

        def refresh() -> None:
            """Keep the tables fresh, but never spend more than a fiftieth of the time on it."""
            nonlocal refreshed, spent
            if monotonic() - refreshed > max(5.0, 50 * spent):
                before = monotonic()
                tables.refresh(journal, plan)
                refreshed = monotonic()
                spent = refreshed - before

        jobs = workers(options.jobs)
        watch = Supervision(
            plan.study.experiment.entry, job, journal, progress, jobs, options.retries, options.fail_fast,
            options.scheduler, refresh,
        )  # fmt: skip
        try:
            memory, started = plan.study.experiment.memory, Checkpoints(folder / "checkpoints").started()
            execute(packs(runs, jobs=jobs, cost=progress.cost, memory=memory, started=started), watch)
            clear_markers(job.markers)  # workers of a cluster that were killed leave theirs, and halves of files
            if not options.shard_name:
                journal.clear_temporaries()
        finally:
            derived = tables.refresh(journal, plan)
    have = journal.done() & plan.ids
    failures = {run_id: str(note["error"]) for run_id, note in journal.failures().items() if run_id in mine}
    computed = len(runs) if options.force else len(have & mine - done)
    return SweepResult(derived, failures, computed, len(plan.runs) - len(have), monotonic() - start)


def _describe(plan: Plan, folder: Path, runs: Sequence[Run], command: Sequence[str]) -> None:
    """Write plan.json (what was asked) and provenance.json (on what it ran)."""
    study = plan.study
    asked = {
        "name": study.name,
        "claim": study.claim,
        "study": study.path,
        "overrides": list(study.overrides),
        "ids": sorted(plan.ids),
        "source": study.source,
    }
    replace_file(folder / "plan.json", json.dumps(asked, indent=1).encode())
    if runs or not (folder / "provenance.json").exists():
        replace_file(folder / "provenance.json", json.dumps(provenance(command), indent=1).encode())


def provenance(command: Sequence[str]) -> dict[str, str | int]:
    """On what a sweep runs: versions and CPU are in the table of runs, the rest is here."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(command) if command else shlex.join([Path(sys.executable).name, *sys.argv]),
        "commit": commit(),
        "platform": platform(),
        "cores": os.cpu_count() or 1,
        "threads per job": 1,
    }


def commit() -> str:
    """The commit of the harness's own working tree, with "+" where it had changes; "unknown" outside one."""
    file = Path(__file__).resolve()
    here = file.parent
    try:
        # an installed harness may lie inside somebody else's repository
        subprocess.run(["git", "ls-files", "--error-unmatch", file.name], cwd=here, capture_output=True, check=True)
        head = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"], cwd=here, capture_output=True, text=True, check=True
        )
        changed = subprocess.run(
            ["git", "status", "--porcelain", "-uno"], cwd=here, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")


def counts(plan: Plan, journal: Journal, faulty: Collection[str] = ()) -> Counter[str]:
    """Runs done, missing (a faulty commit is none), failed, and orphaned (committed, but not of this plan)."""
    done, failed = journal.done() - frozenset(faulty), frozenset(journal.failures())
    return Counter(
        done=len(done & plan.ids),
        failed=len(failed & plan.ids - done),
        missing=len(plan.ids - done - failed),
        orphaned=len(done - plan.ids),
    )


def parse_where(texts: Sequence[str], study: StudySpec) -> dict[str, object]:
    """`cell=lstm` or `sequence_length=50,100` → a condition on columns.

    Raises:
        HarnessError: not of that form, or no such column.
    """
    found: dict[str, object] = {}
    known = {column.name for column in study.setting_columns()}
    for text in texts:
        name, equals, values = text.partition("=")
        if not equals or not name.strip() or not values.strip():
            raise HarnessError(f"--filter '{text}' is not column=value or column=value,value")
        if name.strip() not in known:
            raise HarnessError(f"--filter: no column '{name.strip()}'{nearest(name.strip(), known)}")
        if name.strip() in found:
            raise HarnessError(f"--filter: {name.strip()} is there twice; give its values as one list: value,value")
        found[name.strip()] = [NAMED.get(v.strip(), v.strip()) for v in values.split(",")]
    return found
