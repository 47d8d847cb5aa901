"""The arrays of a sequence's forward direction, for all replicas, and calls of the compiled code on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from harness.recurrence.adjoints import AdjointRecorder
from harness.recurrence.compiler.emission import partial_name, total_name
from harness.recurrence.compiler.kernel import CompiledCell
from harness.recurrence.compiler.layout import LaidOut
from harness.recurrence.compiler.memory import Array, empty, zeros
from harness.recurrence.compiler.partial import PARTIAL

SEGMENT_BYTES = 64e6  # of one replica's forward direction; longer sequences are computed again, segment by segment


@dataclass(frozen=True)
class CompiledCall:
    """What a call needs besides tensors."""

    kernel: CompiledCell
    names: list[str]
    window: int
    every_step: bool
    recorder: AdjointRecorder | None
    cell_state: tuple[int, ...]  # which of the computed parts are the cell state
    keep: bool
    given: Tensor | None = None  # (T, R, B, blocks of H), in the order in which the cell goes through its steps


class ForwardArrays:
    """States, inputs and packed weights of one call, and what a step saves for the other direction."""

    def __init__(self, call: CompiledCall, inputs: Tensor | LaidOut, state: list[Array], flat: Array) -> None:
        self.kernel, self.call = call.kernel, call
        k, s = self.kernel, self.kernel.shapes
        given = inputs.view if isinstance(inputs, LaidOut) else inputs.detach().numpy()
        self.T, self.R = given.shape[:2]
        self.depth = max(k.program.lag, default=0)
        self.flat = flat
        self.bias, self.vectors = k.biases(flat), k.vectors(flat)
        self.weights = k.packed("forward", flat)
        dtype = np.int32 if s.tokens else k.dtype
        if isinstance(inputs, LaidOut) and inputs.fits(s):
            self.x = inputs.array
        elif s.tokens:
            self.x = empty((self.R, self.T, s.W), dtype)
            self.x[..., s.B :] = -1
            self.x[..., : s.B] = given.transpose(1, 0, 2)
        else:
            self.x = zeros((self.R, self.T, *s.rows(s.D)), dtype)
            s.view(self.x, s.D)[...] = given.transpose(1, 0, 2, 3)
        self.given: list[Array] = []
        if call.given is not None:
            for block in torch.split(call.given.detach(), s.H, -1):
                self.given.append(zeros((self.R, self.T, *s.rows(s.H)), k.dtype))
                s.view(self.given[-1], s.H)[...] = block.numpy().transpose(1, 0, 2, 3)
        sums = sum(node.op == "sum" for node in k.program.saved)
        saved = (len(k.program.saved) - sums + len(k.program.bases)) * s.H + sums
        self.segment = (
            max(1, min(self.T, int(SEGMENT_BYTES / (max(saved, 1) * s.W * k.dtype.itemsize)))) if call.keep else 64
        )
        self.initial = state

    def states(self, steps: int) -> list[Array]:
        """h_{−depth} … h_steps of each base: (R, depth + steps + 1, …)."""
        s = self.kernel.shapes
        shape = (self.R, self.depth + steps + 1, *s.rows(s.H))
        return [empty(shape, self.kernel.dtype) for _ in self.kernel.program.bases]

    def fill(self, states: list[Array], parts: list[Array]) -> None:
        """Write parts of a state (R, B, H) where the step after looks for them."""
        p, s = self.kernel.program, self.kernel.shapes
        for part, value in enumerate(parts):
            rows = states[p.base[part]][:, self.depth - p.lag[part]]
            rows[...] = 0
            s.view(rows, s.H)[...] = value

    def end(self, states: list[Array], steps: int) -> list[Array]:
        """Parts of the state after `steps`, (R, B, H)."""
        p, s = self.kernel.program, self.kernel.shapes
        at = self.depth + steps
        return [np.ascontiguousarray(s.view(states[b][:, at - lag], s.H)) for b, lag in zip(p.base, p.lag, strict=True)]

    def saved(self, steps: int) -> list[Array]:
        s = self.kernel.shapes
        rows = [(s.W,) if node.op == "sum" else s.rows(s.H) for node in self.kernel.program.saved]
        return [empty((self.R, steps, *row), self.kernel.dtype) for row in rows]

    def scratch(self, direction: str) -> dict[str, Array]:
        """Arrays that live within a step, by name."""
        p, s = self.kernel.program, self.kernel.shapes
        passes = p.forward if direction == "forward" else p.backward
        stores = sum(len(step.stores) for step in passes)
        shapes: dict[str, tuple[int, ...]] = {}
        if len(passes) > 1:
            shapes |= {f"scratch{i}": s.rows(s.H) for i in range(stores)}
        for node in (node for step in passes for node in step.sums):
            shapes |= {total_name(node): (s.W,), partial_name(node): (PARTIAL, s.W)}
        if direction == "forward":
            shapes |= {f"saved{i}": s.rows(s.H) for i in range(len(p.saved))}
        shapes["onehot"] = (1 if direction == "forward" else self.kernel.chunk, *s.rows(s.D))
        return {name: empty(shape, self.kernel.dtype) for name, shape in shapes.items()}

    def run(self, states: list[Array], saved: list[Array] | None, start: int, stop: int) -> None:
        """Steps start + 1 … stop, whose arrays begin with step start + 1."""
        k = self.kernel
        scratch = self.scratch("forward")
        table = {n: (a.ctypes.data, 0) for n, a in scratch.items()}
        table |= {"from": (start + 1, 0), "to": (stop + 1, 0)}
        table |= {"weights": at(self.weights), "bias": at(self.bias), "vectors": at(self.vectors)}
        if "U" in k.places:  # a cell may leave its inputs alone
            table["U"] = self.flat.ctypes.data + k.first("U") * k.dtype.itemsize, self.flat.strides[0]
        table["tokens"] = table["x"] = at(self.x, 1)
        table |= {f"given{i}": at(a, 1) for i, a in enumerate(self.given)}
        table |= {f"state{b}": at(a, start - self.depth) for b, a in enumerate(states)}
        if saved is not None:
            table |= {saved_name(k, i): at(a, start + 1) for i, a in enumerate(saved)}
        k.call("forward" if saved is None else "forward_keep", table, self.R)


def saved_name(kernel: CompiledCell, i: int) -> str:
    node = kernel.program.saved[i]
    return total_name(node) if node.op == "sum" else f"saved{i}"


def at(array: Array, first: int = 0) -> tuple[int, int]:
    """Address of the first replica's step 0 in an array (R, steps, …) whose first entry is step `first`, and the bytes
    from one replica to the next.
    """
    return array.ctypes.data - first * array.strides[1], array.strides[0]
