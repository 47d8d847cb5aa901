"""Jobs in parallel on this machine, in processes of joblib's loky; supervision of those that fail or are killed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import HarnessError, ResultsError
from harness.errors.text import printable, reason, shortened
from harness.execution import cluster, processes
from harness.execution.job import MARKER, JobOptions, Outcome, work
from harness.execution.progress import Progress
from harness.store.files import read_json
from harness.store.journal import Journal
from harness.store.ownership import SHARD
from harness.study import labels
from harness.study.plan import Pack, Run


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
                # all workers end with the one that was killed: which run was at fault is known of a pack alone only
                suspects += _settle(pack, killed, supervision, counts=alone)
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
    tasks = ((pack, supervision.entry, supervision.options) for pack in packs)
    try:
        with (
            processes.pool(supervision.jobs if not alone else 2, supervision.options.controller) as calls,
            closing(calls(_named, tasks)) as results,
        ):
            for first, outcome in results:
                yield by_first[first], outcome
    except BrokenExecutor:
        raise
    except (OSError, RuntimeError) as error:  # jobs raise nothing: there are no descriptors, threads or memory left
        raise HarnessError(
            f"no more worker processes can be started here ({reason(error)}); finished runs are kept: start again "
            "with fewer jobs (-j)"
        ) from error


def _named(pack: Pack, entry: str, options: JobOptions) -> tuple[str, Outcome]:
    return pack[0].run_id, work(pack, entry, options)


def _settle(pack: Pack, outcome: Outcome, supervision: Supervision, *, counts: bool = True) -> list[Pack]:
    """Note the runs that ended; return those to be tried again, as single runs.

    Args:
        pack: which was computed.
        outcome: of it.
        supervision: of the sweep.
        counts: a failure is an attempt of the run, since no other can be at fault.

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
        # It was committed before its worker was killed. With --force the commit may be the old one: such a run is
        # computed once more.
        if not supervision.options.force and supervision.journal.has(run_id):
            supervision.progress.ended(run_id, "committed")
            continue
        if len(pack) > 1 or not counts:  # the run at fault is not known, so that this counts as no run's attempt
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
    lines = str(error).strip().splitlines()
    return shortened(printable(lines[0])) if lines else type(error).__name__


def clear_markers(markers: Path) -> None:
    """Remove the markers of a killed sweep; call it only under the controller's lock."""
    markers.parent.mkdir(exist_ok=True)
    folders = [markers, *(path for path in markers.glob("*") if SHARD.fullmatch(path.name))]  # of all shards, if whole
    for path in (path for folder in folders for path in folder.glob("*.json")):
        if MARKER.fullmatch(path.name):
            path.unlink(missing_ok=True)
