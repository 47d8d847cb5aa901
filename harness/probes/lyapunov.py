"""Finite-time Lyapunov exponents along a batch's own trajectories."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from harness.cells.cell import State
from harness.models.model import Model
from harness.probes.benettin import lyapunov_exponents
from harness.probes.trajectory import Trajectory, trajectories
from harness.schema import Profile


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
    return [[_spectrum(trajectory)] for trajectory in trajectories(model, parameters, batch, state)]


def _spectrum(trajectory: Trajectory) -> Profile:
    B, H = trajectory.states[0][0].shape[1:]
    N = H * len(trajectory.cell.states)
    frame = np.broadcast_to(np.eye(N), (B, N, N))
    exponents = lyapunov_exponents(lambda t, Q: trajectory.jacobian(t) @ Q, frame, trajectory.length)
    logs = np.sort(exponents, axis=-1)[:, ::-1].mean(0)
    return Profile("lyapunov_exponent", "rank", np.arange(1.0, len(logs) + 1), logs)
