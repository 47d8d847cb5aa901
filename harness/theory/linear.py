"""The linear recurrence and the bound on the Jacobian: what theory says before anything is trained.

Keep the two apart: the spectral radius ρ is the asymptotic *rate* of the linear recurrence, the largest singular
value σ₁ enters a *bound* that holds at every step of the nonlinear one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

# sup |φ'|: tanh and relu reach 1 (at 0, and on the positive side), the logistic sigmoid reaches 1/4 at 0.
GAMMA: Mapping[str, float] = {"tanh": 1.0, "relu": 1.0, "sigmoid": 0.25}


def log_rate(rho: float) -> float:
    """Slope of ln ‖∂L/∂h_{T−k}‖ against the lag k in the linear recurrence h_t = W h_{t−1}.

        lim_{k→∞} (1/k) ln ‖v Wᵏ‖ = ln ρ(W)

    for every v with a part along a leading left eigenvector; exact at each k if W is ρ times an orthogonal matrix.

    Args:
        rho: spectral radius of W, ≥ 0.

    Returns:
        ln ρ per step; −inf for ρ = 0 (a nilpotent W forgets completely).

    Raises:
        ValueError: if rho is negative or not finite.

    Source: Gelfand's formula; Pascanu, Mikolov & Bengio 2013, section 2.1.
    """
    if not 0 <= rho < math.inf:
        raise ValueError(f"a spectral radius is finite and not negative, got {rho}")
    return math.log(rho) if rho > 0 else -math.inf


def log10_rate(rho: float) -> float:
    """The same slope in powers of ten per step, log₁₀ ρ: what a figure with a decade axis draws.

    Args and raises: as `log_rate`.
    """
    return log_rate(rho) / math.log(10)


def jacobian_bound(gamma: float, sigma_max: float) -> float:
    """Upper bound of ‖∂h_t/∂h_{t−1}‖₂ for h_t = φ(W h_{t−1} + …).

        ‖diag(φ'(a_t)) W‖₂ ≤ γ σ₁(W)

    Below 1 it is sufficient for vanishing: ‖∂h_T/∂h_{T−k}‖₂ ≤ (γσ₁)ᵏ. Above 1 it is only necessary for explosion.

    Args:
        gamma: sup |φ'|, see `GAMMA`.
        sigma_max: largest singular value of W, ≥ 0.

    Returns:
        γ σ₁, the largest factor by which one step back can stretch a gradient.

    Raises:
        ValueError: if either is negative or not finite.

    Source: Pascanu, Mikolov & Bengio 2013, section 2.1, eq. 6 and 7.
    """
    if not (0 <= gamma < math.inf and 0 <= sigma_max < math.inf):
        raise ValueError(f"gamma and sigma_max are finite and not negative, got {gamma} and {sigma_max}")
    return gamma * sigma_max
