"""Adjoints that travel along one part of a state only, and how much they change from step to step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np
from torch import Tensor

from harness.cells.cell import Cell, State
from harness.models.model import Model
from harness.probes.adjoints import adjoint_rows
from harness.probes.trajectory import PATHS, each_replica
from harness.recurrence.adjoints import AdjointRecorder
from harness.schema import Array, Profile


class Along:
    """A cell in which the gradient goes from step to step through one part of the state; values are as they were."""

    def __init__(self, cell: Cell, part: str) -> None:
        self.cell, self.part = cell, part

    def __getattr__(self, name: str) -> Any:
        return getattr(self.cell, name)

    def alone(self, H: int) -> Along:
        return Along(self.cell.alone(H), self.part)

    def step(self, parameters: Mapping[str, Tensor], state: State, z: Tensor) -> State:
        names = zip(self.cell.states, state, strict=True)
        return self.cell.step(parameters, tuple(p if name == self.part else p.detach() for name, p in names), z)


def path_decay(
    model: Model, parameters: Mapping[str, Tensor], batch: tuple[Tensor, Tensor], state: State | None
) -> list[list[Profile]]:
    """log₁₀ mean_b ‖B·∂L/∂p_t‖₂ of p = h with all c_{t−1} held fixed on the way back, and of p = c with all h_{t−1}.

    For an LSTM the latter is ∂L/∂c_{t−1} = f_t ⊙ ∂L/∂c_t + o_{t−1} ⊙ (1 − tanh²c_{t−1}) ⊙ ∂⁺L/∂h_{t−1}: the constant
    error carousel (Hochreiter & Schmidhuber 1997, section 3.2) with its forget gate.

    Returns:
        `log10_adjoint_h_path` and `log10_adjoint_c_path` by lag T − t; nothing for a cell whose state is not (h, c).
    """
    parts = PATHS if model.cell.states == PATHS else ()
    return [
        [
            _by_lag(
                f"log10_adjoint_{part}_path",
                _adjoints(replace(model, cell=cast(Cell, Along(model.cell, part))), *own)[
                    "log10_adjoint_cell" if part == "c" else "log10_adjoint"
                ],
            )
            for part in parts
        ]
        for own in each_replica(parameters, batch, state)
    ]


def local_ratio(
    model: Model, parameters: Mapping[str, Tensor], batch: tuple[Tensor, Tensor], state: State | None
) -> list[list[Profile]]:
    """‖∂L/∂h_t‖ / ‖∂L/∂h_{t+1}‖ of the batch means of the norms, t = 1 … T − 1.

    Where the loss sees h_T alone, this is what the regulariser of Pascanu, Mikolov & Bengio 2013, eq. 9, drives to 1.

    Returns:
        `local_ratio` by t; a step whose ∂L/∂h_{t+1} is an exact zero has none.
    """
    return [[_ratios(_adjoints(model, *own)["log10_adjoint"])] for own in each_replica(parameters, batch, state)]


def _adjoints(
    model: Model, parameters: Mapping[str, Tensor], batch: tuple[Tensor, Tensor], state: State | None
) -> dict[str, Array | None]:
    return adjoint_rows(replace(model, engine="torch"), parameters, batch, state, AdjointRecorder(), "float64")[0][0]


def _by_lag(quantity: str, log10_adjoint: Array | None) -> Profile:
    assert log10_adjoint is not None
    return Profile(quantity, "lag", np.arange(float(len(log10_adjoint))), log10_adjoint[::-1])


def _ratios(log10_adjoint: Array | None) -> Profile:
    assert log10_adjoint is not None
    before, after = log10_adjoint[:-1], log10_adjoint[1:]
    there = np.flatnonzero(after > -np.inf)
    return Profile("local_ratio", "t", there + 1.0, 10 ** (before[there] - after[there]))
