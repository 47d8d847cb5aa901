"""How fast the gradient of a minGRU or a minLSTM falls before training, from its initialisation alone.

The state enters linearly, so that ∂h_T/∂h_{T−k} of a unit is the product of what it keeps at each of k steps: 1 − z of
a minGRU, f/(f + i) of a minLSTM. With one-hot symbols a gate's argument is a weight and a bias, each uniform on
(−a, a), a = 1/√D.

Derived here; equations and initialisation: Feng et al. 2024, "Were RNNs all we needed?", sections 3.1 and 3.2; chrono
initialisation: Tallec & Ollivier 2018, "Can recurrent neural networks warp time?", eq. 16.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

NODES = 32  # of Gauss–Legendre quadrature, for each weight
Array = npt.NDArray[np.float64]


def slowest_slope(input_size: int) -> float:
    """log₁₀ σ(2/√D): no unit of either cell keeps more in a step, whatever is drawn and whatever the symbols are.

    The gate's arguments are within ±2a; of a minLSTM σ(2a)/(σ(2a) + σ(−2a)) = σ(2a).

    Args:
        input_size: D ≥ 1.

    Raises:
        ValueError: if it is less.
    """
    return float(np.log10(_sigmoid(np.array(2 * _bound(input_size)))))


def mingru_slope(input_size: int, steps: int, symbols: int) -> float:
    """Mean change of log₁₀ ‖∂L/∂h_t‖ over one of k steps back, for H → ∞.

        (1/2k) log₁₀ E_b[(E_u σ(−u − b)^{2k/S})^S]

    Each of S symbols comes k/S times, and the norm over units is a root mean square over draws of their weights u and
    biases b. Finite networks lack the rare units that keep most, and fall a little faster.

    Args:
        input_size: D.
        steps: k ≥ 1.
        symbols: S ≥ 1, how many symbols the sequence is made of.

    Raises:
        ValueError: if one is out of range.
    """
    nodes, weights = _uniform(_bound(input_size))
    power = _power(steps, symbols)
    passed = _sigmoid(-nodes[:, None] - nodes[None, :]) ** power @ weights  # by b
    return float(np.log10(weights @ passed**symbols)) / (2 * steps)


def minlstm_slope(input_size: int, steps: int, symbols: int) -> float:
    """The same of a minLSTM whose biases are drawn; arguments as of `mingru_slope`.

    (1/2k) log₁₀ E_{b, b′}[(E_{u, u′} (f/(f + i))^{2k/S})^S],    f = σ(u + b), i = σ(u′ + b′)
    """
    nodes, weights = _uniform(_bound(input_size))
    power = _power(steps, symbols)
    gate = _sigmoid(nodes[:, None] + nodes[None, :])  # by bias and weight
    f, i = gate[:, None, :, None], gate[None, :, None, :]
    passed = np.einsum("bcuv,u,v->bc", (f / (f + i)) ** power, weights, weights)
    return float(np.log10(weights @ passed**symbols @ weights)) / (2 * steps)


def chrono_slope(length: int, steps: int | None = None) -> float:
    """The same of a minLSTM with chrono initialisation, without the input's share of the gates.

        (1/2k) log₁₀ E_v[(v/(1 + v))^{2k}],    v ~ U(1, T − 1)

    With f = σ(ln v) and i = σ(−ln v) a unit keeps f/(f + i) = v/(1 + v).

    Args:
        length: T ≥ 3, from which the biases are drawn.
        steps: k ≥ 1; None: T − 1, the whole sequence.

    Raises:
        ValueError: if one is out of range.
    """
    if length < 3:
        raise ValueError(f"chrono initialisation needs a length of 3 or more, got {length}")
    nodes, weights = _uniform(1.0)
    v, power = 1 + (length - 2) * (nodes + 1) / 2, _power(length - 1 if steps is None else steps, 1)
    return float(np.log10(weights @ (v / (1 + v)) ** power)) / power


def _bound(input_size: int) -> float:
    if input_size < 1:
        raise ValueError(f"an input has a size of 1 or more, got {input_size}")
    return 1 / math.sqrt(input_size)


def _power(steps: int, symbols: int) -> float:
    if steps < 1 or symbols < 1:
        raise ValueError(f"steps and symbols are 1 or more, got {steps} and {symbols}")
    return 2 * steps / symbols


def _uniform(a: float) -> tuple[Array, Array]:
    """Nodes and weights of the mean over (−a, a)."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    return a * nodes, weights / 2


def _sigmoid(x: Array) -> Array:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)))
