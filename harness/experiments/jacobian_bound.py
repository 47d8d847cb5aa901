"""Pascanu's bound: no step back stretches a gradient by more than γσ₁, on any trajectory.

Nothing is trained: networks with drawn weights run over white noise, and autograd gives the Jacobian of every step.
Planned without torch, which is imported where something is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from harness.cells.initialisation import sigma_max, spectral_radius
from harness.experiments.theory_check import TheoryCheck, check_records
from harness.rng import generator
from harness.schema import Profile, Record, Values
from harness.study.plan import Run
from harness.study.section import Section, Sections, setting, wrong
from harness.study.spec import Experiment
from harness.theory.linear import GAMMA, jacobian_bound

if TYPE_CHECKING:
    from torch import Tensor

    from harness.experiments.setup import Setup

TOLERANCE = 1e-10  # nats: rounding alone, of a product of a hundred matrices


class Bound(Section):
    """The network and its trajectories (`jacobian:`)."""

    nonlinearity: Literal["tanh", "sigmoid", "relu"] = setting("tanh", "φ")
    std: float | None = setting(None, "standard deviation of W's entries; null: set by spectral_radius", gt=0, le=100)
    spectral_radius: float | None = setting(None, "ρ to which W is scaled; null: set by std", gt=0, le=100)
    incoming: int | None = setting(None, "weights into each unit that are not zero; null: all", unset="all", ge=1)
    hidden_size: int = setting(50, "H", ge=1, le=500)
    sequence_length: int = setting(100, "T", unit="steps", ge=2, le=2000)
    batch_size: int = setting(4, "trajectories", unit="sequences", ge=1)


@dataclass(frozen=True)
class BoundSections(Sections):
    """The sections of this experiment."""

    jacobian: Bound


def recurrent_weights(settings: Bound, seed: int) -> Values:
    """W (H, H): Gaussian, all but `incoming` entries of each row zero, of the given deviation or spectral radius."""
    H = settings.hidden_size
    W = generator(seed, "initialise W").standard_normal((H, H))
    if settings.incoming is not None:
        order = generator(seed, "initialise W incoming").random((H, H)).argsort(axis=1)
        W = np.where(order < settings.incoming, W, 0.0)
    if settings.std is not None:
        return W * settings.std
    assert settings.spectral_radius is not None
    return W * (settings.spectral_radius / spectral_radius(W))


def jacobians(nonlinearity: str, W: Values, first: Values, drive: Values) -> Values:
    """∂h_t/∂h_{t−1} of h_t = φ(W h_{t−1} + z_t) at every step, (T, B, H, H), by autograd.

    Args:
        W: (H, H).
        first: h_0, (B, H).
        drive: z_t, (T, B, H).
    """
    import torch

    phi: Callable[[Tensor], Tensor] = {"tanh": torch.tanh, "sigmoid": torch.sigmoid, "relu": torch.relu}[nonlinearity]
    weights, z = torch.as_tensor(W), torch.as_tensor(drive)

    def step(h: Tensor, z: Tensor) -> Tensor:
        return phi(weights @ h + z)

    states = [torch.as_tensor(first)]
    for now in z:
        states.append(torch.vmap(step)(states[-1], now))
    every = torch.func.vmap(torch.func.vmap(torch.func.jacrev(step)))
    return np.asarray(every(torch.stack(states[:-1]), z).numpy())


def log_norms(steps: Values) -> tuple[Values, Values]:
    """ln ‖∂h_t/∂h_{t−1}‖₂ for t = 1 … T, and ln ‖∂h_T/∂h_{T−k}‖₂ for k = 1 … T: the largest of all trajectories.

    Args:
        steps: (T, B, H, H).
    """
    with np.errstate(divide="ignore"):
        single = np.log(np.linalg.norm(steps, 2, axis=(-2, -1)).max(axis=1))
        product, logs, several = np.broadcast_to(np.eye(steps.shape[-1]), steps.shape[1:]), np.zeros(steps.shape[1]), []
        for jacobian in steps[::-1]:
            product = product @ jacobian
            norms = np.linalg.norm(product, 2, axis=(-2, -1))
            logs = logs + np.log(norms)
            product = product / np.where(norms > 0, norms, 1.0)[:, None, None]
            several.append(logs.max())
    return single, np.array(several)


def bound(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    """One record a run: `measured` is the largest ‖∂h_t/∂h_{t−1}‖₂, `residual` the worst excess over the bound in nats.

    The bound is held against single steps, γσ₁, and against products of k steps, (γσ₁)ᵏ; below 0 it is kept.
    """
    return check_records(runs, setup, BoundSections, _measure, engine="torch")


def _measure(sections: BoundSections, seed: int) -> TheoryCheck:
    settings = sections.jacobian
    T, B, H = settings.sequence_length, settings.batch_size, settings.hidden_size
    W = recurrent_weights(settings, seed)
    first = generator(seed, "first state").uniform(0, 1, (B, H))
    steps = jacobians(settings.nonlinearity, W, first, generator(seed, "input").standard_normal((T, B, H)))
    single, several = log_norms(steps)
    gamma = GAMMA[settings.nonlinearity]
    predicted = jacobian_bound(gamma, sigma_max(W))
    t = np.arange(1, T + 1, dtype=np.float64)
    theory = np.log(predicted) * t
    excess = float(max((single - np.log(predicted)).max(), (several - theory).max()))
    return TheoryCheck(
        measured=float(np.exp(single.max())),
        predicted=predicted,
        residual=excess,
        solved=excess <= TOLERANCE,
        profiles=[
            Profile("jacobian_norm", "t", t, np.exp(single), np.full(T, predicted)),
            Profile("log_product_norm", "lag", t, several, theory),
        ],
        columns={"initial_spectral_radius": spectral_radius(W), "initial_sigma_max": sigma_max(W)},
    )


def complete(sections: BoundSections) -> BoundSections:
    """The sections, if they say how large W is, once.

    Raises:
        PydanticCustomError: if not.
    """
    settings = sections.jacobian
    if (settings.std is None) == (settings.spectral_radius is None):
        raise wrong("jacobian.std", "give either std or spectral_radius: one of them sets the size of W")
    if settings.incoming is not None and settings.incoming > settings.hidden_size:
        raise wrong("jacobian.incoming", f"a unit has no more than hidden_size weights, {settings.hidden_size}")
    return sections


def cost(sections: BoundSections) -> float:
    """Predicted seconds of one run: two singular value decompositions a step and trajectory."""
    settings = sections.jacobian
    return float(settings.sequence_length * settings.batch_size * (1e-4 + 1.5e-8 * settings.hidden_size**3))


EXPERIMENT = Experiment(
    "jacobian_bound",
    typed=BoundSections,
    entry="harness.experiments.jacobian_bound:bound",
    cost=cost,
    complete=complete,
)
