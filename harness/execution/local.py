"""Jobs in parallel on this machine, by joblib's loky processes; supervision of those that fail or die."""

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
from harness.execution.job import JobOptions, Outcome, work
from harness.execution.progress import Progress
from harness.store.journal import Journal, read_json
from harness.study.plan import Pack, Run


class Terminated(KeyboardInterrupt):
    """SIGTERM, treated as Ctrl-C is, with its own exit code."""


@dataclass
class Supervision:
    """What to do with jobs that fail, and how often what has been tried."""

    entry: str
    options: JobOptions
    journal: Journal
    progress: Progress
    jobs: int = 1
    retries: int = 1
    fail_fast: bool = False
    scheduler: str | None = None
    after: Callable[[], None] = lambda: None  # called after each job: time to refresh the tables
    attempts: Counter[str] = field(default_factory=Counter)
    failed: dict[str, str] = field(default_factory=dict)


def execute(packs: Sequence[Pack], watch: Supervision) -> dict[str, str]:
    """Compute all packs, dearest first, and return {run_id: error} of the runs that failed for good.

    A pack that raised is tried again as single runs. When a worker is killed the whole pool breaks; the packs that
    were in work then are suspects: the others are finished first, then each suspect's runs alone, so that one
    poisoned run can take nothing else with it. Never in this process, unless one job was asked for.
    """
    waiting, suspects = list(packs), list[Pack]()
    barren = 0  # breakages in a row without a job done or a suspect
    while waiting or suspects:
        now, alone = (waiting, False) if waiting else ([suspects.pop(0)], True)
        waiting, open_packs = [], {pack[0].run_id: pack for pack in now}
        try:
            for pack, outcome in _results(now, watch, alone):
                del open_packs[pack[0].run_id]
                barren = 0
                waiting += _settle(pack, outcome, watch)
                watch.after()
                if watch.failed and watch.fail_fast:
                    return watch.failed
        except BrokenExecutor as error:
            at_work, unbegun = _split(open_packs.values(), watch)
            barren = 0 if at_work else barren + 1
            if barren and (alone or barren > watch.retries):  # they always die before they can say what they are at
                at_work, unbegun = unbegun, []
            waiting += unbegun
            for pack in at_work:
                gone = Outcome({}, tuple(run.run_id for run in pack), f"worker killed: {_first_line(error)}")
                suspects += _settle(pack, gone, watch)
            if watch.failed and watch.fail_fast:
                return watch.failed
    return watch.failed


def _results(packs: Sequence[Pack], watch: Supervision, alone: bool) -> Iterator[tuple[Pack, Outcome]]:
    """Outcomes as they come. A single suspect still gets a worker of its own unless the sweep is sequential by wish."""
    if watch.scheduler:
        yield from cluster.results(packs, watch.entry, watch.options, watch.scheduler, watch.progress.say)
        return
    if watch.jobs == 1:
        for pack in packs:
            yield pack, work(pack, watch.entry, watch.options)
        return
    by_first = {pack[0].run_id: pack for pack in packs}
    tasks = (delayed(_named)(pack, watch.entry, watch.options) for pack in packs)
    jobs = watch.jobs if not alone else 2  # n_jobs=1 would run it here
    dying = {"initializer": die_with, "initargs": (watch.options.controller,)}  # those without a job yet, too
    with warnings.catch_warnings(), parallel_config(backend="loky", inner_max_num_threads=1, **dying):
        warnings.filterwarnings("ignore", message="A worker stopped while some jobs")  # supervision sees it instead
        warnings.filterwarnings("ignore", message=".*still being processed by the workers")  # --fail-fast means that
        parallel = Parallel(n_jobs=jobs, batch_size=1, pre_dispatch="n_jobs", return_as="generator_unordered")
        with closing(parallel(tasks)) as results:
            for first, outcome in results:
                yield by_first[first], outcome


def _named(pack: Pack, entry: str, options: JobOptions) -> tuple[str, Outcome]:
    return pack[0].run_id, work(pack, entry, options)


def _settle(pack: Pack, outcome: Outcome, watch: Supervision) -> list[Pack]:
    """Note what ended; return what is to be tried again, as single runs.

    Raises:
        ResultsError: runs can no longer be kept; another attempt would be in vain too.
    """
    if outcome.folder:
        raise ResultsError(outcome.error)
    runs = {run.run_id: run for run in pack}
    for run_id, (name, share) in outcome.done.items():
        watch.progress.ended(run_id, name, share)
    again: list[Pack] = []
    for run_id in outcome.failed:
        if watch.journal.has(run_id):  # it was kept before its worker died
            watch.progress.ended(run_id, "kept")
            continue
        if len(pack) > 1:  # which run it was is not known: that of the pack is nobody's attempt
            again.append((runs[run_id],))
            continue
        watch.attempts[run_id] += 1
        if watch.attempts[run_id] <= watch.retries and not outcome.final:
            again.append((runs[run_id],))
            continue
        watch.failed[run_id] = outcome.error
        watch.progress.ended(run_id, "failed")
        watch.journal.fail(run_id, runs[run_id].columns(), outcome.error, outcome.trace, watch.attempts[run_id])
        watch.progress.say(f"failed: {_describe(runs[run_id])}: {outcome.error}")
    return again


def _split(packs: Iterable[Pack], watch: Supervision) -> tuple[list[Pack], list[Pack]]:
    """After a breakage: packs that were in work (by the markers their workers left) and packs that were not begun."""
    committed, marked = watch.journal.done(), set[str]()
    for path in watch.options.markers.glob("*.json"):
        with suppress(OSError, ValueError, KeyError, TypeError):
            marked |= set(read_json(path)["runs"])
            path.unlink()
    at_work, waiting = list[Pack](), list[Pack]()
    for pack in packs:
        rest = tuple(run for run in pack if run.run_id not in committed and run.run_id not in watch.failed)
        for run in pack:
            if run.run_id in committed:
                watch.progress.ended(run.run_id, "kept")
        if rest:
            (at_work if any(run.run_id in marked for run in rest) else waiting).append(rest)
    return at_work, waiting


def _describe(run: Run) -> str:
    columns = run.columns()
    keys = [
        key
        for key in ("cell", "sequence_length", "spectral_radius", "bptt_window", "seed")
        if columns.get(key) is not None
    ]
    return f"{run.run_id} ({', '.join(f'{key}={columns[key]}' for key in keys)})"


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def workers(jobs: int) -> int:
    """-1 is all cores, as joblib has it."""
    return int(cpu_count()) if jobs == -1 else jobs


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM interrupts like Ctrl-C; whatever ends a sweep early, its workers are gone afterwards."""

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
    """Markers of a sweep that was killed; call it while holding the lock."""
    markers.parent.mkdir(exist_ok=True)
    for path in markers.glob("**/*.json"):  # the whole folder's holder has those of all shards
        path.unlink(missing_ok=True)
