"""Means over Gaussian pre-activations, of functions like tanh that change over a distance of 1, at any variance.

The integrand has two scales, 1 and the Gaussian's √q, and one may be far above the other. Gauss–Legendre panels that
double in length from the origin resolve both, where Gauss–Hermite nodes, which know √q alone, miss the first.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
Function = Callable[[Values], Values]

ORDER = 40  # nodes of a panel
TAIL = 12.0  # standard deviations: exp(−72) of the mass is beyond
REACH = 20.0  # where tanh is ±1, and its slope 0, to the last bit
HERMITE = 120  # nodes for a Gaussian that is no wider than tanh's own scale


def sigmoid(u: Values) -> Values:
    """σ(u) = 1/(1 + e^{−u}), by tanh, which overflows nowhere."""
    return np.asarray(0.5 * np.tanh(0.5 * u) + 0.5)


def slope_of_tanh(u: Values) -> Values:
    """tanh'(u) = 1/cosh² u; 0 where that is below the smallest float."""
    return np.asarray(1 / np.cosh(np.minimum(np.abs(u), 300.0)) ** 2)


def mean(f: Function, q: float, centre: float = 0.0) -> float:
    """E[f(u)], u ~ N(0, q).

    Args:
        f: bounded by a polynomial, and smooth but for a change over a distance of 1 at `centre`.
        q: variance, ≥ 0.
        centre: where f changes.
    """
    if q == 0.0:
        return float(f(np.zeros(1))[0])
    u, weights = _panels(min(1.0, math.sqrt(q)), TAIL * math.sqrt(q), centre)
    return float(weights * np.exp(-(u**2) / (2 * q)) @ f(u)) / math.sqrt(2 * math.pi * q)


def mean_product(f: Function, q: float, d: float, limit: float = 0.0) -> float:
    """E[f(u₁) f(u₂)], both of variance q and with correlation 1 − d.

    Args:
        f: smooth, changing over a distance of 1 at 0, and equal to ±`limit` from `REACH` on (odd where it is not 0).
        q: variance, > 0.
        d: 0 … 1.
        limit: f(∞) = −f(−∞).
    """
    from scipy.special import erf

    c, s = 1 - d, math.sqrt(q * d * (2 - d))  # u₂ = c u₁ + s z
    u, weights = _panels(min(1.0, math.sqrt(q)), TAIL * math.sqrt(q))
    if s <= 1:
        z, share = _hermite()
        inner = f(c * u[:, None] + s * z) @ share
    else:  # over u₂ itself: there f's own scale is the shorter one
        v, length = _panels(1.0, REACH)
        density = np.exp(-((v - c * u[:, None]) ** 2) / (2 * s * s)) / (math.sqrt(2 * math.pi) * s)
        inner = density @ (length * (f(v) - limit * np.sign(v))) + limit * erf(c * u / (math.sqrt(2) * s))
    return float(weights * np.exp(-(u**2) / (2 * q)) @ (f(u) * inner)) / math.sqrt(2 * math.pi * q)


def mean_squared_difference_of_tanh(q: float, d: float) -> float:
    """E[(tanh u₁ − tanh u₂)²]/(2d), both of variance q, with correlation 1 − d: (E[tanh²] − E[tanh u₁ tanh u₂])/d.

    Args:
        q: variance, > 0.
        d: 0 < d ≤ 1, however small: nothing cancels.
    """
    s = math.sqrt(q * d * (2 - d))
    if s > 1:
        return (mean(lambda u: np.tanh(u) ** 2, q) - mean_product(np.tanh, q, d, limit=1.0)) / d
    u, weights = _panels(min(1.0, math.sqrt(q)), TAIL * math.sqrt(q))
    z, share = _hermite()
    first, apart = u[:, None], d * u[:, None] - s * z  # u₁ and u₁ − u₂
    # tanh a − tanh b = tanh(a − b)(1 − tanh a tanh b)
    difference = np.tanh(apart) * (1 - np.tanh(first) * np.tanh(first - apart))
    return float(weights * np.exp(-(u**2) / (2 * q)) @ (difference**2 @ share)) / math.sqrt(2 * math.pi * q) / (2 * d)


def normal_nodes(scale: float) -> tuple[Values, Values]:
    """Nodes z and weights of E[f(z)] = weights @ f(z), z standard normal.

    Args:
        scale: 0 < scale ≤ 1, the distance over which f changes at 0; it is smooth elsewhere.
    """
    z, weights = _panels(scale, TAIL)
    return z, weights * np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)


def _panels(shortest: float, end: float, centre: float = 0.0) -> tuple[Values, Values]:
    """Nodes and weights of ∫_{−end}^{end}, in panels that double in length away from 0, and from `centre`."""
    steps = [0.0, *(shortest * 2.0**k for k in range(-1, max(1, math.ceil(math.log2(end / shortest)) + 1)))]
    around = {x + sign * step for x in {0.0, centre} for sign in (-1, 1) for step in steps}
    edges = np.array(sorted({-end, end, *(x for x in around if -end < x < end)}))
    nodes, weights = _legendre()
    half, middle = np.diff(edges)[:, None] / 2, (edges[:-1] + edges[1:])[:, None] / 2
    return (middle + half * nodes).ravel(), (half * weights).ravel()


@cache
def _legendre() -> tuple[Values, Values]:
    nodes, weights = np.polynomial.legendre.leggauss(ORDER)
    return np.asarray(nodes), np.asarray(weights)


@cache
def _hermite() -> tuple[Values, Values]:
    """Nodes and weights of E[f(z)], z standard normal."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(HERMITE)
    return np.asarray(nodes), np.asarray(weights / weights.sum())
