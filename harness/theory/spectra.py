"""Lyapunov exponents of h_t = tanh(W h_{t−1}), W Gaussian with variance g²/N."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from harness.theory.mean_field import squared_slope, variance


def circular_law_exponents(gain: float, size: int) -> npt.NDArray[np.float64]:
    """The Lyapunov spectrum around the fixed point h = 0, largest first.

        λ_i = ln(g √(1 − (i − ½)/N)),    i = 1 … N

    There every Jacobian is W, so the exponents are ln |eigenvalue|; the eigenvalues fill the disc of radius g evenly,
    so that a share r²/g² of them lies within r.

    Args:
        gain: g > 0; the fixed point is stable, and this the spectrum, for g < 1.
        size: N ≥ 1.

    Raises:
        ValueError: if either is out of range.

    Source: Ginibre 1965; Girko 1985.
    """
    if not 0 < gain < math.inf or size < 1:
        raise ValueError(f"needs a finite gain > 0 and a size >= 1, got {gain} and {size}")
    share = (np.arange(size) + 0.5) / size
    return np.asarray(math.log(gain) + 0.5 * np.log1p(-share))


def largest_exponent(gain: float, mean_squared_slope: float) -> float:
    """The largest exponent, by the mean squared slope of the units.

        λ₁ = ½ ln(g² ⟨φ'²⟩)

    A perturbation's mean square grows by g²⟨φ'²⟩ a step where W is independent of it, as it is for N → ∞.

    Args:
        gain: g > 0.
        mean_squared_slope: ⟨φ'²⟩ over units and time, > 0; from a trajectory, or from `mean_field.squared_slope`.

    Raises:
        ValueError: if either is out of range.

    Source: Molgedey, Schuchhardt & Schuster 1992, "Suppressing chaos in neural networks by noise".
    """
    if not (0 < gain < math.inf and 0 < mean_squared_slope < math.inf):
        raise ValueError(f"gain and mean squared slope are finite and > 0, got {gain} and {mean_squared_slope}")
    return 0.5 * math.log(gain**2 * mean_squared_slope)


def mean_field_exponent(gain: float) -> float:
    """The largest exponent for N → ∞, from the gain alone: that of the self-consistent mean field.

        λ₁ = ½ ln(g² E[φ'(√q z)²]),    q = g² E[φ(√q z)²],    z ~ N(0, 1)

    with the stable q: 0 for g ≤ 1, where λ₁ = ln g.

    Args:
        gain: g > 0.

    Raises:
        ValueError: if it is out of range.

    Source: Molgedey, Schuchhardt & Schuster 1992; Sompolinsky, Crisanti & Sommers 1988, "Chaos in random neural
    networks" (the self-consistent equations).
    """
    return largest_exponent(gain, squared_slope(variance(gain**2, 0.0)))
