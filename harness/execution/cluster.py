"""Jobs on an existing cluster: futures of dask.distributed, one pack each; supervision stays in `local`.

Controller and workers see one results folder under one path (a shared file system). A worker commits its runs itself,
and commits are idempotent: a pack that the scheduler computes twice is committed once.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, TypeVar

from harness.errors import HarnessError
from harness.errors.text import reason
from harness.execution.job import JobOptions, Outcome, work
from harness.study.plan import Pack

if TYPE_CHECKING:
    from distributed import Client

Value = TypeVar("Value")

CONNECT_SECONDS = 10.0  # to reach the scheduler at first
RECONNECT_SECONDS = 120.0  # to reach it again once it was lost
POLL_SECONDS = 0.05  # between two looks for outcomes
_one_at_a_time = threading.Lock()


@contextmanager
def connected(address: str, timeout: float = CONNECT_SECONDS, *, again: bool = False) -> Iterator[Client]:
    """A client of the scheduler at `address`, such as tcp://host:8786.

    With `again` one that answers and hangs up, as it does while it ends, is tried until the timeout.

    Raises:
        HarnessError: dask.distributed is not installed, or no scheduler answers there.
    """
    try:
        from distributed import Client
    except ImportError:
        raise HarnessError("--scheduler needs dask.distributed: python -m pip install 'distributed>=2025.1'") from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # supervision reports what matters
    until = monotonic() + timeout
    while True:
        try:
            # A client of what is silent or no scheduler would try to say goodbye to it for ever, hence first this.
            _bounded(lambda: asyncio.run(_greet(address, timeout)), timeout + 1)
            client = _bounded(lambda: Client(address, timeout=timeout, set_as_default=False), 3 * timeout)  # type: ignore[no-untyped-call]
            break
        except Exception as error:  # whatever is made of bytes that were not meant for dask
            if not again or monotonic() > until:
                raise HarnessError(
                    f"--scheduler {address}: no dask scheduler answers there ({reason(error)})"
                ) from None
        sleep(1)
    with client:
        yield client


async def _greet(address: str, timeout: float) -> None:
    """Exchange greetings with a scheduler, and ask who it is."""
    from distributed.comm import core

    comm: Any = await core.connect(address, timeout=timeout)  # type: ignore[no-untyped-call]
    try:
        await comm.write({"op": "identity", "n_workers": 0, "reply": True})
        answer = await comm.read()
    finally:
        comm.abort()
    if not isinstance(answer, dict) or answer.get("type") != "Scheduler":
        raise ValueError("it is something else")


def _bounded(function: Callable[[], Value], seconds: float) -> Value:
    """What a function returns; it may wait in somebody else's code for ever, and is left alone then.

    Raises:
        TimeoutError: it takes longer.
    """
    results: list[Value] = []
    errors: list[BaseException] = []

    def call() -> None:
        try:
            results.append(function())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=call, name="scheduler", daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError(f"silent for {seconds:.0f} s")
    return results[0]


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
        with connected(address, timeout, again=timeout == RECONNECT_SECONDS) as client:
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
