"""Steps that depend on numbers given beside the input: where a sequence begins, which units keep their value, and
where no gradient passes through h.

    s̃ = r_t ⊙ s_{t−1} + a_t,    s_t = k_t ⊙ s̃ + (1 − k_t) ⊙ step(s̃, x_t)

r_t is 0 up to a sequence's own first step and 1 after it, so that this step starts from zeros whatever was computed
before, and no gradient passes further back; the later steps are the cell's own, bit for bit. a_t is the state that a
sequence starts from, at its first step, and 0 at all others; it is left out where all start from zeros. k_t is 1 where
zoneout keeps a unit (Krueger et al. 2017, "Zoneout: regularizing RNNs by randomly preserving hidden activations").

h-detach (Arpit et al. 2019) leaves s_t as it is. With d_t = 1 no gradient passes through h̃, the part of s̃ that the
gates read: in its place stands d_t ⊙ detach(h̃) + (1 − d_t) ⊙ h̃. There is no zoneout beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from harness.cells.cell import Cell, State
from harness.cells.layers import Layer
from harness.recurrence.layers import Stack


@dataclass(frozen=True)
class GivenSteps:
    """A cell whose drive z ends with the numbers that are given: r, then a and k of each part of the state, or d.

    They are blocks of H; where the parts of a state differ in width (`Cell.widths`), there is an r for each, and each
    is as wide as its part. All else is the cell's own.
    """

    cell: Cell
    resets: bool
    zoneout: bool
    starts: bool = False
    detaches: bool = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.cell, name)

    @property
    def given(self) -> int:
        """How many blocks of H numbers are given."""
        return self.resets + (self.starts + self.zoneout) * len(self.cell.states) + self.detaches

    @property
    def blocks(self) -> list[int]:
        """The widths of what is given."""
        widths = self.cell.widths
        own = [*(reset_widths(widths) if self.resets else ()), *(widths if self.starts else ())]
        return [*own, *(widths if self.zoneout else ()), *(widths[:1] if self.detaches else ())]

    def step(self, parameters: Mapping[str, Tensor], state: State, z: Tensor) -> State:
        """As `Cell.step`, with z (R, B, (G + given)·H)."""
        blocks, parts = self.blocks, len(state)
        own, *given = z.split([z.shape[-1] - sum(blocks), *blocks], dim=-1)  # type: ignore[no-untyped-call]
        if self.resets:
            r = given[: len(reset_widths(self.cell.widths))]
            state = tuple(part * r[min(i, len(r) - 1)] for i, part in enumerate(state))
            if self.starts:
                state = tuple(part + a for part, a in zip(state, given[len(r) : len(r) + parts], strict=True))
        if self.detaches:
            d, h = given[-1], state[0]
            state = (d * h.detach() + (1 - d) * h, *state[1:])
        if not self.zoneout:
            return self.cell.step(parameters, state, own)
        new = self.cell.combine(state, self.cell.activations(parameters, state, own))
        k = given[-parts:]
        return tuple(hold * old + (1 - hold) * part for hold, old, part in zip(k, state, new, strict=True))


def reset_widths(widths: Sequence[int]) -> list[int]:
    """One r serves all parts of a state that are of one width."""
    return [widths[0]] if len(set(widths)) == 1 else list(widths)


def with_given(
    stack: Stack, T: int, lengths: Tensor | None, masks: Sequence[Tensor | None], starts: Sequence[Tensor] = ()
) -> Stack:
    """The layers with sequences of their own lengths, with units that keep their values, or with gradients that stop.

    Args:
        lengths: (R, B), of sequences that all end at T; None: all have T steps.
        masks: of each direction in its own order of time, or none: k, (T, R, B, H for each part of the state); of a
            cell with `h_detach` d, (T, R, B, H).
        starts: with lengths, the state before each sequence's first step, as `Stack.split` takes it apart; none: zeros.
    """
    reset = None if lengths is None else resets(lengths, T)
    masks = masks or [None] * len(stack.directions)
    layers: list[Layer] = []
    given: list[Tensor] = []
    drawn = iter(masks)
    first = stack.split(starts) if starts else [()] * len(stack.directions)
    for layer in stack.layers:
        own = []
        for direction in layer:
            mask, start = next(drawn), first[len(given)]
            detaches = mask is not None and direction.cell.h_detach > 0
            zoneout = mask is not None and not detaches
            cell = GivenSteps(direction.cell, reset is not None, zoneout, bool(start), detaches)
            own.append(replace(direction, cell=cast(Cell, cell)))
            parts = [] if mask is None else [mask]
            if reset is not None and lengths is not None:
                dtype = torch.float32 if mask is None else mask.dtype  # 0 and 1 are exact in any
                r = [reset.unsqueeze(-1).to(dtype).expand(*reset.shape, n) for n in reset_widths(direction.cell.widths)]
                parts = [*r, *(_at_start(part, lengths, T) for part in start), *parts]
            given.append(torch.cat(parts, -1) if len(parts) > 1 else parts[0])
        layers.append(tuple(own))
    order = None if lengths is None or not any(d.backward for d in stack.directions) else reversal(lengths, T)
    return replace(stack, layers=tuple(layers), given=tuple(given), order=order)


def _at_start(part: Tensor, lengths: Tensor, T: int) -> Tensor:
    """a (T, R, B, H) of a part of the state (R, B, H): itself at the first step of each sequence, 0 elsewhere."""
    steps = torch.arange(T, device=lengths.device).view(T, 1, 1, 1)
    return torch.where(steps == (T - lengths).unsqueeze(-1), part, torch.zeros((), dtype=part.dtype))


def resets(lengths: Tensor, T: int) -> Tensor:
    """r (T, R, B): whether a sequence goes on from the state before; not at its first step, nor before it."""
    steps = torch.arange(T, device=lengths.device).view(T, 1, 1)
    return steps > T - lengths


def reversal(lengths: Tensor, T: int) -> Tensor:
    """Which step of the sequence a backward direction reads at each of its own, (T, R, B).

    Its own steps are the last ones too, so that lags count from its own end; those before it are left in place. The
    same again undoes it.
    """
    steps = torch.arange(T, device=lengths.device).view(T, 1, 1)
    return torch.where(steps >= T - lengths, 2 * T - 1 - lengths - steps, steps)


def steps_present(lengths: Tensor, T: int) -> npt.NDArray[np.bool_]:
    """Which sequences have each step, (T, R, B)."""
    steps = torch.arange(T, device=lengths.device).view(T, 1, 1)
    return np.asarray((steps >= T - lengths).cpu().numpy())


def check_lengths(lengths: Tensor, T: int) -> None:
    """Refuse lengths that a batch of T steps has no room for.

    Raises:
        ValueError: a length is not in 1 … T.
    """
    shortest, longest = int(lengths.min()), int(lengths.max())
    if shortest < 1 or longest > T:
        raise ValueError(f"lengths {shortest} … {longest} of sequences in a batch of {T} steps, expected 1 … {T}")
