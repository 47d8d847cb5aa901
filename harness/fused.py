"""The fused kernels as one autograd Function: the numba side of `scan`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from harness.cells.cell import Cell, State
from harness.kernels import KERNELS, Kernel
from harness.tape import Tape, immediate_norms


def has_kernel(cell: Cell) -> bool:
    """Whether a fused kernel computes this cell; others take the torch path."""
    return cell.cell in KERNELS


@dataclass(frozen=True)
class Call:
    """What a call needs besides tensors."""

    kernel: Kernel
    activation: str
    window: int
    every_step: bool
    tape: Tape | None


def fused(
    cell: Cell,
    parameters: Mapping[str, Tensor],
    inputs: Tensor,
    state: State,
    *,
    window: int,
    every_step: bool,
    tape: Tape | None,
) -> tuple[Tensor, State]:
    """`scan` by a fused kernel: same arguments, same results; differentiable once."""
    call = Call(KERNELS[cell.cell], getattr(cell, "nonlinearity", "tanh"), window, every_step, tape)
    b_x = parameters["b_x"]
    b_h = parameters["b_h"] if "b_h" in parameters else torch.zeros_like(b_x)
    weights = (parameters["W"], parameters["U"], b_x, b_h)
    output, *final = _Recurrence.apply(call, inputs, *weights, *state)  # type: ignore[no-untyped-call]
    return output, tuple(final) if every_step else (output, *final)


class _Recurrence(torch.autograd.Function):
    """(inputs, parameters, state) → (h_T, c_T …), or with every_step (h_1 … h_T, h_T, c_T …)."""

    @staticmethod
    def forward(ctx: Any, call: Call, x: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        W, U, b_x, b_h, *state = (tensor.detach().numpy() for tensor in tensors)
        states, saved = call.kernel.forward(
            x.detach().numpy(), tuple(state), (W, U, b_x, b_h), activation=call.activation
        )
        ctx.call, ctx.saved, ctx.needs_x = call, saved, x.requires_grad
        ctx.set_materialize_grads(False)
        last = [torch.from_numpy(np.ascontiguousarray(part[:, -1])) for part in states]
        if call.every_step:
            return torch.from_numpy(states[0])[:, 1:].transpose(0, 1), *last
        return tuple(last)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        call: Call = ctx.call
        every, final = (gradients[0], gradients[1:]) if call.every_step else (None, gradients)
        found = call.kernel.backward(
            ctx.saved,
            last=tuple(None if g is None else g.numpy() for g in final),
            every=None if every is None else every.numpy(),
            window=call.window,
            record=call.tape is not None,
            need_dx=ctx.needs_x,
        )
        if call.tape is not None:
            call.tape.log10_adjoint, call.tape.log10_adjoint_cell = found.log10_adjoint, found.log10_adjoint_cell
            seen = every if every is not None else final[0]
            if seen is not None:
                call.tape.log10_immediate = immediate_norms(seen, ctx.saved.sizes[0], call.window)
        arrays = (found.dx, found.dW, found.dU, found.db_x, found.db_h, *found.dstate)
        return None, *(None if array is None else torch.from_numpy(array) for array in arrays)
