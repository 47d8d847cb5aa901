"""How long a recurrence remembers, and what remembering costs: gates drawn by chrono, and the scalar linear one."""

from __future__ import annotations

import math


def chrono_memory(length: int) -> float:
    """Mean forgetting time of units with chrono initialisation.

        b_f = ln u,    u ~ U(1, T−1),    E[1/(1 − σ(b_f))] = E[1 + u] = 1 + T/2

    Args:
        length: T ≥ 2, steps.

    Raises:
        ValueError: if T < 2.

    Source: Tallec & Ollivier 2018, "Can recurrent neural networks warp time?", eq. 16.
    """
    _at_least_two(length)
    return 1 + length / 2


def chrono_log_forget_gate(length: int) -> float:
    """Mean of ln σ(b_f) with chrono initialisation: the slope of ln ‖∂L/∂c_t‖ along the cell path, mean over units.

        E[ln(u/(1 + u))] = ((T−1) ln(T−1) − T ln T + 2 ln 2)/(T−2),    u ~ U(1, T−1)

    Args and raises: as `chrono_memory`; ln ½ at T = 2.

    Source: derived here.
    """
    _at_least_two(length)
    if length == 2:
        return -math.log(2)
    T = length
    return ((T - 1) * math.log(T - 1) - T * math.log(T) + 2 * math.log(2)) / (T - 2)


def state_moment(eigenvalue: float, steps: float = math.inf) -> float:
    """E[h_t²] of h_t = λ h_{t−1} + x_t, white input of variance 1, from h_0 = 0.

        Σ_{k<t} λ²ᵏ = (1 − λ²ᵗ)/(1 − λ²)  →  1/(1 − λ²)

    Args:
        eigenvalue: λ, |λ| < 1.
        steps: t ≥ 0; ∞ is the steady state.

    Raises:
        ValueError: if |λ| ≥ 1 or t < 0.

    Source: Zucchet & Orvieto 2024, "Recurrent neural networks: vanishing and exploding gradients are not the end of the
    story".
    """
    r = _square(eigenvalue, steps)
    return float((1 - r**steps) / (1 - r))


def sensitivity_moment(eigenvalue: float, steps: float = math.inf) -> float:
    """E[(∂h_t/∂λ)²] of the same recurrence: what a change of λ does to the state, the curse of memory.

        Σ_{k<t} k² λ²⁽ᵏ⁻¹⁾  →  (1 + λ²)/(1 − λ²)³

    Without any gradient exploding through time, it grows without bound as λ → 1.

    Args, raises and source: as `state_moment`.
    """
    r = _square(eigenvalue, steps)
    if steps * (1 - r) < 1:  # the closed form takes the difference of two large numbers there
        return math.fsum(k**2 * r ** (k - 1) for k in range(1, math.ceil(steps)))
    tail = 0.0
    if math.isfinite(steps):  # Σ_{k≥t} k² rᵏ⁻¹, from the derivatives of a geometric series
        t = steps
        tail = r ** (t - 1) * (t**2 * (1 - r) ** 2 + 2 * t * r * (1 - r) + r * (1 + r)) if t >= 1 else 1 + r
    return float((1 + r - tail) / (1 - r) ** 3)


def normalised_sensitivity_moment(eigenvalue: float, steps: float = math.inf) -> float:
    """E[(∂h_t/∂λ)²] of h_t = λ h_{t−1} + √(1 − λ²) x_t, whose own moment is 1 in the steady state.

        Σ_{k<t} (γ k λᵏ⁻¹ − λᵏ⁺¹/γ)²  →  1/(1 − λ²)²,    γ² = 1 − λ²

    In the steady state Σ k² λ²ᵏ⁻² = (1 + λ²)/(1 − λ²)³, Σ k λ²ᵏ⁻¹ = λ/(1 − λ²)² and Σ λ²ᵏ = 1/(1 − λ²), so that it is
    ((1 + λ²) − 2 λ² + λ²)/(1 − λ²)². By ν of λ = exp(−e^ν) it is (λ ln λ)² times as large, and tends to ¼ as λ → 1.

    Args, raises: as `state_moment`. Source: derived here; the normalisation is that of Orvieto et al. 2023.
    """
    r = _square(eigenvalue, steps)
    if math.isinf(steps):
        return 1 / (1 - r) ** 2
    gain = math.sqrt(1 - r)
    terms = (gain * k * eigenvalue ** (k - 1) - eigenvalue ** (k + 1) / gain for k in range(1, math.ceil(steps)))
    first = -eigenvalue / gain if steps > 0 else 0.0
    return math.fsum((first**2, *(term**2 for term in terms)))


def slope_of_exponent(eigenvalue: float) -> float:
    """dλ/dν of λ = exp(−e^ν), λ in (0, 1): λ ln λ."""
    return eigenvalue * math.log(eigenvalue)


def _at_least_two(length: int) -> None:
    if length < 2:
        raise ValueError(f"chrono initialisation needs a longest dependency of 2 steps or more, got {length}")


def _square(eigenvalue: float, steps: float) -> float:
    if not (abs(eigenvalue) < 1 and steps >= 0):
        raise ValueError(f"needs |λ| < 1 and t >= 0, got {eigenvalue} and {steps}")
    return eigenvalue**2
