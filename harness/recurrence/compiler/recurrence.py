"""`scan_layers` by compiled code: the same arguments, the same results; differentiable once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import torch
from torch import Tensor

from harness.cells.cell import Cell, State
from harness.errors.guarding import Missing, attempt
from harness.recurrence.adjoints import AdjointRecorder
from harness.recurrence.compiler.kernel import CompiledCell
from harness.recurrence.compiler.layout import Shapes
from harness.recurrence.compiler.native import host
from harness.recurrence.compiler.program import derive
from harness.recurrence.compiler.stack import Call, CompiledStack
from harness.recurrence.compiler.trace import Untraceable, trace
from harness.recurrence.compiler.verification import contradiction
from harness.recurrence.drive import check_tokens
from harness.recurrence.layers import Stack, parameters_of


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
    own = {name: torch.as_tensor(start[name], dtype=torch.float32)[None] for name in names}
    return cell.parametrize(own | {name: torch.ones(1, *shape) for name, shape in cell.gains().items()})


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
    if any(program.lag[cell.states.index(name)] for name in cell.cell_state):
        return "a cell state c that is an earlier h"
    return contradiction(cell, used, step)


def run(
    stack: Stack,
    parameters: Mapping[str, Tensor],
    inputs: Tensor,
    state: State,
    *,
    window: int,
    every_step: bool,
    recorder: AdjointRecorder | None,
    masks: Sequence[Tensor | None],
) -> tuple[Tensor, State]:
    """`scan_layers`' arguments, results and gradients."""
    tensors = [parameters[name] for name in stack.all_between_names]
    used = [parameters_of(direction, parameters) for direction in stack.directions]
    if inputs.dim() == 3:
        check_tokens(inputs, used[0]["U"].shape[2])
    owners: list[tuple[CompiledCell, list[str]]] = []
    for i, (direction, own) in enumerate(zip(stack.directions, used, strict=True)):
        tokens = inputs.dim() == 3 and i < len(stack.layers[0])
        double = own["U"].dtype == torch.float64
        kernel = compiled(direction.cell, own["U"].shape[2], inputs.shape[2], tokens, double)
        owners.append((kernel, kernel.names))
        tensors += [own[name] for name in kernel.names]
    keep = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (inputs, *tensors, *state))
    call = Call(stack, owners, window, every_step, recorder, masks, keep)
    output, *final = CompiledStack.apply(call, inputs, *state, *tensors)  # type: ignore[no-untyped-call]
    return output, tuple(final)
