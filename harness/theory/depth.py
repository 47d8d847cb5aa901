"""The gradient of a linear network over depth and time: a sum over paths."""

from __future__ import annotations

from math import comb, inf, log2, log10

import numpy as np


def log10_level(layers_up: int, lag: int, *, vertical: float, horizontal: float, residual: bool = False) -> float:
    """log₁₀ ‖∂L/∂h^ℓ_t‖ / ‖∂L/∂h^L_T‖ of layers h^ℓ_t = ρ_h P h^ℓ_{t−1} + ρ_v P y^{ℓ−1}_t with an orthogonal P.

    From (ℓ, t) a gradient goes m = L − ℓ steps up and k = T − t steps on in time, in any order. Each path contributes
    ρ_v^m ρ_h^k P^{m+k}, and there are C(m + k, m) of them:

        C(m + k, m) · ρ_v^m · ρ_h^k

    With residual connections, y^ℓ = h^ℓ + y^{ℓ−1}, each step up may leave a layer out. The j layers that are passed
    are chosen in C(m, j) ways, and then there are C(k + j, j) paths:

        ρ_h^k · Σ_j C(m, j) · C(k + j, j) · ρ_v^j

    where P must be the identity, since paths of different length would otherwise point in different directions.

    Args:
        layers_up: m ≥ 0.
        lag: k ≥ 0.
        vertical, horizontal: ρ_v and ρ_h, not negative.
        residual: whether there are residual connections.

    Returns:
        the logarithm; −inf where no path leads on.

    Raises:
        ValueError: an argument is negative.

    Source: counting lattice paths; the two directions of attenuation are those of Türkoğlu et al. 2019, "Gating
    revisited: deep multi-layer RNNs that can be trained".
    """
    m, k = layers_up, lag
    if min(m, k, vertical, horizontal) < 0:
        raise ValueError(f"m = {m}, k = {k}, ρ_v = {vertical}, ρ_h = {horizontal}: none may be negative")
    along = _times(k, horizontal)
    if not residual:
        return log10(comb(m + k, m)) + _times(m, vertical) + along
    terms = np.array([log10(comb(m, j)) + log10(comb(k + j, j)) + _times(j, vertical) for j in range(m + 1)])
    return float(terms.max() + np.log10((10 ** (terms - terms.max())).sum()) + along)


def _times(n: int, rho: float) -> float:
    """log₁₀ ρ^n, with ρ^0 = 1; of a power of two without the rounding of its logarithm's last digit times n."""
    if rho == 0 or n == 0:
        return 0.0 if n == 0 else -inf
    whole = log2(rho)
    return n * whole * log10(2) if whole.is_integer() else n * log10(rho)
