"""Lyapunov exponents of a random tanh network without input, and what they say of the gradient.

Forward, the whole spectrum by QR (Benettin et al. 1980); backward, the slope of the harness's own recorded adjoints
over the same steps. Planned without torch, which is imported where something is computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from harness.cells.initialisation import sigma_max, spectral_radius
from harness.experiments.adjoint_norms import log_adjoint_norms
from harness.experiments.theory_check import TheoryCheck, check_records
from harness.probes.benettin import lyapunov_exponents
from harness.rng import generator
from harness.schema import Profile, Record, Values
from harness.study.plan import Run
from harness.study.section import Section, Sections, setting
from harness.study.spec import Experiment
from harness.theory.spectra import circular_law_exponents, mean_field_exponent

if TYPE_CHECKING:
    from harness.experiments.setup import Setup

TOLERANCE = 0.06  # nats per step: what N = 128 and a thousand steps leave of predictions for N → ∞
SLOPE = 0.02  # nats per step between λ₁ and the slope of the recorded adjoints


class Chaos(Section):
    """The network and the steps (`lyapunov:`)."""

    gain: float = setting(
        2.0,
        "g: W is Gaussian with standard deviation g/√N",
        label="gain g",
        short="g",
        sequential=True,
        gt=0,
        le=10,
    )
    hidden_size: int = setting(128, "N", ge=2, le=1000)
    transient: int = setting(300, "steps before anything is measured", unit="steps", ge=0, le=100_000)
    sequence_length: int = setting(1000, "T, steps that are measured", unit="steps", ge=20, le=20_000)


@dataclass(frozen=True)
class ChaosSections(Sections):
    """The sections of this experiment."""

    lyapunov: Chaos


def trajectory(W: Values, first: Values, steps: int) -> Values:
    """h_0 … h_T of h_t = tanh(W h_{t−1}), (T+1, N)."""
    states = [first]
    for _ in range(steps):
        states.append(np.tanh(W @ states[-1]))
    return np.stack(states)


def spectrum(W: Values, states: Values) -> Values:
    """All Lyapunov exponents in nats per step, largest first.

    Args:
        states: h_0 … h_T, (T+1, N); J_t = diag(1 − h_t²) W.
    """

    def push(t: int, Q: Values) -> Values:
        return np.asarray((1 - states[t] ** 2)[:, None] * (W @ Q))

    return np.sort(lyapunov_exponents(push, np.eye(len(W)), len(states) - 1))[::-1]


def exponents(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    """One record a run: `measured` is λ₁, `predicted` that of the mean field, which follows from g alone.

    Nothing of the trajectory goes into the prediction: ½ ln(g²⟨φ'²⟩) with its own ⟨φ'²⟩ is near λ₁ whether or not the
    theory of wide networks is. `mean_field_residual` is λ₁ less the prediction. `residual` is the largest of two: the
    deviation of λ₁ from its prediction, for g < 1 replaced by the root mean square deviation of the spectrum's upper
    nine tenths from the circular law; and that of the backward slope from λ₁. "Solved" is a first of at most
    `TOLERANCE` and a second of at most `SLOPE`.
    """
    return check_records(runs, setup, ChaosSections, _measure, engine="torch")


def _measure(sections: ChaosSections, seed: int) -> TheoryCheck:
    settings = sections.lyapunov
    N, g = settings.hidden_size, settings.gain
    W = generator(seed, "initialise W").standard_normal((N, N)) * (g / sqrt(N))
    first = trajectory(W, generator(seed, "first state").standard_normal(N), settings.transient)[-1]
    states = trajectory(W, first, settings.sequence_length)
    spectrum_measured = spectrum(W, states)
    v = generator(seed, "adjoint").standard_normal(N)
    norms = log_adjoint_norms(W, first, v / np.linalg.norm(v), settings.sequence_length)
    lags = np.arange(len(norms), dtype=np.float64)
    slope = float(np.polyfit(lags, norms, 1)[0])
    predicted = mean_field_exponent(g)
    ranks = np.arange(1, N + 1, dtype=np.float64)
    if g < 1:
        theory = circular_law_exponents(g, N)
        upper = slice(0, N - N // 10)
        off = float(np.sqrt(np.mean((spectrum_measured - theory)[upper] ** 2)))
    else:
        theory = np.full(N, np.nan)
        theory[0] = predicted
        off = abs(float(spectrum_measured[0]) - predicted)
    residual = max(off, abs(slope - float(spectrum_measured[0])))
    return TheoryCheck(
        measured=float(spectrum_measured[0]),
        predicted=predicted,
        residual=residual,
        solved=off <= TOLERANCE and abs(slope - float(spectrum_measured[0])) <= SLOPE,
        profiles=[
            Profile("lyapunov_exponent", "rank", ranks, spectrum_measured, theory),
            Profile("log_adjoint_norm", "lag", lags, norms, predicted * lags),
        ],
        columns={
            "mean_field_residual": float(spectrum_measured[0]) - predicted,
            "initial_spectral_radius": spectral_radius(W),
            "initial_sigma_max": sigma_max(W),
        },
    )


def cost(sections: ChaosSections) -> float:
    """Predicted seconds of one run: a QR decomposition a step, and a few torch calls."""
    settings = sections.lyapunov
    return float(settings.sequence_length * (3e-4 + 7e-10 * settings.hidden_size**3))


EXPERIMENT = Experiment(
    "lyapunov",
    typed=ChaosSections,
    entry="harness.experiments.random_network:exponents",
    cost=cost,
    numerics=2,  # predictions of the mean field; they were of the trajectory's own slopes
)
