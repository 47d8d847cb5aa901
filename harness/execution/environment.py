"""The state of a process that computes: one thread, and arithmetic that does not depend on memory alignment."""

from __future__ import annotations

import os
import threading
from time import sleep

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def prepare() -> None:
    """Set the environment; call it before torch or numpy load, in the controller (workers inherit it).

    Without MKL_CBWR the last bit of a matrix product depends on the alignment of its operands in memory (measured on
    torch 2.13 at odd sizes), so that a run in a pack would differ from the same run alone.
    """
    os.environ.setdefault("MKL_CBWR", "AVX2")
    for name in THREADS:
        os.environ[name] = "1"


def single_threaded() -> None:
    """Limit the thread pools of libraries that are already loaded."""
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1)
    threadpool_limits(1)


def die_with(parent: int) -> None:
    """In a worker: exit when the controller has ended, whatever killed it; loky's workers would go on."""
    if os.getpid() == parent or any(thread.name == "watch parent" for thread in threading.enumerate()):
        return

    def watch() -> None:
        while os.getppid() == parent:  # not /proc, where a killed parent can stay as a zombie
            sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, name="watch parent", daemon=True).start()
