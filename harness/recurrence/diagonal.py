"""Elementwise recurrences as one autograd Function: the numba side of `scan` for cells without a matrix product."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from harness.cells.cell import State
from harness.cells.elementwise import Elementwise
from harness.recurrence.adjoints import AdjointRecorder, immediate_norms
from harness.recurrence.kernels import diagonal


@dataclass(frozen=True)
class DiagonalCall:
    """What a call needs besides tensors; T steps."""

    activation: str
    window: int
    every_step: bool
    recorder: AdjointRecorder | None
    T: int


def elementwise(
    cell: Elementwise,
    parameters: Mapping[str, Tensor],
    z: Tensor,
    state: State,
    *,
    window: int,
    every_step: bool,
    recorder: AdjointRecorder | None,
) -> tuple[Tensor, State]:
    """`scan` of what the input drives, z (T, R, B, G·H): h_T or h_1 … h_T, and the last state; differentiable once."""
    recurrence = cell.diagonal(parameters, z)
    T, R, _, H = recurrence.drive.shape
    turn = recurrence.drive.new_empty(R, 0) if recurrence.turn is None else recurrence.turn
    decay = _rows(recurrence.decay) if recurrence.decay.dim() == 4 else recurrence.decay.view(R, 1, H)
    call = DiagonalCall(recurrence.activation, window, every_step, recorder, T)
    output, last = _Diagonal.apply(call, decay, turn, _rows(recurrence.drive), state[0])  # type: ignore[no-untyped-call]
    return (output if every_step else last), (last,)


def _rows(tensor: Tensor) -> Tensor:
    """(T, R, B, H) → (R, T·B, H)."""
    T, R, B, H = tensor.shape
    return tensor.transpose(0, 1).reshape(R, T * B, H)


class _Diagonal(torch.autograd.Function):
    """(decay, turn, drive, h_0) → (h_1 … h_T, empty unless asked for, and h_T)."""

    @staticmethod
    def forward(ctx: Any, call: DiagonalCall, *tensors: Tensor) -> tuple[Tensor, Tensor]:
        decay, turn, drive, initial = (tensor.detach().numpy() for tensor in tensors)
        saved = diagonal.run(decay, turn, drive, initial, call.activation)
        R, B, H = initial.shape
        states = torch.from_numpy(saved.states).view(R, call.T + 1, B, H)
        ctx.call, ctx.saved = call, saved
        ctx.set_materialize_grads(False)
        every = states[:, 1:].transpose(0, 1) if call.every_step else states.new_empty(0)
        return every, states[:, -1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, every: Tensor | None, last: Tensor | None) -> tuple[Tensor | None, ...]:
        call: DiagonalCall = ctx.call
        every = every if call.every_step else None
        gradients, levels = diagonal.run_back(
            ctx.saved,
            last=None if last is None else last.numpy(),
            every=None if every is None else every.numpy(),
            window=call.window,
            record=call.recorder is not None,
        )
        seen = every if every is not None else last
        if call.recorder is not None:
            call.recorder.log10_adjoint = levels
            if seen is not None:
                call.recorder.log10_immediate = immediate_norms(seen, call.T, call.window)
        return None, *(torch.from_numpy(array) for array in gradients)
