"""Adjoint norms of a recorded batch, as rows of the table of gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from harness.cells.cell import State
from harness.models.model import Model
from harness.recurrence.adjoints import AdjointRecorder


def adjoint_rows(
    model: Model,
    parameters: Mapping[str, Tensor],
    batch: tuple[Tensor, Tensor],
    state: State | None,
    recorder: AdjointRecorder,
    precision: str,
    masks: Sequence[Tensor | None] = (),
) -> list[list[dict[str, Any]]]:
    """For each replica a row a layer and direction: log10_adjoint, log10_immediate and log10_adjoint_cell, of length T.

    Args:
        state: before the first step, where it was carried.
        recorder: filled by the backward pass of the network as trained.
        masks: of dropout, as in the backward pass.
        precision: "as_trained" takes the recorder as it is; "float64" repeats the batch in float64 and takes that one.
    """
    if precision == "float64":
        recorder = type(recorder)()
        inputs, targets = (part.cpu() for part in batch)  # not every device has float64
        exact = {name: p.detach().cpu().double().requires_grad_() for name, p in parameters.items()}
        before = None if state is None else tuple(part.cpu().double() for part in state)
        dropped = [None if mask is None else mask.cpu().double() for mask in masks]
        outputs, _ = model.outputs(exact, inputs, targets, before, recorder, dropped)
        model.losses(outputs, targets).sum().backward()  # type: ignore[no-untyped-call]
    return recorder.rows()
