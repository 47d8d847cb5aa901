"""Finite-time Lyapunov exponents along a batch's own trajectories."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from harness.cells.cell import State
from harness.models.model import Model
from harness.probes.products import logarithm
from harness.probes.trajectory import Trajectory, trajectories
from harness.records import Profile, Values


def lyapunov_spectrum(
    model: Model, parameters: Mapping[str, Tensor], batch: tuple[Tensor, Tensor], state: State | None
) -> list[list[Profile]]:
    """λ_i = (1/T) Σ_t ln |(R_t)_ii| with Q_t R_t = J_t Q_{t−1}, Q_0 = 1, J_t = ∂s_t/∂s_{t−1}.

    Benettin, Galgani, Giorgilli & Strelcyn 1980; for recurrent networks with inputs Vogt, Zhou, Kim & Shea-Brown 2022,
    "On Lyapunov exponents for RNNs". s is the whole state; no step is left out as a transient.

    Returns:
        `lyapunov_exponent` in nats per step by rank from 1, the largest first, mean over four sequences; −inf for a
        direction that a step removes.
    """
    return [[_spectrum(way)] for way in trajectories(model, parameters, batch, state)]


def _spectrum(way: Trajectory) -> Profile:
    logs = np.sort(exponents(way), axis=-1)[:, ::-1].mean(0)
    return Profile("lyapunov_exponent", "rank", np.arange(1.0, len(logs) + 1), logs)


def exponents(way: Trajectory) -> Values:
    """(B, N), in the order of the columns of Q_0."""
    B, H = way.states[0][0].shape[1:]
    N = H * len(way.cell.states)
    Q, logs = np.broadcast_to(np.eye(N), (B, N, N)), np.zeros((B, N))
    for t in range(1, way.length + 1):
        C = way.jacobian(t) @ Q
        Q, R = np.linalg.qr(C)
        diagonal = np.abs(np.diagonal(R, axis1=-2, axis2=-1))
        rounding = N * np.finfo(np.float64).eps * np.linalg.norm(C, axis=-2)
        logs += logarithm(np.where(diagonal > rounding, diagonal, 0.0))
    return logs / way.length
