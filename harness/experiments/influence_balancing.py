"""Influence balancing: how long a window must be before truncated backpropagation points the right way.

The system is a ReLU network held where it is linear (`harness.theory.balancing`), so that the window is the one that
training has: `scan`'s. Nothing is drawn. Planned without torch, which is imported where something is computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.cells.rnn import RNN
from harness.experiments.theory_check import TheoryCheck, check_records
from harness.schema import Profile, Record, Values
from harness.study.plan import Run
from harness.study.section import Section, Sections, setting, wrong
from harness.study.spec import Experiment
from harness.theory.balancing import first_right_window, truncated_influence

if TYPE_CHECKING:
    from harness.experiments.setup import Setup

TOLERANCE = 1e-9  # of the derivative, in float64: sums of a hundred terms of size 1


class Balancing(Section):
    """The system and the windows (`balancing:`)."""

    size: int = setting(23, "n, the number of units", ge=2, le=500)
    positive: int = setting(10, "how many of them θ drives with +1, the others with −1", ge=1)
    longest: int = setting(120, "longest window K; all from 1 on are measured", unit="steps", ge=1, le=2000)


@dataclass(frozen=True)
class BalancingSections(Sections):
    """The sections of this experiment."""

    balancing: Balancing


def truncated_derivatives(size: int, positive: int, windows: Sequence[int]) -> Values:
    """∂s₀/∂θ at θ = 0 for each window K, by truncated backpropagation through K + 1 steps from the steady state.

    A bias of 1 keeps every pre-activation positive, where ReLU is the identity.
    """
    import torch

    from harness.recurrence.scan import scan

    f64 = torch.float64
    W = (0.5 * torch.eye(size, dtype=f64) + 0.5 * torch.diag(torch.ones(size - 1, dtype=f64), 1))[None]
    v = torch.where(torch.arange(size) < positive, 1.0, -1.0).to(f64)
    cell = RNN(cell="rnn", hidden_size=size, nonlinearity="relu", biases=1)
    rest = torch.linalg.solve(torch.eye(size, dtype=f64) - W[0], torch.ones(size, dtype=f64))
    derivatives = []
    for window in windows:
        theta = torch.zeros((), dtype=f64, requires_grad=True)
        parameters = {"W": W, "U": (theta * v)[None, :, None], "b_x": torch.ones(1, size, dtype=f64)}
        inputs = torch.ones(window + 1, 1, 1, 1, dtype=f64)
        last, _ = scan(cell, parameters, inputs, (rest[None, None],), window=window)
        last[0, 0, 0].backward()  # type: ignore[no-untyped-call]
        assert theta.grad is not None
        derivatives.append(float(theta.grad))
    return np.array(derivatives)


def balance(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    """One record a run: `measured` is the shortest window from which on the sign is right."""
    return check_records(runs, setup, BalancingSections, _measure, engine="torch")


def _measure(sections: BalancingSections, seed: int) -> TheoryCheck:
    settings = sections.balancing
    windows = np.arange(1, settings.longest + 1)
    measured = truncated_derivatives(settings.size, settings.positive, windows.tolist())
    theory = np.array([truncated_influence(K, settings.size, settings.positive) for K in windows.tolist()])
    wrong_way = np.flatnonzero(measured >= 0)
    residual = float(np.abs(measured - theory).max())
    return TheoryCheck(
        measured=float(wrong_way[-1] + 2),
        predicted=float(first_right_window(settings.size, settings.positive)),
        residual=residual,
        solved=residual <= TOLERANCE,
        profiles=[Profile("truncated_gradient", "window", windows.astype(np.float64), measured, theory)],
    )


def complete(sections: BalancingSections) -> BalancingSections:
    """The sections, if there is something to balance, and a window among them that is long enough.

    Raises:
        PydanticCustomError: if not.
    """
    settings = sections.balancing
    if 2 * settings.positive >= settings.size:
        raise wrong("balancing.positive", f"must be less than half of size, {settings.size}: the harm must outweigh")
    needed = first_right_window(settings.size, settings.positive)
    if settings.longest < needed:
        raise wrong("balancing.longest", f"the sign is right from K = {needed} on; let longest reach it")
    return sections


def cost(sections: BalancingSections) -> float:
    """Predicted seconds of one run: a step forward and back is a dozen small torch calls."""
    return 1e-4 * float(sections.balancing.longest) ** 2


EXPERIMENT = Experiment(
    "influence_balancing",
    typed=BalancingSections,
    entry="harness.experiments.influence_balancing:balance",
    cost=cost,
    complete=complete,
)
