"""The worker processes of a sweep on this machine: joblib's loky, started, probed, and ended with the controller."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from harness.entrypoints import is_own_command
from harness.errors.text import reason
from harness.execution.environment import die_with

with warnings.catch_warnings():  # `why_not` says it where it matters
    warnings.filterwarnings("ignore", message=".*joblib will operate in serial mode")
    from joblib import Parallel, cpu_count, delayed, effective_n_jobs, parallel_config
    from joblib.externals.loky.backend.context import set_start_method
    from joblib.parallel import BACKENDS

PRELOADED = ("harness.execution.job", "harness.experiments.training.loop", "harness.recurrence.compiler.recurrence")
START_SECONDS = 300  # until all workers have answered; over a slow network file system they import for a while


class Terminated(KeyboardInterrupt):
    """SIGTERM, treated like Ctrl-C, with an exit code of its own."""


def workers(jobs: int) -> int:
    """The number of processes; -1 is all cores, as in joblib."""
    return int(cpu_count()) if jobs == -1 else jobs


Calls = Callable[[Callable[..., Any], Iterable[tuple[Any, ...]]], Generator[Any]]


@contextmanager
def pool(jobs: int, controller: int, timeout: float | None = None) -> Iterator[Calls]:
    """Processes; those of the last pool go on where it had the same arguments.

    Args:
        jobs: how many, at least 2; with 1 joblib would compute in this process.
        controller: the process with which they end.
        timeout: seconds that a call may take.

    Yields:
        a function that calls another there with each of some tuples of arguments, and gives the results as they come.
    """
    _quiet_tracker()
    _fork_from_a_server()
    # in the initializer, so that workers without a job end with the controller, too
    initializer = {"initializer": die_with, "initargs": (controller,)}
    with warnings.catch_warnings(), parallel_config(backend="loky", inner_max_num_threads=1, **initializer):
        warnings.filterwarnings("ignore", message="A worker stopped while some jobs")  # `execute` handles it
        warnings.filterwarnings("ignore", message=".*still being processed by the workers")  # as --fail-fast intends
        parallel = Parallel(
            n_jobs=jobs, batch_size=1, pre_dispatch="n_jobs", return_as="generator_unordered", timeout=timeout
        )
        yield lambda function, arguments: parallel(delayed(function)(*each) for each in arguments)


def _fork_from_a_server() -> None:
    """Let workers fork from one process that has imported torch once, where that is safe and calls for no care.

    Its libraries have started no thread: the environment allows one (`environment.prepare`). A worker imports the main
    module again, so a caller's own script would run twice: there, and where the system's libraries do not survive a
    fork, each worker imports everything for itself.
    """
    interactive = not hasattr(sys.modules["__main__"], "__file__")
    if sys.platform != "linux" or not (is_own_command() or interactive):
        return
    set_start_method("forkserver", force=True)
    multiprocessing.set_forkserver_preload(list(PRELOADED))


def why_not(jobs: int, controller: int) -> str:
    """Why no worker processes can be started here; empty if they can, and then `jobs` of them wait for work.

    A machine may have no semaphores, no /dev/shm, or no threads, file descriptors or memory left for a process: joblib
    notices some of it when it is imported, the rest when workers start.
    """
    if "loky" not in BACKENDS:  # joblib has found that it cannot, or was told not to
        switch = os.environ.get("JOBLIB_MULTIPROCESSING")
        return f"JOBLIB_MULTIPROCESSING={switch} is set" if switch == "0" else "this system has no semaphores"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with parallel_config(backend="loky"):
                if effective_n_jobs(jobs) == 1:
                    return "this process is itself a worker that may start no others"
        with pool(jobs, controller, START_SECONDS) as calls:
            for _ in calls(os.getpid, [()] * jobs):
                pass
    except Exception as error:
        end_workers()
        return reason(error)
    return ""


def end_workers(*, wait: bool = False) -> None:
    """Kill the workers, whatever they do, and wait for the threads that served them; the next pool starts others."""
    from joblib.externals.loky import reusable_executor

    executor = getattr(reusable_executor, "_executor", None)
    if executor is not None:
        with suppress(Exception):
            executor.shutdown(wait=wait, kill_workers=True)


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM interrupts like Ctrl-C; whatever ends a sweep early, its workers are ended, too.

    Python has signal handlers in the main thread of the main interpreter only. In another thread (asyncio.to_thread,
    Streamlit, a notebook's widget) SIGTERM does what it did, and the workers are ended with the sweep: to the kernel
    the thread that started them is their parent.
    """

    def stop(number: int, frame: FrameType | None) -> Any:
        raise Terminated

    installed, before = True, None
    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:
        installed = False
    try:
        yield
    except BaseException:
        end_workers()
        raise
    finally:
        if installed:  # None: the handler was not Python's
            signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)
        if threading.current_thread() is not threading.main_thread():
            end_workers()


def _quiet_tracker() -> None:
    """Start loky's resource tracker so that it cleans up after a killed sweep without a word on the terminal."""
    from joblib.externals.loky.backend import resource_tracker

    sys.warnoptions.append("ignore:resource_tracker")  # passed on to a process that starts meanwhile
    try:
        resource_tracker.ensure_running()
    finally:
        sys.warnoptions.remove("ignore:resource_tracker")
