"""How many samples show that a target depends on the input of ℓ steps ago, in the gradient before training.

A network reads x_1 … x_T, independent N(0, 1), and ŷ = v·h_T. The target is y = x_{T−ℓ} + ε with ε symmetric α-stable,
so that of the gradient of ½(ŷ − y)² by the input weights the share −y ∂ŷ/∂U knows the target; the rest, which does not,
is left out. Along the mean direction d_ℓ of y ∂ŷ/∂U the statistic of one sample is

    y p,   p = d_ℓ · ∂ŷ/∂U,

of mean E[x_{T−ℓ} p], or 0 where the target is that of an independent input. N(ℓ) is how many samples the mean of y p
needs to tell the two apart with errors of 5 % of either kind. Given p, the mean of N samples of ε p is again stable,
with scale σ (Σ|p|^α)^{1/α}/N ∝ N^{1/α − 1}: hence N(ℓ) ∝ f(ℓ)^−κ with κ = α/(α − 1), if the signal falls as f(ℓ) and
the spread of p does not depend on ℓ. Livi 2025, "Learnability window in gated recurrent neural networks", arXiv
2512.05790 (abstract), has this law with an f made of the gates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp, inf, nan, pi, sqrt
from typing import TYPE_CHECKING, Literal

import numpy as np

from harness.cells import CELLS
from harness.cells.cell import Cell
from harness.cells.module import Module
from harness.experiments.theory_check import TheoryCheck, check_records
from harness.rng import generator
from harness.schema import Profile, Record, Values
from harness.study.plan import Run
from harness.study.section import Section, Sections, setting, wrong
from harness.study.spec import Choice, Experiment

if TYPE_CHECKING:
    from harness.experiments.setup import Setup

KEEPING = {"lstm": "f", "gru": "z", "janet": "f"}  # the gate whose product carries the state
LAGS = 12  # that are measured, at most
POINTS = 5  # lags that a law is fitted to, at least
ERROR = 0.05  # of either kind
REPLICATES = 400  # means of N samples, of which the errors are counted
FEWEST = 16  # samples: below, a mean is not yet a mean of many
TOLERANCE = 0.2  # decades of N, from the closed form
CHUNK = 4000  # sequences at once


class Lag(Section):
    """The target's noise, the lags, and what is taken for f (`lag:`)."""

    envelope: Literal["transport", "gates"] = setting(
        "transport",
        "f(ℓ): transport: mean norm of ∂ŷ/∂s_{T−ℓ}, s the cell state where there is one; gates: mean over units and "
        "sequences of the product of the keeping gate over the last ℓ steps",
        order=("transport", "gates"),
    )
    tail: float = setting(
        2.0, "α, the index of the noise of the target: 2 is Gaussian, less has heavier tails", label="index α",
        short="α", sequential=True, gt=1, le=2,
    )  # fmt: skip
    noise: float = setting(1.0, "scale σ of that noise; with α = 2 its variance is 2σ²", gt=0, le=100)
    longest: int = setting(20, "the longest lag; up to twelve are measured", unit="steps", ge=POINTS, le=2000)
    samples: int = setting(
        40_000, "sequences that are drawn; half give the direction d_ℓ, half p", unit="sequences", ge=1000,
        le=2_000_000,
    )  # fmt: skip


@dataclass(frozen=True)
class LagSections(Sections):
    """The sections of this experiment."""

    model: Cell
    lag: Lag


@dataclass(frozen=True)
class Sample:
    """What the sequences of one network gave; M of them, K lags.

    Attributes:
        lags: ℓ, (K,).
        inputs: x_{T−ℓ}, (M, K).
        projections: p, (M, K).
        transport: f(ℓ) of `envelope: transport`, (K,).
        gates: f(ℓ) of `envelope: gates`, (K,); NaN for a cell without a keeping gate.
    """

    lags: Values
    inputs: Values
    projections: Values
    transport: Values
    gates: Values


def lags_of(settings: Lag) -> Values:
    """ℓ, evenly from 1 to the longest."""
    return np.unique(np.round(np.linspace(1, settings.longest, LAGS)))


def gradients(cell: Cell, seed: int, T: int, inputs: Values) -> tuple[Values, Values, Values]:
    """∂ŷ/∂U by sequence, (B, G·H); ‖∂ŷ/∂s_t‖ (B, T); and the keeping gate's mean product over the steps after t, (T,).

    Args:
        cell: one layer.
        seed: of its weights, and of v, uniform on ±1/√H.
        T: steps.
        inputs: x, (T, B).
    """
    import torch  # a plan needs no torch

    H = cell.hidden_size
    start = cell.start(seed, input_size=1, output_size=1, length=T)
    parameters = cell.parametrize({name: torch.as_tensor(value).unsqueeze(0) for name, value in start.items()})
    v = torch.as_tensor(generator(seed, "readout").uniform(-1 / sqrt(H), 1 / sqrt(H), cell.widths[0]))
    x = torch.as_tensor(inputs)
    bias = parameters["b_x"].unsqueeze(1)  # (1, 1, G·H)
    z = [(each[:, None] * parameters["U"][:, :, 0] + bias).requires_grad_() for each in x]  # T times (1, B, G·H)
    carried = [cell.states.index(name) for name in cell.cell_state or cell.states[:1]]
    state = tuple(torch.zeros(1, x.shape[1], width, dtype=torch.float64) for width in cell.widths)
    states, gates = [], []
    for z_t in z:
        a = cell.activations(parameters, state, z_t)
        state = cell.expected(state, cell.combine(state, a))
        states += [state[part] for part in carried]
        if cell.cell in KEEPING:
            gates.append(a[KEEPING[cell.cell]].detach())
    derivatives = torch.autograd.grad((state[0] @ v).sum(), [*states, *z], materialize_grads=True)
    parts = len(carried)
    norms = torch.stack([torch.cat(derivatives[t * parts : (t + 1) * parts], -1)[0].norm(dim=-1) for t in range(T)], 1)
    by_U = torch.einsum("tb,tbk->bk", x, torch.stack([each[0] for each in derivatives[T * parts :]]))
    products = np.full(T, nan)
    if gates:
        after = torch.cat([torch.ones_like(gates[0])[None], torch.stack(gates[:0:-1])]).cumprod(0)
        products = after.mean((1, 2, 3)).flip(0).numpy()
    return by_U.numpy(), norms.numpy(), products


def pool_of(cell: Cell, settings: Lag, seed: int) -> Sample:
    """Sequences, their gradients, and what each lag's direction sees of them."""
    lags = lags_of(settings)
    T = settings.longest + 20  # the state at the longest lag is not the first
    at = T - 1 - lags.astype(int)
    drawn, by_U, norms, products = [], [], [], []
    for chunk, first in enumerate(range(0, settings.samples, CHUNK)):
        x = generator(seed, "inputs", chunk).standard_normal((T, min(CHUNK, settings.samples - first)))
        each, norm, product = gradients(cell, seed, T, x)
        drawn.append(x[at].T)
        by_U.append(each)
        norms.append(norm[:, at].mean(0))
        products.append(product[at])
    inputs, G = np.concatenate(drawn), np.concatenate(by_U)
    half = len(G) // 2
    directions = inputs[:half].T @ G[:half]  # (K, G·H); the same sequences would find a signal in their own noise
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return Sample(lags, inputs[half:], G[half:] @ directions.T, np.mean(norms, 0), np.mean(products, 0))


def samples_needed(x: Values, p: Values, settings: Lag, stream: np.random.Generator) -> float:
    """N: how many samples of y p have a mean that shows the target's dependence, with errors of 5 % of either kind.

    N rises by factors of √2; between two the share of the means that are detected is a line in log N.

    Args:
        x: the inputs that the target depends on, (M,).
        p: the projections, (M,).
        settings: the noise.
        stream: of the choice among the M, with replacement, and of the noise, which is drawn anew.

    Returns:
        N; ∞ where no number of the series up to a quarter of M suffices, NaN where fewer than `FEWEST` do.
    """
    before, power = nan, nan
    N = float(FEWEST)
    scales = np.abs(p) ** settings.tail
    while len(x) / 4 >= N:
        detected = _detected(x, p, scales, round(N), settings, stream)
        if detected >= 1 - ERROR:
            if np.isnan(power):
                return nan
            share = (1 - ERROR - power) / (detected - power)
            return float(before * (N / before) ** share)
        before, power = N, detected
        N *= sqrt(2)
    return inf


def _detected(x: Values, p: Values, scales: Values, N: int, settings: Lag, stream: np.random.Generator) -> float:
    """The share of means of N samples beyond all but 5 % of those of an independent target; scales is |p|^α."""
    from scipy.stats import levy_stable  # only where something is measured

    means = np.empty((2, REPLICATES))
    noise = levy_stable.rvs(settings.tail, 0.0, scale=settings.noise, size=means.shape, random_state=stream)
    for k in range(REPLICATES):
        for row, dependent in enumerate((True, False)):
            chosen = stream.integers(0, len(x), N)
            signal = x[chosen if dependent else stream.integers(0, len(x), N)] @ p[chosen]
            scale = scales[chosen].sum() ** (1 / settings.tail)  # of a sum of stable numbers
            means[row, k] = (signal + scale * noise[row, k]) / N
    return float((means[0] > np.quantile(means[1], 1 - ERROR)).mean())


def concentration(tail: float) -> float:
    """κ = α/(α − 1)."""
    return tail / (tail - 1)


def expected_samples(x: Values, p: Values, settings: Lag) -> float:
    """N(ℓ) in closed form: the N at which E[x p] is twice the 95 % point of the mean's fluctuation about it.

    That is N^{1/α − 1} σ (E|p|^α)^{1/α} times a stable number, and beside it the normal N^{−1/2} (E[x²] E[p²])^{1/2} of
    x p; the point is found from their characteristic function (Gil-Pelaez 1951).
    """
    from scipy.optimize import brentq

    tail, mean = settings.tail, float(np.mean(x * p))
    stable = settings.noise * float(np.mean(np.abs(p) ** tail)) ** (1 / tail)
    normal = sqrt(float(np.mean(x**2) * np.mean(p**2)))
    u = np.linspace(0, 20, 20_001)[1:]  # frequency, in units of one over the fluctuation

    def excess(log_N: float) -> float:
        """P(fluctuation > mean/2) − 5 %."""
        a, b = exp(log_N * (1 / tail - 1)) * stable, exp(-log_N / 2) * normal
        distance = min(mean / 2 / (a + b), 50.0)  # beyond, the probability is far below 5 % whatever it is
        decay = np.exp(-((u * a / (a + b)) ** tail) - (u * b / (a + b)) ** 2 / 2)
        integral = float(np.trapezoid(np.sin(u * distance) * decay / u, u)) + distance * float(u[0])
        return float(0.5 - integral / pi - ERROR)

    return exp(float(brentq(excess, 0.0, 60.0))) if mean > 0 else inf


def search(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    """One record a run: `measured` is −1 times the slope of log N against log f, `predicted` κ = α/(α − 1).

    `residual` is the largest distance of log₁₀ N from the closed form of `expected_samples`, and "solved" that it is at
    most `TOLERANCE`. Lags that need fewer than `FEWEST` samples, or more than a quarter of those that have a p, are
    left out; with fewer than `POINTS` lags nothing is measured, and the run counts as diverged.
    """
    return check_records(runs, setup, LagSections, _measure, engine="torch")


def _measure(sections: LagSections, seed: int) -> TheoryCheck:
    settings = sections.lag
    pool = pool_of(sections.model, settings, seed)
    envelope = pool.transport if settings.envelope == "transport" else pool.gates
    kappa = concentration(settings.tail)
    needed = np.array(
        [
            samples_needed(pool.inputs[:, k], pool.projections[:, k], settings, generator(seed, "detection", k))
            for k in range(len(pool.lags))
        ]
    )
    expected = np.array(
        [expected_samples(x, p, settings) for x, p in zip(pool.inputs.T, pool.projections.T, strict=True)]
    )
    counted = np.isfinite(needed) & np.isfinite(expected)
    log_f, log_N, theory = np.log10(envelope), np.full(len(needed), nan), np.full(len(needed), nan)
    log_N[counted], theory[counted] = np.log10(needed[counted]), np.log10(expected[counted])
    enough = counted.sum() >= POINTS
    slope = -float(np.polyfit(log_f[counted], log_N[counted], 1)[0]) if enough else nan
    residual = float(np.abs(log_N - theory)[counted].max()) if enough else nan
    order = np.flatnonzero(counted)[np.argsort(log_f[counted])]
    law = -kappa * log_f + (float(np.mean((log_N + kappa * log_f)[counted])) if enough else nan)
    return TheoryCheck(
        measured=slope,
        predicted=kappa,
        residual=residual,
        solved=residual <= TOLERANCE,
        profiles=[
            Profile("log10_samples", "log10_envelope", log_f[order], log_N[order], law[order]),
            Profile("log10_samples_by_lag", "lag", pool.lags, log_N, theory),
            Profile("log10_envelope", "lag", pool.lags, log_f),
        ],
    )


def complete(sections: LagSections) -> LagSections:
    """The sections, if the cell is one recurrence of one layer with the gate that is asked for.

    Raises:
        PydanticCustomError: if not.
    """
    cell = sections.model
    if isinstance(cell, Module):
        raise wrong("model.cell", "a module does not show its states; take a cell")
    if not cell.recurs:
        raise wrong("model.cell", f"'{cell.cell}' has no recurrence, so that no state carries a gradient; take another")
    if cell.match is not None:
        raise wrong("model.match", "has no meaning here, where nothing is trained; give hidden_size alone")
    if cell.layers > 1 or cell.bidirectional:
        raise wrong("model.layers", "the lag is that of one layer of one direction here")
    if sections.lag.envelope == "gates" and cell.cell not in KEEPING:
        known = f"take transport, or a cell of {', '.join(KEEPING)}"
        raise wrong("lag.envelope", f"'{cell.cell}' has no gate that keeps its state; {known}")
    return sections


def cost(sections: LagSections) -> float:
    """Predicted seconds of one run: backpropagation through all sequences, then means of up to a quarter of them."""
    settings, H = sections.lag, sections.model.hidden_size
    steps = settings.samples * (settings.longest + 20)
    return 1 + steps * (1.5e-6 + 1e-7 * H) + REPLICATES * settings.samples * 3e-7


EXPERIMENT = Experiment(
    "learnable_lag",
    typed=LagSections,
    choices={"model": Choice("cell", CELLS)},
    entry="harness.experiments.learnable_lag:search",
    cost=cost,
    complete=complete,
)
