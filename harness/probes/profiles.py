"""The probes that a study asks for, called where adjoints are recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from harness.cells.cell import State
from harness.models.model import Model
from harness.probes import probe_named
from harness.schema import Profile


def profiles_of(
    probes: Sequence[str],
    model: Model,
    parameters: Mapping[str, Tensor],
    batch: tuple[Tensor, Tensor],
    state: State | None,
) -> list[list[Profile]]:
    """What the probes measure of the network as it is, one list a replica; parameters and gradients are left alone.

    Args:
        parameters: stacked over replicas, detached for the probes.
        batch: inputs (T, R, B) or (T, R, B, D) and targets, those of the recorded update.
        state: before the first step, where it was carried.
    """
    profiles: list[list[Profile]] = [[] for _ in range(batch[0].shape[1])]
    detached = {name: p.detach() for name, p in parameters.items()}  # the same memory, outside of the graph
    for name in probes:
        measured = probe_named(name)(model, detached, batch, state)
        for rows, own in zip(profiles, measured, strict=True):
            rows += own
    return profiles
