"""Whole sequences as a network without steps is given them: rows of numbers, each sequence from the first step on."""

from __future__ import annotations

import torch
from torch import Tensor

from harness.recurrence.drive import check_tokens


def rows(inputs: Tensor, D: int, dtype: torch.dtype) -> Tensor:
    """Real rows (T, B, D) of tokens (T, B) or rows: a token is a one-hot row, −1 a row of zeros."""
    if inputs.dim() == 2:
        check_tokens(inputs, D)
        return (inputs.unsqueeze(-1) == torch.arange(D, device=inputs.device)).to(dtype)
    return inputs.to(dtype)


def shifted(x: Tensor, steps: Tensor) -> Tensor:
    """Each sequence of x (T, B, …) later by a number of steps of its own (B,); what leaves at one end enters at the
    other.
    """
    order = (torch.arange(len(x), device=x.device).unsqueeze(1) - steps) % len(x)
    return x.gather(0, order.view(*order.shape, *[1] * (x.dim() - 2)).expand_as(x))
