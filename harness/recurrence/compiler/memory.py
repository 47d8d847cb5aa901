"""Arrays whose memory is used again: a fresh page costs more than the arithmetic that fills it."""

from __future__ import annotations

from collections import OrderedDict
from math import prod
from threading import Lock
from typing import Any

import numpy as np

from harness.recurrence.compiler.arithmetic import BYTES

Array = np.ndarray[Any, Any]

POOL_BYTES = 256e6  # of free memory that a process holds on to


class Pool:
    """Free blocks by size, those given back last first."""

    def __init__(self) -> None:
        self._free: OrderedDict[int, list[Array]] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def take(self, size: int) -> Array:
        """A block of that many bytes, with anything in it."""
        with self._lock:
            blocks = self._free.get(size)
            if blocks:
                self._bytes -= size
                return blocks.pop()
        return np.empty(size, np.uint8)

    def give(self, block: Array) -> None:
        """Take a block back; what has lain idle longest goes to the system where there is too much."""
        with self._lock:
            self._free.setdefault(block.size, []).append(block)
            self._free.move_to_end(block.size)
            self._bytes += block.size
            while self._bytes > POOL_BYTES:
                size, blocks = next(iter(self._free.items()))
                if blocks:
                    blocks.pop()
                    self._bytes -= size
                else:
                    del self._free[size]


POOL = Pool()


class PooledBlock:
    """A block of the pool, for as long as the array lies in it that is made of this."""

    __slots__ = ("__array_interface__", "_block")

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._block = POOL.take(prod(shape) * dtype.itemsize + BYTES)
        address = self._block.__array_interface__["data"][0]
        place = (address + -address % BYTES, False)
        self.__array_interface__ = {"shape": shape, "typestr": dtype.str, "data": place, "version": 3}

    def __del__(self) -> None:
        POOL.give(self._block)


def empty(shape: tuple[int, ...], dtype: Any) -> Array:
    """An array that begins at a multiple of 64 bytes, with anything in it."""
    return np.asarray(PooledBlock(shape, np.dtype(dtype)))


def zeros(shape: tuple[int, ...], dtype: Any) -> Array:
    """As `empty`, filled with zeros."""
    out = empty(shape, dtype)
    out[...] = 0
    return out
