"""Adjoints entry by entry, each with an exponent of its own.

Scaled by sequence, as in `harness.recurrence.adjoints`, an entry is lost when it falls 10³⁰⁸ below the largest of its
sequence. A norm never shows that. A unit does: in a recurrence whose units do not mix (a diagonal W, an IndRNN), one
that keeps its gradient and one that halves it at each step are 2²⁰⁰⁰ apart after 2000 steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from harness.recurrence.adjoints import State, log10_mean
from harness.schema import Array

BAND = 256.0  # powers of two within which entries go back together: float64 has room for a factor of 2⁻⁷⁶⁶ beside them


class Scaled(NamedTuple):
    """Numbers m·2^e, each with its own exponent: ½ ≤ |m| < 1, or 0 with −∞; what is not finite has 0."""

    m: Tensor
    e: Tensor


def scaled(values: Tensor, exponents: Tensor) -> Scaled:
    """values·2^exponents."""
    m, shift = torch.frexp(values)
    e = torch.where(torch.isfinite(values), exponents + shift, 0.0)
    return Scaled(m, torch.where(values == 0, -torch.inf, e))


def total(a: Scaled, b: Scaled) -> Scaled:
    """a + b; as in float64 of unbounded range."""
    larger = torch.maximum(a.e, b.e)
    scale = torch.where(torch.isfinite(larger), larger, 0.0)
    return scaled(torch.ldexp(a.m, a.e - scale) + torch.ldexp(b.m, b.e - scale), scale)


def replay_units(
    step: Callable[[State, int], State],
    states: Sequence[State],
    immediate: Callable[[int], Tensor | None],
    *,
    window: int,
) -> Array:
    """Go backwards through a recurrence one step at a time: a_{t−1} = J_tᵀ a_t + ∂⁺L/∂h_{t−1}, no entry of a lost.

    Args:
        step, states, immediate, window: as those of `harness.recurrence.adjoints.replay`; in float64.

    Returns:
        log₁₀ Σ_b |∂L/∂h_t,b,i| as (T, R, H): the total adjoint of the state's first part; −inf is a true zero.
    """
    T = len(states) - 1
    R, _, H = states[0][0].shape
    written = np.full((T, R, H), -np.inf)
    carried = [scaled(torch.zeros_like(part), torch.zeros_like(part)) for part in states[0]]
    for t in range(T, max(T - window, 0), -1):
        now = immediate(t)
        if now is not None:
            carried[0] = total(carried[0], scaled(now, torch.zeros_like(now)))
        m, e = (part.transpose(1, 2).cpu().numpy() for part in carried[0])  # (R, H, B)
        written[t - 1] = log10_mean(np.abs(m), e)
        with torch.enable_grad():
            previous = tuple(part.detach().requires_grad_() for part in states[t - 1])
            following = step(previous, t)
        carried = _pulled_back(previous, following, carried)
    return written


def _pulled_back(previous: State, following: State, carried: Sequence[Scaled]) -> list[Scaled]:
    """Jᵀ a. It is linear in a: what lies within one band of exponents goes back together, each band by itself.

    One band holds all of a where the units mix, so that a step costs what an unscaled one does.
    """
    largest = torch.stack([part.e.amax(-1) for part in carried]).amax(0).unsqueeze(-1)  # (R, B, 1)
    largest = torch.where(torch.isfinite(largest), largest, 0.0)
    bands = [torch.where(part.m == 0, -1.0, ((largest - part.e) / BAND).floor()) for part in carried]
    gradients = [scaled(torch.zeros_like(part), torch.zeros_like(part)) for part in previous]
    for band in sorted({number for each in bands for number in each.flatten().tolist() if number >= 0}):
        scale = largest - band * BAND
        within = [
            torch.where(own == band, torch.ldexp(part.m, part.e - scale), 0.0)
            for part, own in zip(carried, bands, strict=True)
        ]
        through = torch.autograd.grad(following, previous, within, retain_graph=True, allow_unused=True)
        gradients = [
            all_before if own is None else total(all_before, scaled(own, scale.expand(own.shape)))
            for all_before, own in zip(gradients, through, strict=True)
        ]
    return gradients
