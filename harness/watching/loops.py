"""The gradients of a loop of cells, with powers of two: backwards through its calls, one at a time.

    â_t = Jᵀ_{t+1} â_{t+1} + i_t,    i_t = G_t − Jᵀ_{t+1} G_{t+1}

G_t is the total gradient as the training computes it, â_t the same in float64 with an exponent of its own. i_t, what
does not come through the next step, is a difference: where it is within the rounding of the training's own numbers it
counts as none, so that far from the loss â_t = Jᵀ â_{t+1} keeps its digits when G_t no longer has any. An immediate
gradient below the rounding of the total cannot be told from none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from harness.cells import CELLS
from harness.cells.cell import Cell
from harness.recurrence.adjoints import log10_mean_norm
from harness.recurrence.scaled import Scaled, rescaled
from harness.watching.cells import CellCall, in_training_arithmetic
from harness.watching.levels import Level, Levels, arrays

ROUNDINGS = 8  # units in the last place that a difference of two equal gradients may leave
SUBNORMAL = 64  # smallest numbers, times the width: what is left of a product whose terms underflow
DOUBLE = torch.float64


@dataclass
class StepBack:
    """What is known of one call: the gradients of its outputs side by side, with exponents; and the training's own.

    Attributes:
        total: â of (h, c), with h_t held fixed in that of c_t.
        through: of the total of c_t, through h_t as well; None of a cell without c.
        immediate: of each output, log₁₀ mean_b ‖B·i_t‖; NaN where it is not known.
        before: Jᵀ G, the gradients of the state before, in the training's own arithmetic.
        vanished: whether the training's own gradients are all zero where â is not.
    """

    total: Scaled
    through: Level | None
    immediate: list[float]
    before: list[Tensor]
    vanished: bool


def levels_of_loops(calls: Sequence[CellCall]) -> tuple[list[Levels], list[CellCall]]:
    """Levels of all sequences of calls that a gradient has come to, and the calls in which the training's own vanished.

    Args:
        calls: of one module during one record, in their order.
    """
    alive = {call.sequence for call in calls if any(gradient is not None for gradient in call.gradients)}
    chosen = [call for call in calls if call.sequence in alive]
    back: dict[CellCall, StepBack] = {}
    for call in reversed(chosen):
        back[call] = _step_back(call, back)
    levels = []
    for number, sequence in enumerate(sorted(alive), start=1):
        own = sorted((call for call in chosen if call.sequence == sequence), key=lambda call: call.t)
        place = (own[0].name, number, own[0].update, 1, "forward")
        steps = [back[call] for call in own]
        for part, state in enumerate(("h", "c")[: len(own[0].outputs)]):
            immediate = np.array([step.immediate[part] for step in steps])
            total, over_batch = arrays(_totals(own, steps, part))
            levels.append(Levels(*place, state, total, immediate, over_batch))
    return levels, [call for call in chosen if back[call].vanished]


def _totals(calls: Sequence[CellCall], steps: Sequence[StepBack], part: int) -> list[Level | None]:
    if part:
        return [step.through for step in steps]
    widths = [call.outputs[0].shape[-1] for call in calls]
    return [Level.of(step.total.values[:, :H], step.total.exponents) for step, H in zip(steps, widths, strict=True)]


def _step_back(call: CellCall, back: dict[CellCall, StepBack]) -> StepBack:
    """A call's gradients from those of the calls that go on from it."""
    own = [
        torch.zeros_like(output) if gradient is None else gradient
        for output, gradient in zip(call.outputs, call.gradients, strict=True)
    ]
    B, widths = len(own[0]), [output.shape[-1] for output in call.outputs]
    carried = Scaled(torch.zeros(B, sum(widths), dtype=DOUBLE), torch.zeros(B))
    known: list[list[Tensor]] = [[] for _ in own]
    unknown = [False] * len(own)
    for reader in {id(reader): reader for reader, _, _ in call.readers if reader in back}.values():
        parts = {part: kind for other, part, kind in call.readers if other is reader}
        same = [part for part, kind in parts.items() if kind == "same"]
        for part, kind in parts.items():
            unknown[part] |= kind == "through"
        if same:
            values, exponents = _jacobian_back(reader, back[reader].total)
            keep = [value if part in same else torch.zeros_like(value) for part, value in enumerate(values)]
            carried = carried + Scaled(torch.cat(keep, -1), exponents)
            for part in same:
                known[part].append(back[reader].before[part].to("cpu", DOUBLE))
    before, share = in_training_arithmetic(call, own)
    if share is not None:
        known[1].append(share.to("cpu", DOUBLE))
    immediate = [
        _immediate(gradient.to("cpu", DOUBLE), shares, gradient.dtype)
        for gradient, shares in zip(own, known, strict=True)
    ]
    total = carried + Scaled(torch.cat(immediate, -1), torch.zeros(B))
    levels = [float("nan") if unknown[part] else float(log10_mean_norm(value)) for part, value in enumerate(immediate)]
    vanished = bool(total.values.any()) and not any(bool(gradient.any()) for gradient in own)
    through = _cell_state(call, total) if len(own) > 1 else None
    return StepBack(total, through, levels, before, vanished)


def _immediate(total: Tensor, known: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
    """What of G_t is not accounted for, of each sequence; zero where it is no more than rounding."""
    info = torch.finfo(dtype)
    difference = total - sum(known, torch.zeros_like(total))
    sizes = torch.stack([torch.linalg.vector_norm(each, dim=-1) for each in (total, *known)])
    rounding = ROUNDINGS * info.eps * sizes.sum(0)
    smallest = SUBNORMAL * total.shape[-1] * info.tiny * info.eps
    alone = torch.linalg.vector_norm(difference, dim=-1)
    return torch.where((alone <= rounding + smallest).unsqueeze(-1) & bool(known), 0.0, difference)


@lru_cache(maxsize=256)
def _cell(kind: Any, H: int) -> Cell:
    name = {nn.LSTMCell: "lstm", nn.GRUCell: "gru"}.get(kind, "rnn")
    settings = {"cell": name, "hidden_size": H, "biases": 2}
    return CELLS[name].model_validate(settings | ({"nonlinearity": kind} if name == "rnn" else {}), strict=False)


def _harness_cell(call: CellCall) -> tuple[Cell, dict[str, Tensor], Tensor, tuple[Tensor, ...]]:
    """The cell with the module's equations, its parameters, U x_t + b_x and the state before; one replica, float64."""
    cell = _cell(call.kind, call.outputs[0].shape[-1])
    weights = {key: value.to("cpu", DOUBLE).unsqueeze(0) for key, value in call.weights.items()}
    z = call.input.to("cpu", DOUBLE).unsqueeze(0) @ weights["weight_ih"].mT
    parameters = {"W": weights["weight_hh"]}
    if "bias_ih" in weights:
        z = z + weights["bias_ih"].unsqueeze(1)
        parameters["b_h"] = weights["bias_hh"]
    zeros = [torch.zeros_like(output) for output in call.outputs]
    state = tuple(part.to("cpu", DOUBLE).unsqueeze(0) for part in (call.initial or zeros))
    return cell, parameters, z, state


def _jacobian_back(call: CellCall, total: Scaled) -> tuple[list[Tensor], Tensor]:
    """Jᵀ â of a call: the gradients of the state before it, rescaled."""
    cell, parameters, z, state = _harness_cell(call)
    leaves = [part.requires_grad_() for part in state]
    with torch.enable_grad():
        following = cell.step(parameters, tuple(leaves), z)
    parts = torch.split(total.values.unsqueeze(0), [part.shape[-1] for part in following], dim=-1)
    gradients = torch.autograd.grad(following, leaves, parts)
    return rescaled([gradient[0] for gradient in gradients], total.exponents)


def _cell_state(call: CellCall, total: Scaled) -> Level:
    """The total gradient of c_t, which acts through h_t too."""
    cell, parameters, z, state = _harness_cell(call)
    with torch.enable_grad():
        h, c = cell.step(parameters, tuple(part.requires_grad_() for part in state), z)
    of_h, of_c = torch.split(total.values.unsqueeze(0), [h.shape[-1], c.shape[-1]], dim=-1)
    [through] = torch.autograd.grad(h, c, of_h)
    return Level.of((of_c + through)[0], total.exponents)
