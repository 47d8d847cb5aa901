"""How far each way to the gradient is off, by lag: its bias and its spread, against backpropagation.

Two systems: influence balancing, where early good is outweighed by later harm (`harness.theory.balancing`), and a tanh
network on random rows. The loss is a linear function of the last state. At a lag ℓ only the parameters of step T − ℓ
count: the gradient is the sum of these over all lags.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np

from harness.cells.cell import Cell
from harness.cells.initialisation import block
from harness.cells.rnn import RNN
from harness.experiments.theory_check import TheoryCheck, check_records
from harness.gradients.methods import BACK, KEYWORDS, METHOD, name_of
from harness.rng import generator
from harness.schema import Profile, Record, Values
from harness.study.keywords import Named, split
from harness.study.plan import Run
from harness.study.section import Section, Sections, setting, wrong
from harness.study.spec import Experiment

if TYPE_CHECKING:
    from torch import Tensor

    from harness.cells.cell import State
    from harness.experiments.setup import Setup

RANDOM = ("uoro", "pes")  # whose estimates are drawn
LAGS = 12  # at which bias and spread are measured, in equal ratios
TOLERANCE = 1e-9  # of an exact way: sums of a hundred terms of size 1, in float64


class Estimating(Section):
    """The system, the way to its gradient, and how often a random one is drawn (`estimating:`)."""

    system: Literal["balancing", "network"] = setting(
        "network", "balancing: influence balancing, whose only parameter is θ; network: a tanh RNN on random rows"
    )
    method: Annotated[str | Named, METHOD] = setting("rtrl", "the way to the gradient, as training.method")
    window: int | None = setting(
        None, "K of tbptt", unit="steps", label="window K (steps)", short="window", null="full", sequential=True, ge=1
    )
    size: int = setting(23, "n, the number of units", ge=2, le=200)
    positive: int = setting(10, "of balancing: how many units θ drives with +1, the others with −1", ge=1)
    spectral_radius: float = setting(
        1.0,
        "of network: ρ of its orthogonal W",
        label="spectral radius ρ",
        short="ρ",
        sequential=True,
        gt=0,
        le=10,
    )
    sequence_length: int = setting(120, "T", unit="steps", ge=2, le=5000)
    draws: int = setting(1000, "independent estimates of a random way", ge=2, le=10**6)


@dataclass(frozen=True)
class EstimatingSections(Sections):
    """The sections of this experiment."""

    estimating: Estimating


class Balanced(RNN):
    """h_t = A h_{t−1} + θ v + 1, a ReLU network that never leaves the range where ReLU is the identity."""

    def activations(self, parameters: Mapping[str, Tensor], state: State, z: Tensor) -> dict[str, Tensor]:
        return super().activations(
            parameters, state, z + parameters["theta"].unsqueeze(1) * parameters["v"].unsqueeze(1)
        )


@dataclass
class LastState:
    """L = mean_b w·h_T,b, as an `Objective`.

    Attributes:
        parameters: that one derives by, (1, …) each.
        state: before the first step, (1, 1, H).
        weights: w (H,).
    """

    cell: Cell
    rows: Tensor
    constants: Mapping[str, Tensor]
    parameters: Mapping[str, Tensor]
    state: State
    weights: Tensor

    def loss(self, parameters: Mapping[str, Tensor], h: Tensor, t: int) -> Tensor | None:
        return (h @ self.weights).mean(-1) if t == len(self.rows) else None

    def repeated(self, times: int) -> LastState:
        """The same sequence so many times side by side."""
        state = tuple(part.expand(-1, times, -1) for part in self.state)
        return LastState(
            self.cell, self.rows.expand(-1, times, -1), self.constants, self.parameters, state, self.weights
        )


def system_of(settings: Estimating, seed: int) -> LastState:
    """The system of a run; balancing has nothing that is drawn."""
    import torch

    f64, n, T = torch.float64, settings.size, settings.sequence_length
    if settings.system == "balancing":
        A = 0.5 * torch.eye(n, dtype=f64) + 0.5 * torch.diag(torch.ones(n - 1, dtype=f64), 1)
        v = torch.where(torch.arange(n) < settings.positive, 1.0, -1.0).to(f64)
        one = torch.ones(1, n, dtype=f64)
        constants = {"W": A[None], "U": torch.zeros(1, n, 1, dtype=f64), "b_x": one, "v": v[None]}
        rest = torch.linalg.solve(torch.eye(n, dtype=f64) - A, one[0])
        weights = torch.zeros(n, dtype=f64)
        weights[0] = 1.0
        cell: RNN = Balanced(cell="rnn", hidden_size=n, nonlinearity="relu", biases=1)
        rows, theta = torch.zeros(T, 1, 1, dtype=f64), {"theta": torch.zeros(1, 1, dtype=f64)}
        return LastState(cell, rows, constants, theta, (rest[None, None],), weights)
    cell = RNN(cell="rnn", hidden_size=n, biases=1)
    W = settings.spectral_radius * block("orthogonal", n, generator(seed, "initialise W orthogonal"))
    draw = generator(seed, "estimating")
    U, b, w = draw.standard_normal((n, 1)) / 2, draw.standard_normal(n) / 10, draw.standard_normal(n)
    parameters = {"W": torch.as_tensor(W)[None], "U": torch.as_tensor(U)[None], "b_x": torch.as_tensor(b)[None]}
    rows = torch.as_tensor(draw.standard_normal((T, 1, 1)))
    return LastState(cell, rows, {}, parameters, (torch.zeros(1, 1, n, dtype=f64),), torch.as_tensor(w))


def exact(system: LastState) -> Values:
    """∂L/∂θ through the parameters of step t alone, t = 1 … T, by backpropagation: (T, |θ|)."""
    import torch

    from harness.recurrence.drive import drive

    T = len(system.rows)
    copies = [{name: p.clone().requires_grad_() for name, p in system.parameters.items()} for _ in range(T)]
    state = system.state
    for t, own in enumerate(copies):
        used = {**system.constants, **own}
        state = system.cell.step(used, state, drive(used, system.rows[t : t + 1].unsqueeze(1))[0])
    loss = system.loss(copies[-1], state[0], T)
    assert loss is not None
    leaves = [p for own in copies for p in own.values()]
    gradients = torch.autograd.grad(loss.sum(), leaves, allow_unused=True, materialize_grads=True)
    return np.asarray(torch.cat([g.flatten() for g in gradients]).view(T, -1).numpy())


def estimates(settings: Estimating, system: LastState, seed: int, steps: Sequence[int] | None) -> Values:
    """Independent estimates of the gradient, (draws or 1, |θ|): in all steps, or with the parameters of some alone."""
    import torch

    from harness.gradients.methods import estimate

    name, keywords = split(settings.method, KEYWORDS)
    method: dict[str, Any] = {"name": name, **keywords}
    n = settings.draws if name in RANDOM else 1
    if name == "pes":
        method["particles"] = n
    elif name == "uoro":
        system = system.repeated(n)
    result = estimate(method, system, system.parameters, seed, 0, state=system.state, steps=steps)
    of_each = result.shares if name in RANDOM else result.gradients
    return np.asarray(torch.cat([(n * of_each[p]).flatten(1) for p in system.parameters], 1).numpy())


def truncated(settings: Estimating, by_step: Values) -> Callable[[Sequence[int] | None], Values]:
    """As `estimates`, of backpropagation within a window: what is earlier than its steps has no share."""
    T = len(by_step)
    first = T - min(settings.window or T, T)

    def of(steps: Sequence[int] | None) -> Values:
        rows = [t - 1 for t in (steps or range(1, T + 1)) if t > first]
        return np.asarray(by_step[rows].sum(0, keepdims=True))

    return of


def compare(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    """One record a run: `measured` is the mean of ⟨ĝ, g⟩/‖g‖², 1 of what is right on average, below 0 the wrong way."""
    return check_records(runs, setup, EstimatingSections, _measure, engine="torch")


def _measure(sections: EstimatingSections, seed: int) -> TheoryCheck:
    settings = sections.estimating
    system = system_of(settings, seed)
    by_step = exact(system)
    T, g = len(by_step), by_step.sum(0)
    name = name_of(settings.method)
    back = name in BACK
    of = truncated(settings, by_step) if back else partial(estimates, settings, system, seed)
    drawn = of(None)
    shares = drawn @ g / (g @ g)
    lags = np.unique(np.round(np.geomspace(1, T, LAGS)).astype(int)) - 1
    rows = []
    for lag in lags.tolist():
        own, right = of([T - lag]), by_step[T - lag - 1]
        error = np.linalg.norm(own.mean(0) - right)
        spread = np.sqrt(np.square(own - right).sum(1).mean())
        rows.append((error, spread, np.linalg.norm(right), spread / np.sqrt(len(own))))
    bias, spread, size, expected = (np.array(column) / np.linalg.norm(g) for column in zip(*rows, strict=True))
    counts = np.unique(np.round(np.geomspace(1, len(drawn), 25)).astype(int))
    unbiased = name not in ("snap1", *BACK) or (back and (settings.window or T) >= T)
    axis, one = lags.astype(np.float64), np.ones(len(counts))
    means = np.array([shares[:n].mean() for n in counts.tolist()])
    measured = float(shares.mean())
    return TheoryCheck(
        measured=measured,
        predicted=1.0 if unbiased else None,
        residual=abs(measured - 1.0) if unbiased else None,
        solved=measured > 0 and (name in RANDOM or not unbiased or abs(measured - 1) <= TOLERANCE),
        profiles=[
            Profile("bias", "lag", axis, bias, expected if name in RANDOM else None),
            Profile("spread", "lag", axis, spread),
            Profile("gradient", "lag", axis, size),
            Profile("mean_share", "draws", counts.astype(np.float64), means, one if unbiased else None),
        ],
    )


def complete(sections: EstimatingSections) -> EstimatingSections:
    """The sections, if way and system go together.

    Raises:
        PydanticCustomError: they do not.
    """
    settings, name = sections.estimating, name_of(sections.estimating.method)
    if name == "tbptt" and settings.window is None:
        raise wrong("estimating.window", "'tbptt' goes back a window of steps: set it")
    if name != "tbptt" and settings.window is not None:
        raise wrong("estimating.window", f"is of tbptt; '{name}' has none")
    if settings.system == "balancing":
        if name == "snap1":
            raise wrong(
                "estimating.method", "in balancing θ acts on all units at once, and SnAp-1 is RTRL; take network"
            )
        if 2 * settings.positive >= settings.size:
            raise wrong("estimating.positive", f"must be less than half of size, {settings.size}: the harm outweighs")
    keywords = split(settings.method, KEYWORDS)[1]
    if name == "pes" and keywords["unroll"] != 1:
        raise wrong("estimating.method", "the parameters of single steps are perturbed: leave unroll at 1")
    for key in ("particles", "draws"):
        if key in keywords and keywords[key] != KEYWORDS[name][key].default:
            raise wrong("estimating.method", f"{key}: how many estimates there are is estimating.draws")
    return sections


def cost(sections: EstimatingSections) -> float:
    """Predicted seconds of one run: T steps for each lag, whose draws go side by side."""
    settings = sections.estimating
    name = name_of(settings.method)
    if name in BACK:
        return 1e-3 * settings.sequence_length
    numbers = settings.draws * settings.size**2 if name in RANDOM else settings.size**4
    return (LAGS + 1) * settings.sequence_length * (3e-3 + 4e-9 * numbers)


EXPERIMENT = Experiment(
    "gradient_methods",
    typed=EstimatingSections,
    entry="harness.experiments.gradient_methods:compare",
    cost=cost,
    complete=complete,
)
