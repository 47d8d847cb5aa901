"""The curse of memory: the longer a linear unit remembers, the more its state hangs on its own eigenvalue.

    h_t = λ h_{t−1} + γ x_t,    x_t ~ N(0, 1),    h_0 = 0,    γ = 1 or √(1 − λ²)

No gradient explodes through time here, since |λ| < 1; ∂h_t/∂λ grows without bound as λ → 1 all the same. It is carried
forward beside the state (real-time recurrent learning), so that all steps are measured in one pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from typing import TYPE_CHECKING, Literal

import numpy as np

from harness.experiments.theory_check import TheoryCheck, check_records
from harness.rng import generator
from harness.schema import Profile, Record, Values
from harness.study.plan import Run
from harness.study.section import Section, Sections, setting, wrong
from harness.study.spec import Experiment
from harness.theory.memory import (
    normalised_sensitivity_moment,
    sensitivity_moment,
    slope_of_exponent,
    state_moment,
)

if TYPE_CHECKING:
    from harness.experiments.setup import Setup

TOLERANCE = 0.07  # of a moment, relative: five standard errors of √(2/sequences) with 10,000 sequences
SETTLED = 1e-3  # what the last step may be short of the steady state, relative
MOMENTS = 24  # of a run, along time


class Memory(Section):
    """The unit and its input (`memory:`)."""

    eigenvalue: float = setting(0.9, "λ", label="eigenvalue λ", short="λ", sequential=True, gt=0, lt=1)
    normalised: bool = setting(False, "γ = √(1 − λ²), so that E[h²] = 1 in the steady state; else γ = 1")
    by: Literal["eigenvalue", "exponent"] = setting(
        "eigenvalue", "what h is differentiated by: λ, or ν of the LRU's λ = exp(−e^ν)", column="differentiated_by"
    )
    sequence_length: int = setting(100, "T, long enough for a steady state", unit="steps", ge=2, le=100_000)
    sequences: int = setting(10_000, "independent sequences", unit="sequences", ge=100, le=1_000_000)


@dataclass(frozen=True)
class MemorySections(Sections):
    """The sections of this experiment."""

    memory: Memory


def moments(
    eigenvalue: float, seed: int, sequences: int, times: Sequence[int], *, normalised: bool = False
) -> tuple[Values, Values]:
    """Mean over sequences of h_t² and of (∂h_t/∂λ)² at the given times, in ascending order.

    ∂h_t/∂λ = h_{t−1} + λ ∂h_{t−1}/∂λ + γ′ x_t,    γ′ = −λ/γ if the input is normalised, else 0
    """
    gain = sqrt(1 - eigenvalue**2) if normalised else 1.0
    by_gain = -eigenvalue / gain if normalised else 0.0
    stream = generator(seed, "input")
    h, by_eigenvalue = np.zeros((2, sequences))
    squares, sensitivities = [], []
    for t in range(1, times[-1] + 1):
        x = stream.standard_normal(sequences)
        by_eigenvalue = h + eigenvalue * by_eigenvalue + by_gain * x
        h = eigenvalue * h + gain * x
        if t in times:
            squares.append(float(np.mean(h**2)))
            sensitivities.append(float(np.mean(by_eigenvalue**2)))
    return np.array(squares), np.array(sensitivities)


def remember(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    """One record a run: `measured` is E[(∂h/∂λ)²] (or by ν) at the last step, `predicted` its steady state.

    `residual` is the largest relative deviation of the last step's two moments from their steady states.
    """
    return check_records(runs, setup, MemorySections, _measure, engine="numpy")


def _measure(sections: MemorySections, seed: int) -> TheoryCheck:
    settings = sections.memory
    times = sorted({round(t) for t in np.geomspace(2, settings.sequence_length, MOMENTS).tolist()})
    squares, sensitivities = moments(
        settings.eigenvalue, seed, settings.sequences, times, normalised=settings.normalised
    )
    scale = slope_of_exponent(settings.eigenvalue) ** 2 if settings.by == "exponent" else 1.0
    sensitivities = scale * sensitivities
    finite = [_theory(settings, scale, t) for t in times]
    steady = _theory(settings, scale, inf)
    residual = max(abs(float(squares[-1]) / steady[0] - 1), abs(float(sensitivities[-1]) / steady[1] - 1))
    at = np.array(times, dtype=np.float64)
    return TheoryCheck(
        measured=float(sensitivities[-1]),
        predicted=steady[1],
        residual=residual,
        solved=residual <= TOLERANCE,
        profiles=[
            Profile("state_moment", "t", at, squares, np.array([first for first, _ in finite])),
            Profile("sensitivity_moment", "t", at, sensitivities, np.array([second for _, second in finite])),
        ],
    )


def _theory(settings: Memory, scale: float, t: float) -> tuple[float, float]:
    """E[h_t²], and E[(∂h_t)²] times `scale`."""
    if settings.normalised:
        own = (1 - settings.eigenvalue**2) * state_moment(settings.eigenvalue, t)
        return own, scale * normalised_sensitivity_moment(settings.eigenvalue, t)
    return state_moment(settings.eigenvalue, t), scale * sensitivity_moment(settings.eigenvalue, t)


def complete(sections: MemorySections) -> MemorySections:
    """The sections, if the sequences are long enough for a steady state.

    Raises:
        PydanticCustomError: if they are not.
    """
    settings = sections.memory
    there = sensitivity_moment(settings.eigenvalue, settings.sequence_length) / sensitivity_moment(settings.eigenvalue)
    if 1 - there > SETTLED:
        raise wrong(
            "memory.sequence_length",
            f"E[(∂h/∂λ)²] at λ = {settings.eigenvalue:g} is at {there:.1%} of its steady state after "
            f"{settings.sequence_length} steps; take about {10 / (1 - settings.eigenvalue):.0f}",
        )
    return sections


def cost(sections: MemorySections) -> float:
    """Predicted seconds of one run: a draw and a few passes over the sequences at every step."""
    settings = sections.memory
    return float(settings.sequence_length * (5e-5 + 2.5e-8 * settings.sequences))


EXPERIMENT = Experiment(
    "curse_of_memory",
    typed=MemorySections,
    entry="harness.experiments.curse_of_memory:remember",
    cost=cost,
    complete=complete,
)
