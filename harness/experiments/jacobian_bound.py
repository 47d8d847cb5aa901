"""Pascanu's bound: no step back stretches a gradient by more than γσ₁, on any trajectory.

Nothing is trained: networks with drawn weights run over white noise, and autograd gives the Jacobian of every step.
Planned without torch, which is imported where something is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from harness.cells.initialisation import sigma_max, spectral_radius
from harness.experiments.theory_check import TheoryCheck, report
from harness.rng import generator
from harness.schema import Profile, Record, Values
from harness.study.plan import Run
from harness.study.spec import Section, setting, wrong
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
    incoming: int | None = setting(None, "weights into each unit that are not zero; null: all", ge=1)
    hidden_size: int = setting(50, "H", ge=1, le=500)
    sequence_length: int = setting(100, "T", unit="steps", ge=2, le=2000)
    batch_size: int = setting(4, "trajectories", unit="sequences", ge=1)


def recurrent_weights(asked: Bound, seed: int) -> Values:
    """W (H, H): Gaussian, all but `incoming` entries of each row zero, of the given deviation or spectral radius."""
    H = asked.hidden_size
    W = generator(seed, "initialise W").standard_normal((H, H))
    if asked.incoming is not None:
        order = generator(seed, "initialise W incoming").random((H, H)).argsort(axis=1)
        W = np.where(order < asked.incoming, W, 0.0)
    if asked.std is not None:
        return W * asked.std
    assert asked.spectral_radius is not None
    return W * (asked.spectral_radius / spectral_radius(W))


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
    return report(runs, setup, _measure, engine="torch")


def _measure(run: Run) -> TheoryCheck:
    asked = run.sections["jacobian"]
    assert isinstance(asked, Bound)
    T, B, H = asked.sequence_length, asked.batch_size, asked.hidden_size
    W = recurrent_weights(asked, run.seed)
    first = generator(run.seed, "first state").uniform(0, 1, (B, H))
    steps = jacobians(asked.nonlinearity, W, first, generator(run.seed, "input").standard_normal((T, B, H)))
    single, several = log_norms(steps)
    gamma = GAMMA[asked.nonlinearity]
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


def complete(sections: Mapping[str, Any]) -> Mapping[str, Any]:
    """The sections, if they say how large W is, once.

    Raises:
        PydanticCustomError: if not.
    """
    asked = sections["jacobian"]
    if (asked.std is None) == (asked.spectral_radius is None):
        raise wrong("jacobian.std", "give either std or spectral_radius: one of them sets the size of W")
    if asked.incoming is not None and asked.incoming > asked.hidden_size:
        raise wrong("jacobian.incoming", f"a unit has no more than hidden_size weights, {asked.hidden_size}")
    return sections


def cost(sections: Mapping[str, Any]) -> float:
    """Predicted seconds of one run: two singular value decompositions a step and trajectory."""
    asked = sections["jacobian"]
    return float(asked.sequence_length * asked.batch_size * (1e-4 + 1.5e-8 * asked.hidden_size**3))
