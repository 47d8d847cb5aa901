"""Work on several cores by forking this process: what it has imported and read is there at once."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from harness.entrypoints import is_own_command

T = TypeVar("T")
_function: Callable[[int], Any] | None = None  # inherited by the children, as it need not be picklable


def calls(function: Callable[[int], T], n: int, jobs: int | None) -> list[T]:
    """[function(0), …, function(n − 1)], in up to `jobs` children (None: as many as cores); results are pickled.

    Computed in this process where it cannot be forked safely (threads of Python or of somebody's library would leave
    their locks behind, and macOS's libraries do not survive it) and where a child was killed.
    """
    global _function
    jobs = min(jobs or len(os.sched_getaffinity(0)), n) if sys.platform == "linux" else 1
    if jobs > 1 and is_own_command() and threading.active_count() == 1:
        _function = function
        try:
            with ProcessPoolExecutor(jobs, multiprocessing.get_context("fork")) as children:
                return list(children.map(_call, range(n)))
        except (BrokenProcessPool, OSError):
            pass
        finally:
            _function = None
    return [function(i) for i in range(n)]


def _call(i: int) -> Any:
    assert _function is not None
    return _function(i)
