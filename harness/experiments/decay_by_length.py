"""How the gradient at the first step falls with the length of the sequence: as a power, or exponentially.

A network as it starts, a loss at the last step of T, and g(T) = mean_b ‖B·∂L/∂s_1‖₂: of a recurrent cell s is the
hidden state, and g falls as ρ^T; of attention s is the value, and where all T attention weights are equal

    g(T) = ‖W_oᵀ ∂L/∂h_T‖/T

for one head. Kerg et al. 2020, "Untangling tradeoffs between recurrence and self-attention in neural networks", prove
that attention over the states of a recurrent network bounds gradient norms from below (abstract).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import log10
from typing import TYPE_CHECKING, Literal

import numpy as np

from harness.cells import CELLS
from harness.cells.attention import Attention
from harness.cells.cell import Cell
from harness.cells.module import Module
from harness.experiments.theory_check import TheoryCheck, check_records
from harness.schema import Profile, Record, Values
from harness.study.plan import Run
from harness.study.section import Section, Sections, setting, wrong
from harness.study.spec import Choice, Experiment
from harness.tasks.temporal_order import TemporalOrder

if TYPE_CHECKING:
    from harness.experiments.setup import Setup

TOLERANCE = 0.5  # decades from the law, at any length: over the range the two laws are a hundred decades apart


class LengthDecay(Section):
    """The lengths, and the law that is fitted (`decay:`)."""

    law: Literal["power", "exponential"] = setting(
        "power", "power: log10 g is a line in log10 T; exponential: a line in T"
    )
    shortest: int = setting(10, "the first T; each is twice the one before", unit="steps", ge=10)
    longest: int = setting(640, "no T is longer", unit="steps", le=20_000)
    batch_size: int = setting(16, "sequences of temporal order at each length", unit="sequences", ge=1)


@dataclass(frozen=True)
class LengthDecaySections(Sections):
    """The sections of this experiment."""

    model: Cell
    decay: LengthDecay


def lengths_of(settings: LengthDecay) -> list[int]:
    """shortest · 2^k, up to the longest."""
    lengths = [settings.shortest]
    while 2 * lengths[-1] <= settings.longest:
        lengths.append(2 * lengths[-1])
    return lengths


def first_adjoint(cell: Cell, seed: int, T: int, batch_size: int, engine: str) -> float:
    """log₁₀ g(T), in float64."""
    import torch  # a plan needs no torch

    from harness.models import model_of
    from harness.recurrence.adjoints import AdjointRecorder

    model = model_of(TemporalOrder(name="temporal_order", sequence_length=T), cell, engine=engine)
    parameters = {
        name: torch.as_tensor(value).unsqueeze(0).requires_grad_()
        for name, value in model.initialise(cell, seed).items()
    }
    batch = model.task.batch(seed, "train", 0, batch_size)
    inputs, targets = torch.as_tensor(batch.inputs).unsqueeze(1), torch.as_tensor(batch.targets).unsqueeze(0)
    recorder = AdjointRecorder()
    outputs, _ = model.outputs(parameters, inputs, targets, recorder=recorder)
    model.losses(outputs, targets).sum().backward()  # type: ignore[no-untyped-call]
    [[row]] = recorder.rows()
    return float(row["log10_adjoint"][0])


def fall(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    """One record a run: `measured` is the slope of the fitted law, in decades a decade or in decades a step.

    `residual` is the largest distance from the law, in decades: of a power, from c/T, which is what equal attention
    weights give, with one constant c; of an exponential, from the fitted line. `predicted` is −1 for a power.
    """

    for run in runs:
        sections = run.sections.typed(LengthDecaySections)
        D = TemporalOrder(name="temporal_order", sequence_length=sections.decay.shortest).input_size
        engine = setup.engine_for(sections.model, D)
        yield from check_records([run], setup, LengthDecaySections, partial(_measure, engine=engine), engine=engine)


def _measure(sections: LengthDecaySections, seed: int, *, engine: str) -> TheoryCheck:
    cell, settings = sections.model, sections.decay
    T = np.array(lengths_of(settings), dtype=np.float64)
    levels = np.array([first_adjoint(cell, seed, int(each), settings.batch_size, engine) for each in T])
    power = settings.law == "power"
    slope, theory = fitted(T, levels, power=power)
    residual = float(np.abs(levels - theory).max())
    return TheoryCheck(
        measured=slope,
        predicted=-1.0 if power else None,
        residual=residual,
        solved=residual <= TOLERANCE,
        profiles=[Profile("log10_first_adjoint", "sequence_length", T, levels, theory)],
    )


def fitted(T: Values, levels: Values, *, power: bool) -> tuple[float, Values]:
    """The least-squares slope of a law, and what the law says at each T: c − log₁₀ T, or the fitted line."""
    slope, intercept = np.polyfit(np.log10(T) if power else T, levels, 1)
    if power:
        return float(slope), np.asarray(np.mean(levels + np.log10(T)) - np.log10(T))
    return float(slope), np.asarray(slope * T + intercept)


def complete(sections: LengthDecaySections) -> LengthDecaySections:
    """The sections, if there are lengths to fit, and one recurrence of a width of its own.

    Raises:
        PydanticCustomError: if not.
    """
    cell, settings = sections.model, sections.decay
    if isinstance(cell, Module):
        raise wrong("model.cell", "a module does not show its first step; take a cell, or attention")
    if len(lengths_of(settings)) < 3:
        raise wrong("decay.longest", f"a law is fitted to three lengths or more; take {4 * settings.shortest} at least")
    if cell.match is not None:
        raise wrong("model.match", "has no meaning here, where nothing is trained; give hidden_size alone")
    if cell.layers > 1 or cell.bidirectional:
        raise wrong("model.layers", "the first step is that of one layer of one direction here")
    return sections


def cost(sections: LengthDecaySections) -> float:
    """Predicted seconds of one run: a pass in float64 through as many steps as all lengths have."""
    settings = sections.decay
    return 0.3 + 2e-6 * sum(lengths_of(settings)) * settings.batch_size * log10(10 + sections.model.hidden_size)


EXPERIMENT = Experiment(
    "decay_by_length",
    typed=LengthDecaySections,
    choices={"model": Choice("cell", {**CELLS, "attention": Attention})},
    entry="harness.experiments.decay_by_length:fall",
    cost=cost,
    complete=complete,
)
