"""All replicas at once in torch, as one writes it who knows that they have the same shapes: one `baddbmm` a step.

Input products of all steps at once, gates as chunks of one product, both biases added before the loop, autograd through
it. Of what was tried this is the fastest or within its spread: a backward pass by hand with preallocated memory and one
product for dW (4 % faster for the LSTM, 10 % slower for the GRU), unit-major states, steps outermost in memory,
tanh by a sigmoid.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from benchmarks.peers import Array
from benchmarks.peers.stacked import Stacked, adjoint_norms
from benchmarks.problem import Problem
from benchmarks.sizes import D

State = tuple[Tensor, ...]
Step = Callable[[Tensor, Tensor, State, Tensor], State]


def rnn(WT: Tensor, b_h: Tensor, state: State, z: Tensor) -> State:
    """h_t = tanh(W h_{t−1} + z)."""
    return (torch.baddbmm(z, state[0], WT).tanh(),)


def lstm(WT: Tensor, b_h: Tensor, state: State, z: Tensor) -> State:
    """i, f, o = σ(·), g = tanh(·); c_t = f c_{t−1} + i g; h_t = o tanh(c_t)."""
    h, c = state
    i, f, g, o = torch.baddbmm(z, h, WT).chunk(4, -1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def gru(WT: Tensor, b_h: Tensor, state: State, z: Tensor) -> State:
    """r, u = σ(·), n = tanh(z_n + r (W_n h_{t−1} + b_n)); h_t = (1 − u) n + u h_{t−1}."""
    (h,) = state
    H = h.shape[-1]
    gates_x, n_x = z.split((2 * H, H), -1)
    gates_h, n_h = torch.baddbmm(b_h, h, WT).split((2 * H, H), -1)
    r, u = (gates_x + gates_h).sigmoid().chunk(2, -1)
    n = torch.addcmul(n_x, r, n_h).tanh()
    return (torch.lerp(n, h, u),)


STEPS: dict[str, tuple[Step, int]] = {"rnn": (rnn, 1), "lstm": (lstm, 2), "gru": (gru, 1)}


class TorchBatched(Stacked):
    """R replicas in one loop; with `record` every h_t retains its gradient."""

    def __init__(self, problem: Problem, *, record: bool = True) -> None:
        super().__init__(problem)
        self.record = record
        self.advance, self.parts = STEPS[problem.sizes.cell]
        self.states: list[Tensor] = []

    def inputs(self, tokens: Tensor) -> Tensor:
        """U x_t + b for all t, (R, T, B, G·H); where the biases' sum is what matters, b is their sum."""
        p, (R, T, B) = self.parameters, tokens.shape
        b = p["b_x"] if self.advance is gru else p["b_x"] + p["b_h"]
        x = one_hot(tokens, D).float().view(R, T * B, D)
        return torch.baddbmm(b.unsqueeze(1), x, p["U"].mT).view(R, T, B, -1)

    def start(self, tokens: Tensor) -> State:
        """The state before the first step: zeros."""
        return (torch.zeros(self.replicas, tokens.shape[2], self.problem.sizes.H),) * self.parts

    def last(self, tokens: Tensor) -> Tensor:
        WT, b_h = self.parameters["W"].mT, self.parameters["b_h"].unsqueeze(1)
        state, self.states = self.start(tokens), []
        for z in self.inputs(tokens).unbind(1):
            state = self.advance(WT, b_h, state, z)
            if self.record:
                state[0].retain_grad()
                self.states.append(state[0])
        return state[0]

    def norms(self) -> Array | None:
        return adjoint_norms(self.states) if self.record else None
