"""The cliff: one sigmoid unit whose error has a wall, where its fixed points meet the starting point.

    x_t = w σ(x_{t−1}) + b,    E = (σ(x_T) − target)²

Three questions: where the folds are, where the wall stands and how steep it is, and what a step of gradient descent
does there, raw or clipped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log, tanh
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from harness.experiments.theory_check import TheoryCheck, check_records
from harness.rng import generator
from harness.schema import Profile, Record, Values
from harness.study.plan import Run
from harness.study.section import Section, Sections, Unbounded, setting, wrong
from harness.study.spec import Experiment
from harness.theory.fixed_points import attractor, fixed_points, folds, wall, wall_gradient

if TYPE_CHECKING:
    from harness.experiments.setup import Setup

TOLERANCE = 1e-5  # of a fold's bias; of the gradient on the wall, relative to itself
GRID = 401
FIRST_W = 0.2  # descent starts this far from w at the most


class Cliff(Section):
    """The unit, and what is settings of it (`cliff:`)."""

    question: Literal["folds", "wall", "descent"] = setting(
        "wall", "folds: where the state jumps; wall: where the error does; descent: where gradient descent ends"
    )
    w: float = setting(5.0, "recurrent weight; of descent, where it starts", gt=0, le=20)
    start: float = setting(0.5, "x₀", ge=-20, le=20)
    target: float = setting(0.7, "of σ(x_T)", ge=0, le=1)
    sequence_length: int = setting(50, "T", unit="steps", ge=1, le=1000)
    lowest: float = setting(-3.2, "first bias of the grid", ge=-20, le=20)
    highest: float = setting(-1.8, "last bias of the grid", ge=-20, le=20)
    learning_rate: float = setting(0.01, "of descent", gt=0, le=10)
    clip_norm: Unbounded | None = setting(
        None, "of descent: longer gradients are scaled to it; null: never", unset="never"
    )
    max_updates: int = setting(500, "of descent", unit="updates", ge=2, le=100_000)


@dataclass(frozen=True)
class CliffSections(Sections):
    """The sections of this experiment."""

    cliff: Cliff


def error(w: Values, b: Values, settings: Cliff) -> tuple[Values, Values, Values]:
    """E, ∂E/∂w and ∂E/∂b, elementwise over w and b, by the chain rule from the first step to the last."""
    x, by_w, by_b = np.full_like(b, settings.start), np.zeros_like(b), np.zeros_like(b)
    for _ in range(settings.sequence_length):
        s = _sigmoid(x)
        stretch = w * s * (1 - s)
        x, by_w, by_b = w * s + b, s + stretch * by_w, 1 + stretch * by_b
    s = _sigmoid(x)
    outer = 2 * (s - settings.target) * s * (1 - s)
    return (s - settings.target) ** 2, outer * by_w, outer * by_b


def counted_folds(w: float, lowest: float, highest: float) -> tuple[float, float]:
    """The biases at which the number of fixed points changes, by counting sign changes on a fine grid and bisecting.

    Raises:
        ValueError: no bias halfway has three, or an end of the range has.
    """
    x = np.linspace(lowest, highest + w, 100_001)
    curve = x - w * _sigmoid(x)

    def three(b: float) -> bool:
        return int(np.count_nonzero(np.diff(np.sign(curve - b)))) > 1

    inside = next((b for b in np.linspace(lowest, highest, GRID).tolist() if three(b)), None)
    if inside is None or three(lowest) or three(highest):
        raise ValueError(f"the folds of w = {w:g} do not both lie between {lowest:g} and {highest:g}")
    ends = []
    for outside in (lowest, highest):
        a, b = outside, inside
        while abs(b - a) > 1e-10:
            middle = 0.5 * (a + b)
            a, b = (a, middle) if three(middle) else (middle, b)
        ends.append(0.5 * (a + b))
    return ends[0], ends[1]


def hysteresis(w: float, biases: Values, settle: int = 1000) -> Values:
    """The state while the bias moves slowly through the given values, with time to settle at each."""
    state, followed = float(biases[0]), []
    for b in biases.tolist():
        for _ in range(settle):
            state = w * 0.5 * (1 + tanh(0.5 * state)) + b
        followed.append(state)
    return np.array(followed)


def descend(w: float, b: float, settings: Cliff) -> tuple[Values, Values]:
    """Gradient descent on E from (w, b): the error before each update, and the length of each step."""
    errors, steps = [], []
    for _ in range(settings.max_updates):
        e, by_w, by_b = error(np.array(w), np.array(b), settings)
        norm = float(np.hypot(by_w, by_b))
        scale = 1.0 if settings.clip_norm is None or norm <= settings.clip_norm else settings.clip_norm / norm
        w, b = w - settings.learning_rate * scale * float(by_w), b - settings.learning_rate * scale * float(by_b)
        errors.append(float(e))
        steps.append(settings.learning_rate * scale * norm)
    return np.array(errors), np.array(steps)


def climb(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    """One record a run; `measured` is, by question:

    - folds: the lower of the two biases; `residual` is the larger deviation of both.
    - wall: the bias at which E is steepest; `residual` is the gradient's relative deviation on the predicted wall.
    - descent: the mean error over the last half of the updates; no theory, "solved" if it is below that at the start.
    """
    return check_records(runs, setup, CliffSections, _measure, engine="numpy")


def _measure(sections: CliffSections, seed: int) -> TheoryCheck:
    settings = sections.cliff
    return {"folds": _folds, "wall": _wall, "descent": _descent}[settings.question](settings, seed)


def _folds(settings: Cliff, seed: int) -> TheoryCheck:
    counted, theory = counted_folds(settings.w, settings.lowest, settings.highest), folds(settings.w)
    there = np.linspace(settings.lowest, settings.highest, GRID)
    loop = np.concatenate([there, there[::-1]])
    residual = float(np.abs(np.subtract(counted, theory)).max())
    branches = np.array([*(min(fixed_points(settings.w, b)) for b in there.tolist()),
                         *(max(fixed_points(settings.w, b)) for b in there[::-1].tolist())])  # fmt: skip
    return TheoryCheck(
        measured=counted[0],
        predicted=theory[0],
        residual=residual,
        solved=residual <= TOLERANCE,
        profiles=[
            Profile("fold", "rank", np.array([1.0, 2.0]), np.array(counted), np.array(theory)),
            Profile("state", "bias", loop, hysteresis(settings.w, loop), branches),
        ],
    )


def _wall(settings: Cliff, seed: int) -> TheoryCheck:
    predicted = wall(settings.w, settings.start)
    away = np.geomspace(1e-9, 0.1, GRID // 4)  # the wall is thinner than any even grid's mesh
    biases = np.unique(
        [*np.linspace(settings.lowest, settings.highest, GRID), *(predicted - away), *(predicted + away)]
    )
    errors, by_w, by_b = error(np.full_like(biases, settings.w), biases, settings)
    exact = wall_gradient(settings.w, settings.start, settings.sequence_length, settings.target)
    own = error(np.array(settings.w), np.array(predicted), settings)[1:]
    residual = max(abs(float(a) / b - 1) for a, b in zip(own, exact, strict=True))
    ends = np.array([attractor(settings.w, b, settings.start) for b in biases.tolist()])
    return TheoryCheck(
        measured=_steepest(settings),
        predicted=predicted,
        residual=residual,
        solved=residual <= TOLERANCE,
        profiles=[
            Profile("error", "bias", biases, errors, (_sigmoid(ends) - settings.target) ** 2),
            Profile("gradient_norm", "bias", biases, np.hypot(by_w, by_b)),
        ],
    )


def _steepest(settings: Cliff) -> float:
    """The bias in the range with the largest |∂E/∂b|, to 10⁻⁹: a grid of ever finer mesh around the best so far."""
    low, high = settings.lowest, settings.highest
    while True:
        biases = np.linspace(low, high, 20 * GRID)
        best = float(biases[np.abs(error(np.full_like(biases, settings.w), biases, settings)[2]).argmax()])
        mesh = biases[1] - biases[0]
        if mesh < 1e-9:
            return best
        low, high = best - 20 * mesh, best + 20 * mesh


def _descent(settings: Cliff, seed: int) -> TheoryCheck:
    w = settings.w + generator(seed, "first w").uniform(-FIRST_W, FIRST_W)
    b = wall(w, settings.start) + generator(seed, "first b").uniform(0.05, 0.15)
    errors, steps = descend(w, b, settings)
    updates = np.arange(settings.max_updates, dtype=np.float64)
    late = float(errors[settings.max_updates // 2 :].mean())
    return TheoryCheck(
        measured=late,
        predicted=None,
        residual=None,
        solved=late < errors[0],
        profiles=[Profile("error", "update", updates, errors), Profile("step_length", "update", updates, steps)],
    )


def complete(sections: CliffSections) -> CliffSections:
    """The sections, if the question has an answer.

    Raises:
        PydanticCustomError: if it has none.
    """
    settings = sections.cliff
    if settings.lowest >= settings.highest:
        raise wrong("cliff.highest", f"must be above lowest, {settings.lowest:g}")
    if settings.question == "folds":
        if settings.w <= 4:
            raise wrong("cliff.w", "has folds above 4 only")
        low, high = folds(settings.w)
        if not settings.lowest < low < high < settings.highest:
            raise wrong("cliff.lowest", f"and highest must lie on either side of both folds, {low:.4f} and {high:.4f}")
        if high - low < 2 * (settings.highest - settings.lowest) / GRID:
            raise wrong("cliff.lowest", f"and highest are too far apart to see two folds {high - low:.2g} apart")
    else:
        _has_a_wall(settings)
    if settings.question != "descent" and settings.clip_norm is not None:
        raise wrong("cliff.clip_norm", "has a meaning only for question: descent")
    return sections


def _has_a_wall(settings: Cliff) -> None:
    """Refuse a wall that is not there at some w a run may have, is flat or too steep for a float, or out of range."""
    spread = FIRST_W if settings.question == "descent" else 0.0
    for w in (settings.w - spread, settings.w + spread):
        try:
            there = wall(w, settings.start)
        except ValueError as reason:
            raise wrong("cliff.w", f"at w = {w:g} {reason}") from None
        s = float(_sigmoid(settings.start))
        if settings.sequence_length * log(w * s * (1 - s)) > 600:
            raise wrong("cliff.sequence_length", f"makes the wall of w = {w:g} steeper than a float can hold")
    if s == settings.target:
        raise wrong("cliff.target", "is the unit's output on the wall, so that the error is flat there")
    if settings.question == "wall" and not settings.lowest < there < settings.highest:
        raise wrong("cliff.lowest", f"and highest must lie on either side of the wall, which is at b = {there:.4f}")


def cost(sections: CliffSections) -> float:
    """Predicted seconds of one run: numpy calls, a dozen a step."""
    settings = sections.cliff
    passes = {"folds": 20, "wall": 50, "descent": settings.max_updates}[settings.question]
    return float(1.5e-5 * settings.sequence_length * passes)


def _sigmoid(x: Any) -> Any:
    return 0.5 * (1 + np.tanh(0.5 * x))


EXPERIMENT = Experiment(
    "cliff",
    typed=CliffSections,
    entry="harness.experiments.cliff:climb",
    cost=cost,
    complete=complete,
)
