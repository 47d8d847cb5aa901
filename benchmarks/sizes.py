"""The sizes that are measured: one factor at a time around a centre."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness.cells import CELLS as BUILT_IN

CELLS = ("rnn", "lstm", "gru")  # those that torch.nn has
OTHERS = tuple(cell for cell in BUILT_IN if cell not in CELLS)
D, C = 8, 4  # temporal order: eight symbols, four classes


@dataclass(frozen=True)
class Sizes:
    """A cell of H units over T steps, B sequences in a batch, R replicas in a pack."""

    cell: str = "rnn"
    H: int = 50
    T: int = 100
    B: int = 32
    R: int = 8

    def __str__(self) -> str:
        return f"{self.cell} H={self.H} T={self.T} B={self.B} R={self.R}"


CENTRE = Sizes()
FACTORS: Mapping[str, Sequence[int]] = {
    "H": (16, 50, 64, 128, 256),
    "T": (100, 500, 2000),
    "B": (1, 8, 20, 32, 128),
    "R": (1, 8, 16),
}


def moved(sizes: Sizes, factor: str, value: int) -> Sizes:
    """The same point with one factor changed."""
    return replace(sizes, **{factor: value})  # type: ignore[arg-type]


def around(centre: Sizes) -> list[Sizes]:
    """The centre, and every point that differs from it in one factor."""
    points = [moved(centre, factor, value) for factor, values in FACTORS.items() for value in values]
    return list(dict.fromkeys([centre, *points]))
