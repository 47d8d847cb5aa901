"""PES: the gradient from finite differences along perturbations that persist, for which no derivative is taken.

The sequence is unrolled in stretches of K steps. Each of n particles draws ε ~ N(0, σ² I) anew for every stretch, and
sums up its own: ξ ← ξ + ε. A particle has a twin with −ε, and both have states of their own, s⁺ and s⁻:

    ĝ = (1/2nσ²) Σ_stretches Σ_i ξ_i (L⁺_i − L⁻_i)

It is an unbiased estimate of the gradient of E_ε L(θ + ε_1, θ + ε_2, …), the loss smoothed with width σ, with respect
to θ in all stretches; with ε in the place of ξ (K-step evolution strategies) it would be truncated like
backpropagation.

Vicol, Metz & Sohl-Dickstein 2021, "Unbiased gradient estimation in unrolled computation graphs with persistent
evolution strategies".
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import torch
from torch import Tensor

from harness.cells.cell import State
from harness.gradients.objective import Objective, start
from harness.gradients.online import Estimate
from harness.gradients.transition import Values
from harness.recurrence.scan import scan

XI = "ξ "  # a perturbation's name is the parameter's with this before it
Normal = Callable[[int, str, tuple[int, ...]], Tensor]  # (stretch, parameter, shape) → N(0, 1)


def evolved_gradients(
    objective: Objective,
    parameters: Mapping[str, Tensor],
    normal: Normal,
    *,
    particles: int,
    sigma: float,
    unroll: int,
    state: State | None = None,
    parts: Mapping[str, Tensor] | None = None,
    steps: Collection[int] | None = None,
    engine: str = "torch",
) -> Estimate:
    """ĝ of one network over its whole batch; the loss and the state are those of the network itself.

    Args:
        parameters: as they are trained, (1, …) each.
        normal: draws (n, …) numbers for a parameter in a stretch.
        particles: n pairs.
        sigma: σ.
        unroll: K.
        state: before the first step, (1, B, H) each; None: zeros.
        parts: ξ and the particles' states, where they are carried on.
        steps: t of those whose parameters are perturbed, from 1, in stretches of one step; None: all.
        engine: that the particles' sequences are computed by.

    Raises:
        ValueError: single steps are named, and stretches are longer.
    """
    if steps is not None and unroll != 1:
        raise ValueError("single steps can be perturbed in stretches of one step only")
    T, B, _ = objective.rows.shape
    centre = {name: p.detach() for name, p in parameters.items()}
    own = start(objective.cell, centre, B) if state is None else state
    if parts:
        ξ: Values = {name: parts[XI + name] for name in centre}
        states: State = tuple(parts[f"state {k}"] for k in range(len(own)))
    else:
        ξ = {name: p.new_zeros(particles, *p.shape[1:]) for name, p in centre.items()}
        states = tuple(part.expand(2 * particles, -1, -1) for part in own)
    shares = {name: torch.zeros_like(p) for name, p in ξ.items()}
    total = next(iter(centre.values())).new_zeros(1)
    with torch.no_grad():
        for stretch, first in enumerate(range(0, T, unroll)):
            now = range(first, min(first + unroll, T))
            moved = {name: p.expand(2 * particles, *p.shape[1:]) for name, p in centre.items()}
            if steps is None or first + 1 in steps:
                for name, p in centre.items():
                    ε = sigma * normal(stretch, name, (particles, *p.shape[1:])).to(p)
                    ξ[name] = ξ[name] + ε
                    moved[name] = p + torch.cat([ε, -ε])
            losses, states = _stretch(objective, moved, states, now, engine)
            loss, own = _stretch(objective, centre, own, now, engine)
            total = total + loss
            difference = (losses[:particles] - losses[particles:]) / (2 * particles * sigma**2)
            for name, own_shares in shares.items():
                own_shares += difference.view(-1, *[1] * (own_shares.dim() - 1)) * ξ[name]
    carried = {XI + name: value for name, value in ξ.items()}
    carried |= {f"state {k}": part for k, part in enumerate(states)}
    return Estimate(total, {name: share.sum(0, keepdim=True) for name, share in shares.items()}, shares, own, carried)


def _stretch(
    objective: Objective, parameters: Mapping[str, Tensor], state: State, now: range, engine: str
) -> tuple[Tensor, State]:
    """The loss of these steps and the state after them, of R networks: (R,), and (R, B, H) each."""
    R = len(state[0])
    inputs = objective.rows[now.start : now.stop].unsqueeze(1).expand(-1, R, -1, -1)
    constants = {name: p.expand(R, *p.shape[1:]) for name, p in objective.constants.items()}
    h, last = scan(objective.cell, {**constants, **parameters}, inputs, state, every_step=True, engine=engine)
    total = h.new_zeros(R)
    for t in now:
        loss = objective.loss(parameters, h[t - now.start], t + 1)
        if loss is not None:
            total = total + loss
    return total, last
