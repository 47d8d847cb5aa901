"""The map of the gradient over depth and time, in layers that are linear: measured, and as a sum over paths.

A tanh network at rest is linear: at h = 0 without input every Jacobian is W or U. The adjoints are the harness's own,
recorded layer by layer as in training. Planned without torch, which is imported where something is computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np

from harness.cells.initialisation import block
from harness.cells.rnn import RNN
from harness.experiments.theory_check import TheoryCheck, check_records
from harness.rng import generator
from harness.schema import Profile, Record, Values
from harness.study.plan import Run
from harness.study.section import Section, Sections, setting, wrong
from harness.study.spec import Experiment
from harness.theory.depth import log10_level

if TYPE_CHECKING:
    from harness.experiments.setup import Setup

TOLERANCE = 1e-12  # in log10: what rounding leaves over 2000 steps and 12 layers is a tenth of it


class Depth(Section):
    """Layers, steps and the two radii (`depth:`)."""

    layers: int = setting(4, "L", ge=1, le=64)
    horizontal: float = setting(
        1.0,
        "ρ_h: W = ρ_h P of each layer, from step to step",
        label="horizontal radius ρ$_h$",
        short="ρ$_h$",
        sequential=True,
        gt=0,
        le=100,
    )
    vertical: float = setting(
        1.0,
        "ρ_v: U = ρ_v P from layer to layer",
        label="vertical radius ρ$_v$",
        short="ρ$_v$",
        sequential=True,
        gt=0,
        le=100,
    )
    residual: Literal["none", "add"] = setting(
        "none", "add: what goes into a layer is added to what it passes on, from the second layer on",
        column="residual_connection",
    )  # fmt: skip
    init: Literal["orthogonal", "identity"] = setting("orthogonal", "P: of the Haar measure, or the identity")
    hidden_size: int = setting(16, "H, the size of P", ge=1, le=2000)
    sequence_length: int = setting(50, "T", unit="steps", ge=2, le=5000)


@dataclass(frozen=True)
class DepthSections(Sections):
    """The sections of this experiment."""

    depth: Depth


def maps(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    """One record a run: the levels of all layers and steps, and the largest deviation from the sum over paths.

    `measured` is log₁₀ ‖∂L/∂h¹_1‖ for a gradient of length 1 at the last layer's last step.
    """
    engine = setup.engine_for(RNN(cell="rnn"), 1)
    return check_records(runs, setup, DepthSections, partial(_measure, engine), engine=engine)


def _measure(engine: str, sections: DepthSections, seed: int) -> TheoryCheck:
    settings = sections.depth
    T, L = settings.sequence_length, settings.layers
    levels = _levels(settings, seed, engine)
    theory = np.array([
        [
            log10_level(
                L - layer, T - t, vertical=settings.vertical, horizontal=settings.horizontal,
                residual=settings.residual == "add",
            )
            for t in range(1, T + 1)
        ]
        for layer in range(1, L + 1)
    ])  # fmt: skip
    deviation = float(np.abs(levels - theory).max())
    lags = np.arange(T, dtype=np.float64)
    profiles = [
        Profile(f"layer {layer}", "lag", lags, own[::-1], expected[::-1])
        for layer, (own, expected) in enumerate(zip(levels, theory, strict=True), start=1)
    ]
    rows = [
        {"update": 0, "layer": layer, "direction": "forward", "log10_adjoint": own}
        for layer, own in enumerate(levels, start=1)
    ]
    return TheoryCheck(
        measured=float(levels[0, 0]),
        predicted=float(theory[0, 0]),
        residual=deviation,
        solved=deviation <= TOLERANCE,
        profiles=profiles,
        gradients=rows,
    )


def _levels(settings: Depth, seed: int, engine: str) -> Values:
    """log₁₀ ‖∂(v·y^L_T)/∂h^ℓ_t‖ with ‖v‖ = 1, as (L, T)."""
    import torch

    from harness.recurrence.adjoints import AdjointRecorder
    from harness.recurrence.layers import Stack
    from harness.recurrence.scan import scan_layers

    H, L, T = settings.hidden_size, settings.layers, settings.sequence_length
    cell = RNN(cell="rnn", hidden_size=H, biases=1, layers=L, residual=settings.residual)
    stack, recorder = Stack.of(cell), AdjointRecorder()
    P = torch.as_tensor(block(settings.init, H, generator(seed, f"initialise P {settings.init}")))
    parameters: dict[str, torch.Tensor] = {}
    for direction in stack.directions:
        own = {"W": settings.horizontal * P, "U": settings.vertical * P, "b_x": torch.zeros(H, dtype=torch.float64)}
        if direction.layer == 1:
            own["U"] = torch.zeros(H, 1, dtype=torch.float64)
        parameters |= {name + direction.suffix: value[None].requires_grad_() for name, value in own.items()}
    silence = torch.full((T, 1, 1), -1)
    rest = tuple(torch.zeros(1, 1, H, dtype=torch.float64) for _ in stack.directions)
    v = generator(seed, "adjoint").standard_normal(H)
    last, _ = scan_layers(stack, parameters, silence, rest, engine=engine, recorder=recorder)
    (last[0, 0] @ torch.as_tensor(v / np.linalg.norm(v))).backward()  # type: ignore[no-untyped-call]
    [rows] = recorder.rows()
    return np.array([row["log10_adjoint"] for row in rows], dtype=np.float64)


def one_direction(sections: DepthSections) -> DepthSections:
    """The sections, if paths of different length point in one direction where they are added.

    Raises:
        PydanticCustomError: they do not.
    """
    if sections.depth.residual == "add" and sections.depth.init != "identity":
        raise wrong("depth.residual", "adds paths through different powers of P; set depth.init: identity")
    return sections


def cost(sections: DepthSections) -> float:
    """Predicted seconds of one run: products of every layer and step, and the sums over paths."""
    settings = sections.depth
    return float(settings.layers * settings.sequence_length * (2e-6 * settings.layers + 1e-9 * settings.hidden_size**2))


EXPERIMENT = Experiment(
    "depth_time",
    typed=DepthSections,
    entry="harness.experiments.depth_time:maps",
    cost=cost,
    complete=one_direction,
)
