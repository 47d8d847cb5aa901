"""The loop over the steps: what a way that goes forward makes of a loss, step by step."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from harness.cells.cell import State
from harness.gradients.objective import Objective, detached, start
from harness.gradients.transition import Transition, Values


class Tracker(Protocol):
    """What stands for ∂s_t/∂θ along B sequences.

    Attributes:
        parts: its tensors by name, (B, …): all that it carries from step to step.
    """

    parts: Values

    def step(self, s: Tensor, x: Tensor, counts: bool) -> Tensor:
        """Go from s_{t−1} (B, N) on x_t (B, D) to s_t; `counts`: whether θ of this step is what one derives by."""

    def credit(self, gradient: Tensor) -> Values:
        """∂L_t/∂h_t (B, H) times what stands for ∂s_t/∂θ, of each sequence, (B, …) by parameter."""


@dataclass(frozen=True)
class Estimate:
    """A gradient of one network (R = 1), and what came with it.

    Attributes:
        loss: (1,).
        gradients: by the name of the trained parameter, (1, …).
        shares: what they are sums of, (n, …): of a way through the sequences one for each of the B, by the name that
            the equations use; of PES one for each pair of particles.
        state: after the last step.
        parts: what the way carries on, where the state is carried on.
    """

    loss: Tensor
    gradients: Values
    shares: Values
    state: State
    parts: Values


def forward_gradients(
    objective: Objective,
    parameters: Mapping[str, Tensor],
    tracker_of: Callable[[Transition, int], Tracker],
    *,
    state: State | None = None,
    parts: Mapping[str, Tensor] | None = None,
    steps: Collection[int] | None = None,
) -> Estimate:
    """∂L/∂θ by a way that goes forward; that of the readout is exact.

    Args:
        parameters: as they are trained, (1, …) each.
        tracker_of: (transition, B) → what stands for the influence.
        state: before the first step, (1, B, H) each; None: zeros.
        parts: of the tracker before the first step, where they are carried on.
        steps: t of those whose parameters count, from 1; None: all. With one alone the result is that step's share of
            the gradient, and the readout has none.
    """
    leaves = {name: p.detach().requires_grad_() for name, p in parameters.items()}
    T, B, D = objective.rows.shape
    cell = objective.cell
    with torch.enable_grad():
        used = cell.parametrize({**objective.constants, **leaves})
    transition = Transition.of(cell, used, [name for name, p in used.items() if not p.requires_grad], D)
    tracker = tracker_of(transition, B)
    if parts:
        tracker.parts = dict(parts)
    s = torch.cat(start(cell, leaves, B) if state is None else detached(state), -1)[0]
    gradients: Values = {name: torch.zeros_like(p) for name, p in leaves.items()}
    shares = {name: p.new_zeros(B, *p.shape) for name, p in transition.parameters.items()}
    total = s.new_zeros(1)
    outside = [name for name in leaves if name not in used or name not in transition.parameters]
    for t in range(1, T + 1):
        s = tracker.step(s, objective.rows[t - 1], steps is None or t in steps)
        with torch.enable_grad():
            h = s[:, : cell.widths[0]].unsqueeze(0).requires_grad_()
            loss = objective.loss(leaves, h, t)
        if loss is None:
            continue
        total = total + loss.detach()
        reading, *own = torch.autograd.grad(
            loss.sum(), [h, *(leaves[name] for name in outside)], allow_unused=True, materialize_grads=True
        )
        for name, share in tracker.credit(reading[0]).items():
            shares[name] += share
        if steps is None:
            for name, gradient in zip(outside, own, strict=True):
                gradients[name] += gradient
    _pulled_back(leaves, used, {name: share.sum(0) for name, share in shares.items()}, gradients)
    after = tuple(part.unsqueeze(0) for part in torch.split(s, list(cell.widths), -1))
    return Estimate(total, gradients, shares, after, tracker.parts)


def _pulled_back(leaves: Mapping[str, Tensor], used: Mapping[str, Tensor], of_used: Values, gradients: Values) -> None:
    """Add to the gradients of trained parameters those that come through the ones that the equations use."""
    outputs, cotangents = [], []
    for name, gradient in of_used.items():
        if used[name] is leaves.get(name):
            gradients[name] += gradient.unsqueeze(0)
        else:
            outputs.append(used[name])
            cotangents.append(gradient.unsqueeze(0))
    if outputs:
        own = torch.autograd.grad(outputs, list(leaves.values()), cotangents, allow_unused=True, materialize_grads=True)
        for name, gradient in zip(leaves, own, strict=True):
            gradients[name] += gradient
