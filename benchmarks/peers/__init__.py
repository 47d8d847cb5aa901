"""The alternatives to the harness, one file each.

A peer is made from a `Problem` and has `replicas` and `step() -> Taken`: sample, forward, loss, backward, clip, update.
All start from the same weights, draw the same batches and make the same updates, as the tests check.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.paired import Contestant

Array = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Taken:
    """The result of a peer's step: the losses (R,), and mean_b ‖B·∂L/∂h_t‖ as (T, R) if it records."""

    losses: Array
    norms: Array | None = None


class Peer(Protocol):
    """Something that trains the same networks."""

    replicas: int

    def step(self) -> Taken:
        """One update of all its replicas."""


def contestant(peer: Peer) -> Contestant:
    """A peer as something to time.

    Its gradients vanish through float32's denormal numbers, which some processors take a hundred cycles for. The
    harness scales them away; peers are spared them too, which is in their favour: few users know the switch.
    """

    def turn(steps: int) -> float:
        torch.set_flush_denormal(True)
        start = perf_counter()
        for _ in range(steps):
            peer.step()
        taken = perf_counter() - start
        torch.set_flush_denormal(False)
        return taken / steps

    return Contestant(turn, peer.replicas)
