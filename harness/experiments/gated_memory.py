"""How many steps a wide GRU or LSTM remembers before training, against mean field.

Two sequences with different pasts and equal inputs from now on: 1 − c, c the correlation of their states, falls as
exp(−t/ξ). Gaussian weights, one for all steps as in a network, or drawn anew at each step, as the mean field of
untied weights supposes; Gaussian input, one bias, that of the gate that keeps the state; the equations of
`harness.cells`. Theory: `harness.theory.gated_mean_field`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import inf, log, nan, sqrt
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from harness.cells.cell import Cell
from harness.cells.gru import GRU
from harness.cells.lstm import LSTM
from harness.experiments.theory_check import TheoryCheck, check_records
from harness.rng import generator
from harness.schema import Profile, Record, Values
from harness.study.plan import Run
from harness.study.section import Section, Sections, setting
from harness.study.spec import Experiment
from harness.theory.gated_mean_field import GatedFixedPoint, gru, lstm

if TYPE_CHECKING:
    from torch import Tensor

    from harness.experiments.setup import Setup

FITTED = (1e-20, 1e-2)  # 1 − c between which its logarithm is fitted: linear there, and above the rounding of h
POINTS = 5  # steps that a line is fitted to, at least
TOLERANCE = 0.1  # of ln ξ


class Retaining(NamedTuple):
    """What differs between the cells: settings → cell, the gate that keeps the state, theory."""

    of: type[Cell]
    gate: str
    theory: Callable[..., GatedFixedPoint]


RETAINING = {"gru": Retaining(GRU, "z", gru), "lstm": Retaining(LSTM, "f", lstm)}


class Wide(Section):
    """The network, its input and the steps (`wide:`)."""

    cell: Literal["gru", "lstm"] = setting("gru", "which cell")
    bias: float = setting(
        0.0,
        "bias of the gate that keeps the state: z of a GRU, f of an LSTM; other biases are zero",
        label="bias of the gate that keeps the state",
        sequential=True,
        ge=-10,
        le=10,
    )
    gain: float = setting(
        1.0,
        "g: the recurrent weights of each gate and of the candidate are Gaussian with standard deviation g/√N",
        label="gain g",
        short="g",
        sequential=True,
        gt=0,
        le=10,
    )
    input_std: float = setting(
        1.0, "standard deviation of the input's share of each pre-activation, drawn anew at each step", gt=0, le=10
    )
    weights: Literal["tied", "untied"] = setting(
        "tied", "tied: one W for all steps; untied: W is drawn anew at each step", order=("tied", "untied")
    )
    hidden_size: int = setting(500, "N", ge=3, le=4000)
    transient: int = setting(200, "steps with different inputs, from zero states", unit="steps", ge=1, le=100_000)
    sequence_length: int = setting(
        1000, "T, the most steps with equal inputs; fewer where the states are equal before", unit="steps", ge=20,
        le=20_000,
    )  # fmt: skip


@dataclass(frozen=True)
class WideSections(Sections):
    """The sections of this experiment."""

    wide: Wide


def memories(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    """One record a run: `measured` is ξ in steps, `predicted` that of mean field with the same kind of weights.

    ξ is −1 over the slope of ln(1 − c) by step, a least-squares line over `FITTED`; ∞ where that does not fall.
    `residual` is |ln(measured/predicted)|, and "solved" that it is at most `TOLERANCE`. The profile of the mean square
    of h has Q as its theory.
    """
    return check_records(runs, setup, WideSections, _measure, engine="torch")


def _measure(sections: WideSections, seed: int) -> TheoryCheck:
    settings = sections.wide
    theory_of = RETAINING[settings.cell].theory
    theory = theory_of(settings.bias, settings.gain, settings.input_std, tied=settings.weights == "tied")
    distance, square = distances(settings, seed)
    t = np.arange(1.0, len(distance) + 1)  # steps with equal inputs
    measured, first = fitted(t, distance)
    predicted = theory.time_scale
    residual = abs(log(measured / predicted)) if 0 < measured < inf and predicted < inf else nan
    line = distance[first] * np.exp(-(t - t[first]) / predicted)
    return TheoryCheck(
        measured=measured,
        predicted=predicted,
        residual=residual,
        solved=residual <= TOLERANCE,
        profiles=[
            Profile("log10_distance", "t", t, np.log10(distance), np.log10(line)),
            Profile("mean_square_of_h", "t", t, square, np.full(len(t), theory.q)),
        ],
    )


def fitted(t: Values, distance: Values) -> tuple[float, int]:
    """ξ, and where the fitted line begins; NaN with too few points in the range, ∞ where the distance does not fall."""
    inside = np.flatnonzero((distance > FITTED[0]) & (distance < FITTED[1]))
    if len(inside) < POINTS:
        return nan, 0
    slope = float(np.polyfit(t[inside], np.log(distance[inside]), 1)[0])
    return (-1 / slope if slope < 0 else inf), int(inside[0])


def distances(settings: Wide, seed: int) -> tuple[Values, Values]:
    """1 − c of the two states, Σ(h − h̃)²/Σ(h² + h̃²), and the mean square of h, at each step with equal inputs."""
    import torch  # a plan needs no torch

    N = settings.hidden_size
    kind = RETAINING[settings.cell]
    cell = kind.of(cell=settings.cell, hidden_size=N, biases=1)
    G = len(cell.gates)
    scale = settings.gain / sqrt(N)
    streams = {purpose: generator(seed, purpose) for purpose in ("initialise W", "past", "input")}
    W = torch.as_tensor(scale * streams["initialise W"].standard_normal((G * N, N)))
    bias = torch.zeros(G * N, dtype=torch.float64)
    bias[cell.gates.index(kind.gate) * N :][:N] = settings.bias
    state = tuple(torch.zeros(1, 2, N, dtype=torch.float64) for _ in cell.states)

    def step(state: tuple[Tensor, ...], drive: Values) -> tuple[Tensor, ...]:
        z = settings.input_std * torch.as_tensor(drive) + bias  # (1, 2, G·N), or (1, 1, G·N) where it is shared
        if settings.weights == "untied":
            redraw(W, state[0][0], scale, streams["initialise W"])
        return cell.step({"W": W[None]}, state, z)

    distance: list[float] = []
    square: list[float] = []
    for _ in range(settings.transient):
        state = step(state, streams["past"].standard_normal((1, 2, G * N)))
    while len(distance) < settings.sequence_length:
        state = step(state, streams["input"].standard_normal((1, 1, G * N)))
        first, second = state[0][0]
        total = float((first**2 + second**2).sum())
        distance.append(float(((first - second) ** 2).sum()) / total)
        square.append(total / (2 * N))
        if distance[-1] <= FITTED[0]:
            break
    return np.array(distance), np.array(square)


def redraw(W: Tensor, h: Tensor, scale: float, stream: np.random.Generator) -> None:
    """W becomes a matrix that acts on two states as one of new entries N(0, scale²) does.

    Only its products with the two states are used: those with an orthonormal basis of their span are independent
    normal numbers, so that two columns are drawn in the place of N.

    Args:
        W: (G·N, N), changed in place.
        h: the two states, (2, N).
        scale: standard deviation of an entry.
    """
    import torch

    # the difference is a direction of its own, so that nothing of it is lost where it is small
    basis, _ = torch.linalg.qr(torch.stack([h[0], h[1] - h[0]], dim=1))
    torch.mm(torch.as_tensor(scale * stream.standard_normal((len(W), 2))), basis.mT, out=W)


def cost(sections: WideSections) -> float:
    """Predicted seconds of one run: products of the weights with two states, as many as there are steps."""
    settings = sections.wide
    blocks = len(RETAINING[settings.cell].of.gates)
    steps = settings.transient + settings.sequence_length / 3  # most are equal before
    return float(0.5 + steps * (3e-4 + 1e-9 * blocks * settings.hidden_size**2))


EXPERIMENT = Experiment(
    "gated_memory", typed=WideSections, entry="harness.experiments.gated_memory:memories", cost=cost
)
