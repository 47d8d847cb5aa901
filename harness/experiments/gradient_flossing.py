"""Gradient flossing before training: exponents are driven to zero, which conditions the Jacobian of many steps.

A random tanh network with white-noise inputs. Adam minimises Σ_i λ_i² of the k largest finite-time exponents, along a
new sequence at every update; then the spectrum and the singular values of the Jacobian of many steps are measured along
a sequence that flossing has not seen. With no updates the same measurements are of the network as it was drawn.

Engelken 2023, "Gradient flossing: improving gradient descent through dynamic control of Jacobians".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING

import numpy as np

from harness.cells.rnn import RNN
from harness.experiments.theory_check import TheoryCheck, check_records
from harness.probes.benettin import lyapunov_exponents
from harness.rng import generator
from harness.schema import Profile, Record, Values
from harness.study.plan import Run
from harness.study.section import Section, Sections, setting, wrong
from harness.study.spec import Experiment

if TYPE_CHECKING:
    from torch import Tensor

    from harness.experiments.setup import Setup

TOLERANCE = 0.1  # nats per step, root mean square of the flossed exponents along a sequence that was not flossed
LAGS = 8  # at which singular values are measured
ROUNDING = 1e-12  # of the largest singular value: what is below is rounding


class Flossing(Section):
    """The network, and how it is flossed (`flossing:`)."""

    gain: float = setting(
        1.0, "spectral radius of the Gaussian W", label="gain g", short="g", sequential=True, gt=0, le=10
    )
    exponents: int = setting(8, "k, exponents that are driven to zero, the largest first", ge=2)
    updates: int = setting(
        100,
        "updates of flossing; 0: the network as it is drawn",
        label="updates of flossing",
        unit="updates",
        column="flossing_updates",
        ge=0,
    )
    learning_rate: float = setting(3e-3, "of Adam", gt=0)
    hidden_size: int = setting(32, "N", ge=2, le=1000)
    sequence_length: int = setting(
        40, "T, steps of a sequence of flossing, and of what is measured", unit="steps", ge=16, le=1000
    )


@dataclass(frozen=True)
class FlossingSections(Sections):
    """The sections of this experiment."""

    flossing: Flossing


def complete(sections: FlossingSections) -> FlossingSections:
    """Refuse more exponents than the state has numbers."""
    settings = sections.flossing
    if settings.exponents > settings.hidden_size:
        raise wrong("flossing.exponents", f"is more than the {settings.hidden_size} numbers of the state (hidden_size)")
    return sections


def flossed(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    """One record a run: `measured` is the mean rise of log₁₀ σ₁/σ_k per step of the Jacobian ∂h_t/∂h_0, over t to T.

    σ₁/σ_k grows as e^{(λ₁ − λ_k) t}: the line that is drawn, `predicted` (λ₁ − λ_k)/ln 10, from the exponents along the
    same sequence. `residual` is the root mean square of the first k exponents, in nats per step; "solved" that it is at
    most `TOLERANCE`.
    """
    return check_records(runs, setup, FlossingSections, _measure, engine="torch")


def floss(cell: RNN, weights: dict[str, Tensor], settings: Flossing, seed: int) -> None:
    """Minimise Σ_{i ≤ k} λ_i² by Adam, in place.

    Args:
        cell: the network.
        weights: of one replica, (1, …) each, that require a gradient.
        settings: how.
        seed: of the sequences.
    """
    import torch

    from harness.experiments.training.penalties import lyapunov_exponents as differentiable

    stream = generator(seed, "flossing sequences")
    optimizer = torch.optim.Adam(weights.values(), settings.learning_rate)
    for _ in range(settings.updates):
        inputs = torch.as_tensor(stream.standard_normal((settings.sequence_length, 1, 1, 1)))
        start = (torch.zeros(1, 1, settings.hidden_size, dtype=torch.float64),)
        exponents = differentiable(cell, weights, inputs, start, settings.exponents)
        optimizer.zero_grad()
        exponents.square().sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def jacobians(W: Values, U: Values, b: Values, inputs: Values) -> Values:
    """J_t = diag(1 − h_t²) W along h_t = tanh(W h_{t−1} + U x_t + b) from h_0 = 0, (T, N, N)."""
    h, each_step = np.zeros(len(W)), []
    for x in inputs:
        h = np.tanh(W @ h + U @ x + b)
        each_step.append((1 - h**2)[:, None] * W)
    return np.stack(each_step)


def _measure(sections: FlossingSections, seed: int) -> TheoryCheck:
    import torch

    settings = sections.flossing
    N, T, k = settings.hidden_size, settings.sequence_length, settings.exponents
    cell = RNN(cell="rnn", hidden_size=N, biases=1, init="gaussian", spectral_radius=settings.gain)
    drawn = cell.start(seed, input_size=1, output_size=1, length=T)
    weights = {name: torch.as_tensor(drawn[name])[None].requires_grad_() for name in ("W", "U", "b_x")}
    floss(cell, weights, settings, seed)
    W, U, b = (weights[name].detach()[0].numpy() for name in ("W", "U", "b_x"))
    J = jacobians(W, U, b, generator(seed, "measured sequence").standard_normal((T, 1)))
    exponents = np.sort(lyapunov_exponents(lambda t, Q: np.asarray(J[t - 1] @ Q), np.eye(N), T))[::-1]
    lags = np.unique(np.linspace(T / LAGS, T, LAGS).round().astype(int))
    conditions = np.array([_condition(J[:t], k) for t in lags])
    slope = float(np.polyfit(lags, conditions, 1)[0])
    spread = float(exponents[0] - exponents[k - 1]) / log(10)
    residual = float(np.sqrt(np.mean(exponents[:k] ** 2)))
    return TheoryCheck(
        measured=slope,
        predicted=spread,
        residual=residual,
        solved=residual <= TOLERANCE,
        profiles=[
            Profile("lyapunov_exponent", "rank", np.arange(1.0, N + 1), exponents),
            Profile("log10_condition", "lag", lags.astype(np.float64), conditions, spread * lags),
        ],
    )


def _condition(J: Values, k: int) -> float:
    """log₁₀ σ₁/σ_k of J_t … J_1; the product is carried at length 1, σ_k below `ROUNDING` counts as that."""
    product = np.eye(J.shape[-1])
    for each in J:
        product = each @ product
        product /= np.linalg.norm(product)
    σ = np.linalg.svd(product, compute_uv=False)
    return float(-np.log10(max(σ[k - 1] / σ[0], ROUNDING)))


def cost(sections: FlossingSections) -> float:
    """Predicted seconds of one run: a QR decomposition a step, differentiated twice."""
    settings = sections.flossing
    return float(0.1 + settings.updates * settings.sequence_length * 2.2e-3)


EXPERIMENT = Experiment(
    "gradient_flossing",
    typed=FlossingSections,
    entry="harness.experiments.gradient_flossing:flossed",
    cost=cost,
    complete=complete,
)
