"""Jobs on an existing cluster: futures of dask.distributed, one pack each; supervision stays in `local`.

Controller and workers see one results folder under one path (a shared file system). A worker commits its runs itself,
and commits are idempotent: a pack that the scheduler computes twice is committed once.
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

CONNECT_SECONDS = 10.0  # to reach the scheduler at first
RECONNECT_SECONDS = 120.0  # to reach it again once it was lost
POLL_SECONDS = 0.05  # between two looks for outcomes
_one_at_a_time = threading.Lock()


@contextmanager
def connected(address: str, timeout: float = CONNECT_SECONDS) -> Iterator[Client]:
    """A client of the scheduler at `address`, such as tcp://host:8786.

    Raises:
        HarnessError: dask.distributed is not installed, or no scheduler answers there.
    """
    try:
        from distributed import Client
    except ImportError:
        raise HarnessError("--scheduler needs dask.distributed: python -m pip install 'distributed>=2025.1'") from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # supervision reports what matters
    try:
        client = Client(address, timeout=timeout, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, ImportError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise HarnessError(f"--scheduler {address}: no dask scheduler answers there ({reason})") from None
    with client:
        yield client


def size(address: str) -> int:
    """How many workers the scheduler has now; 1 if none has joined yet."""
    with connected(address) as client:
        return max(1, len(client.scheduler_info(n_workers=-1)["workers"]))


def results(
    packs: Sequence[Pack], entry: str, options: JobOptions, address: str, say: Callable[[str], None]
) -> Iterator[tuple[Pack, Outcome]]:
    """Outcomes as they come. A pack whose worker is lost has failed; one whose scheduler is lost is submitted again.

    Raises:
        HarnessError: the scheduler cannot be reached, or was lost and did not come back.
    """
    waiting = {pack[0].run_id: pack for pack in packs}
    timeout = CONNECT_SECONDS
    while waiting:
        with connected(address, timeout) as client:
            for first, outcome in _outcomes(client, list(waiting.values()), entry, options):
                yield waiting.pop(first), outcome
        if waiting:
            say(f"scheduler {address} is lost; {len(waiting)} jobs wait up to {RECONNECT_SECONDS:.0f} s for its return")
            timeout = RECONNECT_SECONDS


def _outcomes(client: Client, packs: Sequence[Pack], entry: str, options: JobOptions) -> Iterator[tuple[str, Outcome]]:
    """Outcomes until all packs have one or the scheduler is lost."""
    from distributed import as_completed

    futures: dict[Any, Pack] = {  # pure=False gives each a key of its own: dask must not return an older outcome
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
            sleep(POLL_SECONDS)
            continue
        future, result = next(done)
        pack = futures.pop(future)
        if isinstance(result, Outcome):
            yield pack[0].run_id, result
        elif future.status == "error":
            error = future.exception()
            run_ids = tuple(run.run_id for run in pack)
            yield pack[0].run_id, Outcome({}, run_ids, f"worker lost: {type(error).__name__}: {error}")
        # otherwise it was cancelled together with its scheduler: it stays among those that wait


def _lost(client: Client) -> bool:
    connection = client.scheduler_comm
    return client.status != "running" or connection is None or bool(connection.comm.closed())


def alone(pack: Pack, entry: str, options: JobOptions) -> Outcome:
    """One pack at a time in a process, however many threads a worker has."""
    with _one_at_a_time:
        return work(pack, entry, options)
