"""Timing in turns: machines drift by half within a minute, the ratio of neighbours does not.

With A the harness and B, C, D, E its peers, the turns are A B C A D E A B C A D E … A, all in one process on one
thread. A peer's turn is divided by the mean of the harness's turns before and after its group: a drift that is linear
over a group cancels.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from statistics import median

from benchmarks.measurement import Effort

LONG = 3  # turns: a step that lasts longer is timed alone


@dataclass(frozen=True)
class Contestant:
    """Something that trains.

    Attributes:
        turn: n steps → seconds a step, without what starts up before them.
        replicas: trained by one step; what is compared is seconds a step and replica.
        fewest: steps in a turn, at least; where one step outlasts a turn by far, one.
    """

    turn: Callable[[int], float]
    replicas: int = 1
    fewest: int = 3

    def pace(self, seconds: float) -> int:
        """How many steps fill a turn, after two turns that warm up and are thrown away."""
        self.turn(1)
        step = self.turn(1)
        return 1 if step > LONG * seconds else max(self.fewest, ceil(seconds / step))


@dataclass(frozen=True)
class Pairs:
    """One peer beside the harness: seconds a step and replica in each turn, and their ratio."""

    own: tuple[float, ...]  # mean of the turns before and after
    peer: tuple[float, ...]

    @property
    def ratios(self) -> tuple[float, ...]:
        """Peer over harness: how many times faster the harness is."""
        return quotient(self.peer, self.own)


def interleaved(own: Contestant, groups: Sequence[Mapping[str, Contestant]], effort: Effort) -> dict[str, Pairs]:
    """Time each group of peers between two turns of `own`."""
    own_steps = own.pace(effort.seconds)
    steps = {name: peer.pace(effort.seconds) for group in groups for name, peer in group.items()}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in steps}
    before = own.turn(own_steps) / own.replicas
    for _ in range(effort.repeats):
        for group in groups:
            taken = {name: peer.turn(steps[name]) / peer.replicas for name, peer in group.items()}
            after = own.turn(own_steps) / own.replicas
            for name, seconds in taken.items():
                times[name].append(((before + after) / 2, seconds))
            before = after
    return {name: Pairs(*zip(*pairs, strict=True)) for name, pairs in times.items()}


def in_turns(contestants: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, tuple[float, ...]]:
    """The values that each returns, round by round, A B C A B C …; none is the reference of the others."""
    results: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(repeats):
        for name, turn in contestants.items():
            results[name].append(turn())
    return {name: tuple(values) for name, values in results.items()}


def quotient(above: Sequence[float], below: Sequence[float]) -> tuple[float, ...]:
    """Turn by turn: ratios of measurements from the same round."""
    return tuple(a / b for a, b in zip(above, below, strict=True))


def spread(values: Sequence[float]) -> str:
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
