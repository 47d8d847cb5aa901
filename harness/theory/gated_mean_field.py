"""Mean field of a wide GRU and LSTM: over how many steps the difference between two pasts is forgotten.

Two sequences with different pasts and equal inputs from now on; Q is the mean square of h, C the mean product of the
two sequences' h. W is Gaussian, W_ij ~ N(0, g²/N), the input's share of each pre-activation N(0, s²), drawn anew at
each step; the gate that keeps the state has a bias. Then Q − C falls as χᵗ, and ξ = −1/ln χ is the memory in steps.

*Untied weights.* W is drawn anew at each step, or taken to be independent of the state. Pre-activations are then
Gaussian with variance v = g²Q + s² and independent of h, and odd functions average to zero:

    GRU     Q' = E[z²] Q + E[(1−z)²] E[n²]
            χ = E[z²] + g² E[ż²] (Q + E[n²]) + g² E[(1−z)²] (E[r² φ̇²] + E[ṙ² a² φ̇²])
    LSTM    M' = E[f²] M + E[i²] E[g̃²],    Q' = E[o²] E[tanh² c],    c ~ N(0, M) taken to be Gaussian

with a dot for the slope, u = x + r a the candidate's argument, φ̇ = tanh'(u), g̃ an LSTM's candidate. An LSTM's χ is the
largest eigenvalue of the slopes of (M₁₂', C') by (M₁₂, C) where both sequences have one state:

    [[F, S], [A F, A S + ω]],    F = E[f²],    A = E[o²] E[tanh'(c)²],    ω = g² E[ȯ²] E[tanh² c]
    S = g² (E[ḟ²] M + E[i̇²] E[g̃²] + E[i²] E[g̃'²])

*Tied weights*, one W for all steps. A candidate that saw the state a step ago pushes the state the same way again. Let
gates, slopes and inputs be independent from step to step, and W s a Gaussian process with the covariance of s: then
for the difference s (of h of a GRU, of c of an LSTM) and η = k W s/g, k the candidate's mean slope by W s times g,

    s_t = m s_{t−1} + η_t + …,    E[s_t s_t'] ∝ χ^((t+t')/2) λ^|t−t'|,    (√χ λ − m)(√χ/λ − m) = k²
    χ = (χ of untied weights, its right side) + 2 p y,    y = √χ λ − m

with m the mean of the gate that keeps the state and p = E[z (1−z)]/E[1−z] of a GRU, m of an LSTM. The state itself
obeys the same with χ = 1, which adds 2 p y Q to Q' and 2 p y M to M'. Where gates are constant, in the silent state,
χ = (m + k)²: twice the exponent ln(a + κ g) of `harness.theory.gated`. Untied weights have χ = m² + k² there.

Derived here from the equations of `harness.cells.gru` and `harness.cells.lstm`. That mean-field time scales of GRUs
and LSTMs say which initialisations train is of Gilboa et al. 2019, "Dynamical isometry and a mean field theory of LSTMs
and GRUs", arXiv 1901.08987 (abstract).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from harness.theory.gaussian import Function, Values, mean, normal_nodes, sigmoid, slope_of_tanh
from harness.theory.mean_field import squared_slope, time_scale


@dataclass(frozen=True)
class GatedFixedPoint:
    """Where the maps of the state's variance come to rest, and how a difference falls there.

    Attributes:
        q: Q, mean square of h.
        chi: χ, growth of the mean squared difference per step.
        memory_variance: M, mean square of c; of a GRU that of h.
    """

    q: float
    chi: float
    memory_variance: float

    @property
    def time_scale(self) -> float:
        """ξ = −1/ln χ in steps; ∞ at χ ≥ 1."""
        return time_scale(self.chi)


class Keeping(NamedTuple):
    """What the gate that keeps the state does, and how the candidate passes on what it sees of it.

    Attributes:
        mean: m, of the gate.
        square: of the gate, its mean.
        shared: p, mean of the gate where it is weighted by the candidate's share.
        coupling: k ≥ 0; 0 with untied weights.
    """

    mean: float
    square: float
    shared: float
    coupling: float

    def pushed(self, chi: float) -> float:
        """y, the candidate's push along the state: the smaller root of m y² − (χ − m² − k²) y + k² m = 0.

        Below χ = (m + k)², where nothing balances, that of (m + k)²: y = k.
        """
        m, k = self.mean, self.coupling
        b = max(chi - m**2 - k**2, 2 * m * k)
        return 2 * k**2 * m / (b + math.sqrt(b**2 - (2 * m * k) ** 2)) if k else 0.0

    @property
    def of_state(self) -> float:
        """What the state's own mean square is multiplied by, E[gate²] + 2 p y; λ ≤ 1 there, so that y ≤ 1 − m."""
        return self.square + 2 * self.shared * min(self.pushed(1.0), 1 - self.mean)

    def chi(self, untied: float, others: Callable[[float], float]) -> float:
        """χ = E[gate²] + others(χ) + 2 p y(χ), the largest root.

        Args:
            untied: the root with k = 0.
            others: what else feeds the squared difference; it does not grow with χ.
        """
        from scipy.optimize import brentq

        def excess(chi: float) -> float:
            return self.square + others(chi) + 2 * self.shared * self.pushed(chi) - chi

        low = max(untied, (self.mean + self.coupling) ** 2)
        if excess(low) <= 0:  # gates without variance; elsewhere it is positive there
            return low
        high = self.square + others(low) + 2 * self.shared * self.coupling
        return float(brentq(excess, low, high * (1 + 1e-12), xtol=1e-15, rtol=1e-14))


class GateMoments(NamedTuple):
    """Moments of σ(b + u), u ~ N(0, v).

    Attributes:
        mean: E[σ].
        square: E[σ²].
        slope_square: E[σ̇²].
    """

    mean: float
    square: float
    slope_square: float

    @classmethod
    def of(cls, variance: float, bias: float = 0.0) -> Self:
        def moment(f: Function) -> float:
            return mean(lambda u: f(sigmoid(bias + u)), variance, centre=-bias)

        return cls(moment(lambda s: s), moment(np.square), moment(lambda s: (s * (1 - s)) ** 2))


class CandidateMoments(NamedTuple):
    """Moments of a GRU's candidate n = tanh(x + r a), a of variance g²Q.

    Attributes:
        square: E[n²].
        slope: E[r φ̇].
        slope_square: E[r² φ̇²] + E[ṙ² a² φ̇²], by a and by the argument of r.
    """

    square: float
    slope: float
    slope_square: float

    @classmethod
    def of(cls, recurrent: float, input_variance: float) -> Self:
        """Args: variances of a, which is that of the reset gate's recurrent share too, and of x."""
        v = recurrent + input_variance
        y, share = normal_nodes(1 / max(1.0, math.sqrt(v)))
        r = sigmoid(math.sqrt(v) * y)[:, None]
        variance = input_variance + r**2 * recurrent  # of u = x + r a, given r
        half = y > 0  # everything below is even in u
        u = np.sqrt(variance) * y[half]
        square, slope = np.tanh(u) ** 2, slope_of_tanh(u)
        on_u = np.divide(r * recurrent, variance, out=np.zeros_like(variance), where=variance > 0)  # E[a | u] = on_u u
        a_square = (on_u * u) ** 2 + recurrent - on_u * r * recurrent

        def over(values: Values) -> float:
            return float(2 * share @ values @ share[half])

        return cls(over(square), over(r * slope), over((r**2 + (r * (1 - r)) ** 2 * a_square) * slope**2))


def gru(bias: float, gain: float, input_std: float, *, tied: bool = True) -> GatedFixedPoint:
    """The fixed point of a GRU, whose z keeps the state.

    Args:
        bias: of z; other biases are zero.
        gain: g ≥ 0, of all blocks of W.
        input_std: s ≥ 0; without input the state is silent.
        tied: one W for all steps; else one drawn anew at each.

    Raises:
        ValueError: if gain or input is negative or not finite.
    """
    from scipy.optimize import brentq

    _check(gain, input_std)

    def moments(q: float) -> tuple[GateMoments, CandidateMoments, Keeping]:
        v = gain**2 * q
        z, n = GateMoments.of(v + input_std**2, bias), CandidateMoments.of(v, input_std**2)
        coupling = (1 - z.mean) * gain * n.slope if tied else 0.0
        return z, n, Keeping(z.mean, z.square, (z.mean - z.square) / (1 - z.mean), coupling)

    def excess(q: float) -> float:
        z, n, keeping = moments(q)
        return q * (keeping.of_state - 1) + (1 - 2 * z.mean + z.square) * n.square

    q = float(brentq(excess, 0.0, 1.0, xtol=1e-15, rtol=1e-14)) if input_std else 0.0
    z, n, keeping = moments(q)
    others = gain**2 * (z.slope_square * (q + n.square) + (1 - 2 * z.mean + z.square) * n.slope_square)
    return GatedFixedPoint(q, keeping.chi(z.square + others, lambda chi: others), q)


def lstm(bias: float, gain: float, input_std: float, *, tied: bool = True) -> GatedFixedPoint:
    """The fixed point of an LSTM, whose f keeps the state.

    Args and errors: as `gru`, the bias that of f.
    """
    from scipy.optimize import brentq

    _check(gain, input_std)

    def output(memory: float) -> float:
        """Q of h at the variance M of c."""
        square = _square_of_tanh(memory)

        def excess(q: float) -> float:
            return GateMoments.of(gain**2 * q + input_std**2).square * square - q

        return float(brentq(excess, 0.0, square, xtol=1e-16, rtol=1e-14)) if square else 0.0

    def moments(memory: float, q: float) -> tuple[GateMoments, GateMoments, Keeping]:
        v = gain**2 * q + input_std**2
        f, i = GateMoments.of(v, bias), GateMoments.of(v)
        coupling = gain * i.mean * mean(slope_of_tanh, v) * i.mean * mean(slope_of_tanh, memory) if tied else 0.0
        return f, i, Keeping(f.mean, f.square, f.mean, coupling)

    def excess(memory: float) -> float:
        q = output(memory)
        _, i, keeping = moments(memory, q)
        v = gain**2 * q + input_std**2
        return memory * (keeping.of_state - 1) + i.square * _square_of_tanh(v)

    memory = 0.0
    if input_std:
        high = 1.0
        while excess(high) > 0:
            high *= 2
        memory = float(brentq(excess, 0.0, high, xtol=1e-15, rtol=1e-14))
    q = output(memory)
    f, i, keeping = moments(memory, q)
    v = gain**2 * q + input_std**2
    candidate, output_square = _square_of_tanh(v), _square_of_tanh(memory)
    s = gain**2 * (f.slope_square * memory + i.slope_square * candidate + i.square * squared_slope(v))
    a = i.square * squared_slope(memory)  # o is distributed as i
    omega = gain**2 * i.slope_square * output_square
    trace = f.square + a * s + omega
    untied = (trace + math.sqrt(trace**2 - 4 * f.square * omega)) / 2
    return GatedFixedPoint(q, keeping.chi(untied, lambda chi: a * s / (1 - omega / chi)), memory)


def _check(gain: float, input_std: float) -> None:
    if not (0 <= gain < math.inf and 0 <= input_std < math.inf):
        raise ValueError(f"a gain and a standard deviation are finite and not negative, got {gain} and {input_std}")


def _square_of_tanh(variance: float) -> float:
    return mean(lambda u: np.tanh(u) ** 2, variance)
