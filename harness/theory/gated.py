"""Gated networks about their silent state: the gain at which it loses stability, and its largest Lyapunov exponent.

Without input and with biases on the gates alone the zero state is a fixed point of a GRU and of an LSTM. There the
gates' own slopes multiply a state that is zero, so that the Jacobian is

    J = a 1 + κ W,    GRU: a = σ(b_z), κ = (1 − a) σ(b_r);    LSTM, along c: a = σ(b_f), κ = σ(b_i) σ(b_o)

with W the candidate's recurrent weights. Of a Gaussian W with standard deviation g/√N the eigenvalues fill the disc of
radius g for N → ∞ (circular law), those of J that of radius κ g about a.

Derived here from the equations of `harness.cells.gru` and `harness.cells.lstm`. That the update gate can bring a
network to marginal stability, and that reset, input and output gates set the spectral radius, is of Can,
Krishnamurthy & Schwab 2020, "Gating creates slow modes and controls phase-space complexity in GRUs and LSTMs", and
Krishnamurthy, Can & Schwab 2022, "Theory of gating in recurrent neural networks".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class SilentState:
    """The Jacobian a 1 + κ W of a gated network at zero.

    Attributes:
        memory: a, what a unit keeps of itself, in (0, 1).
        coupling: κ > 0, what it takes of W h.
    """

    memory: float
    coupling: float

    @classmethod
    def of_gru(cls, update_bias: float = 0.0, reset_bias: float = 0.0) -> Self:
        """a = σ(b_z), κ = (1 − a) σ(b_r); z keeps the state, as in torch.nn.GRU."""
        return cls(_sigmoid(update_bias), _sigmoid(-update_bias) * _sigmoid(reset_bias))

    @classmethod
    def of_lstm(cls, forget_bias: float = 0.0, input_bias: float = 0.0, output_bias: float = 0.0) -> Self:
        """a = σ(b_f), κ = σ(b_i) σ(b_o), of the cell state c; h = σ(b_o) c there, so that J has no other exponents."""
        return cls(_sigmoid(forget_bias), _sigmoid(input_bias) * _sigmoid(output_bias))

    @property
    def critical_gain(self) -> float:
        """g_c = (1 − a)/κ, at which a + κ g = 1: 1/σ(b_r) of a GRU, whatever its update gate does."""
        return (1 - self.memory) / self.coupling

    def exponent(self, gain: float) -> float:
        """λ₁ = ln(a + κ g) in nats per step, for N → ∞: the logarithm of the rightmost point of the disc.

        With the bias of a GRU's update gate b_z → ∞ it goes to zero from either side, as (1 − a)(σ(b_r) g − 1).

        Args:
            gain: g ≥ 0.

        Raises:
            ValueError: if it is negative or not finite.
        """
        if not 0 <= gain < math.inf:
            raise ValueError(f"a gain is finite and not negative, got {gain}")
        return math.log1p(self.memory - 1 + self.coupling * gain)

    def exponent_of(self, eigenvalues: npt.NDArray[np.complex128]) -> float:
        """λ₁ = ln max |a + κ μ| of one network, over the eigenvalues μ of its W."""
        return float(np.log(np.abs(self.memory + self.coupling * eigenvalues).max()))


def _sigmoid(x: float) -> float:
    return 0.5 * (1 + math.tanh(0.5 * x))
