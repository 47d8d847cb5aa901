"""The probes that a study asks for, called where adjoints are recorded."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache

import numpy as np
from torch import Tensor

from harness.cells.cell import State
from harness.errors import HarnessError
from harness.models.model import Model
from harness.probes import probe_named
from harness.probes.contract import Update, measures_update
from harness.schema import Profile

NAME = re.compile(r"[^\W\d][\w .,()/+−∂‖′-]{0,99}")  # of quantities and axes: what tables and figures can show


def profiles_of(
    probes: Sequence[str],
    model: Model,
    parameters: Mapping[str, Tensor],
    batch: tuple[Tensor, Tensor],
    state: State | None,
    update: Callable[[], Update],
) -> list[list[Profile]]:
    """What the probes measure of the network as it is, one list a replica; parameters and gradients are left alone.

    Args:
        parameters: stacked over replicas, detached for the probes.
        batch: inputs (T, R, B) or (T, R, B, D) and targets, those of the recorded update.
        state: before the first step, where it was carried.
        update: what training makes of this batch; called only if a probe measures it.
    """
    profiles: list[list[Profile]] = [[] for _ in range(batch[0].shape[1])]
    coming = cache(update)
    detached = {name: p.detach() for name, p in parameters.items()}  # the same memory, outside of the graph
    for name in probes:
        probe: Callable[..., list[list[Profile]]] = probe_named(name)
        measured = probe(model, detached, batch, state, **({"update": coming()} if measures_update(probe) else {}))
        fault = _fault(measured, len(profiles))
        if fault:
            raise HarnessError(f"probe '{name}' {fault}")
        for rows, own in zip(profiles, measured, strict=True):
            rows += own
    return profiles


def _fault(measured: object, R: int) -> str:
    """What contradicts the contract in a probe's answer, which would otherwise stand in the tables; or nothing."""
    if not isinstance(measured, Sequence) or len(measured) != R:
        of = f" of {len(measured)}" if isinstance(measured, Sequence) else ""
        return f"returned {type(measured).__name__}{of}, not a list of profiles for each of {R} replicas"
    for profile in (each for own in measured for each in own):
        if not isinstance(profile, Profile):
            return f"returned {type(profile).__name__} where a Profile is expected"
        if not NAME.fullmatch(profile.quantity) or not NAME.fullmatch(profile.axis):
            return f"has a name that is none: {profile.quantity!r} along {profile.axis!r}"
        at, values = np.asarray(profile.at), np.asarray(profile.measured)
        theory = values if profile.theory is None else np.asarray(profile.theory)
        if at.ndim != 1 or not at.shape == values.shape == theory.shape:
            shapes = f"{at.shape} positions, {values.shape} values, theory {theory.shape}"
            return f"has other numbers of positions and values for '{profile.quantity}': {shapes}"
        if not np.isfinite(at).all():
            return f"has a position of '{profile.quantity}' that is not finite"
    return ""
