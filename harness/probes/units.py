"""The gradient of every hidden unit at every step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from torch import Tensor

from harness.cells.cell import State
from harness.models.model import Model
from harness.probes.trajectory import SEQUENCES, OneReplica, each_replica
from harness.recurrence.adjoints import AdjointRecorder
from harness.schema import Profile


def unit_gradients(
    model: Model, parameters: Mapping[str, Tensor], batch: tuple[Tensor, Tensor], state: State | None
) -> list[list[Profile]]:
    """log₁₀ mean_b |B·∂L/∂h_t,i| of each hidden unit i, over the first four sequences of the batch.

    ∂L/∂h_t is the total adjoint as the table of gradients has it, entry by entry instead of its norm: of the loss over
    the whole batch, truncated as training is. B cancels the 1/B of the mean loss. Each entry has an exponent of its own
    on the way back (`harness.recurrence.unit_adjoints`), so that no unit is lost in the range of another's.

    Returns:
        `log10_gradient of h, unit i` by t, i from 0; −∞ is an exact zero in all four sequences. Of layer ℓ above the
        first h is h.ℓ, of a backward direction h.ℓr, whose t counts the direction's own steps.
    """
    return [_rows(model, own) for own in each_replica(parameters, batch, state)]


def _rows(model: Model, own: OneReplica) -> list[Profile]:
    parameters, (inputs, targets), state = own
    recorder = AdjointRecorder(sequences=SEQUENCES)
    trained = {name: p.requires_grad_() for name, p in parameters.items()}
    outputs, _ = replace(model, engine="torch").outputs(trained, inputs, targets, state, recorder)
    model.losses(outputs, targets).sum().backward()  # type: ignore[no-untyped-call]
    profiles = []
    for direction in model.stack.directions:
        written = recorder.layer(direction.layer, backward=direction.backward).log10_units
        assert written is not None
        units = written[:, 0]  # (T, H)
        t = np.arange(1.0, len(units) + 1)
        name = f"log10_gradient of h{direction.suffix}"
        profiles += [Profile(f"{name}, unit {i}", "t", t, units[:, i]) for i in range(units.shape[1])]
    return profiles
