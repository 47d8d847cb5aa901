"""How a call's tensors lie, and how they are laid for the recurrence: (T, 1, B, n), sequences ending at step T."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from harness.watching.calls import ModuleCall


@dataclass(frozen=True)
class CallLayout:
    """The layout of one call.

    Attributes:
        batch_first, batched: of a padded batch: (B, T, n), (T, B, n), or (T, n) of a sequence alone.
        batch_sizes: of a packed one: how many sequences have each step, from the first step on.
        order: of a packed one: which sequence of the user's is at each place, longest first; None: as they came.
        lengths: (1, B) of a packed one, in that order; None where all have T steps.
    """

    batch_first: bool
    batched: bool
    batch_sizes: Tensor | None = None
    order: Tensor | None = None
    lengths: Tensor | None = None

    @classmethod
    def of(cls, call: ModuleCall) -> CallLayout:
        sizes = call.batch_sizes
        if sizes is None:
            return cls(call.shape["batch_first"], call.input.dim() == 3)
        T = len(sizes)
        lengths = (sizes.unsqueeze(1) > torch.arange(int(sizes[0]))).sum(0).unsqueeze(0)  # (1, B)
        order = None if call.sorted_indices is None else call.sorted_indices.cpu()
        return cls(False, True, sizes, order, None if bool((lengths == T).all()) else lengths)

    def steps(self, rows: Tensor, dtype: torch.dtype) -> Tensor:
        """Rows of all steps in the module's layout, as (T, 1, B, n) on the CPU; where a sequence has no step, zeros."""
        own = rows.detach()
        if self.batch_sizes is None:
            own = own if self.batched else own.unsqueeze(1)
            own = own.transpose(0, 1) if self.batched and self.batch_first else own
        return self.laid(own, dtype)

    def inner(self, rows: Tensor) -> tuple[int, ...]:
        """How rows in the module's layout lie between its layers, but for the width: (T, B), or (rows,) if packed."""
        if self.batch_sizes is not None:
            return (len(rows),)
        if not self.batched:
            return len(rows), 1
        T, B = (rows.shape[1], rows.shape[0]) if self.batch_first else rows.shape[:2]
        return T, B

    def laid(self, rows: Tensor, dtype: torch.dtype) -> Tensor:
        """Rows as they lie between layers, as (T, 1, B, n) on the CPU."""
        own = rows.to("cpu", dtype)
        if self.batch_sizes is None:
            return own.unsqueeze(1).contiguous()
        T, B = len(self.batch_sizes), int(self.batch_sizes[0])
        padded = own.new_zeros(T, B, own.shape[-1])
        there = torch.arange(B) < self.batch_sizes.unsqueeze(1)  # (T, B)
        if self.lengths is None:
            padded[there] = own
        else:
            step, sequence = there.nonzero(as_tuple=True)
            padded[step + T - self.lengths[0][sequence], sequence] = own
        return padded.unsqueeze(1)

    def states(self, part: Tensor, dtype: torch.dtype) -> Tensor:
        """A part of the state of all layers and directions, as (layers·directions, B, n), in the order of the rows."""
        own = part.detach().to("cpu", dtype)
        own = own if self.batched else own.unsqueeze(1)
        return own if self.order is None else own.index_select(1, self.order)

    def present(self, values: Tensor) -> Tensor:
        """Values (T, 1, B, n) with zeros where a sequence has no step."""
        if self.lengths is None:
            return values
        T = len(values)
        return values * (torch.arange(T).view(T, 1, 1) >= T - self.lengths).unsqueeze(-1)
