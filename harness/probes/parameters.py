"""The gradient of every parameter: how long it is, how large its entries are, and how far its update goes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from harness.cells.cell import State
from harness.models.model import Model
from harness.probes.contract import Update
from harness.schema import Profile, Values

# log10 of an entry, in bins of half a decade. The smallest number of float32 is 10^−44.85: where training is in
# float32, what lies below the first edge is exactly zero.
EDGES = np.arange(-45.0, 5.5, 0.5)
BINS = np.concatenate([EDGES - 0.25, [EDGES[-1] + 0.25]])  # centres; the two ends stand for all below, and all above


def parameter_gradients(
    model: Model, parameters: Mapping[str, Tensor], batch: tuple[Tensor, Tensor], state: State | None, *, update: Update
) -> list[list[Profile]]:
    """log₁₀ ‖∂L/∂p‖₂, ‖Δp‖₂/‖p‖₂ and the distribution of log₁₀ |∂L/∂pᵢ|, for every parameter p by its name.

    The gradient is training's own: of its batch, with penalties, before clipping, in its dtype. What is smaller than
    that dtype's smallest number is zero in training, and counts as zero here. Δp is the update that follows, after
    clipping and by the optimizer, as p changes in training's dtype.

    Returns:
        `log10_gradient_norm of p` and `update_share of p` at the number of updates made before: −∞ for a gradient of
        zeros; where p is all zeros the share is infinite, and NaN where it stays so. `gradient_histogram of p` by
        log10_gradient: the share of the entries of p in each of `BINS`, lower edges included; exact zeros are in the
        first bin, infinite entries in the last, and all is NaN where an entry is. Nothing for a parameter without
        entries.
    """
    R = batch[0].shape[1]
    return [
        [row for name, p in parameters.items() if p[r].numel() for row in _rows(name, p[r], update, r)]
        for r in range(R)
    ]


def _rows(name: str, p: Tensor, update: Update, r: int) -> list[Profile]:
    gradient = _exact(update.gradients[name][r])
    at = np.array([float(update.number)])
    with np.errstate(divide="ignore", invalid="ignore"):
        share = length(_exact(update.steps[name][r])) / length(_exact(p))
        norm = np.log10(length(gradient))
    return [
        Profile(f"log10_gradient_norm of {name}", "update", at, np.array([norm])),
        Profile(f"update_share of {name}", "update", at, np.array([share])),
        Profile(f"gradient_histogram of {name}", "log10_gradient", BINS, histogram(gradient)),
    ]


def length(values: Values) -> np.float64:
    """‖v‖₂, whose squares neither underflow nor overflow; NaN where an entry is."""
    largest = np.abs(values).max()
    if largest == 0 or not np.isfinite(largest):
        return np.float64(largest)
    return np.float64(largest * np.linalg.norm(values / largest))


def histogram(values: Values) -> Values:
    """Share of the entries whose log10 of the magnitude is in each of `BINS`; NaN where an entry is."""
    if np.isnan(values).any():
        return np.full(len(BINS), np.nan)
    with np.errstate(divide="ignore"):
        places = np.searchsorted(EDGES, np.log10(np.abs(values)), side="right")
    return np.asarray(np.bincount(places, minlength=len(BINS)) / len(values))


def _exact(p: Tensor) -> Values:
    return np.asarray(p.detach().cpu().double().flatten().numpy())
