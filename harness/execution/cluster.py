"""Jobs on a cluster that is there: futures of dask.distributed, one pack each; supervision stays in `local`.

Controller and workers see one results folder under one path (a shared file system). A worker commits its runs itself,
and commits are idempotent: a pack that the scheduler computes twice is there once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import sleep
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.execution.job import JobOptions, Outcome, work
from harness.study.plan import Pack

if TYPE_CHECKING:
    from distributed import Client

JOIN = 10.0  # seconds to reach the scheduler at first
PATIENCE = 120.0  # and when it was there and has gone
LOOK = 0.05  # seconds between looks for outcomes
_turn = threading.Lock()


@contextmanager
def connected(address: str, timeout: float = JOIN) -> Iterator[Client]:
    """A client of the scheduler at `address`, such as tcp://host:8786.

    Raises:
        HarnessError: dask.distributed is not installed, or nobody answers there.
    """
    try:
        from distributed import Client
    except ImportError:
        raise HarnessError("--scheduler needs dask.distributed: python -m pip install 'distributed>=2025.1'") from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what matters is told by supervision
    try:
        client = Client(address, timeout=timeout, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, ImportError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise HarnessError(f"--scheduler {address}: no dask scheduler answers there ({said})") from None
    with client:
        yield client


def size(address: str) -> int:
    """Workers that the scheduler has now; 1 if they are still to come."""
    with connected(address) as client:
        return max(1, len(client.scheduler_info(n_workers=-1)["workers"]))


def results(
    packs: Sequence[Pack], entry: str, options: JobOptions, address: str, say: Callable[[str], None]
) -> Iterator[tuple[Pack, Outcome]]:
    """Outcomes as they come. A pack whose worker was lost has failed; one whose scheduler was lost is handed out again.

    Raises:
        HarnessError: the scheduler cannot be reached, or has gone and did not come back.
    """
    waiting = {pack[0].run_id: pack for pack in packs}
    timeout = JOIN
    while waiting:
        with connected(address, timeout) as client:
            for first, outcome in _served(client, list(waiting.values()), entry, options):
                yield waiting.pop(first), outcome
        if waiting:
            say(f"scheduler {address} is lost; {len(waiting)} jobs wait up to {PATIENCE:.0f} s for its return")
            timeout = PATIENCE


def _served(client: Client, packs: Sequence[Pack], entry: str, options: JobOptions) -> Iterator[tuple[str, Outcome]]:
    """Outcomes until all are there or the scheduler is lost."""
    from distributed import as_completed

    futures: dict[Any, Pack] = {  # pure=False: a key of its own, for dask must not hand out an old outcome
        client.submit(alone, pack, entry, options, pure=False, priority=-place): pack
        for place, pack in enumerate(packs)
    }
    done: Any = as_completed(  # type: ignore[no-untyped-call]
        futures, loop=client.loop, with_results=True, raise_errors=False
    )
    while futures:
        if not done.has_ready():
            if _lost(client):
                return
            sleep(LOOK)
            continue
        future, result = next(done)
        pack = futures.pop(future)
        if isinstance(result, Outcome):
            yield pack[0].run_id, result
        elif future.status == "error":
            error = future.exception()
            everything = tuple(run.run_id for run in pack)
            yield pack[0].run_id, Outcome({}, everything, f"worker lost: {type(error).__name__}: {error}")
        # else cancelled, with its scheduler: it stays among those that wait


def _lost(client: Client) -> bool:
    link = client.scheduler_comm
    return client.status != "running" or link is None or bool(link.comm.closed())


def alone(pack: Pack, entry: str, options: JobOptions) -> Outcome:
    """One pack at a time in a process, however many threads a worker has."""
    with _turn:
        return work(pack, entry, options)
