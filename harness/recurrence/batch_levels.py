"""The distribution over the batch of log₁₀ of each sequence's norm: geometric mean and quartiles.

The mean norm is that of the few largest sequences; Lyapunov exponents, and products of independent factors, are about
the mean of the logarithm. For every batch the geometric mean is at most the mean (Jensen).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log10

import numpy as np
import numpy.typing as npt

from harness.schema import BATCH_STATISTICS, Array

QUARTILES = (0.25, 0.5, 0.75)


def log10_norms(norms: Array, exponents: Array | None = None) -> Array:
    """log₁₀ of norms·2^exponents, one by one: −∞ of an exact zero, whatever its exponent."""
    with np.errstate(divide="ignore"):
        levels = np.log10(norms)
    if exponents is None:
        return np.asarray(levels)
    return np.asarray(levels + np.where(norms > 0, exponents.astype(np.float64), 0.0) * log10(2))


def joint(parts: Sequence[tuple[Array, Array]]) -> tuple[Array | None, Array | None]:
    """Several parts of a state as one: log₁₀ √(Σ_p ‖g_p‖²) of each sequence, and log₁₀ of its mean over them.

    Args:
        parts: of each the level (…), log₁₀ Σ_b ‖g_b‖₂, and log₁₀ ‖g_b‖₂ of each sequence, (…, B).

    Returns:
        the same two of all together; those of a single part are its own, and of none are None.
    """
    if len(parts) < 2:
        return parts[0] if parts else (None, None)
    each = _log10_sum(2 * np.stack([own for _, own in parts], axis=-1)) / 2
    return _log10_sum(each), each


def _log10_sum(logs: Array) -> Array:
    """log₁₀ Σ 10^logs over the last axis; −∞ where all are."""
    top = np.fmax.reduce(logs, axis=-1, keepdims=True)  # of those that are numbers
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log10((10 ** (logs - top)).sum(-1)) + top[..., 0])


def over_batch(levels: Array, present: npt.NDArray[np.bool_] | None = None) -> dict[str, Array]:
    """`BATCH_STATISTICS` of log₁₀ ‖B·g_b‖₂ over the sequences of a batch.

    geometric = mean_b log₁₀ ‖B·g_b‖₂: −∞ where one sequence has an exact zero. q25, q50, q75 are quantiles of the same
    logarithms, linear between two neighbours (type 7 of Hyndman & Fan 1996), and −∞ between an exact zero and a number.
    B cancels the 1/B of a batch-mean loss.

    Args:
        levels: log₁₀ ‖g_b‖₂, (…, B); NaN where a gradient is not a number, which counts as the largest.
        present: (…, B), which sequences have the step; NaN where none has.

    Returns:
        each statistic by its name, (…).
    """
    there = np.ones(levels.shape, dtype=bool) if present is None else present
    count = there.sum(-1)
    with np.errstate(invalid="ignore", divide="ignore"):  # 0/0 of a step that no sequence has; −∞ + ∞
        geometric = np.where(there, levels, 0.0).sum(-1) / count
    ranked = np.sort(np.where(there, levels, np.nan), axis=-1)  # NaN comes last
    last = np.maximum(count - 1, 0)
    quantiles = [_between_ranks(ranked, last * share) for share in QUARTILES]
    shift = log10(levels.shape[-1])
    return dict(zip(BATCH_STATISTICS, [each + shift for each in (geometric, *quantiles)], strict=True))


def _between_ranks(ranked: Array, rank: Array) -> Array:
    """The value at a rank from 0, which need not be whole, of what is sorted along the last axis."""
    below = np.floor(rank).astype(np.int64)
    low, high = (np.take_along_axis(ranked, at[..., None], -1)[..., 0] for at in (below, np.ceil(rank).astype(int)))
    weight = rank - below
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        between = low + weight * (high - low)
    return np.asarray(np.where((weight == 0) | (low == high) | (low == -np.inf), low, between))
