"""A traced step beside the cell's own, on numbers: what a trace cannot see is found where it changes a result.

Stand-ins write down operations. They do not see that a gradient was stopped in another way than by `detach`, that a
number was drawn, that a tensor was changed in place under another name, or that Python took another way. Whatever of
that matters gives other numbers than the step itself, or other gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from harness.recurrence.compiler.graph import Node, ordered
from harness.recurrence.compiler.trace import TracedStep

if TYPE_CHECKING:
    from harness.cells.cell import Cell

SCALES = (0.0, 1.0, 30.0)  # of what goes into a step: at zero are kinks, and at thirty what saturates is saturated
REPLICAS, SEQUENCES = 2, 3
RELATIVE, ABSOLUTE = 1e-9, 1e-12

OPERATIONS: Mapping[str, Callable[..., Tensor]] = {
    "add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "neg": torch.neg, "tanh": torch.tanh,
    "sigmoid": torch.sigmoid, "exp": torch.exp, "log1p": torch.log1p, "sqrt": torch.sqrt, "relu": torch.relu,
    "abs": torch.abs, "sign": torch.sign, "detach": torch.detach,
}  # fmt: skip


def contradiction(cell: Cell, parameters: Mapping[str, Tensor], step: TracedStep) -> str | None:
    """What of a step's results or gradients differs between the cell and its graph; None if nothing does.

    Args:
        parameters: as the equations use them, of one replica.
        step: traced in float64's form.
    """
    random = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random, dtype=torch.float64)

    H, gates = cell.hidden_size, parameters["U"].shape[1] + cell.given * cell.hidden_size
    used = {
        name: torch.cat([value.detach().double(), normal(REPLICAS - 1, *value.shape[1:])])
        for name, value in parameters.items()
    }
    for scale in SCALES:
        state = [scale * normal(REPLICAS, SEQUENCES, H) for _ in cell.states]
        z = scale * normal(REPLICAS, SEQUENCES, gates)
        weights = [normal(REPLICAS, SEQUENCES, H) for _ in cell.states]
        with torch.no_grad():
            unwatched = cell.step(dict(used), tuple(state), z)
        leaves = {"drive z": z, **{f"state {i}": part for i, part in enumerate(state)}, **used}
        own = _results(lambda p, s, z: cell.step(p, s, z), leaves, state, weights)
        graph = _results(lambda p, s, z: _evaluated(step, p, s, z, H), leaves, state, weights)
        for i, part in enumerate(unwatched):
            own[f"part {i} without gradients"], graph[f"part {i} without gradients"] = part, graph[f"part {i}"]
        for name, value in graph.items():
            if not torch.allclose(own[name], value, rtol=RELATIVE, atol=ABSOLUTE, equal_nan=True):
                return f"{name} of a step is not what its operations give: they are not all that it does"
    return None


def _results(
    step: Callable[[Mapping[str, Tensor], tuple[Tensor, ...], Tensor], tuple[Tensor, ...]],
    leaves: Mapping[str, Tensor],
    state: list[Tensor],
    weights: list[Tensor],
) -> dict[str, Tensor]:
    """The parts of the state after a step, and the gradients of a weighted sum of them."""
    own = {name: value.clone().requires_grad_() for name, value in leaves.items()}
    parts = tuple(own[f"state {i}"] for i in range(len(state)))
    with torch.enable_grad():
        # a step may change in place what it is given
        new = step(dict(own), tuple(part.view_as(part) for part in parts), own["drive z"].view_as(own["drive z"]))
        loss = sum(((part * w).sum() for part, w in zip(new, weights, strict=True)), start=torch.zeros(()))
    given: Sequence[Tensor | None] = [None] * len(own)
    if loss.requires_grad:
        given = torch.autograd.grad(loss, list(own.values()), allow_unused=True)
    results = {f"part {i}": part.detach() for i, part in enumerate(new)}
    for (name, value), gradient in zip(own.items(), given, strict=True):
        results[f"the gradient of {name}"] = torch.zeros_like(value) if gradient is None else gradient
    return results


def _evaluated(
    step: TracedStep, parameters: Mapping[str, Tensor], state: tuple[Tensor, ...], z: Tensor, H: int
) -> tuple[Tensor, ...]:
    values: dict[Node, Tensor] = {}

    def block(tensor: Tensor, k: int) -> Tensor:
        return tensor[..., k * H : (k + 1) * H]

    for node in ordered(step.new):
        match node.op:
            case "const":
                values[node] = torch.tensor(node.args[0], dtype=z.dtype)
            case "state":
                values[node] = state[node.args[0]]
            case "z":
                values[node] = block(z, node.args[0])
            case "given":
                values[node] = block(z, parameters["U"].shape[1] // H + node.args[0])
            case "vector":
                values[node] = block(parameters[node.args[0]], node.args[1]).unsqueeze(1).expand_as(state[0])
            case "product":
                matrix, k, operand = node.args
                values[node] = values[operand] @ parameters[matrix][:, k * H : (k + 1) * H].mT
            case "sum":
                values[node] = values[node.inputs[0]].sum(-1, keepdim=True)
            case "permute":
                values[node] = values[node.inputs[0]][..., list(node.args[1])]
            case _:
                values[node] = OPERATIONS[node.op](*(values[argument] for argument in node.inputs))
    return tuple(values[node].expand_as(state[0]) for node in step.new)
