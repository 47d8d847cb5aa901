"""One job: a pack, computed in this process; every run is committed as soon as its record is complete."""

from __future__ import annotations

import json
import os
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from socket import gethostname
from time import monotonic

from harness.errors import DeadlineError, HarnessError, ResultsError
from harness.errors.text import LONGEST_TRACE, reason
from harness.execution.environment import own_modes, prepare, single_threaded
from harness.schema import OUTCOMES, Record
from harness.store.checkpoints import Checkpoints
from harness.store.files import replace_file
from harness.store.journal import Journal
from harness.study.code import versions_now
from harness.study.identity import Versions, changed, harness_version
from harness.study.plan import Pack
from harness.study.plugins import load_object, plugin_versions
from harness.study.spec import Point

ENDED = tuple(outcome for outcome in OUTCOMES if outcome != "failed")  # what a run can end as


@dataclass(frozen=True)
class JobOptions:
    """How the jobs of a sweep are computed.

    Args:
        folder: the results folder.
        controller: the process that supervises; workers end with it.
        engine, device, timeout, force: as in SweepOptions.
        shard: the name of the controller's shard; empty for the whole folder.
        harness: version and source of the controller's harness; a worker of another one refuses the job.
        trust: code that the study names may be executed.
    """

    folder: Path
    controller: int
    engine: str = "compiled"
    device: str = "cpu"
    timeout: float | None = None
    force: bool = False
    shard: str = ""
    harness: str = field(default_factory=harness_version)
    trust: bool = False

    @property
    def markers(self) -> Path:
        """The folder in which the workers of this controller note their progress."""
        return self.folder / "working" / self.shard


Done = dict[str, tuple[str, float]]  # run_id → outcome, and the share of its budget that was used


@dataclass(frozen=True)
class Outcome:
    """How a job ended."""

    done: Done = field(default_factory=dict)
    failed: tuple[str, ...] = ()  # ids of the pack's runs without a record
    error: str = ""
    trace: str = ""
    final: bool = False  # another attempt would fail too (a deadline)
    stop: bool = False  # no run can be kept: the folder is full or gone, or this worker has other code than was planned


def work(pack: Pack, entry: str, options: JobOptions) -> Outcome:
    """Compute a pack. Whatever an experiment or a plug-in does, each run has a record or an error in the outcome.

    SystemExit, GeneratorExit and a plug-in's own BaseException are errors like any other: raised in a worker they would
    end the generator of outcomes, and SystemExit in this process would end the sweep as if it were complete. Only an
    interrupt goes on to the controller.
    """
    done: Done = {}
    by_id = {run.run_id: run for run in pack}
    error, trace, final = "", "", False
    try:
        # The marker comes first: a worker that is killed while it imports torch must be a suspect, too.
        with marker(options.markers, pack, done) as listener:
            prepare()  # a worker of a cluster inherits no environment
            with own_modes():
                single_threaded()
                for record in _records(pack, entry, options, listener):
                    run = by_id.get(record.run_id)
                    if run is None:
                        raise HarnessError(f"the experiment gave a record of run {record.run_id}, which is not its own")
                    if record.run.get("outcome") not in ENDED:
                        given, known = record.run.get("outcome"), ", ".join(ENDED)
                        raise HarnessError(f"the experiment gave the outcome {given!r}; there are {known}")
                    _check_versions(run.point, {})  # a file may have been replaced while it was read
                    journal = Journal(options.folder, options.force)
                    journal.commit(record, run.columns(), run.point.versions)
                    Checkpoints(options.folder / "checkpoints").drop(record.run_id)
                    done[record.run_id] = str(record.run["outcome"]), listener.share
    except ResultsError as raised:
        return Outcome(done, tuple(run_id for run_id in by_id if run_id not in done), str(raised), stop=True)
    except KeyboardInterrupt:
        raise
    except BaseException as raised:
        error, trace, final = _named(raised), _trace(), isinstance(raised, DeadlineError)
    rest = tuple(run_id for run_id in by_id if run_id not in done)
    return Outcome(
        done, rest, (error or "the experiment ended without a record of this run") if rest else "", trace, final
    )


def _records(pack: Pack, entry: str, options: JobOptions, listener: Listener) -> Iterator[Record]:
    """The records of a pack, as its experiment gives them.

    Raises:
        ResultsError: this worker has other code than was planned.
        Exception: whatever the experiment raises, but ResultsError: the results folder is not its business.
    """
    from harness.experiments.setup import Setup

    _check_harness(options)
    point = pack[0].point
    for code in point.code:
        if not options.trust:
            raise HarnessError(f"{code.shown} is code, and this sweep was started without --trust")
    _check_versions(point, {**plugin_versions(point.versions), **versions_now(point.code)})
    experiment = load_object(entry)
    deadline = None if options.timeout is None else monotonic() + options.timeout * len(pack)
    checkpoints = None if options.force else Checkpoints(options.folder / "checkpoints")
    try:
        yield from experiment(pack, Setup(options.engine, options.device, deadline, checkpoints, listener))
    except ResultsError as raised:
        raise HarnessError(str(raised)) from raised


def _named(error: BaseException) -> str:
    """An error on one line, always with its type."""
    name, text = type(error).__name__, reason(error)
    return text if text.startswith(name) else f"{name}: {text}"


def _trace() -> str:
    """The traceback of the error that is being handled, cut in the middle."""
    trace, half = traceback.format_exc(), LONGEST_TRACE // 2
    return trace if len(trace) <= LONGEST_TRACE else f"{trace[:half]}\n…\n{trace[-half:]}"


def _check_harness(options: JobOptions) -> None:
    """A run is kept under the controller's id: it must be computed by the controller's harness.

    Raises:
        ResultsError: this process has another one.
    """
    if options.harness != harness_version():
        raise ResultsError(
            f"the worker {gethostname()}-{os.getpid()} has another harness ({harness_version()}) than this sweep "
            f"({options.harness}): install the same one there, and start it again"
        )


def _check_versions(point: Point, plugins: Versions) -> None:
    """A run's id names the versions of its plug-ins and the content of its files: they must still be these.

    Args:
        point: of the run.
        plugins: its plug-ins, as this process has imported them.

    Raises:
        ResultsError: one is another.
    """
    difference = changed(point.versions, point.sections.by_name(), plugins)
    if point.versions and difference:
        raise ResultsError(
            f"code or data changed after this sweep was planned, so that no more runs can be kept: {difference}; "
            "start the sweep again"
        )


MARKER = re.compile(r".+-\d+\.json")  # host and process


@contextmanager
def marker(markers: Path, pack: Pack, done: Done) -> Iterator[Listener]:
    """A file that names the runs of this process: the controller reads its progress, and if it dies, its suspects."""
    path = markers / f"{gethostname()}-{os.getpid()}.json"
    try:
        markers.mkdir(exist_ok=True)
    except OSError as error:
        raise ResultsError(f"{markers}: cannot be written: {error.strerror or error}") from None
    listener = Listener(path, [run.run_id for run in pack], done)
    listener.write()
    try:
        yield listener
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)


@dataclass
class Listener:
    """Writes a pack's progress into its marker, at most twice a second."""

    path: Path
    runs: list[str]
    done: Done
    last: float = 0.0
    share: float = 0.0

    def __call__(self, share: float, replicas: int) -> None:
        self.share = share
        if monotonic() - self.last > 0.5:
            self.write()

    def write(self) -> None:
        self.last = monotonic()
        open_runs = [run_id for run_id in self.runs if run_id not in self.done]
        with suppress(OSError):
            replace_file(self.path, json.dumps({"runs": open_runs, "done": self.done, "share": self.share}).encode())
