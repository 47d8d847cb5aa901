"""Adjoints entry by entry, each with an exponent of its own.

Scaled by sequence, as in `harness.recurrence.adjoints`, an entry is lost when it falls 10³⁰⁸ below the largest of its
sequence. A norm never shows that. A unit does: in a recurrence whose units do not mix (a diagonal W, an IndRNN), one
that keeps its gradient and one that halves it at each step are 2²⁰⁰⁰ apart after 2000 steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from harness.recurrence.adjoints import State, log10_mean
from harness.schema import Array

BAND = 256.0  # powers of two within which entries go back together: float64 has room for a factor of 2⁻⁷⁶⁶ beside them


class Entries(NamedTuple):
    """Numbers m·2^e, each with its own exponent: ½ ≤ |m| < 1, or 0 with −∞; what is not finite has 0."""

    m: Tensor
    e: Tensor


def scaled(values: Tensor, exponents: Tensor | None = None) -> Entries:
    """values·2^exponents; without exponents the values."""
    m, shift = torch.frexp(values)
    e = torch.where(torch.isfinite(values), shift if exponents is None else exponents + shift, 0.0)
    return Entries(m, torch.where(values == 0, -torch.inf, e).to(values.dtype))


def total(a: Entries, b: Entries) -> Entries:
    """a + b; as in float64 of unbounded range."""
    larger = torch.maximum(a.e, b.e)
    scale = torch.where(torch.isfinite(larger), larger, 0.0)
    return scaled(torch.ldexp(a.m, a.e - scale) + torch.ldexp(b.m, b.e - scale), scale)


def part_of(entries: Entries, index: slice | int) -> Entries:
    """Some of the entries, of steps."""
    return Entries(entries.m[index], entries.e[index])


@dataclass(frozen=True)
class ReplayedUnits:
    """What a backward pass entry by entry finds.

    Attributes:
        levels: log₁₀ Σ_b |∂L/∂h_t,b,i| as (T, R, H): the total adjoint of the state's first part; −inf is a true zero.
        drive: the gradient of each step's drive, (T, R, B, n), where it is wanted.
    """

    levels: Array
    drive: Entries | None


def replay_units(
    step: Callable[[State, Tensor], State],
    states: Sequence[State],
    drive: Tensor,
    immediate: Callable[[int], Entries | None],
    *,
    window: int,
    final: Sequence[Tensor | None] = (),
    inputs: bool = False,
) -> ReplayedUnits:
    """Go backwards through a recurrence one step at a time: a_{t−1} = J_tᵀ a_t + ∂⁺L/∂h_{t−1}, no entry of a lost.

    Args:
        step, states, drive, immediate, window, final, inputs: as those of `harness.recurrence.adjoints.replay`; in
            float64.
    """
    T = len(states) - 1
    R, _, H = states[0][0].shape
    written = np.full((T, R, H), -np.inf)
    carried = [scaled(torch.zeros_like(part)) for part in states[0]]
    for part, gradient in enumerate(final, start=1):
        if gradient is not None:
            carried[part] = scaled(gradient)
    driven = scaled(torch.zeros_like(drive)) if inputs else None
    for t in range(T, max(T - window, 0), -1):
        now = immediate(t)
        if now is not None:
            carried[0] = total(carried[0], now)
        m, e = (part.transpose(1, 2).cpu().numpy() for part in carried[0])  # (R, H, B)
        written[t - 1] = log10_mean(np.abs(m), e)
        with torch.enable_grad():
            previous = tuple(part.detach().requires_grad_() for part in states[t - 1])
            z = drive[t - 1].detach().requires_grad_()  # autograd refuses a part of a state that hangs on nothing
            following = step(previous, z)
        leaves = (*previous, z) if driven is not None else previous
        through = partial(torch.autograd.grad, following, leaves, retain_graph=True, allow_unused=True)
        carried = pulled_back(through, carried, leaves)
        if driven is not None:
            driven.m[t - 1], driven.e[t - 1] = carried.pop()
    return ReplayedUnits(written, driven)


def pulled_back(
    through: Callable[[list[Tensor]], Sequence[Tensor | None]], carried: Sequence[Entries], leaves: Sequence[Tensor]
) -> list[Entries]:
    """Jᵀ a. It is linear in a: what lies within one band of exponents goes back together, each band by itself.

    One band holds all of a where the units mix, so that a step costs what an unscaled one does.

    Args:
        through: a → Jᵀ a, of numbers within float64's range; None for a zero.
        carried: a, parts (…, B, n).
        leaves: what the parts of Jᵀ a are gradients of.
    """
    largest = torch.stack([part.e.amax(-1) for part in carried]).amax(0).unsqueeze(-1)  # (…, B, 1)
    largest = torch.where(torch.isfinite(largest), largest, 0.0)
    bands = [torch.where(part.m == 0, -1.0, ((largest - part.e) / BAND).floor()) for part in carried]
    gradients = [scaled(torch.zeros_like(part)) for part in leaves]
    for band in sorted({number for each in bands for number in each.flatten().tolist() if number >= 0}):
        scale = largest - band * BAND
        within = [
            torch.where(own == band, torch.ldexp(part.m, part.e - scale), 0.0)
            for part, own in zip(carried, bands, strict=True)
        ]
        gradients = [
            all_before if own is None else total(all_before, scaled(own, scale.expand(own.shape)))
            for all_before, own in zip(gradients, through(within), strict=True)
        ]
    return gradients
