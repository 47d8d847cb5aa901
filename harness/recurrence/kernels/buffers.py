"""Memory that forward fills for backward and that no caller sees, handed on from one update to the next.

Fresh memory costs a page fault and a clearing for every 4 kB, up to half of what forward costs, and the allocator gives
large blocks back to the system each time.
"""

import math
import weakref
from typing import Any

import numpy as np
from numpy.typing import NDArray

KEPT = 2  # forward of the next update may start before the last one's graph is freed

free: list[NDArray[Any]] = []


class Buffer:
    """Uninitialised arrays of the given shapes, cut from one block that is reused once this object is gone."""

    def __init__(self, shapes: tuple[tuple[int, ...], ...], dtype: np.dtype[Any]) -> None:
        sizes = [math.prod(shape) for shape in shapes]
        block = take(sum(sizes) * dtype.itemsize)
        weakref.finalize(self, give_back, block).atexit = False
        values = block.view(dtype)
        ends = np.cumsum(sizes)
        self.arrays = tuple(
            values[end - size : end].reshape(shape) for end, size, shape in zip(ends, sizes, shapes, strict=True)
        )


def take(size: int) -> NDArray[Any]:
    """A block of `size` bytes: one that has been given back, if there is one of that size."""
    for k, block in enumerate(free):
        if block.size == size:
            return free.pop(k)
    return np.empty(size, np.uint8)


def give_back(block: NDArray[Any]) -> None:
    """Keep `block` for the next of its size; forget the oldest beyond KEPT."""
    free.append(block)
    del free[:-KEPT]
