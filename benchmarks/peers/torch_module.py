"""torch.nn.RNN, LSTM or GRU with a linear readout, recording nothing."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from benchmarks.peers import Taken
from benchmarks.problem import Problem
from benchmarks.sizes import C, D

MODULES: dict[str, Callable[[int, int, int], nn.RNNBase]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class TorchModule:
    """One replica at a time, seed 0."""

    replicas = 1

    def __init__(self, problem: Problem) -> None:
        self.problem, self.update = problem, 0
        self.recurrent = MODULES[problem.sizes.cell](D, problem.sizes.H, problem.layers)
        self.readout = nn.Linear(problem.sizes.H, C)
        given = problem.initial(0)
        own = {"weight_hh": "W", "weight_ih": "U", "bias_ih": "b_x", "bias_hh": "b_h"}
        suffixes = ["", *(f".{layer}" for layer in range(2, problem.layers + 1))]
        names = {
            f"{theirs}_l{i}": f"{ours}{suffix}" for i, suffix in enumerate(suffixes) for theirs, ours in own.items()
        }
        self.recurrent.load_state_dict({theirs: torch.from_numpy(given[ours]) for theirs, ours in names.items()})
        self.readout.load_state_dict({"weight": torch.from_numpy(given["V"]), "bias": torch.from_numpy(given["b_y"])})
        self.parameters = [*self.recurrent.parameters(), *self.readout.parameters()]
        self.optimizer = torch.optim.RMSprop(self.parameters, lr=problem.training.learning_rate)

    def last(self, x: Tensor) -> Tensor:
        """h_T (B, H) from rows (T, B, D)."""
        states, _ = self.recurrent(x)
        h: Tensor = states[-1]
        return h

    def step(self) -> Taken:
        batch = self.problem.batch(0, self.update)
        x = one_hot(torch.from_numpy(batch.inputs).long(), D).float()  # (T, B, D)
        loss = cross_entropy(self.readout(self.last(x)), torch.from_numpy(batch.targets))
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        assert self.problem.training.clip_norm is not None
        nn.utils.clip_grad_norm_(self.parameters, self.problem.training.clip_norm)
        self.optimizer.step()
        self.update += 1
        return Taken(loss.detach().numpy().reshape(1))
