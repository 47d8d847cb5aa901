"""Lyapunov exponents by repeated QR (Benettin, Galgani, Giorgilli & Strelcyn 1980); numpy alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.probes.products import logarithm
from harness.schema import Values


def lyapunov_exponents(push: Callable[[int, Values], Values], frame: Values, steps: int) -> Values:
    """λ_i = (1/T) Σ_t ln |(R_t)_ii| with Q_t R_t = J_t Q_{t−1}, in nats per step.

    Args:
        push: (t, Q) → J_t Q, for t = 1 … T.
        frame: Q_0, orthonormal columns, (…, N, k).
        steps: T.

    Returns:
        (…, k), in the order of the columns of Q_0; −inf for a direction that is lost in the rounding of the others.
    """
    Q, logs = frame, np.zeros((*frame.shape[:-2], frame.shape[-1]))
    for t in range(1, steps + 1):
        Q = push(t, Q)
        rounding = Q.shape[-2] * np.finfo(np.float64).eps * np.linalg.norm(Q, axis=-2)
        Q, R = np.linalg.qr(Q)
        diagonal = np.abs(np.diagonal(R, axis1=-2, axis2=-1))
        logs += logarithm(np.where(diagonal > rounding, diagonal, 0.0))
    return logs / steps
