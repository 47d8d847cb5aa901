"""Gates as switches: an LSTM's gates are set by hand for some steps, and the state is held to what that promises.

Nothing is trained. Planned without torch, which is imported where something is computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_lowercase
from time import perf_counter
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import model_validator

from harness.cells import CELLS
from harness.cells.cell import Cell, State
from harness.cells.initialisation import sigma_max, spectral_radius
from harness.rng import generator
from harness.schema import Record
from harness.study.plan import Run
from harness.study.section import Section, Sections, setting, wrong
from harness.study.spec import Choice, Experiment
from harness.theory.switches import SWITCHES

if TYPE_CHECKING:
    from torch import Tensor

    from harness.experiments.setup import Setup

TOLERANCE = 1e-6


class Surgery(Section):
    """Which switch is thrown, when, and how hard (`surgery:`)."""

    switch: Literal["none", "silence", "show", "keep", "reset", "write"] = setting(
        ..., "silence: o = 0; show: o = 1; keep: i = 0, f = 1; reset: i = 0, f = 0; write: i = 1, f = 0"
    )
    strength: float | None = setting(
        None,
        "pre-activation s of the gates set by hand: σ(s) where open, σ(−s) where closed; null: exactly 1 and 0",
        unset="exact",
        ge=0,
        le=100,
    )
    sequence_length: int = setting(24, "T, random symbols", unit="steps", ge=1)
    first: int = setting(9, "first step at which the gates are set by hand, from 1", unit="steps", ge=1)
    last: int = setting(16, "last such step", unit="steps", ge=1)
    alphabet: int = setting(8, "D, how many symbols there are", ge=1, le=26)
    batch_size: int = setting(4, "sequences", unit="sequences", ge=1)

    @model_validator(mode="after")
    def _in_order(self) -> Surgery:
        if not self.first <= self.last <= self.sequence_length:
            raise wrong("last", f"must lie in {self.first} … {self.sequence_length}: from first to sequence_length")
        return self


@dataclass(frozen=True)
class SurgerySections(Sections):
    """The sections of this experiment."""

    model: Cell
    surgery: Surgery


@dataclass(frozen=True)
class Operated:
    """What came of it: states, gates and candidates, each (T, R, B, H), and the deviation from the promise."""

    parts: Mapping[str, Tensor]
    error: float


def set_gates(a: Mapping[str, Tensor], switch: str, strength: float | None) -> Mapping[str, Tensor]:
    """A step's activations with the switch's gates at 1 or 0, or at σ(±strength)."""
    from math import exp

    soft = 0.0 if strength is None else 1 / (1 + exp(strength))  # σ(−s)
    return {**a, **{gate: a[gate].new_full((), 1 - soft if up else soft).expand_as(a[gate])
                    for gate, up in SWITCHES[switch].items()}}  # fmt: skip


def deviation(switch: str, before: Tensor, state: State, a: Mapping[str, Tensor]) -> Tensor:
    """How far a step's state is from what its switch promises, unit by unit.

    silence: h = 0; show: h = tanh(c); keep: c is what it was before the switch was thrown; reset: c = 0;
    write: c = g. With gates at σ(±s), of a state at rest, each is off by a term in σ(−s) ≤ e⁻ˢ a step.

    Args:
        before: c at the last step before the switch was thrown.
        state: (h, c) after the step.
        a: the step's activations.
    """
    h, c = state
    promised = {"none": 0 * h, "silence": h, "show": h - c.tanh(), "keep": c - before, "reset": c, "write": c - a["g"]}
    return promised[switch].abs()


def operate(cell: Cell, parameters: Mapping[str, Tensor], inputs: Tensor, surgery: Surgery) -> Operated:
    """Run an LSTM over tokens (T, R, B), its gates set by hand at the steps `first` … `last`."""
    import torch

    from harness.recurrence.drive import drive

    state: State = (parameters["U"].new_zeros(*inputs.shape[1:], cell.hidden_size),) * 2
    before, error = state[1], 0.0
    seen: dict[str, list[Tensor]] = {}
    for t, z in enumerate(drive(parameters, inputs), start=1):
        a: Mapping[str, Tensor] = cell.activations(parameters, state, z)
        thrown = surgery.first <= t <= surgery.last
        if thrown:
            a = set_gates(a, surgery.switch, surgery.strength)
        state = cell.combine(state, a)
        if thrown:
            error = max(error, float(deviation(surgery.switch, before, state, a).max()))
        elif t < surgery.first:
            before = state[1]
        for name, value in {**a, "h": state[0], "c": state[1]}.items():
            seen.setdefault(name, []).append(value)
    return Operated({name: torch.stack(values) for name, values in seen.items()}, error)


def surgeries(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    """One record a run: `switch_error`, and the table of states; "solved" is a promise held to within 10⁻⁶."""
    for run in runs:
        yield _record(run, setup)
        setup.tick(1.0, 1)


def _record(run: Run, setup: Setup) -> Record:
    import torch

    start = perf_counter()
    sections = run.sections.typed(SurgerySections)
    cell, surgery = sections.model, sections.surgery
    T, B, D = surgery.sequence_length, surgery.batch_size, surgery.alphabet
    initial = cell.start(run.seed, input_size=D, output_size=1, length=T)
    tokens = generator(run.seed, "symbols").integers(D, size=(T, B))
    parameters = {name: torch.as_tensor(value)[None] for name, value in initial.items()}  # R = 1, float64
    done = operate(cell, parameters, torch.as_tensor(tokens)[:, None], surgery)
    blocks = np.split(initial["W"], len(cell.gates))
    row = {
        "outcome": "solved" if done.error <= TOLERANCE else "unsolved",
        "updates": 0,
        "parameters": sum(value.size for value in initial.values()),
        "recurrent_parameters": initial["W"].size,
        "initial_spectral_radius": max(map(spectral_radius, blocks)),
        "initial_sigma_max": max(map(sigma_max, blocks)),
        "switch_error": None if surgery.switch == "none" else done.error,
        "engine": "torch",
        **setup.provenance,
        "device": "cpu",
    }
    states = [
        {"sequence": b, "symbols": [ascii_lowercase[token] for token in tokens[:, b]], "answer": surgery.switch,
         "part": part, "unit": unit, "values": column}
        for b in range(B)
        for part, values in done.parts.items()
        for unit, column in enumerate(values[:, 0, b].T.tolist())
    ]  # fmt: skip
    return Record(run.run_id, {**row, "seconds": perf_counter() - start}, {"states": states})


def has_switches(sections: SurgerySections) -> SurgerySections:
    """The sections, if the cell has the gates that are set.

    Raises:
        PydanticCustomError: it has not.
    """
    cell = sections.model
    if cell.gates != ("i", "f", "g", "o") or cell.states != ("h", "c"):
        raise wrong("model.cell", f"'{cell.cell}' is no LSTM: it has not the gates i, f and o to set")
    if cell.match is not None:
        raise wrong("model.match", "has a meaning only where there is a task; give hidden_size alone")
    if cell.layers > 1 or cell.bidirectional or cell.normalisation != "none":
        raise wrong("model.layers", "gates are set by hand in one layer of one direction, without normalisation")
    return sections


def cost(sections: SurgerySections) -> float:
    """Predicted seconds of one run: a step is a handful of small torch calls."""
    return 1e-3 * float(sections.surgery.sequence_length)


EXPERIMENT = Experiment(
    "gate_surgery",
    typed=SurgerySections,
    choices={"model": Choice("cell", CELLS)},
    entry="harness.experiments.gate_surgery:surgeries",
    cost=cost,
    complete=has_switches,
)
