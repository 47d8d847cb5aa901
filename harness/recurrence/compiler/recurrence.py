"""`scan` by compiled code: the same arguments, the same results; differentiable once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from harness.cells.cell import Cell, State
from harness.errors.guarding import Missing, attempt
from harness.recurrence.adjoints import AdjointRecorder
from harness.recurrence.compiler.backward_arrays import BackwardArrays
from harness.recurrence.compiler.forward_arrays import CompiledCall, ForwardArrays
from harness.recurrence.compiler.kernel import CompiledCell
from harness.recurrence.compiler.layout import Shapes
from harness.recurrence.compiler.memory import Array
from harness.recurrence.compiler.native import host
from harness.recurrence.compiler.program import derive
from harness.recurrence.compiler.trace import Untraceable, trace
from harness.recurrence.compiler.verification import contradiction


@lru_cache(maxsize=256)
def compiled(cell: Cell, D: int, B: int, tokens: bool, double: bool) -> CompiledCell:
    """The kernel of a cell for given shapes; raises `Untraceable`."""
    H, used = cell.hidden_size, _example(cell, D)
    shapes = Shapes.best(H, D, B, tokens=tokens, double=double, registers=host().registers)
    return CompiledCell(
        derive(trace(cell, used, exact=double)), shapes, {n: tuple(v.shape[1:]) for n, v in used.items()}
    )


def _example(cell: Cell, D: int) -> Mapping[str, Tensor]:
    """Parameters as the equations use them, of one replica."""
    start = cell.start(0, input_size=D, output_size=1, length=100)
    names = cell.shapes(cell.hidden_size, D)
    return cell.parametrize({name: torch.as_tensor(start[name], dtype=torch.float32)[None] for name in names})


@lru_cache(maxsize=256)
def untraceable(cell: Cell, D: int = 2) -> str | None:
    """Why a cell cannot be compiled on rows of D numbers; None if it can.

    Whatever its equations raise is a reason: where the torch loop can compute them it does, and where it cannot, the
    run fails with the place.
    """
    checked = attempt(lambda: _obstacle(cell, D))
    return checked.reason if isinstance(checked, Missing) else checked.value


def _obstacle(cell: Cell, D: int) -> str | None:
    used = _example(cell, D)
    try:
        for exact in (False, True):
            step = trace(cell, used, exact=exact)
            program = derive(step)
    except Untraceable as obstacle:
        return str(obstacle)
    if "c" in cell.states and program.lag[cell.states.index("c")]:
        return "a cell state c that is an earlier h"
    return contradiction(cell, used, step)


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
    cell_state = kernel.program.base[cell.states.index("c")] if "c" in cell.states else None
    tensors = [parameters[name] for name in kernel.names]
    keep = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (inputs, *tensors, *state))
    call = CompiledCall(kernel, kernel.names, window, every_step, recorder, cell_state, keep)
    output, *final = _CompiledRecurrence.apply(call, inputs, *state, *tensors)  # type: ignore[no-untyped-call]
    return output, tuple(final) if every_step else (output, *final)


class _CompiledRecurrence(torch.autograd.Function):
    """(inputs, state, parameters) → (h_T, other parts), or with every_step (h_1 … h_T, all parts)."""

    @staticmethod
    def forward(ctx: Any, call: CompiledCall, inputs: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        parts = len(call.kernel.program.base)
        state = [tensor.detach().numpy() for tensor in tensors[:parts]]
        flat = call.kernel.flat(dict(zip(call.names, tensors[parts:], strict=True)))
        forward = ForwardArrays(call, inputs, state, flat)
        starts: list[list[Array]] = []
        seen: list[Tensor] = []
        arrays: tuple[list[Array], list[Array]] | None = None
        cut = forward.T - call.window
        for start in range(0, forward.T, forward.segment):
            stop = min(start + forward.segment, forward.T)
            states = forward.states(stop - start)
            forward.fill(states, state)
            starts.append(state)
            saved = forward.saved(stop - start) if call.keep and stop > cut else None
            forward.run(states, saved, start, stop)
            arrays = (states, saved) if saved is not None else None
            state = forward.end(states, stop - start)
            if call.every_step:
                shapes = call.kernel.shapes
                seen.append(torch.from_numpy(shapes.view(states[0][:, forward.depth + 1 :], shapes.H)).transpose(0, 1))
        if call.keep:
            ctx.call, ctx.sequence, ctx.starts, ctx.arrays = call, forward, starts, arrays
            ctx.set_materialize_grads(False)
        output = [seen[0] if len(seen) == 1 else torch.cat(seen)] if call.every_step else []
        if call.keep:
            ctx.save_for_backward(*output)  # the way back reads the same memory: torch notices a change in place
        return *output, *(torch.from_numpy(part) for part in state)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        call: CompiledCall = ctx.call
        _ = ctx.saved_tensors
        every, final = (gradients[0], list(gradients[1:])) if call.every_step else (None, list(gradients))
        back = BackwardArrays(ctx.sequence, every, final, inputs=ctx.needs_input_grad[1])
        before = ctx.sequence.T - call.window
        for start in reversed(range(0, ctx.sequence.T, ctx.sequence.segment)):
            stop = min(start + ctx.sequence.segment, ctx.sequence.T)
            if stop <= before:
                break
            arrays, ctx.arrays = ctx.arrays, None
            if arrays is None:
                arrays = ctx.sequence.states(stop - start), ctx.sequence.saved(stop - start)
                ctx.sequence.fill(arrays[0], ctx.starts[start // ctx.sequence.segment])
                ctx.sequence.run(*arrays, start, stop)
            back.segment(*arrays, start=start, first=max(before, start), stop=stop)
            del arrays  # their memory serves the next segment
        if call.recorder is not None:
            back.record(call.recorder, every if every is not None else final[0])
        parameters = back.parameters()
        state: list[Array | None] = [None] * len(ctx.sequence.initial)
        if any(ctx.needs_input_grad[2 : 2 + len(state)]):
            state = [*back.initial()] if before <= 0 else [np.zeros_like(part) for part in ctx.sequence.initial]
        grads = [*state, *(parameters[name] for name in call.names)]
        return None, back.inputs(), *(None if array is None else torch.from_numpy(array) for array in grads)
