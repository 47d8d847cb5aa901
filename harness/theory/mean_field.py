"""Mean field of a wide tanh RNN: how far two inputs' states stay apart, and over how many steps that is forgotten.

    h_t = tanh(W h_{t−1} + U x_t + b),    W_ij ~ N(0, σ_w²/N)

The pre-activations of two sequences are Gaussian with variance q and correlation c; U x + b brings in a variance of its
own, with a correlation of its own. Means over Gaussians are taken by Gauss–Hermite quadrature.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
NODES = 1000
LEAST_WEIGHT = 1e-20  # nodes further out add nothing to the mean of a bounded function, and cost


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
    if input_variance == 0.0:
        input_correlation = 1.0  # there is no input to differ in

    def excess(c: float) -> float:
        products = _mean_pair(np.tanh, q, c)
        return (weight_variance * products + input_correlation * input_variance) / q - c

    if input_correlation == 1.0 and weight_variance * squared_slope(q) <= 1:
        c = 1.0  # what differs is forgotten
    elif excess(0.0) <= 0.0:
        c = 0.0
    else:
        # c = 1 is a fixed point too where the inputs agree, and unstable: the other one lies below it.
        c = float(brentq(excess, 0.0, 1.0 - 1e-9 if input_correlation == 1.0 else 1.0, xtol=1e-14))
    return FixedPoint(q, c, weight_variance * _mean_pair(_slope, q, c))


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
        return weight_variance * _mean(lambda u: np.tanh(u) ** 2, q) + input_variance - q

    # tanh² u ≥ u² − ⅔ u⁴, so the excess is positive at the lower end; tanh² < 1, so it is negative at the upper.
    low = input_variance or (weight_variance - 1) / (4 * weight_variance)
    return float(brentq(excess, low, weight_variance + input_variance, xtol=1e-15, rtol=1e-14))


def squared_slope(q: float) -> float:
    """E[φ'(√q z)²], of tanh and a standard normal z; σ_w² times it is χ₁, the growth of a squared gradient per step.

    Args:
        q: variance of the pre-activations, ≥ 0.
    """
    return _mean(lambda u: _slope(u) ** 2, q)


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


def mean_log_forget_gate(mean: float, variance: float = 0.0) -> float:
    """E[ln σ(a)] for a ~ N(mean, variance): the mean change of ln ‖∂L/∂c_t‖ over a step along an LSTM's cell path.

    Args:
        mean: of the forget gate's pre-activation; before training, its bias.
        variance: of it over units and steps, ≥ 0.
    """
    return _mean(lambda u: -np.logaddexp(0.0, -(mean + u)), variance)


def _slope(u: Values) -> Values:
    return np.asarray(1 / np.cosh(np.minimum(np.abs(u), 300.0)) ** 2)


@cache
def _quadrature() -> tuple[Values, Values]:
    """Nodes and weights of E[f(z)], z standard normal."""
    from scipy.special import roots_hermitenorm

    nodes, weights = roots_hermitenorm(NODES)
    weighty = weights / weights.sum() > LEAST_WEIGHT
    return np.asarray(nodes[weighty]), np.asarray(weights[weighty] / weights[weighty].sum())


def _mean(f: Callable[[Values], Values], q: float) -> float:
    nodes, weights = _quadrature()
    return float(weights @ f(math.sqrt(q) * nodes))


def _mean_pair(f: Callable[[Values], Values], q: float, c: float) -> float:
    """E[f(u₁) f(u₂)]."""
    nodes, weights = _quadrature()
    first = math.sqrt(q) * nodes
    second = c * first[:, None] + math.sqrt(max(q * (1 - c * c), 0.0)) * nodes
    return float(weights @ (f(first) * (f(second) @ weights)))
