"""Skew-symmetric matrices by the numbers below their diagonal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def count(H: int) -> int:
    """H(H−1)/2: how many numbers a skew-symmetric (H, H) matrix has."""
    return H * (H - 1) // 2


def skew(numbers: Tensor, H: int) -> Tensor:
    """L − Lᵀ, (R, H(H−1)/2) → (R, H, H): L strictly lower triangular, its numbers row by row."""
    import torch

    rows, columns = torch.tril_indices(H, H, -1, device=numbers.device)
    L = numbers.new_zeros(len(numbers), H, H).index_put(
        (torch.arange(len(numbers), device=numbers.device)[:, None], rows, columns), numbers
    )
    return L - L.mT
