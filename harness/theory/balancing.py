"""Influence balancing: a linear system whose truncated gradient points the wrong way until the window is long enough.

    s_t = A s_{t−1} + θ v,    A_ii = A_{i,i+1} = ½,    v = (+1 … +1, −1 … −1), `positive` times +1

What θ does to the first unit comes from all units behind it, each later than the one before: first the good, then the
harm, and the harm outweighs.
"""

from __future__ import annotations


def truncated_influence(window: int, size: int, positive: int) -> float:
    """∂s₀/∂θ in the steady state, as backpropagation truncated at a window of K steps sees it.

        Σ_{k<K} (Aᵏ v)₀ = 2 Σ_j v_j P(Bin(K, ½) > j)

    (Aᵏ v)₀ = 2⁻ᵏ Σ_j C(k, j) v_j, and C(k, j) 2⁻ᵏ⁻¹ is the chance that the (j + 1)-th head falls at toss k + 1.

    Args:
        window: K ≥ 0, steps.
        size: n, the number of units.
        positive: how many of the first entries of v are +1, 0 … n.

    Raises:
        ValueError: if they are out of these ranges.

    Source: derived here; the system is influence balancing of Tallec & Ollivier 2017, "Unbiasing truncated
    backpropagation through time".
    """
    import numpy as np
    from scipy.stats import binom

    if window < 0 or not 0 <= positive <= size:
        raise ValueError(f"needs K >= 0 and 0 <= positive <= size, got {window}, {positive} and {size}")
    reached = binom.sf(np.arange(size), window, 0.5)
    return float(2 * (reached[:positive].sum() - reached[positive:].sum()))


def total_influence(size: int, positive: int) -> float:
    """∂s₀/∂θ in the steady state, nothing cut: ((I − A)⁻¹ v)₀ = 2 Σ_j v_j.

    Args: as `truncated_influence`.
    """
    return 2.0 * (2 * positive - size)


def first_right_window(size: int, positive: int) -> int:
    """The shortest window from which on the truncated derivative has the sign of the full one.

    The truncated derivative rises and then falls, so its sign changes once at most.

    Args: as `truncated_influence`, with 2·positive < size: the total is negative.

    Raises:
        ValueError: if it is not.
    """
    if not 1 <= positive < size - positive:
        raise ValueError(f"the harm must outweigh: needs 1 <= positive and 2·positive < size, got {positive}, {size}")
    window = 1
    while truncated_influence(window, size, positive) >= 0:
        window += 1
    return window
