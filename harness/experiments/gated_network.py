"""A random gated network without input: at which gain its silent state loses stability, and what it does then.

A GRU or an LSTM, with the equations of `harness.cells`, Gaussian recurrent weights and one bias, that of the gate that
keeps the state. The same weights are run at several gains of the candidate's, as multiples of the critical one, and λ₁
is measured along the trajectory from zero itself, from a small and from a large state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from harness.experiments.theory_check import TheoryCheck, check_records
from harness.probes.benettin import lyapunov_exponents
from harness.rng import generator
from harness.schema import Profile, Record, Values
from harness.study.plan import Run
from harness.study.section import Section, Sections, setting
from harness.study.spec import Experiment
from harness.theory.gated import SilentState
from harness.theory.gaussian import sigmoid

if TYPE_CHECKING:
    from harness.experiments.setup import Setup

RELATIVE_GAINS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.1, 1.2, 1.3, 1.4, 1.5)  # of the critical one
BELOW = RELATIVE_GAINS.index(0.9)
SILENT = 0.01  # root mean square of h at the end, below which the network has fallen silent
FIRST = {"zero": 0.0, "small": 1e-4, "large": 1.0}  # standard deviation of the first state's entries
TOLERANCE = 0.002  # nats per step between λ₁ of a silent network and its eigenvalues, of which the steps leave 1/T
CLEAR = 0.01  # nats per step


class Gated(Section):
    """The network and the steps (`gated:`)."""

    cell: Literal["gru", "lstm"] = setting("gru", "which cell")
    bias: float = setting(
        0.0,
        "bias of the gate that keeps the state: z of a GRU, f of an LSTM; other biases are zero",
        label="bias of the gate that keeps the state",
        sequential=True,
        ge=-10,
        le=10,
    )
    gate_gain: float = setting(
        1.0,
        "recurrent weights of r of a GRU, and of i, f and o of an LSTM, are Gaussian with standard deviation "
        "gate_gain/√N; those of z with 1/√N",
        label="gain of the gates",
        ge=0,
        le=1000,
    )
    start: Literal["zero", "small", "large"] = setting(
        "zero", "first state: zero, or Gaussian with standard deviation 1e-4 or 1", order=("zero", "small", "large")
    )
    hidden_size: int = setting(200, "N", ge=2, le=1000)
    transient: int = setting(1000, "steps before anything is measured", unit="steps", ge=1, le=100_000)
    sequence_length: int = setting(1000, "T, steps that are measured", unit="steps", ge=20, le=20_000)


@dataclass(frozen=True)
class GatedSections(Sections):
    """The sections of this experiment."""

    gated: Gated


class GatedWeights(NamedTuple):
    """One set of weights at K gains.

    Attributes:
        W: the gates' blocks one below another, in the order of the cell, the candidate's with gain 1, (G·N, N).
        gains: of the candidate's block, (K, 1).
        bias: of the gate that keeps the state.
    """

    W: Values
    gains: Values
    bias: float


Step = Callable[[GatedWeights, Values], Values]
Push = Callable[[GatedWeights, Values, Values], Values]


def gru_step(network: GatedWeights, h: Values) -> Values:
    """h_{t−1} → h_t, each (K, N), of `harness.cells.gru` with x = 0."""
    a_r, a_z, a_n = np.split(h @ network.W.T, 3, axis=-1)
    z = sigmoid(a_z + network.bias)
    return np.asarray((1 - z) * np.tanh(sigmoid(a_r) * network.gains * a_n) + z * h)


def gru_push(network: GatedWeights, h: Values, dh: Values) -> Values:
    """∂h_t/∂h_{t−1} dh at h_{t−1}, each (K, N)."""
    a_r, a_z, a_n = np.split(h @ network.W.T, 3, axis=-1)
    da_r, da_z, da_n = np.split(dh @ network.W.T, 3, axis=-1)
    r, z = sigmoid(a_r), sigmoid(a_z + network.bias)
    n = np.tanh(r * network.gains * a_n)
    dn = (1 - n**2) * network.gains * (r * da_n + r * (1 - r) * da_r * a_n)
    return np.asarray((1 - z) * dn + z * dh + z * (1 - z) * da_z * (h - n))


def lstm_step(network: GatedWeights, state: Values) -> Values:
    """(h, c) at t−1 → (h, c) at t, each (K, 2N), of `harness.cells.lstm` with x = 0."""
    h, c = np.split(state, 2, axis=-1)
    a_i, a_f, a_g, a_o = np.split(h @ network.W.T, 4, axis=-1)
    c = sigmoid(a_f + network.bias) * c + sigmoid(a_i) * np.tanh(network.gains * a_g)
    return np.concatenate([sigmoid(a_o) * np.tanh(c), c], axis=-1)


def lstm_push(network: GatedWeights, state: Values, tangent: Values) -> Values:
    """The Jacobian of `lstm_step` at a state, applied to a tangent, each (K, 2N)."""
    (h, c), (dh, dc) = np.split(state, 2, axis=-1), np.split(tangent, 2, axis=-1)
    a_i, a_f, a_g, a_o = np.split(h @ network.W.T, 4, axis=-1)
    da_i, da_f, da_g, da_o = np.split(dh @ network.W.T, 4, axis=-1)
    i, f, o, g = sigmoid(a_i), sigmoid(a_f + network.bias), sigmoid(a_o), np.tanh(network.gains * a_g)
    dc = f * dc + f * (1 - f) * da_f * c + i * (1 - i) * da_i * g + i * (1 - g**2) * network.gains * da_g
    output = np.tanh(f * c + i * g)
    return np.concatenate([o * (1 - o) * da_o * output + o * (1 - output**2) * dc, dc], axis=-1)


class Kind(NamedTuple):
    """What differs between the cells.

    Attributes:
        step: the cell's equations.
        push: their derivative.
        silent_state: bias of the gate that keeps the state → Jacobian at zero.
        gated: for each block but the candidate's, in the order of W, whether its gain is `gate_gain`, else 1.
        states: parts of the state, h first.
    """

    step: Step
    push: Push
    silent_state: Callable[[float], SilentState]
    gated: tuple[bool, ...]
    states: int


KINDS = {
    "gru": Kind(gru_step, gru_push, SilentState.of_gru, (True, False, False), 1),
    "lstm": Kind(lstm_step, lstm_push, SilentState.of_lstm, (True, True, False, True), 2),
}
CANDIDATE = 2  # the block of n of a GRU, of g of an LSTM; its gain is the one that is varied


def critical_gains(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    """One record a run: `measured` is the gain at which λ₁ changes its sign, `predicted` that of N → ∞.

    The gain is interpolated between the two multiples of the critical one next to it. From another first state than
    zero it is the middle between the largest gain below which all networks fall silent, and the next.

    `residual` is the largest deviation of λ₁ of a silent network from ln max |a + κ μ| over the eigenvalues μ of its
    own W; `mean_field_residual` λ₁ at .9 of the critical gain, less that of N → ∞, which follows from gain and bias
    alone. "Solved" is that the residual is at most `TOLERANCE`, and, from another first state than zero, that the
    network falls silent at each gain at which its own eigenvalues say that its silent state is stable and stays active
    at the others; not asked where that state's λ₁ is within `CLEAR` of zero, which the steps are too few to tell.
    """
    return check_records(runs, setup, GatedSections, _measure, engine="numpy")


def _measure(sections: GatedSections, seed: int) -> TheoryCheck:
    settings = sections.gated
    N, kind = settings.hidden_size, KINDS[settings.cell]
    silent_state = kind.silent_state(settings.bias)
    gains = np.array(RELATIVE_GAINS) * silent_state.critical_gain
    network = GatedWeights(_weights(settings, seed), gains[:, None], settings.bias)
    exponents, state = _exponents(network, kind, settings, seed)
    rms = np.sqrt(np.mean(state[:, :N] ** 2, axis=-1))
    eigenvalues = np.linalg.eigvals(network.W[CANDIDATE * N : (CANDIDATE + 1) * N])
    own = np.array([silent_state.exponent_of(g * eigenvalues) for g in gains])
    theory = np.array([silent_state.exponent(float(g)) for g in gains])
    silent = rms < SILENT
    residual = float(np.abs(exponents - own)[silent].max(initial=0.0))
    clear = np.abs(own) >= CLEAR
    solved = residual <= TOLERANCE and bool(np.all((silent == (own < 0))[clear] | (settings.start == "zero")))
    stable = exponents < 0 if settings.start == "zero" else silent
    return TheoryCheck(
        measured=_crossing(gains, exponents, stable, interpolate=settings.start == "zero"),
        predicted=silent_state.critical_gain,
        residual=residual,
        solved=solved,
        profiles=[
            Profile("lyapunov_exponent", "gain", gains, exponents, theory),
            Profile("rms_state", "gain", gains, rms),
        ],
        columns={"mean_field_residual": float(exponents[BELOW] - theory[BELOW])},
    )


def _weights(settings: Gated, seed: int) -> Values:
    N, gated = settings.hidden_size, KINDS[settings.cell].gated
    blocks = generator(seed, "initialise W").standard_normal((len(gated), N, N)) / sqrt(N)
    return np.concatenate([block * (settings.gate_gain if g else 1.0) for block, g in zip(blocks, gated, strict=True)])


def _exponents(network: GatedWeights, kind: Kind, settings: Gated, seed: int) -> tuple[Values, Values]:
    """λ₁ at each gain, (K,), and the last states; the tangent turns into its direction during the transient."""
    step, push = kind.step, kind.push
    K, N = len(network.gains), settings.hidden_size * kind.states
    state = np.tile(FIRST[settings.start] * generator(seed, "first state").standard_normal(N), (K, 1))
    tangent = np.tile(generator(seed, "tangent").standard_normal(N), (K, 1))
    for _ in range(settings.transient):
        tangent = push(network, state, tangent)
        tangent = tangent / np.linalg.norm(tangent, axis=-1, keepdims=True)
        state = step(network, state)
    states = [state]
    for _ in range(settings.sequence_length):
        states.append(step(network, states[-1]))

    def along(t: int, Q: Values) -> Values:
        return push(network, states[t - 1], Q[..., 0])[..., None]

    exponents = lyapunov_exponents(along, tangent[..., None], settings.sequence_length)[..., 0]
    return exponents, states[-1]


def _crossing(gains: Values, exponents: Values, stable: npt.NDArray[np.bool_], *, interpolate: bool) -> float:
    """Where stability is first lost; the least or the largest gain where that is not between two of them."""
    first = len(gains) if stable.all() else int(np.argmin(stable))
    if first in (0, len(gains)):
        return float(gains[min(first, len(gains) - 1)])
    low, high = gains[first - 1], gains[first]
    if not interpolate:
        return float((low + high) / 2)
    below, above = exponents[first - 1], exponents[first]
    return float(low - below * (high - low) / (above - below))


def cost(sections: GatedSections) -> float:
    """Predicted seconds of one run: products of the weights with the states and tangents of all gains."""
    settings = sections.gated
    steps = settings.sequence_length + settings.transient
    return float(steps * (2e-4 + 6e-9 * settings.hidden_size**2 + 2e-6 * settings.hidden_size))


EXPERIMENT = Experiment(
    "gated_network", typed=GatedSections, entry="harness.experiments.gated_network:critical_gains", cost=cost
)
