"""One sigmoid unit with a recurrent weight: x_t = w σ(x_{t−1}) + b, its fixed points and the wall in its error."""

from __future__ import annotations

import math
from itertools import pairwise


def fixed_points(w: float, b: float) -> tuple[float, ...]:
    """The solutions of x = w σ(x) + b in ascending order: one, or three between the folds (the middle one unstable).

    Args:
        w: recurrent weight, > 0.
        b: bias.

    Raises:
        ValueError: if w ≤ 0.
    """
    from scipy.optimize import brentq

    if not 0 < w < math.inf:
        raise ValueError(f"the recurrent weight is finite and > 0, got {w}")

    def excess(x: float) -> float:
        return w * _sigmoid(x) + b - x

    # The excess is monotone between its extrema, and its zeros lie between b and b + w.
    edges = [b - 1.0, *(edge for edge in _extrema(w) if b - 1.0 < edge < b + w + 1.0), b + w + 1.0]
    pairs = pairwise(edges)
    return tuple(float(brentq(excess, *pair, xtol=1e-14)) for pair in pairs if excess(pair[0]) * excess(pair[1]) < 0)


def attractor(w: float, b: float, start: float) -> float:
    """Where x_t goes from x₀ = start: the next fixed point above if the first step goes up, else the next below.

    The map is increasing, so x_t is monotone and passes no fixed point.

    Args and raises: as `fixed_points`.
    """
    points = fixed_points(w, b)
    if w * _sigmoid(start) + b > start:
        return min(x for x in points if x > start)
    return max((x for x in points if x <= start), default=start)


def folds(w: float) -> tuple[float, float]:
    """The two biases at which a pair of fixed points is born or dies, in ascending order.

        w σ'(x) = 1  →  σ(x) = ½ (1 ± √(1 − 4/w)),    b = x − w σ(x)

    Between them there are three fixed points, outside one.

    Args:
        w: recurrent weight, > 4: below that σ is too flat for a second fixed point.

    Raises:
        ValueError: if w ≤ 4.

    Source: Doya 1993, "Bifurcations of recurrent neural networks in gradient descent learning"; Pascanu, Mikolov &
    Bengio 2013, section 2.2, where w = 5.
    """
    if not 4 < w < math.inf:
        raise ValueError(f"there are folds for a finite w > 4, got {w}")
    lower, upper = (x - w * _sigmoid(x) for x in _extrema(w))
    return upper, lower


def wall(w: float, start: float) -> float:
    """The bias at which the error's wall stands: there the start is itself the unstable fixed point.

        b = x₀ − w σ(x₀)

    Below it the state falls to the lower attractor, above it rises to the upper one.

    Args:
        w: recurrent weight with w σ'(x₀) > 1, so that the fixed point is unstable.
        start: x₀.

    Raises:
        ValueError: if the fixed point is stable: there is no wall.

    Source: derived here, for Pascanu, Mikolov & Bengio 2013, figure 6.
    """
    _stretch(w, start)
    return start - w * _sigmoid(start)


def wall_gradient(w: float, start: float, length: int, target: float) -> tuple[float, float]:
    """(∂E/∂w, ∂E/∂b) on the wall of E = (σ(x_T) − target)².

        ∂E/∂b = 2 (σ(x₀) − target) σ'(x₀) (λᵀ − 1)/(λ − 1),    ∂E/∂w = σ(x₀) ∂E/∂b,    λ = w σ'(x₀)

    There x_t = x₀ for all t, so that each step multiplies by the same λ > 1.

    Args:
        w, start, raises and source: as `wall`.
        length: T, steps.
        target: of σ(x_T).
    """
    stretch = _stretch(w, start)
    s = _sigmoid(start)
    bias = 2 * (s - target) * s * (1 - s) * (stretch**length - 1) / (stretch - 1)
    return s * bias, bias


def _extrema(w: float) -> tuple[float, ...]:
    """Where w σ'(x) = 1, in ascending order."""
    if w <= 4:
        return ()
    activity = 0.5 * (1 + math.sqrt(1 - 4 / w))
    x = math.log(activity / (1 - activity))
    return -x, x


def _stretch(w: float, start: float) -> float:
    s = _sigmoid(start)
    stretch = w * s * (1 - s)
    if not 1 < stretch < math.inf:
        raise ValueError(
            f"there is no wall: one step from x = {start:g} multiplies a difference by w σ' = {stretch:g}, "
            "which is not above 1"
        )
    return stretch


def _sigmoid(x: float) -> float:
    return 0.5 * (1 + math.tanh(0.5 * x))
