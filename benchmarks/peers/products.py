"""The machine's limit: nothing but matrix products for the FLOPs of a step, in the fastest library that is here.

numpy and torch each bring a library (OpenBLAS and MKL, as a rule), and which is the faster depends on processor and
shape: the limit is the better of the two, for each shape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from math import ceil
from time import perf_counter

import numpy as np
import torch

from benchmarks import flops
from benchmarks.paired import Contestant
from benchmarks.sizes import Sizes

SQUARES = (64, 96, 128, 192, 256, 384, 512, 768, 1024)
AT_ONCE = 8  # products in one call from Python, which alone would cost as much as one of 32 × 50 × 50
CACHED = 512 << 10  # bytes of their operands, which stay in a core's second cache
ROWS = 512  # of the sum for W at once: as many as stay there too
TRIED, ATTEMPTS = 1e8, 3  # FLOPs of an attempt at finding the faster of two

Shape = tuple[int, int, int]  # (m, k)·(k, n)
Products = Callable[[np.ndarray, np.ndarray, int], float]  # stacked operands, calls → seconds


def by_numpy(a: np.ndarray, b: np.ndarray, calls: int) -> float:
    out = np.empty((*a.shape[:2], b.shape[2]), np.float32)
    np.matmul(a, b, out=out)
    start = perf_counter()
    for _ in range(calls):
        np.matmul(a, b, out=out)
    return perf_counter() - start


def by_torch(a: np.ndarray, b: np.ndarray, calls: int) -> float:
    left, right = torch.from_numpy(a), torch.from_numpy(b)
    out = torch.bmm(left, right)
    start = perf_counter()
    for _ in range(calls):
        torch.bmm(left, right, out=out)
    return perf_counter() - start


LIBRARIES: Mapping[str, Products] = {"numpy": by_numpy, "torch": by_torch}


def product(library: str, shape: Shape, times: float, *, transposed: bool = False) -> float:
    """Seconds of `times` float32 products; `transposed`: the first operand is stored as (k, m)."""
    m, k, n = shape
    stream = np.random.default_rng(0)
    stack = max(1, min(AT_ONCE, ceil(times), CACHED // (4 * (m * k + k * n + m * n))))
    a, b = stream.random((stack, m, k), np.float32), stream.random((stack, k, n), np.float32)
    left = np.ascontiguousarray(a.swapaxes(1, 2)).swapaxes(1, 2) if transposed else a
    calls = ceil(times / stack)
    return LIBRARIES[library](left, b, calls) * times / (calls * stack)


def rate(library: str, shape: Shape, *, transposed: bool = False) -> float:
    """FLOPs a second, the best of a few attempts."""
    m, k, n = shape
    times = max(1.0, TRIED / (2 * m * k * n))
    return max(2 * m * k * n * times / product(library, shape, times, transposed=transposed) for _ in range(ATTEMPTS))


def faster(shape: Shape, *, transposed: bool = False) -> str:
    """The library that multiplies this shape fastest here."""
    return max(LIBRARIES, key=lambda library: rate(library, shape, transposed=transposed))


def own_shapes(sizes: Sizes) -> Contestant:
    """The products of a step at the rate of their own shapes: forward, back to h, and to W from many rows at once."""
    H, B, T = sizes.H, sizes.B, sizes.T
    blocks = len(flops.reaches(sizes.cell))
    rows = min(ROWS, T * B)
    forward, back, gathered = (B, H, blocks * H), (B, blocks * H, H), (blocks * H, rows, H)
    library = {shape: faster(shape) for shape in (forward, back)}
    weights = faster(gathered, transposed=True)
    share = flops.step(sizes) / flops.products(sizes)  # elementwise work and readout, at the same rate

    def turn(steps: int) -> float:
        there = product(library[forward], forward, steps * T)
        returned = product(library[back], back, steps * (T - 1))
        summed = product(weights, gathered, steps * T * B / rows, transposed=True)
        return (there + returned + summed) * share / steps

    return Contestant(turn)


def best_shape(sizes: Sizes) -> Contestant:
    """The same FLOPs at the highest rate that a square product has here, in the better library."""
    N, library = max((rate, N, library) for library, (rate, N) in best_squares().items())[1:]

    def turn(steps: int) -> float:
        return product(library, (N, N, N), flops.step(sizes) * steps / (2 * N**3)) / steps

    return Contestant(turn)


@cache
def best_squares() -> dict[str, tuple[float, int]]:
    """For each library its highest rate over square products, and their size."""
    return {library: max((rate(library, (N, N, N)), N) for N in SQUARES) for library in LIBRARIES}


def described() -> str:
    """The highest rates, as a sentence."""
    rates = [f"{name}'s {value / 1e9:.0f} GFLOP/s at {N} × {N}" for name, (value, N) in best_squares().items()]
    return f"The highest rates of matrix products, one thread: {', '.join(rates)}."
