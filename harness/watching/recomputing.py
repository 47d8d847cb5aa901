"""A call's steps computed again by the harness's own recurrence, with the gradients that came to its outputs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.cells import CELLS
from harness.cells.cell import Cell
from harness.recurrence.adjoints import AdjointRecorder, log10_mean_norm
from harness.recurrence.layers import Stack
from harness.recurrence.scan import scan_layers
from harness.schema import BATCH_STATISTICS
from harness.watching.call_layout import CallLayout
from harness.watching.calls import ModuleCall
from harness.watching.dropout import masks
from harness.watching.levels import Levels
from harness.watching.projected import ProjectedLSTM

MODES: dict[str, dict[str, str]] = {
    "RNN_TANH": {"cell": "rnn", "nonlinearity": "tanh"},
    "RNN_RELU": {"cell": "rnn", "nonlinearity": "relu"},
    "LSTM": {"cell": "lstm"},
    "GRU": {"cell": "gru"},
}
WEIGHTS = {"W": "weight_hh", "U": "weight_ih", "b_x": "bias_ih", "b_h": "bias_hh", "W_hr": "weight_hr"}


@dataclass(frozen=True)
class Recomputed:
    """Levels of all states of a call, and the largest deviation of its outputs from the module's own, relative to
    1 + the largest of them.
    """

    levels: list[Levels]
    deviation: float


def recomputed(call: ModuleCall, number: int) -> Recomputed:
    """The call with its gradients, forward and back.

    Args:
        call: of which at least one output has a gradient.
        number: of the call among those of its module, from 1.
    """
    dtype = arithmetic(call)
    layout = CallLayout.of(call)
    stack = Stack.of(cell_of(call))
    x = layout.steps(call.input, dtype)
    T, B = x.shape[0], x.shape[2]
    own = parameters(call, stack, dtype)
    own["b_x"].requires_grad_()  # something must need a gradient, for there to be a way back
    recorder = AdjointRecorder()
    with torch.enable_grad():
        y, last = scan_layers(
            stack, own, x, tuple(initial_state(call, layout, stack, B, dtype)),
            every_step=True, engine="torch" if call.shape["proj_size"] else "compiled",
            recorder=recorder, masks=masks(call, layout, dtype), lengths=layout.lengths,
        )  # fmt: skip
    top = call.gradients.get("output")
    gradients = [
        torch.zeros_like(y) if top is None else layout.steps(top, dtype),
        *final_gradients(call, layout, stack, dtype),
    ]
    pairs = [(tensor, gradient) for tensor, gradient in zip((y, *last), gradients, strict=True) if gradient is not None]
    torch.autograd.grad([tensor for tensor, _ in pairs], own["b_x"], [gradient for _, gradient in pairs])
    return Recomputed(levels_of(call, number, recorder, gradients[1:], stack, T), deviation(call, layout, y.detach()))


def arithmetic(call: ModuleCall) -> torch.dtype:
    """float64 of a float64 module, float32 of all others."""
    return torch.float64 if call.output.dtype == torch.float64 else torch.float32


def cell_of(call: ModuleCall) -> Cell:
    """The harness's cell with the module's equations."""
    shape = call.shape
    keys = ("hidden_size", "num_layers", "bidirectional", "bias", "proj_size")
    return _cell(call.mode, *(shape[key] for key in keys))


@lru_cache(maxsize=256)
def _cell(mode: str, H: int, layers: int, bidirectional: bool, bias: bool, projected: int) -> Cell:
    settings: dict[str, Any] = {**MODES[mode], "hidden_size": H, "layers": layers, "bidirectional": bidirectional}
    settings["biases"] = 2 if bias else 1
    if projected:
        return ProjectedLSTM.model_validate({**settings, "hidden_size": projected, "memory_size": H}, strict=False)
    return CELLS[MODES[mode]["cell"]].model_validate(settings, strict=False)


def parameters(call: ModuleCall, stack: Stack, dtype: torch.dtype) -> dict[str, Tensor]:
    """The weights under the harness's names, (1, …): one replica; a module without biases has one of zeros."""
    own: dict[str, Tensor] = {}
    for direction in stack.directions:
        end = f"l{direction.layer - 1}{'_reverse' * direction.backward}"
        for ours, theirs in WEIGHTS.items():
            if f"{theirs}_{end}" in call.weights:
                own[ours + direction.suffix] = call.weights[f"{theirs}_{end}"].to("cpu", dtype).unsqueeze(0)
        if not call.shape["bias"]:
            W = own["W" + direction.suffix]
            own["b_x" + direction.suffix] = W.new_zeros(W.shape[:2])
    return own


def initial_state(call: ModuleCall, layout: CallLayout, stack: Stack, B: int, dtype: torch.dtype) -> list[Tensor]:
    """The state before the first step: of each direction its parts, each (1, B, H)."""
    given = [layout.states(part, dtype) for part in call.initial]
    state = []
    for i, direction in enumerate(stack.directions):
        for part, width in enumerate(direction.cell.widths):
            zeros = torch.zeros(1, B, width, dtype=dtype)
            state.append(given[part][i : i + 1].clone() if given else zeros)
    return state


def final_gradients(call: ModuleCall, layout: CallLayout, stack: Stack, dtype: torch.dtype) -> list[Tensor | None]:
    """The gradients of the state after the last step, in the order of `initial_state`."""
    by_part = {name: layout.states(g, dtype) for name, g in call.gradients.items() if name != "output"}
    return [
        by_part[name][i : i + 1].clone() if name in by_part else None
        for i, direction in enumerate(stack.directions)
        for name in direction.cell.states
    ]


def levels_of(
    call: ModuleCall, number: int, recorder: AdjointRecorder, final: list[Tensor | None], stack: Stack, T: int
) -> list[Levels]:
    """What the recorder holds, by layer, direction and state."""
    [written] = recorder.rows()
    levels = []
    ends = iter(final)
    for direction, row in zip(stack.directions, written, strict=True):
        place = (call.module, number, call.update, direction.layer, row["direction"])
        for state in direction.cell.states:
            gradient = next(ends)
            column = "log10_adjoint" if state == "h" else "log10_adjoint_cell"
            over_batch = {name: row[f"{column}_{name}"] for name in BATCH_STATISTICS}
            if state == "h":
                levels.append(Levels(*place, state, row[column], row["log10_immediate"], over_batch))
            else:  # with h_t held fixed, the loss sees c_t directly at the last step alone
                immediate = np.full(T, -np.inf)
                if gradient is not None:
                    immediate[-1] = log10_mean_norm(gradient)[0]
                levels.append(Levels(*place, state, row[column], immediate, over_batch))
    return levels


def deviation(call: ModuleCall, layout: CallLayout, y: Tensor) -> float:
    """How far the outputs are from the module's own; NaN where those have been changed in place."""
    if call.output_changed:
        return float("nan")
    own = layout.steps(call.output, y.dtype)
    difference = layout.present(own - y).abs_().max()
    return float(difference / (1 + own.abs().max()))
