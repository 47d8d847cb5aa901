"""Adjoint norms of a recorded batch, as rows of the table of gradients."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from harness.models.model import Model
from harness.records import Array
from harness.tape import Tape


def gradient_rows(
    model: Model, parameters: Mapping[str, Tensor], batch: tuple[Tensor, Tensor], tape: Tape, precision: str
) -> list[dict[str, Array | None]]:
    """One row a replica: log10_adjoint, log10_immediate and log10_adjoint_cell, each of length T.

    Args:
        tape: filled by the backward pass of the network as trained.
        precision: "as_trained" takes the tape as it is; "float64" repeats the batch in float64 and takes that one.
    """
    if precision == "float64":
        tape = Tape()
        inputs, targets = (part.cpu() for part in batch)  # not every device has float64
        exact = {name: p.detach().cpu().double().requires_grad_() for name, p in parameters.items()}
        rows = inputs.double() if inputs.is_floating_point() else inputs
        model.losses(model.outputs(exact, rows, tape), targets).sum().backward()  # type: ignore[no-untyped-call]
    assert tape.log10_adjoint is not None  # a backward pass has filled it
    assert tape.log10_immediate is not None
    cell = tape.log10_adjoint_cell
    return [
        {
            "log10_adjoint": tape.log10_adjoint[:, r],
            "log10_immediate": tape.log10_immediate[:, r],
            "log10_adjoint_cell": None if cell is None else cell[:, r],
        }
        for r in range(tape.log10_adjoint.shape[1])
    ]
