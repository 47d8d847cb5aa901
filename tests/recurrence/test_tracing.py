"""Which cells can be compiled: all that are built in, with any of their settings; the others say what prevents it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any, get_args

import pytest
import torch
from made_networks import started
from pydantic import ValidationError
from scan_problems import NAMES, Normalised, answer, assert_close, cell_of, problem
from torch import Tensor

from harness.cells import CELLS
from harness.cells.cell import Cell, State
from harness.recurrence.compiler.recurrence import untraceable
from harness.recurrence.compiler.trace import Untraceable, trace


def with_all_choices(name: str) -> list[Cell]:
    """A cell with every combination of the settings that are one of a few values; where refused, none."""
    choices: dict[str, tuple[Any, ...]] = {}
    for key, field in CELLS[name].model_fields.items():
        values = get_args(field.annotation)
        if key not in ("cell", "match", "forget_bias") and values and all(isinstance(v, (str, int)) for v in values):
            choices[key] = values
    cells = []
    for values in product(*choices.values()):
        try:
            cells.append(CELLS[name](cell=name, hidden_size=5, **dict(zip(choices, values, strict=True))))
        except ValidationError:  # some starts need a number, or have one bias: what a step does is the same
            continue
    return cells


@pytest.mark.parametrize("name", CELLS)
def test_every_built_in_cell_can_be_compiled_with_any_of_its_choices(name: str) -> None:
    cells = with_all_choices(name)
    field = CELLS[name].model_fields.get("nonlinearity")
    if field is not None:
        assert {cell.activation if name == "rnn" else cell.nonlinearity for cell in cells} == set(  # type: ignore
            get_args(field.annotation)
        )
    assert {untraceable(cell) for cell in cells} == {None}


@pytest.mark.parametrize("H", [1, 2, 7])
@pytest.mark.parametrize("name", NAMES)
def test_a_cell_of_any_width_can_be_compiled(name: str, H: int) -> None:
    assert untraceable(cell_of(name, H)) is None


class Compared(Normalised):
    """A comparison is no number, and its value at a step is known at that step alone."""

    def combine(self, state: State, a: Mapping[str, Tensor]) -> State:
        return (a["n"] + (state[0] == 0) * a["r"],)


class SummedTwice(Normalised):
    """The first sum has one number a sequence, and not one a unit."""

    def combine(self, state: State, a: Mapping[str, Tensor]) -> State:
        return (a["n"] * a["r"].mean(-1, keepdim=True).sum(-1, keepdim=True),)


class MeanOfState(Normalised):
    """A sum over units of what was known before the step."""

    def combine(self, state: State, a: Mapping[str, Tensor]) -> State:
        return (a["n"] * state[0].mean(-1, keepdim=True) + a["r"],)


class StepOfItsOwn(Normalised):
    """`step` is a method like others, and a subclass may change it."""

    def step(self, parameters: Mapping[str, Tensor], state: State, z: Tensor) -> State:
        return tuple(0.5 * part for part in super().step(parameters, state, z))


class Resting(Normalised):
    """A state that never changes has no gradient but that of its start."""

    def combine(self, state: State, a: Mapping[str, Tensor]) -> State:
        return state


class InverseWeights(Normalised):
    """Weights for which the equations have no value."""

    def parametrize(self, parameters: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        W = torch.linalg.inv(parameters["W"][:, : self.hidden_size])
        return {**parameters, "W": torch.cat([W, W], 1)}


@pytest.mark.parametrize("kind", [Compared, SummedTwice, MeanOfState, StepOfItsOwn, Resting, InverseWeights])
def test_a_cell_is_compiled_to_its_own_numbers_or_not_at_all(kind: type[Cell]) -> None:
    p = problem(kind(hidden_size=6), T=5, B=3, D=2, loss="every")
    p = replace(p, state=tuple(torch.zeros_like(part) for part in p.state))
    expected = answer(p, "torch")
    assert_close(answer(p), expected, 1e-10)


class Branching(Normalised):
    def combine(self, state: State, a: Mapping[str, Tensor]) -> State:
        return (a["n"] if a["n"].sum() > 0 else state[0],)


class Deciding(Normalised):
    def combine(self, state: State, a: Mapping[str, Tensor]) -> State:
        return (a["n"] if a["n"] else state[0],)


class Cumulative(Normalised):
    def combine(self, state: State, a: Mapping[str, Tensor]) -> State:
        return (a["n"].cumsum(-1),)


class Failing(Normalised):
    def combine(self, state: State, a: Mapping[str, Tensor]) -> State:
        return (a["missing"],)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (Branching, "sum other than"),
        (Deciding, "a decision on a tensor's values"),
        (Cumulative, "Tensor.cumsum"),
        (Failing, "KeyError: 'missing'"),
    ],
)
def test_what_cannot_be_traced_says_what(kind: type[Cell], reason: str) -> None:
    cell = kind(hidden_size=4)
    with pytest.raises(Untraceable, match=reason):
        trace(cell, started(cell, range(1), input_size=3, length=3), exact=False)
    assert reason in (untraceable(cell) or "")
