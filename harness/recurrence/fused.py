"""The fused kernels as one autograd Function: the numba side of `scan`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log10
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from harness.cells.cell import Cell, State
from harness.cells.elementwise import Elementwise
from harness.recurrence.adjoints import AdjointRecorder, immediate_norms
from harness.recurrence.kernels import KERNELS, Gradients, Kernel


def has_kernel(cell: Cell) -> bool:
    """Whether a fused kernel computes this cell, nonlinearity included; others take the torch path."""
    if cell.cell in KERNELS:
        return cell.activation == "sigmoid" or cell.activation in KERNELS[cell.cell].activations
    return isinstance(cell, Elementwise)


KEPT_BYTES = 100e6  # of one replica's way forward; longer sequences are computed again, segment by segment
UNSEEN = 64  # steps at once where nothing will go back


@dataclass(frozen=True)
class FusedCall:
    """What a call needs besides tensors.

    `segment` is how many steps are computed at once (a checkpoint segment), `level` log₁₀ of the length of ∂L/∂h where
    that of what the kernel computes is 1.
    """

    kernel: Kernel
    activation: str
    window: int
    every_step: bool
    recorder: AdjointRecorder | None
    keep: bool
    segment: int
    level: float = 0.0


def fused(
    cell: Cell,
    parameters: Mapping[str, Tensor],
    inputs: Tensor,
    state: State,
    *,
    window: int,
    every_step: bool,
    recorder: AdjointRecorder | None,
) -> tuple[Tensor, State]:
    """`scan` by a fused kernel: same arguments, same results; differentiable once."""
    W, U, b_x = parameters["W"], parameters["U"], parameters["b_x"]
    b_h = parameters["b_h"] if "b_h" in parameters else torch.zeros_like(b_x)
    activation = cell.activation
    halved = activation == "sigmoid"
    if halved:  # σ(a) = ½ + ½ tanh(a/2): the tanh kernel on s = 2h − 1
        W, U, b_x, b_h, state = W / 4, U / 2, b_x / 2 + W.sum(-1) / 4, b_h / 2, (2 * state[0] - 1,)
        activation = "tanh"
    tensors = (inputs, W, U, b_x, b_h, *state)
    keep = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
    segment = steps_kept(cell, state[0].shape[1], b_x.element_size()) if keep else UNSEEN
    call = FusedCall(
        kernel=KERNELS[cell.cell],
        activation=activation,
        window=window,
        every_step=every_step,
        recorder=recorder,
        keep=keep,
        segment=segment,
        level=log10(2) if halved else 0.0,
    )
    output, *final = _Recurrence.apply(call, *tensors)  # type: ignore[no-untyped-call]
    if halved:
        output, final = (output + 1) / 2, [(part + 1) / 2 for part in final]
    return output, tuple(final) if every_step else (output, *final)


def steps_kept(cell: Cell, batch: int, itemsize: int) -> int:
    """How many steps a way forward keeps for its way back: by settings alone, so that no run depends on its pack.

    A step keeps the states and, of a gated cell, its G gates: B·H numbers each.
    """
    gates = len(cell.gates) if len(cell.gates) > 1 else 0
    return max(1, int(KEPT_BYTES / (batch * cell.hidden_size * (len(cell.states) + gates + 1) * itemsize)))


class _Recurrence(torch.autograd.Function):
    """(inputs, parameters, state) → (h_T, c_T …), or with every_step (h_1 … h_T, h_T, c_T …).

    A sequence of more than `segment` steps keeps only the states at the ends of its segments, and is computed again,
    from the last segment to the first, on the way back (Chen et al. 2016, "Training deep nets with
    sublinear memory cost").
    """

    @staticmethod
    def forward(ctx: Any, call: FusedCall, *tensors: Tensor) -> tuple[Tensor, ...]:
        x, W, U, b_x, b_h, *initial = (tensor.detach().numpy() for tensor in tensors)
        weights, state = (W, U, b_x, b_h), tuple(initial)
        starts, seen, saved = [], [], None
        spans = [slice(start, start + call.segment) for start in range(0, len(x), call.segment)]
        for span in spans:
            starts.append(state)
            states, saved = call.kernel.forward(x[span], state, weights, activation=call.activation)
            state = tuple(np.ascontiguousarray(part[:, -1]) for part in states)
            if call.every_step:
                seen.append(torch.from_numpy(states[0])[:, 1:].transpose(0, 1))
        if call.keep:
            ctx.call, ctx.x, ctx.weights, ctx.starts, ctx.spans = call, x, weights, starts, spans
            ctx.saved = saved  # of the last segment, which is all there is as a rule; used once
            ctx.set_materialize_grads(False)
        output = [seen[0] if len(seen) == 1 else torch.cat(seen)] if call.every_step else []
        return *output, *(torch.from_numpy(part) for part in state)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        call: FusedCall = ctx.call
        every, final = (gradients[0], gradients[1:]) if call.every_step else (None, gradients)
        T = len(ctx.x)
        before = T - call.window  # h_1 … h_before are constants of the backward pass
        R, B, _ = ctx.starts[0][0].shape
        scales = np.zeros((R, B), np.int64) if len(ctx.spans) > 1 else None
        incoming = tuple(None if g is None else g.numpy() for g in final)  # from the segment after, at its first step
        by_segment: list[Gradients] = []
        for start, span in zip(reversed(ctx.starts), reversed(ctx.spans), strict=True):
            stop = min(span.stop, T)
            if stop <= before:
                break
            visited = stop - max(before, span.start)  # steps of this segment that are still within the window
            saved, ctx.saved = ctx.saved, None
            if saved is None:
                saved = call.kernel.forward(ctx.x[span], start, ctx.weights, activation=call.activation)[1]
            by_segment.append(
                call.kernel.backward(
                    saved,
                    last=incoming,
                    every=None if every is None else every[span].numpy(),
                    window=visited,
                    record=call.recorder is not None,
                    need_dx=ctx.needs_input_grad[1],
                    scales=scales,
                )
            )
            del saved  # its memory serves the next segment
            incoming = by_segment[-1].dstate
        if call.recorder is not None:
            seen = every if every is not None else final[0]
            call.recorder.log10_adjoint = _levels([segment.log10_adjoint for segment in by_segment], T, R) + call.level
            if len(ctx.starts[0]) > 1:
                call.recorder.log10_adjoint_cell = _levels([segment.log10_adjoint_cell for segment in by_segment], T, R)
            if seen is not None:
                call.recorder.log10_immediate = immediate_norms(seen, T, call.window) + call.level
        return None, *_joined(by_segment, ctx.x, scales, whole=before <= 0)


def _levels(segments: list[Any], T: int, R: int) -> Any:
    """The levels of all segments, last segment first, as one (T, R); before the first that was visited: true zeros."""
    visited = np.concatenate(segments[::-1])
    return np.concatenate([np.full((T - len(visited), R), -np.inf), visited])


def _joined(segments: list[Gradients], x: Any, scales: Any, *, whole: bool) -> list[Tensor | None]:
    """Gradients of inputs, parameters and initial state, from those of the segments, last segment first."""
    earliest = segments[-1]
    dx = None
    if earliest.dx is not None:
        dx = np.zeros_like(x)
        visited = np.concatenate([segment.dx for segment in reversed(segments)])
        dx[len(x) - len(visited) :] = visited
    totals = [
        sum((getattr(segment, name) for segment in segments[1:]), start=getattr(segments[0], name))
        for name in ("dW", "dU", "db_x", "db_h")
    ]
    dstate = earliest.dstate if whole else tuple(np.zeros_like(part) for part in earliest.dstate)
    if scales is not None:
        dstate = tuple(np.ldexp(part, scales[..., None]) for part in dstate)
    return [None if array is None else torch.from_numpy(array) for array in (dx, *totals, *dstate)]
