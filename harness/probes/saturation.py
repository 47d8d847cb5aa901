"""How many units are where their nonlinearity is flat."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from harness.cells.cell import Cell, State
from harness.models.model import Model
from harness.probes.trajectory import Trajectory, trajectories
from harness.schema import Profile

FAR, DRAWS = 40.0, 64  # pre-activations at which σ and tanh are at their bounds, and patterns of their signs
MARGIN = 0.1  # of the range between the bounds


def saturation(
    model: Model, parameters: Mapping[str, Tensor], batch: tuple[Tensor, Tensor], state: State | None
) -> list[list[Profile]]:
    """Share of units, over batch and width, within a tenth of its range of an activation's lower or upper bound.

    For a gate a < .1 and a > .9, the left- and right-saturated gates of Karpathy, Johnson & Li 2015, "Visualizing and
    understanding recurrent networks", section 4.2; for tanh |a| > .8, where its slope is below .36, as σ's at .1 and .9
    is below .36 of its largest. Where there is no upper bound (relu), the share at the lower one. An activation
    without bounds has no row.

    Returns:
        `saturated_low_·` and `saturated_high_·` by t, · the activation's name in the cell's equations.
    """
    return [_shares(trajectory) for trajectory in trajectories(model, parameters, batch, state, None)]


@torch.no_grad()
def bounds(cell: Cell, parameters: Mapping[str, Tensor], state: State, z: Tensor) -> dict[str, tuple[float, float]]:
    """Least and largest value of each activation, ±inf where it has none: seen far out, and again twice as far.

    Args:
        state: any, each part (1, B, H).
        z: of the right shape, (1, B, G·H).
    """
    generator = torch.Generator().manual_seed(0)
    still = tuple(torch.zeros_like(part) for part in state)
    signs = torch.randint(2, (DRAWS, *z.shape), generator=generator).to(z.dtype) * 2 - 1
    near, far = ([cell.activations(parameters, still, FAR * times * sign) for sign in signs] for times in (1, 2))
    bounds = {}
    for name in near[0]:
        (low, high), (lower, higher) = (
            (min(float(a[name].min()) for a in seen), max(float(a[name].max()) for a in seen)) for seen in (near, far)
        )
        bounds[name] = (low if lower > low - 1e-6 else -torch.inf, high if higher < high + 1e-6 else torch.inf)
    return bounds


@torch.no_grad()
def _shares(trajectory: Trajectory) -> list[Profile]:
    known = bounds(trajectory.cell, trajectory.parameters, trajectory.states[0], trajectory.driven[0])
    seen: dict[str, list[float]] = {}
    for before, z in zip(trajectory.states, trajectory.driven, strict=False):
        for name, a in trajectory.cell.activations(trajectory.parameters, before, z).items():
            low, high = known[name]
            margin = MARGIN * (high - low) if high - low < torch.inf else 0.0
            if low > -torch.inf:
                seen.setdefault(f"saturated_low_{name}", []).append(_share(a <= low + margin, a))
            if high < torch.inf:
                seen.setdefault(f"saturated_high_{name}", []).append(_share(a >= high - margin, a))
    at = np.arange(1.0, trajectory.length + 1)
    return [Profile(quantity, "t", at, np.asarray(shares)) for quantity, shares in seen.items()]


def _share(saturated: Tensor, values: Tensor) -> float:
    """The share of saturated units; NaN where one is NaN: a comparison would take it for one that is not."""
    return float("nan") if bool(values.isnan().any()) else float(saturated.double().mean())
