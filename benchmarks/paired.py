"""Timing in turns: machines drift by half within a minute, the ratio of neighbours does not.

With A the harness and B, C its peers, the turns are A B A C A B A C … A, all in one process on one thread. A peer's
turn stands between two of the harness's own, and is divided by their mean: a drift that is linear over the three
cancels.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from statistics import median

from benchmarks.measurement import Effort

Turn = Callable[[int], float]  # n steps → seconds a step and replica; what starts up before the steps is not in it


@dataclass(frozen=True)
class Pairs:
    """One peer beside the harness: seconds a step and replica in each turn, and their ratio."""

    own: tuple[float, ...]  # mean of the turns before and after
    peer: tuple[float, ...]

    @property
    def ratios(self) -> tuple[float, ...]:
        """Peer over harness: how many times faster the harness is."""
        return tuple(peer / own for own, peer in zip(self.own, self.peer, strict=True))


def interleaved(own: Turn, peers: Mapping[str, Turn], effort: Effort) -> dict[str, Pairs]:
    """Time each peer between two turns of `own`; the first turn of everybody warms up and is not counted."""
    own_steps = pace(own, effort)
    steps = {name: pace(turn, effort) for name, turn in peers.items()}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in peers}
    before = own(own_steps)
    for _ in range(effort.repeats):
        for name, turn in peers.items():
            peer = turn(steps[name])
            after = own(own_steps)
            times[name].append(((before + after) / 2, peer))
            before = after
    return {name: Pairs(*zip(*pairs, strict=True)) for name, pairs in times.items()}


def pace(turn: Turn, effort: Effort) -> int:
    """How many steps fill a turn, from a warm-up that is thrown away."""
    from time import perf_counter

    turn(effort.fewest)
    start = perf_counter()
    turn(effort.fewest)
    return max(effort.fewest, ceil(effort.seconds * effort.fewest / (perf_counter() - start)))


def round_robin(turns: Mapping[str, Turn], steps: Mapping[str, int], repeats: int) -> dict[str, tuple[float, ...]]:
    """Seconds of each contestant in each round; nobody is the measure of the others."""
    times: dict[str, list[float]] = {name: [] for name in turns}
    for _ in range(repeats):
        for name, turn in turns.items():
            times[name].append(turn(steps[name]))
    return {name: tuple(values) for name, values in times.items()}


def quotient(above: tuple[float, ...], below: tuple[float, ...]) -> tuple[float, ...]:
    """Turn by turn: ratios of measurements from the same round."""
    return tuple(a / b for a, b in zip(above, below, strict=True))


def spread(values: tuple[float, ...]) -> str:
    """Median and range, as progress shows it."""
    return f"{median(values):.3g} ({min(values):.3g}–{max(values):.3g})"


@contextmanager
def one_core() -> Iterator[None]:
    """Stay on one core, so that no library can use a second thread, whatever it makes of our settings."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)
