"""Mean field of a wide tanh RNN: how far two inputs' states stay apart, and over how many steps that is forgotten.

    h_t = tanh(W h_{t−1} + U x_t + b),    W_ij ~ N(0, σ_w²/N)

The pre-activations of two sequences are Gaussian with variance q and correlation c; U x + b brings in a variance of its
own, with a correlation of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from harness.theory.gaussian import mean, mean_product, mean_squared_difference_of_tanh, slope_of_tanh

LEAST = 1e-15  # distance of two states' correlation from 1, below which they are the same state


@dataclass(frozen=True)
class FixedPoint:
    """Where the maps of variance and correlation come to rest.

    Attributes:
        q: variance of a pre-activation.
        c: correlation of two sequences' pre-activations.
        chi: slope of the correlation map there, χ = σ_w² E[φ'(u₁) φ'(u₂)].
    """

    q: float
    c: float
    chi: float


def fixed_point(weight_variance: float, input_variance: float, input_correlation: float = 1.0) -> FixedPoint:
    """The stable fixed point (q*, c*) and the slope χ of the correlation map at it.

        q = σ_w² E[φ(√q z)²] + s²,    q c = σ_w² E[φ(u₁) φ(u₂)] + r s²

    with (u₁, u₂) Gaussian of variance q and correlation c. In the paper's letters s² = σ_v² R + σ_b² and
    r s² = σ_v² R Σ₁₂ + σ_b².

    Args:
        weight_variance: σ_w² ≥ 0.
        input_variance: s² ≥ 0, of U x + b.
        input_correlation: r, 0 … 1, of U x + b between the two sequences.

    Raises:
        ValueError: if one is out of range.

    Source: Chen, Pennington & Schoenholz 2018, "Dynamical isometry and a mean field theory of RNNs".
    """
    from scipy.optimize import brentq

    q = variance(weight_variance, input_variance)
    if not 0 <= input_correlation <= 1:
        raise ValueError(f"a correlation of inputs is 0 … 1, got {input_correlation}")
    if q == 0.0:
        return FixedPoint(0.0, 1.0, weight_variance)
    own = 0.0 if input_variance == 0.0 else (1 - input_correlation) * input_variance / q  # input that is not shared

    def excess(d: float) -> float:
        """The map's excess over c = 1 − d, divided by d; that of c = 1 is −(1 − r) s²/q, before the division."""
        return 1 - weight_variance * mean_squared_difference_of_tanh(q, d) / q - own / d

    if own == 0.0 and weight_variance * squared_slope(q) <= 1:
        d = 0.0  # what differs is forgotten
    elif input_variance * input_correlation == 0.0:
        d = 1.0  # nothing is shared, and tanh is odd: E[φ(u₁) φ(u₂)] = 0 at c = 0, where the map's slope is below 1
    elif excess(LEAST) >= 0.0:
        d = LEAST
    else:
        d = float(brentq(excess, LEAST, 1.0, xtol=1e-300, rtol=1e-14))
    return FixedPoint(q, 1 - d, weight_variance * mean_product(slope_of_tanh, q, d))


def variance(weight_variance: float, input_variance: float) -> float:
    """q*, the stable fixed point of q ↦ σ_w² E[φ(√q z)²] + s².

    Args and source: as `fixed_point`.

    Raises:
        ValueError: if one is negative or not finite.
    """
    from scipy.optimize import brentq

    if not (0 <= weight_variance < math.inf and 0 <= input_variance < math.inf):
        raise ValueError(f"variances are finite and not negative, got {weight_variance} and {input_variance}")
    if input_variance == 0 and weight_variance <= 1:
        return 0.0

    def excess(q: float) -> float:
        return weight_variance * mean(lambda u: np.tanh(u) ** 2, q) + input_variance - q

    # tanh² u ≥ u² − ⅔ u⁴, so the excess is positive at the lower end; tanh² < 1, so it is negative at the upper.
    low = input_variance or (weight_variance - 1) / (4 * weight_variance)
    return float(brentq(excess, low, weight_variance + input_variance, xtol=1e-15, rtol=1e-14))


def squared_slope(q: float) -> float:
    """E[φ'(√q z)²], of tanh and a standard normal z; σ_w² times it is χ₁, the growth of a squared gradient per step.

    Args:
        q: variance of the pre-activations, ≥ 0.
    """
    return mean(lambda u: slope_of_tanh(u) ** 2, q)


def time_scale(chi: float) -> float:
    """ξ = −1/ln χ: the steps over which the correlation's distance from its fixed point falls by e.

    Args:
        chi: 0 ≤ χ; ∞ at χ ≥ 1, where nothing is forgotten at an exponential rate, and 0 at χ = 0.

    Raises:
        ValueError: if it is negative.

    Source: Chen, Pennington & Schoenholz 2018.
    """
    if not chi >= 0:
        raise ValueError(f"chi is not negative, got {chi}")
    if chi >= 1:
        return math.inf
    return -1 / math.log(chi) if chi > 0 else 0.0


def mean_log_forget_gate(bias: float, variance: float = 0.0) -> float:
    """E[ln σ(a)] for a ~ N(bias, variance): the mean change of ln ‖∂L/∂c_t‖ over a step along an LSTM's cell path.

    Args:
        bias: mean of the forget gate's pre-activation; before training, its bias.
        variance: of it over units and steps, ≥ 0.
    """
    return mean(lambda u: -np.logaddexp(0.0, -(bias + u)), variance, centre=-bias)
