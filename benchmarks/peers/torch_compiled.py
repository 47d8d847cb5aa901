"""`torch.compile` of the loop over all replicas, in chunks of ten steps.

The whole loop takes minutes to compile for T = 100, and one step at a time is no faster than without compiling.
"""

from __future__ import annotations

import os
import shutil
from math import gcd
from tempfile import TemporaryDirectory
from time import perf_counter
from unittest.mock import patch

os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")  # one core, as all others have, and no processes left

import torch
from torch import Tensor

from benchmarks.peers import Array
from benchmarks.peers.stacked import adjoint_norms
from benchmarks.peers.torch_batched import State, Step, TorchBatched
from benchmarks.problem import Problem

STEPS_AT_ONCE = 10


def unavailable() -> str | None:
    """Why nothing can be compiled here; None if it can."""
    compiler = os.environ.get("CXX") or "g++"
    if shutil.which(compiler) is None:
        return f"torch.compile was not measured: there is no C++ compiler here ({compiler})."
    return None


class TorchCompiled(TorchBatched):
    """R replicas; with `record` a zero is added to every h_t, whose gradient is ∂L/∂h_t: compiled code has no hooks."""

    def __init__(self, problem: Problem, *, record: bool = True) -> None:
        super().__init__(problem, record=record)
        sizes = problem.sizes
        self.length = gcd(sizes.T, STEPS_AT_ONCE)  # one shape, so that it is compiled once
        shape = (self.replicas, sizes.B, sizes.H)
        self.zeros = [torch.zeros(shape, requires_grad=True) for _ in range(sizes.T)] if record else []
        self.steps = torch.compile(recording if record else silent, dynamic=False)

    def compile(self) -> float:
        """Make the first step, into an empty cache; seconds."""
        with TemporaryDirectory() as folder, patch.dict(os.environ, {"TORCHINDUCTOR_CACHE_DIR": folder}):
            start = perf_counter()
            self.step()
            return perf_counter() - start

    def start(self, tokens: Tensor) -> State:
        # all chunks alike: where the first state needs no gradient, its chunk would be compiled again
        return tuple(part.requires_grad_() for part in super().start(tokens))

    def last(self, tokens: Tensor) -> Tensor:
        WT, b_h = self.parameters["W"].mT, self.parameters["b_h"].unsqueeze(1)
        state = self.start(tokens)
        for zero in self.zeros:
            zero.grad = None
        for i, z in enumerate(self.inputs(tokens).split(self.length, 1)):
            zeros = self.zeros[i * self.length : (i + 1) * self.length]
            state = self.steps(self.advance, WT, b_h, state, z, *([zeros] if self.record else []))
        return state[0]

    def norms(self) -> Array | None:
        return adjoint_norms(self.zeros) if self.record else None


def silent(advance: Step, WT: Tensor, b_h: Tensor, state: State, z: Tensor) -> State:
    """A few steps."""
    for now in z.unbind(1):
        state = advance(WT, b_h, state, now)
    return state


def recording(advance: Step, WT: Tensor, b_h: Tensor, state: State, z: Tensor, zeros: list[Tensor]) -> State:
    """A few steps, with something added to each h_t."""
    for now, zero in zip(z.unbind(1), zeros, strict=True):
        h, *others = advance(WT, b_h, state, now)
        state = (h + zero, *others)
    return state
