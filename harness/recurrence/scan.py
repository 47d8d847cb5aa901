"""Recurrences over time: one function, two engines behind it.

The torch engine runs the cell's own `step`, any cell on any device, and can be differentiated twice. The compiled
engine makes machine code for the whole sequence from the cell's equations (docs/engine.md). Both fill an
`AdjointRecorder` during the backward pass when given one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from harness.cells.cell import Cell, State
from harness.recurrence import stepwise
from harness.recurrence.adjoints import AdjointRecorder
from harness.recurrence.given import check_lengths, steps_present, with_given
from harness.recurrence.layers import Stack

Parameters = Mapping[str, Tensor]


def scan(
    cell: Cell,
    parameters: Parameters,
    inputs: Tensor,
    state: State,
    *,
    window: int | None = None,
    every_step: bool = False,
    engine: str = "torch",
    recorder: AdjointRecorder | None = None,
) -> tuple[Tensor, State]:
    """Run a cell over a sequence.

    Args:
        parameters: the cell's, stacked over replicas (see `Cell`).
        inputs: tokens (T, R, B), 0 … D − 1, −1 for a row of zeros; or real rows (T, R, B, D).
        state: the state before the first step, each part (R, B, H).
        window: K; h_{T−K} and all before it are constants for the backward pass. None, or K ≥ T: full BPTT.
        every_step: return h_1 … h_T instead of h_T alone.
        engine: "torch" or "compiled"; a cell that cannot be compiled takes the first.
        recorder: filled during the backward pass.

    Returns:
        h_T (R, B, H), or with `every_step` h_1 … h_T as (T, R, B, H); and the state after the last step.

    Raises:
        ValueError: a token is outside the alphabet.
    """
    return scan_layers(
        Stack.of(cell), parameters, inputs, state,
        window=window, every_step=every_step, engine=engine, recorder=recorder,
    )  # fmt: skip


def scan_layers(
    stack: Stack,
    parameters: Parameters,
    inputs: Tensor,
    state: State,
    *,
    window: int | None = None,
    every_step: bool = False,
    engine: str = "torch",
    recorder: AdjointRecorder | None = None,
    masks: Sequence[Tensor | None] = (),
    lengths: Tensor | None = None,
) -> tuple[Tensor, State]:
    """Run layers of cells over a sequence; what is not said here is as in `scan`.

    Args:
        parameters: of all directions, each name with its direction's suffix, and those between the layers.
        state: the state before the first step, as `Stack.split` takes it apart.
        masks: of dropout after each layer but the last, (T, R, B, H), with entries 0 and 1/(1 − p); None: no dropout.
            Then those of zoneout, if there is any: of each direction in its own order of time, (T, R, B, H for each
            part of the state), 1 where a unit keeps its value; or of h-detach, (T, R, B, H), 1 where no gradient passes
            through h_{t−1}.
        lengths: (R, B), 1 … T, of sequences that all end at step T: `state` is that before a sequence's own first
            step, and what is returned for earlier steps means nothing. None: all have T steps. Where the gradient of
            such a state is needed, the torch engine computes it.

    Returns:
        the last layer's output at every step (T, R, B, H), or without `every_step` at its last (R, B, H), which of a
        backward direction is the first step of the sequence; and the state after the last step.

    Raises:
        ValueError: a length is not in 1 … T.
    """
    inputs = inputs.to(parameters["U"].dtype) if inputs.is_floating_point() else inputs.long()
    K = min(window or len(inputs), len(inputs))
    own, masks = masks[len(stack.layers) - 1 :], masks[: len(stack.layers) - 1]
    masks = [*masks, *[None] * (len(stack.layers) - len(masks))]
    starts: State = ()
    if lengths is not None:
        check_lengths(lengths, len(inputs))
        if recorder is not None:
            recorder.present = steps_present(lengths, len(inputs))
        if any(part.requires_grad or bool(part.any()) for part in state):
            starts, state = state, tuple(torch.zeros_like(part) for part in state)
            if any(part.requires_grad for part in starts):
                engine = "torch"  # compiled code has no gradient of what is given beside the input
    if lengths is not None or own:
        stack = with_given(stack, len(inputs), lengths, own, starts)
    run = stepwise.run
    if engine == "compiled":
        from harness.recurrence.compiler import recurrence

        rows = {direction: parameters[f"U{direction.suffix}"].shape[2] for direction in stack.directions}
        if all(recurrence.untraceable(direction.cell, D) is None for direction, D in rows.items()):
            run = recurrence.run
    output, last = run(
        stack, parameters, inputs, state, window=K, every_step=every_step, recorder=recorder, masks=masks
    )
    # one tensor, so that whoever keeps the gradient of the last state has that of the output
    return output, (output, *last[1:]) if len(stack.directions) == 1 and not every_step else last
