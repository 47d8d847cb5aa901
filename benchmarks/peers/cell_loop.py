"""Any cell of the harness by its own equations in a Python loop, every h_t retaining its gradient."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from unittest.mock import patch

import torch
from torch import Tensor

from benchmarks.peers import Array, Taken
from benchmarks.peers.stacked import Stacked, adjoint_norms
from benchmarks.problem import Problem
from harness.recurrence.drive import drive


class CellLoop(Stacked):
    """One replica at a time, as one trains a network; or, with `together`, all of them by batched products."""

    def __init__(self, problem: Problem, *, together: bool = False) -> None:
        super().__init__(problem, None if together else 1)
        self.cell = problem.model.cell
        self.states: list[Tensor] = []

    def last(self, tokens: Tensor) -> Tensor:
        parameters = self.cell.parametrize(self.parameters)
        h = torch.zeros(self.replicas, tokens.shape[2], self.cell.hidden_size)
        state: tuple[Tensor, ...] = (h,) * len(self.cell.states)
        self.states = []
        for z in drive(parameters, tokens.transpose(0, 1)).unbind(0):
            state = self.cell.step(parameters, state, z)
            state[0].retain_grad()
            self.states.append(state[0])
        return state[0]

    def norms(self) -> Array:
        return adjoint_norms(self.states)

    def step(self) -> Taken:
        module = sys.modules[type(self.cell).__module__]
        with ExitStack() as stack:
            # the harness's sigmoid is three operations, for its bits; who has no use for that takes torch's one
            if hasattr(module, "sigmoid"):
                stack.enter_context(patch.object(module, "sigmoid", torch.sigmoid))
            return super().step()
