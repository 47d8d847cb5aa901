"""Sparse teacher forcing: a tanh network learns a chaotic series, its output replaced by the data every τ steps.

    h_t = tanh(U y_{t−1} + c),   y_t = V h_t + b,   y_t ← x_t where τ divides t,   L = mean_t |y_t − x_t|²

which is a tanh network whose recurrent matrix is U V, read out linearly (Jordan 1986; forcing: Williams & Zipser 1989).
y_t is compared with x_t before it is replaced. Replaced, it no longer hangs on the past: the chain of Jacobians

    ∂y_t/∂y_{t−1} = V diag(1 − h_t²) U

ends there, so that T steps forced every τ are T/τ sequences of τ steps side by side, and are computed as such. Between
two replacements the gradient grows as e^{λ₁ τ}, by 2 if τ is the predictability time ln 2/λ₁ of a network that has
learnt the series; never forced, by e^{λ₁ T}. Mikhaeil, Monfared & Durstewitz 2022, "On the difficulty of learning
chaotic dynamics with RNNs", arXiv 2110.07238 (abstract).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log, sqrt
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from harness.experiments.theory_check import TheoryCheck, check_records
from harness.probes.benettin import lyapunov_exponents
from harness.probes.products import logarithm, unit
from harness.rng import generator
from harness.schema import Profile, Record, Values
from harness.study.plan import Run
from harness.study.section import Section, Sections, setting, wrong
from harness.study.spec import Experiment
from harness.theory import lorenz

if TYPE_CHECKING:
    from harness.experiments.setup import Setup

SEQUENCES = 64  # series of 2T steps each: of the data, and of the network running freely
TRANSIENT = 200  # steps of the free network before anything is measured
RATIO = 0.2  # of λ₁ of the free network to the system's, from 1, where the series counts as learnt
DISTANCE = 0.1  # standard deviations between the distributions, likewise
LAST = 50  # updates over which the gradient at the end of training is taken


class Forcing(Section):
    """The series, the network and its training (`forcing:`)."""

    interval: int | None = setting(
        15,
        "τ, steps from one replacement of the network's output by the data to the next",
        column="forcing_interval",
        label="forcing interval τ (steps)",
        short="τ",
        unit="steps",
        null="never",
        sequential=True,
        ge=1,
    )
    start: Literal["random", "regression"] = setting(
        "random", "first V and b: drawn, with b zero; or the least-squares fit of x_t by h_t, of drawn U and c"
    )
    time_step: float = setting(0.05, "of the series, in the system's unit of time", ge=0.01, le=0.2)
    hidden_size: int = setting(50, "H", ge=1, le=500)
    sequence_length: int = setting(180, "T", unit="steps", ge=20, le=2000)
    batch_size: int = setting(16, "sequences of an update", unit="sequences", ge=1)
    max_updates: int = setting(1000, "updates of Adam; 0: the network as it starts", unit="updates", ge=0)
    learning_rate: float = setting(0.01, "of the first update; falls to 0 as a cosine", gt=0)
    clip_norm: float = setting(1.0, "longer gradients are scaled to this norm", gt=0)


@dataclass(frozen=True)
class ForcingSections(Sections):
    """The sections of this experiment."""

    forcing: Forcing


Weights = dict[str, Values]  # U (H, D), c (H,), V (D, H), b (D,)


class FreeRun(NamedTuple):
    """What the network did from y_0 on: y_0 … y_T (T+1, B, D) and h_1 … h_T (T, B, H)."""

    y: Values
    h: Values


def first_weights(settings: Forcing, data: Values, seed: int) -> Weights:
    """Uniform within ±1/√(number of inputs), b zero; by regression, V and b that fit the data (steps, B, D) best."""
    H, D = settings.hidden_size, data.shape[-1]
    draw = generator(seed, "initialise network")
    U, c = draw.uniform(-1, 1, (H, D)) / sqrt(D), draw.uniform(-1, 1, H) / sqrt(D)
    V, b = draw.uniform(-1, 1, (D, H)) / sqrt(H), np.zeros(D)
    if settings.start == "regression":
        h = np.tanh(data[:-1].reshape(-1, D) @ U.T + c)
        solution = np.linalg.lstsq(np.hstack([h, np.ones((len(h), 1))]), data[1:].reshape(-1, D))[0]
        V, b = np.ascontiguousarray(solution[:-1].T), solution[-1]
    return {"U": U, "c": c, "V": V, "b": b}


def run(weights: Weights, first: Values, steps: int) -> FreeRun:
    """The network left alone from y_0 (B, D) on."""
    U, c, V, b = weights["U"].T, weights["c"], weights["V"].T, weights["b"]
    y, h = np.empty((steps + 1, *first.shape)), np.empty((steps, len(first), len(c)))
    y[0] = first
    for t in range(steps):
        h[t] = np.tanh(y[t] @ U + c)
        y[t + 1] = h[t] @ V + b
    return FreeRun(y, h)


def adjoints(weights: Weights, trajectory: FreeRun, immediate: Values) -> tuple[Values, Values]:
    """∂L/∂y_1 … y_T (T, B, D) and ∂L/∂(U y_{t−1} + c) (T, B, H), of a network left alone, from ∂⁺L/∂y_t (T, B, D)."""
    U, V, h = weights["U"], weights["V"], trajectory.h
    slopes, of_y, of_a = 1 - h**2, np.empty_like(immediate), np.empty_like(h)
    later = np.zeros_like(immediate[0])
    for t in range(len(h) - 1, -1, -1):
        of_y[t] = immediate[t] + later
        of_a[t] = of_y[t] @ V * slopes[t]
        later = of_a[t] @ U
    return of_y, of_a


def segments(x: Values, interval: int) -> Values:
    """x_0 … x_T (T+1, B, D) as T/τ sequences of τ steps side by side, (τ+1, T/τ·B, D); τ divides T."""
    steps = np.arange(0, len(x) - 1, interval) + np.arange(interval + 1)[:, None]
    return np.asarray(x[steps].reshape(interval + 1, -1, x.shape[-1]))


def loss_and_gradient(weights: Weights, x: Values, interval: int) -> tuple[float, Weights]:
    """L of x_0 … x_T (T+1, B, D) forced every `interval` steps, the mean over t, B and D, and ∂L/∂θ."""
    x = segments(x, interval)
    trajectory = run(weights, x[0], interval)
    error = trajectory.y[1:] - x[1:]
    of_y, of_a = adjoints(weights, trajectory, 2 / error.size * error)
    y, h, of_y, of_a = (part.reshape(-1, part.shape[-1]) for part in (trajectory.y[:-1], trajectory.h, of_y, of_a))
    return float(np.mean(error**2)), {"U": of_a.T @ y, "c": of_a.sum(0), "V": of_y.T @ h, "b": of_y.sum(0)}


def norm(gradient: Weights) -> float:
    """‖∂L/∂θ‖₂ over all weights."""
    return float(np.sqrt(sum(np.sum(part**2) for part in gradient.values())))


def train(weights: Weights, data: Values, settings: Forcing, seed: int) -> Values:
    """Adam on windows of the data (steps, sequences, D), in place; returns ‖∂L/∂θ‖ at each update, before clipping."""
    import torch

    T, updates = settings.sequence_length, settings.max_updates
    parameters = {name: torch.from_numpy(weight) for name, weight in weights.items()}  # the same memory
    optimizer = torch.optim.Adam(parameters.values(), lr=settings.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(updates, 1))
    norms = []
    for update in range(updates):
        draw = generator(seed, "windows", update)
        sequence = draw.integers(data.shape[1], size=settings.batch_size)
        start = draw.integers(len(data) - T, size=settings.batch_size)
        window = data[start + np.arange(T + 1)[:, None], sequence]  # (T+1, B, D)
        _, gradient = loss_and_gradient(weights, window, settings.interval or T)
        norms.append(norm(gradient))
        for name, parameter in parameters.items():
            parameter.grad = torch.from_numpy(gradient[name] * min(1.0, settings.clip_norm / norms[-1]))
        optimizer.step()
        schedule.step()
    return np.array(norms)


def log_adjoints(weights: Weights, trajectory: FreeRun, seed: int) -> Values:
    """Mean over sequences of ln ‖∂(v·y_T)/∂y_{T−k}‖ for k = 0 … T − 1, of a network left alone; v is of length 1.

    The adjoint is brought to length one at every step, so that none leaves the range of a float.
    """
    U, V, slopes = weights["U"], weights["V"], 1 - trajectory.h**2
    adjoint, _ = unit(generator(seed, "adjoint").standard_normal(trajectory.y[0].shape), axis=-1)
    logs = [np.zeros(len(adjoint))]
    for of_step in slopes[:0:-1]:
        adjoint, lengths = unit((adjoint @ V * of_step) @ U, axis=-1)
        logs.append(logs[-1] + lengths[:, 0])
    return np.asarray(np.stack(logs).mean(-1))


def largest_exponent(weights: Weights, trajectory: FreeRun) -> float:
    """λ₁ in nats per step, mean over sequences."""
    U, V, slopes = weights["U"], weights["V"], 1 - trajectory.h[..., None] ** 2
    _, B, D = trajectory.y.shape
    frame = np.broadcast_to(np.eye(D), (B, D, D))
    exponents = lyapunov_exponents(lambda t, Q: np.asarray(V @ (slopes[t - 1] * (U @ Q))), frame, len(slopes))
    return float(exponents.mean(0).max())


def divisors(T: int) -> list[int]:
    """The intervals that divide T, T itself as the last."""
    return [interval for interval in range(1, T + 1) if T % interval == 0]


def learn(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    """One record a run: `measured` is the slope of the adjoint of the trained network left alone, `predicted` its λ₁.

    Both in nats per step: the slope is that of the mean logarithm over lags from T/10 on, λ₁ is along 2T steps of the
    same sequences. "Solved" is that the network left alone is chaotic as the system is: its λ₁ within `RATIO`, its
    distribution within `DISTANCE`.
    """
    return check_records(runs, setup, ForcingSections, _measure, engine="numpy")


def _measure(sections: ForcingSections, seed: int) -> TheoryCheck:
    from scipy.stats import wasserstein_distance

    settings = sections.forcing
    T = settings.sequence_length
    # Series of the system, one half to learn and one to compare with
    states = lorenz.series(generator(seed, "series"), 2 * SEQUENCES, 2 * T, settings.time_step)
    states = (states - states.mean((0, 1))) / states.std((0, 1))
    data, test = np.split(states, 2, axis=1)
    weights = first_weights(settings, data, seed)
    with np.errstate(over="ignore", invalid="ignore"):  # a gradient beyond the floats is a result
        norms = train(weights, data, settings, seed)
    # The network left alone: exponent forward, adjoint back, distribution
    free = run(weights, run(weights, test[0], TRANSIENT).y[-1], 2 * T)
    exponent = largest_exponent(weights, free)
    adjoint = log_adjoints(weights, FreeRun(free.y[: T + 1], free.h[:T]), seed)
    lags, turned = np.arange(T, dtype=np.float64), T // 10  # v turns into the direction of λ₁ first
    slope = float((adjoint[-1] - adjoint[turned]) / (T - 1 - turned))
    distance = float(np.mean([wasserstein_distance(free.y[..., d].ravel(), test[..., d].ravel()) for d in range(3)]))
    of_system = lorenz.EXPONENT * settings.time_step
    ratio = exponent / of_system
    # The gradient of the same weights, forced at every interval
    intervals = divisors(T)
    by_interval = log10([norm(loss_and_gradient(weights, test[: T + 1], each)[1]) for each in intervals])
    nearest = int(np.argmin(np.abs(np.array(intervals) - lorenz.predictability_time(of_system))))
    profiles = [
        Profile("log_adjoint", "lag", lags, adjoint, exponent * lags),
        Profile("log10_gradient_by_interval", "forcing_interval", np.array(intervals, dtype=np.float64), by_interval),
    ]
    if len(norms):
        profiles.append(Profile("log10_gradient", "update", np.arange(1.0, len(norms) + 1), log10(norms)))
    return TheoryCheck(
        measured=slope,
        predicted=exponent,
        residual=abs(slope - exponent),
        solved=abs(ratio - 1) <= RATIO and distance <= DISTANCE,
        profiles=profiles,
        columns={
            "updates": settings.max_updates,
            "exponent_ratio": ratio,
            "distribution_distance": distance,
            "gradient_growth": float(by_interval[-1] - by_interval[nearest]),
            "log10_largest_gradient": float(log10(norms).max()) if len(norms) else None,
            "log10_gradient_norm": float(np.median(log10(norms[-LAST:]))) if len(norms) else None,
        },
    )


def log10(x: Sequence[float] | Values) -> Values:
    """log₁₀ x; −∞ at zero."""
    return np.asarray(logarithm(np.asarray(x)) / log(10))


def complete(sections: ForcingSections) -> ForcingSections:
    """The sections, if T steps are forced intervals of one length.

    Raises:
        PydanticCustomError: if not.
    """
    settings = sections.forcing
    possible = divisors(settings.sequence_length)
    if settings.interval is not None and settings.interval not in possible:
        choices = ", ".join(map(str, possible))
        raise wrong("forcing.interval", f"divides sequence_length: {choices}; null: the network is left alone")
    return sections


def cost(sections: ForcingSections) -> float:
    """Predicted seconds of one run: updates forward and back, and the series."""
    settings = sections.forcing
    T = settings.sequence_length
    steps, numbers = settings.interval or T, T * settings.batch_size * settings.hidden_size
    return float(
        1 + 8e-3 * T * settings.time_step / 0.05 + settings.max_updates * (2e-3 + 5e-5 * steps + 5e-8 * numbers)
    )


EXPERIMENT = Experiment(
    "sparse_forcing",
    typed=ForcingSections,
    entry="harness.experiments.sparse_forcing:learn",
    cost=cost,
    complete=complete,
)
