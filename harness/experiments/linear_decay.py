"""Linear decay: the adjoint of a linear recurrence falls by the spectral radius a step.

A tanh network at rest is linear: at h = 0 without input every Jacobian is W. So the adjoints are the harness's own,
recorded by `scan`. Planned without torch, which is imported where something is computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from harness.cells.initialisation import block, sigma_max, spectral_radius
from harness.experiments.adjoint_norms import log_adjoint_norms
from harness.experiments.theory_check import TheoryCheck, check_records
from harness.rng import generator
from harness.schema import Profile, Record
from harness.study.plan import Run
from harness.study.section import Section, Sections, setting
from harness.study.spec import Experiment
from harness.theory.linear import log_rate

if TYPE_CHECKING:
    from harness.experiments.setup import Setup

TOLERANCE = 0.02  # nats per step: what the non-normal beginning of a Gaussian matrix leaves in the slope over 200 lags


class Linear(Section):
    """The matrix and the lags (`linear:`)."""

    init: Literal["gaussian", "orthogonal"] = setting("gaussian", "W before it is scaled to its spectral radius")
    spectral_radius: float = setting(1.0, "ρ of W", gt=0, le=100)
    hidden_size: int = setting(50, "H, the size of W", ge=1, le=2000)
    longest: int = setting(200, "longest lag; all from 0 on are measured", unit="steps", ge=2, le=10_000)


@dataclass(frozen=True)
class LinearSections(Sections):
    """The sections of this experiment."""

    linear: Linear


def decay(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    """One record a run: `measured` is the slope of ln ‖v Wᵏ‖ over the lags, by least squares."""
    return check_records(runs, setup, LinearSections, _measure, engine="torch")


def _measure(sections: LinearSections, seed: int) -> TheoryCheck:
    settings = sections.linear
    W = (
        block(settings.init, settings.hidden_size, generator(seed, f"initialise W {settings.init}"))
        * settings.spectral_radius
    )
    v = generator(seed, "adjoint").standard_normal(settings.hidden_size)
    lags = np.arange(settings.longest + 1, dtype=np.float64)
    norms = log_adjoint_norms(W, np.zeros(len(v)), v / np.linalg.norm(v), len(lags))
    slope, predicted = float(np.polyfit(lags, norms, 1)[0]), log_rate(settings.spectral_radius)
    return TheoryCheck(
        measured=slope,
        predicted=predicted,
        residual=abs(slope - predicted),
        solved=abs(slope - predicted) <= TOLERANCE,
        profiles=[Profile("log_adjoint_norm", "lag", lags, norms, predicted * lags)],
        columns={"initial_spectral_radius": spectral_radius(W), "initial_sigma_max": sigma_max(W)},
    )


def cost(sections: LinearSections) -> float:
    """Predicted seconds of one run: the eigenvalues of W, and a few torch calls a step."""
    settings = sections.linear
    return float(2e-8 * settings.hidden_size**3 + 5e-4 * settings.longest)


EXPERIMENT = Experiment(
    "linear_decay",
    typed=LinearSections,
    entry="harness.experiments.linear_decay:decay",
    cost=cost,
)
