"""Cells whose units see the past of one unit alone: what a kernel without matrix products has to know of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.cells.cell import PaperCell

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Diagonal:
    """h_t = φ(λ_t ⊙ h_{t−1} + μ ⊙ h′_{t−1} + v_t), where h′ is h with its two halves swapped.

    Attributes:
        decay: λ, (R, H), or one for every step and sequence, (T, R, B, H).
        drive: v, (T, R, B, H).
        turn: μ (R, H), zero for the unit left over at an odd H; None: no such term.
        activation: φ, "identity", "relu" or "tanh".
    """

    decay: Tensor
    drive: Tensor
    turn: Tensor | None = None
    activation: str = "identity"


class Elementwise(PaperCell):
    """A cell whose recurrence is diagonal once its inputs are known; the numba engine computes it as such."""

    def diagonal(self, parameters: Mapping[str, Tensor], z: Tensor) -> Diagonal:
        """The recurrence of a whole sequence, the same as `step` T times.

        Args:
            parameters: as the equations use them (`parametrize`).
            z: U x_t + b_x, (T, R, B, G·H).
        """
        raise NotImplementedError
