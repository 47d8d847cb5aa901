"""Jobs in parallel on this machine, in processes of joblib's loky; supervision of those that fail or are killed."""

from __future__ import annotations

import signal
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from joblib import Parallel, cpu_count, delayed, parallel_config

from harness.errors import ResultsError
from harness.execution import cluster
from harness.execution.environment import die_with
from harness.execution.job import MARKER, JobOptions, Outcome, work
from harness.execution.progress import Progress
from harness.store.files import read_json
from harness.store.journal import Journal
from harness.store.ownership import SHARD
from harness.study import labels
from harness.study.plan import Pack, Run


class Terminated(KeyboardInterrupt):
    """SIGTERM, treated like Ctrl-C, with an exit code of its own."""


@dataclass
class Supervision:
    """How jobs are retried, and the attempts and failures so far.

    Args:
        entry: "module:function" of the experiment.
        options: of every job.
        journal: the commits.
        progress: is informed of every run that ends.
        jobs: processes; 1: in this process.
        retries: further attempts that a failed run has.
        fail_fast: stop at the first run that failed for good.
        scheduler: address of a dask scheduler that runs the jobs instead.
        after: called after each job.
        axes: the settings in which the runs differ, by which a failed run is described.
    """

    entry: str
    options: JobOptions
    journal: Journal
    progress: Progress
    jobs: int = 1
    retries: int = 1
    fail_fast: bool = False
    scheduler: str | None = None
    after: Callable[[], None] = lambda: None
    axes: Sequence[str] = ()
    attempts: Counter[str] = field(default_factory=Counter)
    failed: dict[str, str] = field(default_factory=dict)


def execute(packs: Sequence[Pack], supervision: Supervision) -> dict[str, str]:
    """Compute all packs, the most expensive first, and return {run_id: error} of the runs that failed for good.

    A pack that raised is tried again as single runs. When a worker is killed the whole pool breaks, and the packs that
    were being computed are suspects: the others are finished first, then the runs of each suspect alone, so that a run
    that kills its process takes no other with it. Runs are computed in this process only where `jobs` is 1.
    """
    waiting, suspects = list(packs), list[Pack]()
    unexplained = 0  # breakages in a row without a finished job or a suspect
    while waiting or suspects:
        batch, alone = (waiting, False) if waiting else ([suspects.pop(0)], True)
        waiting, open_packs = [], {pack[0].run_id: pack for pack in batch}
        try:
            for pack, outcome in _results(batch, supervision, alone):
                del open_packs[pack[0].run_id]
                unexplained = 0
                waiting += _settle(pack, outcome, supervision)
                supervision.after()
                if supervision.failed and supervision.fail_fast:
                    return supervision.failed
        except BrokenExecutor as error:
            begun, not_begun = _split(open_packs.values(), supervision)
            unexplained = 0 if begun else unexplained + 1
            # workers that are always killed before they can write a marker would otherwise be restarted for ever
            if unexplained and (alone or unexplained > supervision.retries):
                begun, not_begun = not_begun, []
            waiting += not_begun
            for pack in begun:
                killed = Outcome({}, tuple(run.run_id for run in pack), f"worker killed: {_first_line(error)}")
                suspects += _settle(pack, killed, supervision)
            if supervision.failed and supervision.fail_fast:
                return supervision.failed
    return supervision.failed


def _results(packs: Sequence[Pack], supervision: Supervision, alone: bool) -> Iterator[tuple[Pack, Outcome]]:
    """Outcomes as they come. A single suspect still gets a worker of its own, unless `jobs` is 1."""
    if supervision.scheduler:
        yield from cluster.results(
            packs, supervision.entry, supervision.options, supervision.scheduler, supervision.progress.say
        )
        return
    if supervision.jobs == 1:
        for pack in packs:
            yield pack, work(pack, supervision.entry, supervision.options)
        return
    by_first = {pack[0].run_id: pack for pack in packs}
    tasks = (delayed(_named)(pack, supervision.entry, supervision.options) for pack in packs)
    jobs = supervision.jobs if not alone else 2  # with n_jobs=1 joblib would compute it in this process
    # in the initializer, so that workers without a job end with the controller, too
    initializer = {"initializer": die_with, "initargs": (supervision.options.controller,)}
    with warnings.catch_warnings(), parallel_config(backend="loky", inner_max_num_threads=1, **initializer):
        warnings.filterwarnings("ignore", message="A worker stopped while some jobs")  # `execute` handles it
        warnings.filterwarnings("ignore", message=".*still being processed by the workers")  # as --fail-fast intends
        parallel = Parallel(n_jobs=jobs, batch_size=1, pre_dispatch="n_jobs", return_as="generator_unordered")
        with closing(parallel(tasks)) as results:
            for first, outcome in results:
                yield by_first[first], outcome


def _named(pack: Pack, entry: str, options: JobOptions) -> tuple[str, Outcome]:
    return pack[0].run_id, work(pack, entry, options)


def _settle(pack: Pack, outcome: Outcome, supervision: Supervision) -> list[Pack]:
    """Note the runs that ended; return those to be tried again, as single runs.

    Raises:
        ResultsError: runs can no longer be committed; another attempt would fail too.
    """
    if outcome.stop:
        raise ResultsError(outcome.error)
    runs = {run.run_id: run for run in pack}
    for run_id, (name, share) in outcome.done.items():
        supervision.progress.ended(run_id, name, share)
    again: list[Pack] = []
    for run_id in outcome.failed:
        if supervision.journal.has(run_id):  # it was committed before its worker was killed
            supervision.progress.ended(run_id, "committed")
            continue
        if len(pack) > 1:  # the run at fault is not known, so that this counts as no run's attempt
            again.append((runs[run_id],))
            continue
        supervision.attempts[run_id] += 1
        if supervision.attempts[run_id] <= supervision.retries and not outcome.final:
            again.append((runs[run_id],))
            continue
        supervision.failed[run_id] = outcome.error
        supervision.progress.ended(run_id, "failed")
        supervision.journal.fail(
            run_id, runs[run_id].columns(), outcome.error, outcome.trace, supervision.attempts[run_id]
        )
        supervision.progress.say(f"failed: {_describe(runs[run_id], supervision.axes)}: {outcome.error}")
    return again


def _split(packs: Iterable[Pack], supervision: Supervision) -> tuple[list[Pack], list[Pack]]:
    """After a breakage: packs that were being computed (by the markers of their workers), and packs not begun."""
    committed, marked = supervision.journal.done(), set[str]()
    for path in supervision.options.markers.glob("*.json"):
        if not MARKER.fullmatch(path.name):
            continue
        with suppress(OSError, ValueError, KeyError, TypeError):
            marked |= set(read_json(path)["runs"])
            path.unlink()
    begun, not_begun = list[Pack](), list[Pack]()
    for pack in packs:
        rest = tuple(run for run in pack if run.run_id not in committed and run.run_id not in supervision.failed)
        for run in pack:
            if run.run_id in committed:
                supervision.progress.ended(run.run_id, "committed")
        if rest:
            (begun if any(run.run_id in marked for run in rest) else not_begun).append(rest)
    return begun, not_begun


def _describe(run: Run, axes: Sequence[str]) -> str:
    """A run by its id and what tells it from the others: its values on the axes of the grid, and its seed."""
    columns = run.columns()
    return f"{run.run_id} ({labels.condition({name: columns[name] for name in (*axes, 'seed') if name in columns})})"


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def workers(jobs: int) -> int:
    """The number of processes; -1 is all cores, as in joblib."""
    return int(cpu_count()) if jobs == -1 else jobs


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM interrupts like Ctrl-C; whatever ends a sweep early, its workers are ended, too."""

    def stop(number: int, frame: FrameType | None) -> Any:
        raise Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except BaseException:
        from joblib.externals.loky import get_reusable_executor

        with suppress(Exception):
            get_reusable_executor().shutdown(wait=False, kill_workers=True)
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def clear_markers(markers: Path) -> None:
    """Remove the markers of a killed sweep; call it only under the controller's lock."""
    markers.parent.mkdir(exist_ok=True)
    folders = [markers, *(path for path in markers.glob("*") if SHARD.fullmatch(path.name))]  # of all shards, if whole
    for path in (path for folder in folders for path in folder.glob("*.json")):
        if MARKER.fullmatch(path.name):
            path.unlink(missing_ok=True)
