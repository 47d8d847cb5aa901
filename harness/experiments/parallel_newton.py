"""Newton's method over time: all states at once, by linear recurrences, as long as the dynamics forget.

The states of h_t = tanh(W h_{t−1} + d_t) solve h − F(h) = 0. Newton's method replaces the recurrence by a linear one
along the last guess,

    h_t ← F_t(g_{t−1}) + J_t (h_{t−1} − g_{t−1}),   J_t = diag(1 − F_t(g_{t−1})²) W,

which a parallel scan solves in O(log T) steps. After i iterations the first i states are right, so that T iterations
always do; it is worth the name only where far fewer do. What is counted here are iterations; the linear recurrence
itself is computed step by step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from harness.experiments.theory_check import TheoryCheck, check_records
from harness.probes.benettin import lyapunov_exponents
from harness.rng import generator
from harness.schema import Profile, Record, Values
from harness.study.plan import Run
from harness.study.section import Section, Sections, setting
from harness.study.spec import Experiment

if TYPE_CHECKING:
    from harness.experiments.setup import Setup

TOLERANCE = 1e-8  # of a state's entries, which are below 1
FEW = 0.1  # iterations as a share of T, at most, where it counts as parallel
TRANSIENT = 200  # steps before the first state


class Newton(Section):
    """The network and the steps (`newton:`)."""

    gain: float = setting(
        1.0, "g: W is Gaussian with standard deviation g/√N", label="gain g", short="g", sequential=True, gt=0, le=10
    )
    drive: float = setting(0.5, "standard deviation of what drives each unit, drawn anew at every step", ge=0)
    hidden_size: int = setting(32, "N", ge=1, le=500)
    sequence_length: int = setting(512, "T", unit="steps", ge=16, le=5000)


@dataclass(frozen=True)
class NewtonSections(Sections):
    """The sections of this experiment."""

    newton: Newton


def states_of(W: Values, drive: Values, first: Values) -> Values:
    """h_0 … h_T, (T+1, N), of a drive d_1 … d_T (T, N)."""
    states = [first]
    for d in drive:
        states.append(np.tanh(W @ states[-1] + d))
    return np.stack(states)


def iterate(W: Values, drive: Values, guess: Values) -> Values:
    """One iteration on a guess of h_0 … h_T (T+1, N), whose h_0 is right.

    Where the linear recurrence leaves the range of a float the state is set to 0, the guess of the beginning.
    """
    F = np.tanh(guess[:-1] @ W.T + drive)
    slopes = 1 - F**2
    new = np.empty_like(guess)
    new[0] = guess[0]
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(len(F)):
            new[t + 1] = F[t] + slopes[t] * (W @ (new[t] - guess[t]))
            if not np.isfinite(new[t + 1]).all():
                new[t + 1] = 0.0
    return new


def largest_exponent(W: Values, states: Values, generator: np.random.Generator) -> float:
    """λ₁ in nats per step along h_0 … h_T."""
    first = generator.standard_normal((len(W), 1))

    def push(t: int, Q: Values) -> Values:
        return np.asarray((1 - states[t] ** 2)[:, None] * (W @ Q))

    return float(lyapunov_exponents(push, first / np.linalg.norm(first), len(states) - 1)[0])


def count(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    """One record a run: `measured` is how many iterations bring all T states within `TOLERANCE`.

    "Solved" is that this is at most `FEW` T if λ₁ < 0, and more if λ₁ > 0.
    """
    return check_records(runs, setup, NewtonSections, _measure, engine="numpy")


def _measure(sections: NewtonSections, seed: int) -> TheoryCheck:
    settings = sections.newton
    N, T = settings.hidden_size, settings.sequence_length
    W = generator(seed, "initialise W").standard_normal((N, N)) * (settings.gain / sqrt(N))
    drive = settings.drive * generator(seed, "drive").standard_normal((TRANSIENT + T, N))
    start = states_of(W, drive[:TRANSIENT], generator(seed, "first state").standard_normal(N))[-1]
    own = drive[TRANSIENT:]
    right = states_of(W, own, start)
    exponent = largest_exponent(W, right, generator(seed, "tangent"))
    guess = np.zeros_like(right)
    guess[0] = start
    errors = []
    needed = np.full(T, T)  # of the first t states, t = 1 … T
    for iteration in range(1, T + 1):
        guess = iterate(W, own, guess)
        error = np.maximum.accumulate(np.abs(guess - right).max(1)[1:])
        errors.append(error[-1])
        needed = np.where((needed == T) & (error <= TOLERANCE), np.minimum(needed, iteration), needed)
        if error[-1] <= TOLERANCE:
            break
    lengths = np.unique(np.round(np.geomspace(8, T, 16)).astype(int))
    iterations = float(needed[-1])
    return TheoryCheck(
        measured=iterations,
        predicted=None,
        residual=None,
        solved=(iterations <= FEW * T) == (exponent < 0),
        profiles=[
            Profile(
                "iterations", "steps", lengths.astype(float), needed[lengths - 1].astype(float), lengths.astype(float)
            ),
            Profile("iterations_by_exponent", "lyapunov_exponent", np.array([exponent]), np.array([iterations])),
            Profile("error", "iteration", np.arange(1.0, len(errors) + 1), np.array(errors)),
        ],
    )


def cost(sections: NewtonSections) -> float:
    """Predicted seconds of one run: as many iterations as there are steps, at the most."""
    settings = sections.newton
    return settings.sequence_length**2 * (6e-6 + 1e-9 * settings.hidden_size**2)


EXPERIMENT = Experiment(
    "parallel_newton", typed=NewtonSections, entry="harness.experiments.parallel_newton:count", cost=cost
)
