"""The states that a network goes through on a batch, in float64, and the Jacobians between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.func import vjp, vmap

from harness.cells.cell import Cell, State
from harness.models.model import Model
from harness.recurrence.drive import drive
from harness.schema import Values

SEQUENCES = 4  # of a batch, whose Jacobians are taken: they are alike, and dear
PATHS = ("h", "c")  # the state in which two paths can be told apart


class OneReplica(NamedTuple):
    """What a probe is given, of one replica alone (R = 1), in float64 on the CPU."""

    parameters: Mapping[str, Tensor]
    batch: tuple[Tensor, Tensor]
    state: State | None


@dataclass(frozen=True)
class Trajectory:
    """One replica's states along a batch.

    Attributes:
        parameters: as the cell's equations use them, R = 1.
        driven: U x_t + b_x, (T, 1, B, G·H).
        states: from t = 0 on, T + 1 of them, each part (1, B, H).
    """

    cell: Cell
    parameters: Mapping[str, Tensor]
    driven: Tensor
    states: tuple[State, ...]

    @property
    def length(self) -> int:
        """T."""
        return len(self.driven)

    def jacobian(self, t: int) -> Values:
        """∂s_t/∂s_{t−1}, (B, N, N) with row i the gradient of entry i; s is the whole state, its parts joined."""
        H, before = self.cell.hidden_size, torch.cat(self.states[t - 1], -1)[0]  # (B, N)

        def step(s: Tensor) -> Tensor:
            state = tuple(part.unsqueeze(0) for part in torch.split(s, H, dim=-1))
            return torch.cat(self.cell.step(self.parameters, state, self.driven[t - 1]), -1)[0]

        pull = vjp(step, before)[1]
        B, N = before.shape
        directions = torch.eye(N, dtype=before.dtype).unsqueeze(1).expand(N, B, N)
        rows = vmap(lambda direction: pull(direction)[0])(directions)  # (N, B, N)
        return np.asarray(rows.transpose(0, 1).detach().numpy(), dtype=np.float64)

    def paths(self) -> dict[str, slice]:
        """Where h and c lie in the state of a cell that has both; nothing for other cells."""
        H, names = self.cell.hidden_size, self.cell.states
        return {name: slice(i * H, (i + 1) * H) for i, name in enumerate(names)} if names == PATHS else {}


def each_replica(
    parameters: Mapping[str, Tensor], batch: tuple[Tensor, Tensor], state: State | None, sequences: int | None = None
) -> Iterator[OneReplica]:
    """Each replica alone (R = 1), in float64 on the CPU: what it says then cannot depend on its pack.

    Args:
        sequences: how many of the batch; None: all.
    """
    inputs, targets = (part.cpu() for part in batch)
    inputs = inputs.double() if inputs.is_floating_point() else inputs
    for r in range(inputs.shape[1]):
        own, replica = {name: p[r : r + 1].detach().cpu().double() for name, p in parameters.items()}, slice(r, r + 1)
        before = None if state is None else tuple(part[replica, :sequences].detach().cpu().double() for part in state)
        yield OneReplica(own, (inputs[:, replica, :sequences], targets[..., replica, :sequences]), before)


@torch.no_grad()
def trajectories(
    model: Model,
    parameters: Mapping[str, Tensor],
    batch: tuple[Tensor, Tensor],
    state: State | None,
    sequences: int | None = SEQUENCES,
) -> Iterator[Trajectory]:
    """The trajectory of each replica, along its own recurrence.

    Args:
        parameters, batch, state: as a probe is given them.
        sequences: how many of the batch; None: all.
    """
    for own, (inputs, _), before in each_replica(parameters, batch, state, sequences):
        known = model.cell.parametrize(own)
        states = [before or model.start(own, *inputs.shape[1:3])]
        driven = drive(known, inputs)
        for z in driven:
            states.append(model.cell.step(known, states[-1], z))
        yield Trajectory(model.cell, known, driven, tuple(states))
