"""A sweep: the missing runs of a plan are computed, committed and put into the tables."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic

from harness.errors import HarnessError, ResultsError
from harness.execution import cluster, processes
from harness.execution.environment import torch_came_first
from harness.execution.job import JobOptions
from harness.execution.local import Supervision, clear_markers, execute
from harness.execution.options import SweepOptions
from harness.execution.phases import await_others, choose
from harness.execution.progress import Progress
from harness.execution.provenance import write_plan, write_provenance
from harness.store import tables
from harness.store.checkpoints import Checkpoints
from harness.store.compaction import compact
from harness.store.journal import Journal
from harness.store.locks import controller_lock
from harness.store.ownership import check_owned, check_study
from harness.store.status import Status
from harness.store.winners import resolved
from harness.study.plan import Plan, Run, packs

REFRESH_SECONDS = 5.0  # between two refreshes of the tables, at least
REFRESH_SHARE = 1 / 50  # of the time of a sweep, at most, that refreshing the tables takes


@dataclass(frozen=True)
class SweepResult:
    """What a sweep has done.

    Args:
        tables: of the whole plan, as they were written.
        status: of the whole plan, other shards' runs included.
        failed: run_id → error, of the runs of this shard that have no result.
        computed: how many runs this sweep has added.
        seconds: how long it took.
        open_winners: why winners are not chosen, a sentence each, or what is to be known of those that are.
        awaited: how many tuning runs of other shards are missing, which nobody computes now.
    """

    tables: tables.Tables
    status: Status
    failed: Mapping[str, str]
    computed: int
    seconds: float
    open_winners: tuple[str, ...] = ()
    awaited: int = 0

    @property
    def missing(self) -> int:
        """How many runs of the whole plan have no result, failed ones included."""
        return self.status.plan.count - len(self.status.done)


def sweep(
    plan: Plan,
    folder: Path,
    options: SweepOptions,
    *,
    shown: bool = True,
    quiet: bool = False,
    command: Sequence[str] = (),
) -> SweepResult:
    """Compute what is missing of a plan, and write its tables.

    Args:
        plan: whose runs.
        folder: the results folder, created if need be.
        options: how it is run.
        shown: report progress on stderr.
        quiet: say nothing on stderr besides, such as which cells are not compiled.
        command: as provenance.json notes it.

    Raises:
        ResultsError: the folder cannot be used, no longer (disk full, folder moved), or is of another study; committed
            runs stay.
        KeyboardInterrupt: interrupted; committed runs stay, and are in the tables.
    """
    options.check_where(plan)  # before a folder is created
    options.check_trust(plan.study)
    # the scheduler is asked first: where none answers, no folder is created
    jobs = cluster.size(options.scheduler) if options.scheduler else processes.workers(options.jobs)
    check_owned(folder)
    check_study(folder, plan)
    journal = Journal.create(folder)
    job = JobOptions(
        folder.resolve(),
        os.getpid(),
        options.engine,
        options.device,
        options.timeout,
        options.force,
        options.shard_name,
        trust=options.trust,
    )
    try:
        with controller_lock(folder, options.shard_name), processes.interruptible():
            clear_markers(job.markers)
            if not options.shard_name:  # otherwise it may be another shard's, which is at work
                journal.clear_temporaries()
            result = _sweep_locked(plan, journal, options, job, jobs, shown, quiet, command)
            if not options.shard_name:
                with suppress(OSError):  # files that are not packed are as good as segments; the next sweep tries again
                    compact(journal)
            return result
    except OSError as error:
        where = error.filename or folder
        raise ResultsError(f"{where}: {error.strerror or error}; runs that are kept stay as they are") from None


def _sweep_locked(
    plan: Plan,
    journal: Journal,
    options: SweepOptions,
    job: JobOptions,
    jobs: int,
    shown: bool,
    quiet: bool,
    command: Sequence[str],
) -> SweepResult:
    """The sweep proper, while no other controller works on the same runs."""
    start, folder = monotonic(), journal.folder
    plan = resolved(plan, folder)
    own = frozenset(run.run_id for run in plan.every if options.owns(run))

    # Every commit of this shard is read before anything is computed: a damaged one would otherwise count as done, and
    # be noticed only when its run is missing in the tables.
    damaged = journal.damaged(sorted(journal.done() & own), decoded=True)
    for run_id, reason in damaged.items():
        journal.quarantine(run_id, reason)
    phase = _Phase(journal, options, job, jobs, shown, quiet, command, damaged)
    awaited, sentences = 0, list[str]()

    # With tuning the runs that are judged are known once the winners are, so that there are two phases.
    if plan.tuning_runs:
        errors, first = phase.compute(plan, plan.tuning_runs, options.limit)
        if not (errors and options.fail_fast):
            awaited = _await(plan, journal, options, first, phase)
        plan, sentences = choose(plan, journal, phase.say)
    if not (phase.errors and options.fail_fast):
        phase.compute(plan, plan.runs, None if options.limit is None else options.limit - len(phase.runs))

    derived = tables.refresh(journal, plan)
    after = Status.of(plan, journal, verify=False)
    # A run that was computed anew (--force) in vain has failed, though its old result is there. One that has neither a
    # result nor an error now (its commit was damaged or removed meanwhile) has failed, too: no run is left out.
    own = frozenset(run.run_id for run in plan.every if options.owns(run))
    failed = {**{run_id: error for run_id, error in after.failed.items() if run_id in own}, **phase.errors}
    if not (options.fail_fast and failed):
        for run in phase.runs:
            if run.run_id not in after.done and run.run_id not in failed:
                failed[run.run_id] = "its commit was damaged or removed while the sweep ran"
                journal.fail(run.run_id, run.columns(), failed[run.run_id], "", 1)
    computed = sum(run.run_id in after.done and run.run_id not in phase.errors for run in phase.runs)
    return SweepResult(derived, after, failed, computed, monotonic() - start, tuple(sentences), awaited)


def _await(plan: Plan, journal: Journal, options: SweepOptions, own: Sequence[Run], phase: _Phase) -> int:
    """Wait for the tuning runs of other shards that the same options would compute; how many nobody computes.

    A limit says nothing of what others do, so that then nothing is awaited.
    """
    if not options.shard_name or options.limit is not None:
        return 0
    committed = journal.done() | journal.failures().keys()
    everybody = replace(options, shard=(1, 1), force=False)
    others = [run for run in everybody.select(plan, committed, frozenset(), plan.tuning_runs) if run not in own]
    return await_others(others, journal, options.shard_name, phase.say) if others else 0


@dataclass
class _Phase:
    """One pass over runs that are known, and what the passes so far have computed."""

    journal: Journal
    options: SweepOptions
    job: JobOptions
    jobs: int
    shown: bool
    quiet: bool
    command: Sequence[str]
    damaged: Mapping[str, str]  # of which the first pass speaks
    runs: list[Run] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)

    def compute(self, plan: Plan, phase: Sequence[Run], limit: int | None) -> tuple[dict[str, str], list[Run]]:
        """Compute what is missing of some of a plan's runs; errors by run id, and the runs that were to be computed."""
        journal, options, job, folder, experiment = (
            self.journal, self.options, self.job, self.journal.folder, plan.study.experiment,
        )  # fmt: skip
        before = Status.of(plan, journal, verify=False)
        runs = replace(options, limit=limit).select(plan, before.done, frozenset(before.failed), phase)
        self.runs += runs

        # The notes are written before the first run: a sweep that is killed leaves results that can be explained.
        write_plan(plan, folder)
        if runs or not (folder / "provenance.json").exists():
            write_provenance(folder, self.command, plan.study.code())

        with Progress(plan.costs(runs), job.markers, self.shown, self.quiet) as progress:
            for run_id, reason in self.damaged.items():
                progress.say(f"damaged commit quarantined, its run is missing: {run_id}: {reason}")
            self.damaged = {}
            for note in options.notes(experiment, runs):
                progress.say(note)
            jobs = self.jobs
            if jobs > 1 and runs and not options.scheduler:
                jobs = _local_jobs(jobs, len(runs), job, progress)
            supervision = Supervision(
                experiment.entry, job, journal, progress, jobs, options.retries, options.fail_fast, options.scheduler,
                _refresher(plan, journal), plan.study.axes(),
            )  # fmt: skip
            try:
                started = Checkpoints(folder / "checkpoints").started()
                todo = packs(
                    runs, jobs=jobs, cost=progress.cost, memory=experiment.memory, alone=experiment.alone,
                    started=started, device=options.device,
                )  # fmt: skip
                errors = execute(todo, supervision)
                clear_markers(job.markers)  # killed workers of a cluster leave theirs, and half-written files
                if not options.shard_name:
                    journal.clear_temporaries()
            except BaseException:  # also an interrupt: the tables have every run that was committed
                tables.refresh(journal, plan)
                raise
        self.errors |= errors
        return errors, runs

    def say(self, text: str) -> None:
        """Print a line on stderr, unless all is to be quiet."""
        Progress({}, self.job.markers, self.shown, self.quiet).say(text)


def _local_jobs(jobs: int, runs: int, job: JobOptions, progress: Progress) -> int:
    """How many processes compute: no more than there are runs, and this one alone where no others can be started.

    Of two and more, a single run gets a process of its own: it may kill it.
    """
    jobs = min(jobs, max(2, runs))
    why = processes.why_not(jobs, job.controller)
    if not why:
        return jobs
    check_this_process()
    progress.say(f"no worker processes can be started here ({why}): this process computes all runs, one after another")
    return 1


def check_this_process() -> None:
    """Runs are to be computed in this process.

    Raises:
        HarnessError: torch was loaded before its arithmetic could be fixed.
    """
    if torch_came_first():
        raise HarnessError(
            "torch was loaded before its arithmetic could be fixed, so that runs in this process would not be bit "
            "for bit those of any other; call harness.prepare() before torch is imported, or let workers compute: "
            "n_jobs=2"
        )


def _refresher(plan: Plan, journal: Journal) -> Callable[[], None]:
    """A function to call after each job: it refreshes the tables, if little time has gone into that so far."""
    refreshed, spent = monotonic(), 0.0

    def refresh() -> None:
        nonlocal refreshed, spent
        if monotonic() - refreshed > max(REFRESH_SECONDS, spent / REFRESH_SHARE):
            start = monotonic()
            tables.refresh(journal, plan)
            refreshed = monotonic()
            spent = refreshed - start

    return refresh
