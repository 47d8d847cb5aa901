"""The state of a process that computes: one thread, and arithmetic that does not depend on memory alignment."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from multiprocessing.connection import wait
from multiprocessing.util import Finalize
from time import sleep
from typing import Any

from harness.entrypoints import tolerate

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def prepare() -> None:
    """Set the environment; call it before torch or numpy load, in the controller (workers inherit it).

    Without MKL_CBWR the last bit of a matrix product depends on the alignment of its operands in memory (measured on
    torch 2.13 at odd sizes), so that a run in a pack would differ from the same run alone.
    """
    tolerate()  # torch reads them while it is imported
    torch_came_first()
    os.environ.setdefault("MKL_CBWR", "AVX2")
    for name in THREADS:
        os.environ[name] = "1"


@cache
def torch_came_first() -> bool:
    """Whether torch was loaded without MKL_CBWR; remembered from the first time, since `prepare` sets it."""
    return "torch" in sys.modules and "MKL_CBWR" not in os.environ


def single_threaded() -> None:
    """Limit the thread pools of libraries that are already loaded."""
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1)
    threadpool_limits(1)


@contextmanager
def own_modes() -> Iterator[None]:
    """The modes of this process in which runs are computed; afterwards its own ones are restored.

    A caller may have disabled autograd, and a cell of a plug-in may do it to all runs after its own. What is set here
    is what a fresh process has, so that no number depends on what the process did before.
    """
    import numpy as np
    import torch

    folder, mask, streams = _folder(), os.umask(0o077), (sys.stdout, sys.stderr)
    os.umask(mask)  # there is no other way to ask for it; meanwhile it is strict, since other threads may write files
    kinds = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    before = {
        "grad": torch.is_grad_enabled(),
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "precision": torch.get_float32_matmul_precision(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "warn_only": torch.is_deterministic_algorithms_warn_only_enabled(),
        "flush": _flushes(),
        "anomaly": torch.is_anomaly_enabled(),
        "check_nan": torch.is_anomaly_check_nan_enabled(),
        "autocast": tuple(torch.is_autocast_enabled(kind) for kind in kinds),
    }
    fresh = {
        "grad": True,
        "dtype": torch.float32,
        "device": torch.device("cpu"),
        "precision": "highest",
        "deterministic": False,
        "warn_only": False,
        "flush": False,
        "anomaly": False,
        "check_nan": True,
        "autocast": (False,) * len(kinds),
    }

    def set_modes(modes: Mapping[str, Any]) -> None:
        torch.set_grad_enabled(modes["grad"])
        torch.set_default_dtype(modes["dtype"])
        if torch.get_default_device() != modes["device"]:
            torch.set_default_device(modes["device"])
        if torch.get_float32_matmul_precision() != modes["precision"]:
            torch.set_float32_matmul_precision(modes["precision"])
        torch.use_deterministic_algorithms(modes["deterministic"], warn_only=modes["warn_only"])
        torch.set_flush_denormal(modes["flush"])
        torch.autograd.set_detect_anomaly(modes["anomaly"], modes["check_nan"])
        for kind, enabled in zip(kinds, modes["autocast"], strict=True):
            torch.set_autocast_enabled(kind, enabled)

    # inference mode first: within it, grad mode means nothing
    with torch.inference_mode(False), np.errstate(divide="warn", over="warn", under="ignore", invalid="warn"):
        set_modes(fresh)
        try:
            yield
        finally:
            set_modes(before)
            os.umask(mask)
            sys.stdout, sys.stderr = streams
            if folder is not None and _folder() != folder:
                with suppress(OSError):
                    os.chdir(folder)


def _folder() -> str | None:
    """The current folder; None where it has been deleted."""
    with suppress(OSError):
        return os.getcwd()
    return None


def _flushes() -> bool:
    """Whether this thread takes subnormal numbers for zero: there is no function to ask for it."""
    smallest = sys.float_info.min
    return smallest * 0.5 == 0.0


def die_with(parent: int) -> None:
    """In a worker: end when the controller has ended, whatever ended it; loky's workers would go on.

    Where the kernel can send a signal at the parent's death (Linux), it reaches a worker that is stopped or that holds
    the interpreter's lock in somebody's C code. A thread that looks for the parent serves the other systems.
    """
    if os.getpid() == parent or any(thread.name == "watch parent" for thread in threading.enumerate()):
        return
    by_kernel, starter = _killed_with_parent(), os.getppid()
    # one that another process has forked for the controller sees the controller's end in a pipe that it holds open
    sentinel = None if starter == parent else getattr(multiprocessing.parent_process(), "sentinel", None)

    def ended(within: float) -> bool:
        if sentinel is not None:
            return bool(wait([sentinel], within)) or os.getppid() != starter
        sleep(within)
        return os.getppid() != parent  # not /proc, where a killed parent can stay as a zombie

    if ended(0):  # before the kernel knew
        os._exit(1)

    def watch() -> None:
        while not ended(0.5):
            pass
        os._exit(1)

    try:
        threading.Thread(target=watch, name="watch parent", daemon=True).start()
    except RuntimeError:  # no more threads here
        if not by_kernel:
            raise
    # A thread that a plug-in has left would keep this process, and with it the controller, from ending. 0: the last
    # of the finalizers that run before Python waits for threads.
    Finalize(None, _leave, exitpriority=0)


def _killed_with_parent() -> bool:
    """Ask the kernel for SIGKILL at the death of the thread that has started this process; False where it cannot."""
    if sys.platform != "linux":
        return False
    with suppress(OSError, AttributeError):
        return bool(ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0) == 0)  # PR_SET_PDEATHSIG
    return False


def _leave() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(0)
