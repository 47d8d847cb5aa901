"""Singular values of long products of matrices, each to its own relative accuracy.

Multiplied out, a product of two thousand Jacobians keeps its largest singular value at best: the others drown in the
rounding of the first, and all leave the range of a float. Here the product is never multiplied out.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from harness.schema import Values

SWEEPS, ORTHOGONAL = 60, 1e-5  # largest cosine left: a singular value is off by its square


class Product:
    """J_n ⋯ J_1, kept as Q exp(D) X: Q orthogonal, D a diagonal of logarithms, rows of X of length one.

    The stratified product of Loh et al. 1992 with columns sorted before each QR, as in Tomas, Chang, Scalettar & Bai
    2012, "Advancing large scale many-body QMC simulations on GPU accelerated multicore systems". A part of a column
    that is below N·2⁻⁵² of its length is rounding, and an exact zero here.
    """

    def __init__(self, products: int, size: int) -> None:
        self.Q: Values = np.broadcast_to(np.eye(size), (products, size, size)).copy()
        self.logs: Values = np.zeros((products, size))
        self.X: Values = self.Q.copy()

    def grow(self, J: Values) -> None:
        """Multiply by J (S, N, N) from the left."""
        C, lengths = unit(J @ self.Q, axis=-2)
        logs = self.logs + lengths[:, 0]
        order = np.argsort(-logs, axis=-1, kind="stable")
        logs = np.take_along_axis(logs, order, -1)
        self.Q, R = np.linalg.qr(np.take_along_axis(C, order[:, None], -1))
        R[np.abs(R) <= R.shape[-1] * np.finfo(np.float64).eps] = 0.0
        sizes = logarithm(np.abs(R)) + logs[:, None]
        top = finite(sizes.max(-1, keepdims=True))
        graded = np.sign(R) * np.exp(sizes - top)
        self.X, lengths = unit(graded @ np.take_along_axis(self.X, order[..., None], -2), axis=-1)
        self.logs = (top + lengths)[..., 0]

    def log_singular_values(self) -> Values:
        """Natural logarithms, largest first, (S, N); −inf for a zero."""
        logs, X = self.logs.copy(), self.X.copy()
        rounds = list(tournament(logs.shape[-1]))
        for _ in range(SWEEPS):
            if max((_rotate(logs, X, *pairs) for pairs in rounds), default=0.0) <= ORTHOGONAL:
                break
        return np.sort(logs, axis=-1)[:, ::-1]


def _rotate(logs: Values, X: Values, first: npt.NDArray[np.intp], second: npt.NDArray[np.intp]) -> float:
    """Make the rows exp(logs_i) x_i of disjoint pairs orthogonal, in place; returns the largest cosine there was.

    One-sided Jacobi, which finds the singular values of a graded matrix to high relative accuracy (Demmel & Veselić
    1992, "Jacobi's method is more accurate than QR"). With s the length of the shorter row as a share of the longer,
    and g their cosine: x_i ← x_i + s² w x_j and x_j ← x_j − w x_i, where s² g w² + (1 − s²) w = g; only s is small.
    """
    swap = logs[:, first] < logs[:, second]
    i, j = np.where(swap, second, first), np.where(swap, first, second)  # (S, pairs): the longer row, the shorter
    row = np.arange(len(logs))[:, None]
    x, y, long, short = X[row, i], X[row, j], logs[row, i], logs[row, j]
    s2 = np.exp(2 * (short - finite(long)))[..., None]
    g = np.sum(x * y, axis=-1, keepdims=True)
    below = (1 - s2) + np.sqrt((1 - s2) ** 2 + 4 * s2 * g**2)
    w = np.divide(2 * g, below, out=np.zeros_like(g), where=g != 0)
    X[row, i], grown = unit(x + s2 * w * y, axis=-1)
    X[row, j], shrunk = unit(y - w * x, axis=-1)
    turned = -0.5 * np.log1p(s2 * w**2)  # the cosine of the angle
    logs[row, i] = long + (grown + turned)[..., 0]
    logs[row, j] = short + (shrunk + turned)[..., 0]
    there = np.isfinite(short)[..., None]
    return float(np.abs(np.where(there, g, 0.0)).max(initial=0.0))


def tournament(size: int) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
    """Rounds of disjoint pairs in which each of `size` meets every other once."""
    even = size + size % 2
    ring = np.arange(even)
    for _ in range(even - 1):
        first, second = ring[: even // 2], ring[: even // 2 - 1 : -1]
        there = (first < size) & (second < size)
        yield first[there], second[there]
        ring = np.concatenate([ring[:1], np.roll(ring[1:], 1)])


def unit(x: Values, axis: int) -> tuple[Values, Values]:
    """Vectors brought to length one, and the logarithms of their lengths; a zero stays a zero, at −inf."""
    lengths = np.linalg.norm(x, axis=axis, keepdims=True)
    return x / np.where(lengths > 0, lengths, 1.0), logarithm(lengths)


def logarithm(x: Values) -> Values:
    """ln x; −inf at zero."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(x))


def finite(logs: Values) -> Values:
    """Logarithms to scale by: 0 in the place of −inf."""
    return np.where(logs == -np.inf, 0.0, logs)
