"""`scan` by compiled code: the same arguments, the same results; differentiable once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from harness.cells.cell import Cell, State
from harness.recurrence.adjoints import AdjointRecorder, immediate_norms, log10_mean
from harness.recurrence.compiler.backward import NONE
from harness.recurrence.compiler.kernel import Array, CompiledCell, empty, zeros
from harness.recurrence.compiler.layout import Shapes
from harness.recurrence.compiler.native import host
from harness.recurrence.compiler.program import derive
from harness.recurrence.compiler.trace import trace

SEGMENT_BYTES = 64e6  # of one replica's way forward; longer sequences are computed again, segment by segment


@lru_cache(maxsize=256)
def compiled(cell: Cell, D: int, B: int, tokens: bool, double: bool) -> CompiledCell:
    """The kernel of a cell for given shapes; raises `Untraceable`."""
    H = cell.hidden_size
    given = {name: torch.zeros(1, *shape) for name, shape in cell.shapes(H, D).items()}
    used = cell.parametrize(given)
    shapes = Shapes(H, D, B, tokens, double, host().registers)
    return CompiledCell(
        derive(trace(cell, used, exact=double)), shapes, {n: tuple(v.shape[1:]) for n, v in used.items()}
    )


@dataclass(frozen=True)
class CompiledCall:
    """What a call needs besides tensors."""

    kernel: CompiledCell
    names: list[str]
    window: int
    every_step: bool
    recorder: AdjointRecorder | None
    cell_state: bool
    keep: bool


def run(
    cell: Cell,
    parameters: Mapping[str, Tensor],
    inputs: Tensor,
    state: State,
    *,
    window: int,
    every_step: bool,
    recorder: AdjointRecorder | None,
) -> tuple[Tensor, State]:
    """`scan`'s arguments, results and gradients; `parameters` as the equations use them."""
    tokens = inputs.dim() == 3
    double = parameters["U"].dtype == torch.float64
    kernel = compiled(cell, parameters["U"].shape[2], inputs.shape[2], tokens, double)
    tensors = [parameters[name] for name in kernel.names]
    keep = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (inputs, *tensors, *state))
    call = CompiledCall(kernel, kernel.names, window, every_step, recorder, "c" in cell.states, keep)
    output, *final = _CompiledRecurrence.apply(call, inputs, *state, *tensors)  # type: ignore[no-untyped-call]
    return output, tuple(final) if every_step else (output, *final)


class _Pass:
    """The arrays of one sequence's way, over all replicas."""

    def __init__(self, call: CompiledCall, inputs: Tensor, state: list[Array], flat: Array) -> None:
        self.kernel, self.call = call.kernel, call
        k, s = self.kernel, self.kernel.shapes
        self.T, self.R = inputs.shape[:2]
        self.depth = max(k.program.lag, default=0)
        self.flat = flat
        self.bias, self.vectors = k.biases(flat), k.vectors(flat)
        self.weights = k.packed("forward", flat)
        dtype = np.int32 if s.tokens else k.dtype
        rows = 1 if s.tokens else s.D
        self.x = empty((self.R, self.T, rows, s.W), dtype)
        given = inputs.detach().numpy()
        if s.tokens:
            self.x[..., s.B :] = -1
            self.x[:, :, 0, : s.B] = given.transpose(1, 0, 2)
        else:
            self.x[..., s.B :] = 0
            self.x[..., : s.B] = given.transpose(1, 0, 3, 2)
        sums = sum(node.op == "sum" for node in k.program.saved)
        saved = (len(k.program.saved) - sums + len(k.program.bases)) * s.H + sums
        self.segment = max(1, min(self.T, int(SEGMENT_BYTES / (saved * s.W * k.dtype.itemsize)))) if call.keep else 64
        self.initial = state

    def states(self, steps: int) -> list[Array]:
        """h_{−depth} … h_steps of each base, unit-major: (R, depth + steps + 1, H, W)."""
        s = self.kernel.shapes
        return [empty((self.R, self.depth + steps + 1, s.H, s.W), self.kernel.dtype) for _ in self.kernel.program.bases]

    def fill(self, states: list[Array], parts: list[Array]) -> None:
        """Write parts of a state (R, B, H) where the step after looks for them."""
        p, s = self.kernel.program, self.kernel.shapes
        for part, value in enumerate(parts):
            rows = states[p.base[part]][:, self.depth - p.lag[part]]
            rows[..., s.B :] = 0
            rows[..., : s.B] = value.transpose(0, 2, 1)

    def end(self, states: list[Array], steps: int) -> list[Array]:
        """Parts of the state after `steps`, (R, B, H)."""
        p, s = self.kernel.program, self.kernel.shapes
        at = self.depth + steps
        return [
            np.ascontiguousarray(states[b][:, at - lag, :, : s.B].transpose(0, 2, 1))
            for b, lag in zip(p.base, p.lag, strict=True)
        ]

    def saved(self, steps: int) -> list[Array]:
        s = self.kernel.shapes
        rows = [1 if node.op == "sum" else s.H for node in self.kernel.program.saved]
        return [empty((self.R, steps, n, s.W), self.kernel.dtype) for n in rows]

    def scratch(self, direction: str) -> dict[str, Array]:
        """Rows that live within a step, by name."""
        p, s = self.kernel.program, self.kernel.shapes
        passes = p.forward if direction == "forward" else p.backward
        stores = sum(len(step.stores) for step in passes)
        names = {f"scratch{i}": s.H for i in range(stores)} if len(passes) > 1 else {}
        names |= {f"sum{node.index}": 1 for step in passes for node in step.sums}
        if direction == "forward":
            names |= {f"saved{i}": s.H for i in range(len(p.saved))}
        names["onehot"] = s.D * (1 if direction == "forward" else self.kernel.chunk)
        return {name: empty((rows, s.W), self.kernel.dtype) for name, rows in names.items()}

    def forward(self, states: list[Array], saved: list[Array] | None, start: int, stop: int) -> None:
        """Steps start + 1 … stop, whose arrays begin with step start + 1."""
        k = self.kernel
        scratch = self.scratch("forward")
        name = "forward" if saved is None else "forward_keep"
        for r in range(self.R):
            table = {n: a.ctypes.data for n, a in scratch.items()}
            table |= {"from": start + 1, "to": stop + 1}
            table |= {"weights": at(self.weights, r), "bias": at(self.bias, r), "vectors": at(self.vectors, r)}
            table["U"] = self.flat.ctypes.data + r * self.flat.strides[0] + k.first("U") * k.dtype.itemsize
            table["tokens"] = table["x"] = at(self.x, r, 1)
            table |= {f"state{b}": at(a, r, start - self.depth) for b, a in enumerate(states)}
            if saved is not None:
                table |= {_saved_name(k, i): at(a, r, start + 1) for i, a in enumerate(saved)}
            k.call(name, table)


def _saved_name(kernel: CompiledCell, i: int) -> str:
    node = kernel.program.saved[i]
    return f"sum{node.index}" if node.op == "sum" else f"saved{i}"


def at(array: Array, r: int, first: int = 0) -> int:
    """Address of replica r's step 0 in an array (R, steps, …) whose first entry is step `first`."""
    step = array.strides[1] if array.ndim > 1 else 0
    return int(array.ctypes.data + r * array.strides[0] - first * step)


class _CompiledRecurrence(torch.autograd.Function):
    """(inputs, state, parameters) → (h_T, other parts), or with every_step (h_1 … h_T, all parts)."""

    @staticmethod
    def forward(ctx: Any, call: CompiledCall, inputs: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        parts = len(call.kernel.program.base)
        state = [tensor.detach().numpy() for tensor in tensors[:parts]]
        flat = call.kernel.flat(dict(zip(call.names, tensors[parts:], strict=True)))
        way = _Pass(call, inputs, state, flat)
        starts: list[list[Array]] = []
        seen: list[Tensor] = []
        arrays: tuple[list[Array], list[Array]] | None = None
        cut = way.T - call.window
        for start in range(0, way.T, way.segment):
            stop = min(start + way.segment, way.T)
            states = way.states(stop - start)
            way.fill(states, state)
            starts.append(state)
            saved = way.saved(stop - start) if call.keep and stop > cut else None
            way.forward(states, saved, start, stop)
            arrays = (states, saved) if saved is not None else None
            state = way.end(states, stop - start)
            if call.every_step:
                h = torch.from_numpy(states[0])[:, way.depth + 1 :, :, : call.kernel.shapes.B]
                seen.append(h.permute(1, 0, 3, 2))
        if call.keep:
            ctx.call, ctx.way, ctx.starts, ctx.arrays = call, way, starts, arrays
            ctx.set_materialize_grads(False)
        output = [seen[0] if len(seen) == 1 else torch.cat(seen)] if call.every_step else []
        return *output, *(torch.from_numpy(part) for part in state)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        call: CompiledCall = ctx.call
        every, final = (gradients[0], list(gradients[1:])) if call.every_step else (None, list(gradients))
        back = _Backward(ctx.way, every, final, inputs=ctx.needs_input_grad[1])
        before = ctx.way.T - call.window
        for start in reversed(range(0, ctx.way.T, ctx.way.segment)):
            stop = min(start + ctx.way.segment, ctx.way.T)
            if stop <= before:
                break
            arrays, ctx.arrays = ctx.arrays, None
            if arrays is None:
                arrays = ctx.way.states(stop - start), ctx.way.saved(stop - start)
                ctx.way.fill(arrays[0], ctx.starts[start // ctx.way.segment])
                ctx.way.forward(*arrays, start, stop)
            back.segment(*arrays, start=start, first=max(before, start), stop=stop)
            del arrays  # their memory serves the next segment
        if call.recorder is not None:
            back.record(call.recorder, every if every is not None else final[0])
        parameters = back.parameters()
        state = back.initial() if before <= 0 else [np.zeros_like(part) for part in ctx.way.initial]
        grads = [*state, *(parameters[name] for name in call.names)]
        return None, back.inputs(), *(torch.from_numpy(array) for array in grads)


class _Backward:
    """The way back of all replicas: rings of what is carried from step to step, and what is summed over them."""

    def __init__(self, way: _Pass, every: Tensor | None, final: list[Tensor | None], *, inputs: bool) -> None:
        self.way = way
        k, R = way.kernel, way.R
        p, s = k.program, k.shapes
        self.kernel, self.R = k, R
        reaches = {1} | {p.reach(part) for part in p.carries}
        self.carried = {(b, 1) for b in range(len(p.bases))} | {(p.base[q], p.reach(q)) for q in p.carries}
        products = {key for key in k.backward_layout[0].accumulators if isinstance(key, tuple)}
        self.reaches = sorted(reaches | {reach for _, reach in products})
        self.ring = self.reaches[-1] + 1
        self.deltas = zeros((R, max(len(p.deltas), 1) * self.ring, s.H, s.W), k.dtype)
        self.carries = {key: zeros((R, key[1], s.H, s.W), k.dtype) for key in sorted(self.carried)}
        self.scales = zeros((R, self.ring, s.W), k.integer)
        self.tops = empty((R, self.ring, s.W), k.integer)
        self.tops[...] = NONE
        self.norms = zeros((R, way.T, len(p.bases), s.W), np.float64)
        self.exponents = zeros((R, way.T, s.W), k.integer)
        self.matrices = [zeros((R, s.H, s.D if term.operand is None else s.H), k.dtype) for term in p.terms]
        self.sums = zeros((R, len(p.deltas) + len(p.vectors), s.H), k.dtype)
        rows = len(p.deltas) + len(p.vectors)
        self.panel = empty((k.chunk, rows * s.H, s.W), k.dtype)
        self.factors = empty((len(self.reaches) + 4, s.W), k.dtype)
        self.scratch = way.scratch("backward")
        self.weights = k.packed("backward", way.flat)
        self.dx = zeros((R, way.T, s.D, s.W), k.dtype) if inputs else None
        self.input_weights = k.packed("inputs", way.flat) if inputs else None
        self._seed([None if g is None else g.numpy() for g in final])
        self.immediate: Array | None = None
        delayed = {lag: g.numpy() for g, lag in zip(final, p.lag, strict=True) if lag and g is not None}
        self.untouched = {
            lag - way.T: g for lag, g in delayed.items() if lag >= way.T
        }  # values from before the first step
        if every is not None or delayed:
            self.immediate = zeros((R, way.T, s.H, s.W), k.dtype)
        if every is not None and self.immediate is not None:
            self.immediate[..., : s.B] = every.numpy().transpose(1, 0, 3, 2)
        for lag, g in delayed.items():
            if lag < way.T and self.immediate is not None:
                self.immediate[:, way.T - 1 - lag, :, : s.B] += g.transpose(0, 2, 1)

    def _seed(self, final: list[Array | None]) -> None:
        """The loss' gradient of the last state stands where the step after it would have left its share."""
        p, s = self.kernel.program, self.kernel.shapes
        largest = np.zeros((self.R, s.B))
        given = {p.base[part]: g for part, g in enumerate(final) if g is not None and not p.lag[part]}
        for g in given.values():
            largest = np.fmax(largest, np.abs(g).max(-1))
        finite = np.isfinite(largest)
        exponent = np.where(largest > 0, np.frexp(np.where(finite, largest, 1))[1], NONE).astype(self.kernel.integer)
        slot = (self.way.T + 1) % self.ring
        shift = np.where(exponent > NONE, exponent, 0)
        self.tops[:, slot, : s.B] = exponent
        self.scales[:, slot, : s.B] = shift
        for base, g in given.items():
            carry = self.carries[base, 1][:, 0]
            carry[..., : s.B] = np.ldexp(g, -shift[..., None]).transpose(0, 2, 1)

    def segment(self, states: list[Array], saved: list[Array], *, start: int, first: int, stop: int) -> None:
        """Steps stop … first + 1; the segment's arrays begin with step start + 1."""
        k, way = self.kernel, self.way
        shared = {name: array.ctypes.data for name, array in self.scratch.items()}
        shared |= {
            "panel": self.panel.ctypes.data,
            "factors": self.factors.ctypes.data,
            "from": first + 1,
            "to": stop + 1,
        }
        for r in range(self.R):
            table = dict(shared)
            table |= {"weights": at(self.weights, r), "vectors": at(way.vectors, r)}
            table["tokens"] = table["x"] = at(way.x, r, 1)
            table |= {f"state{b}": at(a, r, start - way.depth) for b, a in enumerate(states)}
            table |= {_saved_name(k, i): at(a, r, start + 1) for i, a in enumerate(saved)}
            table |= {f"carry{b}_{reach}": at(a, r) for (b, reach), a in self.carries.items()}
            table |= {"deltas": at(self.deltas, r), "scales": at(self.scales, r), "tops": at(self.tops, r)}
            table |= {"norms": at(self.norms, r, 1), "exponents": at(self.exponents, r, 1)}
            table |= {f"gradient{i}": at(a, r) for i, a in enumerate(self.matrices)}
            table["sums"] = at(self.sums, r)
            if self.immediate is not None:
                table["immediate"] = at(self.immediate, r, 1)
            if self.dx is not None and self.input_weights is not None:
                table |= {"dx": at(self.dx, r, 1), "input_weights": at(self.input_weights, r)}
            k.call("backward" + "_every" * (self.immediate is not None) + "_inputs" * (self.dx is not None), table)

    def inputs(self) -> Tensor | None:
        """∂L/∂x (T, R, B, D), where it is wanted."""
        if self.dx is None:
            return None
        return torch.from_numpy(self.dx[..., : self.kernel.shapes.B]).permute(1, 0, 3, 2)

    def parameters(self) -> dict[str, Array]:
        """Gradients of the parameters."""
        return self.kernel.gradients(self.matrices, self.sums, self.R)

    def initial(self) -> list[Array]:
        """∂L/∂(state before the first step), each part (R, B, H), from what the first steps have left in the rings."""
        p, s = self.kernel.program, self.kernel.shapes
        flat, H = self.way.flat, s.H
        out = []
        for base, lag in zip(p.base, p.lag, strict=True):
            total = np.zeros((self.R, H, s.B))
            if base == p.base[0] and lag in self.untouched:
                total += self.untouched[lag].transpose(0, 2, 1)
            for other, (same, reach) in enumerate(zip(p.base, [p.reach(q) for q in range(len(p.base))], strict=True)):
                t = reach - lag  # the step that read this part as `other`
                if same != base or not 1 <= t <= self.way.T:
                    continue
                scale = self.scales[:, t % self.ring, None, : s.B].astype(np.float64)
                share = np.zeros((self.R, H, s.B))
                if (base, reach) in self.carries and (other in p.carries):
                    share += self.carries[base, reach][:, t % reach, :, : s.B]
                for term in p.terms:
                    if term.operand is not None and term.operand.op == "state" and term.operand.args[0] == other:
                        places = self.kernel._places[term.matrix][term.block * H : (term.block + 1) * H]
                        delta = self.deltas[:, term.accumulator * self.ring + t % self.ring, :, : s.B].astype(
                            np.float64
                        )
                        share += flat[:, places].astype(np.float64).transpose(0, 2, 1) @ delta
                total += share * np.exp2(scale)
            out.append(np.ascontiguousarray(total.transpose(0, 2, 1)).astype(self.kernel.dtype))
        return out

    def record(self, recorder: AdjointRecorder, seen: Tensor | None) -> None:
        """Levels of all steps within the window; before it true zeros."""
        B, T, way = self.kernel.shapes.B, self.way.T, self.way
        with np.errstate(invalid="ignore"):
            norms = np.sqrt(self.norms[..., :B])  # (R, T, bases, B)
        levels = log10_mean(norms.transpose(1, 0, 2, 3), self.exponents[:, :, None, :B].transpose(1, 0, 2, 3))
        levels[: T - way.call.window] = -np.inf
        recorder.log10_adjoint = levels[..., 0]
        if way.call.cell_state:
            recorder.log10_adjoint_cell = levels[..., 1]
        if seen is not None:
            recorder.log10_immediate = immediate_norms(seen, T, way.call.window)
