"""torch.nn.RNNCell, LSTMCell or GRUCell in a Python loop with `retain_grad`, which records ∂L/∂h_t."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from benchmarks.peers import Taken
from benchmarks.peers.torch_module import TorchModule
from benchmarks.problem import Problem
from benchmarks.sizes import D

CELLS: dict[str, Callable[[int, int], nn.RNNCellBase]] = {"rnn": nn.RNNCell, "lstm": nn.LSTMCell, "gru": nn.GRUCell}


class TorchLoop(TorchModule):
    """One replica at a time, every h_t kept with its gradient."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.cell = CELLS[problem.sizes.cell](D, problem.sizes.H)
        self.cell.load_state_dict(
            {name.removesuffix("_l0"): value for name, value in self.recurrent.state_dict().items()}
        )
        self.parameters = [*self.cell.parameters(), *self.readout.parameters()]
        self.optimizer = torch.optim.RMSprop(self.parameters, lr=problem.training.learning_rate)
        self.states: list[Tensor] = []

    def last(self, x: Tensor) -> Tensor:
        self.states = []
        h: Tensor | None = None
        state: Tensor | tuple[Tensor, Tensor] | None = None
        for row in x:  # (B, D)
            state = self.cell(row, state)
            h = state[0] if isinstance(state, tuple) else state
            h.retain_grad()
            self.states.append(h)
        assert h is not None
        return h

    def step(self) -> Taken:
        taken = super().step()
        adjoints = torch.stack([h.grad for h in self.states if h.grad is not None])  # (T, B, H)
        norms = torch.linalg.vector_norm(adjoints, dim=-1).sum(-1)  # the loss is a mean: B · mean_b is Σ_b
        return replace(taken, norms=norms.numpy()[:, None])
