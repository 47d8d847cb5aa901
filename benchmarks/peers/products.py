"""The machine's limit: nothing but matrix products, in the BLAS that the kernels call, for the FLOPs of a step."""

from __future__ import annotations

from math import ceil
from time import perf_counter
from typing import Any

import numba
import numpy as np

from benchmarks import flops
from benchmarks.paired import Contestant
from benchmarks.sizes import Sizes
from harness.recurrence.kernels.interface import ROWS

SQUARES = (64, 96, 128, 192, 256, 384, 512, 768, 1024)


@numba.njit(nogil=True)
def multiply(a: Any, b: Any, out: Any, times: int) -> None:
    """out ← a b, `times` over: a call from Python would cost as much as a product of 32 × 50 × 50."""
    for _ in range(times):
        np.dot(a, b, out)


def product(m: int, k: int, n: int, times: int, *, transposed: bool = False) -> float:
    """Seconds of `times` float32 products (m, k)·(k, n); `transposed`: the first operand is stored as (k, m)."""
    stream = np.random.default_rng(0)
    a, b = stream.random((m, k), np.float32), stream.random((k, n), np.float32)
    left = np.ascontiguousarray(a.T).T if transposed else a
    out = np.empty((m, n), np.float32)
    multiply(left, b, out, 1)
    start = perf_counter()
    multiply(left, b, out, times)
    return perf_counter() - start


def own_shapes(sizes: Sizes) -> Contestant:
    """The products of a step, at the rate of their own shapes: forward, back to h, and to W in chunks of steps."""
    H, B, T, GH = sizes.H, sizes.B, sizes.T, sizes.gates * sizes.H
    chunk = max(1, ROWS // B) * B
    share = flops.step(sizes) / flops.products(sizes)  # elementwise work and readout, at the same rate

    def turn(steps: int) -> float:
        there = product(B, H, GH, steps * T)
        back = product(B, GH, H, steps * (T - 1))
        weights = ceil(steps * T * B / chunk)
        gathered = product(GH, chunk, H, weights, transposed=True) * steps * T * B / (weights * chunk)
        return (there + back + gathered) * share / steps

    return Contestant(turn)


def best_shape(sizes: Sizes, N: int) -> Contestant:
    """The same FLOPs at the rate of N × N products, where no recurrence keeps them small."""

    def turn(steps: int) -> float:
        operations = flops.step(sizes) * steps
        times = ceil(operations / (2 * N**3))
        return product(N, N, N, times) * operations / (times * 2 * N**3) / steps

    return Contestant(turn)


def best_square() -> int:
    """The N whose products run at the highest rate on this machine."""
    return max(SQUARES, key=lambda N: max(2 * N**3 * n / product(N, N, N, n) for n in [ceil(5e8 / N**3)] * 3))
