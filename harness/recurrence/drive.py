"""What the inputs contribute to each step."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from harness.recurrence.products import products


def drive(parameters: Mapping[str, Tensor], inputs: Tensor) -> Tensor:
    """U x_t + b_x for all t at once, (T, R, B, G·H); a token is a one-hot row, −1 a row of zeros.

    Raises:
        ValueError: a token is outside the alphabet; it would otherwise be a row of zeros, without a word.
    """
    U = parameters["U"]
    R, _, D = U.shape
    # The input's share of all steps is one large product: only W h_{t−1} has to wait for the step before.
    if inputs.dim() == 3:
        check_tokens(inputs, D)
        inputs = (inputs.unsqueeze(-1) == torch.arange(D, device=inputs.device)).to(U.dtype)
    T, _, B, _ = inputs.shape
    rows = inputs.transpose(0, 1).reshape(R, T * B, D)
    driven = products(rows, U.mT, parameters["b_x"].unsqueeze(1))
    if driven.requires_grad:  # how torch sums a bias's gradient depends on the strides, and those on R where B = 1
        driven.register_hook(_contiguous)  # type: ignore[no-untyped-call]
    z = driven.view(R, T, B, -1).transpose(0, 1)
    # Under autocast products have fewer digits than parameters; what is computed from them has those of parameters.
    return z.to(U.dtype)


def _contiguous(gradient: Tensor | None) -> Tensor | None:
    return None if gradient is None else gradient.contiguous()


def check_tokens(tokens: Tensor, D: int) -> None:
    """Refuse tokens that are none of an alphabet of D, nor −1.

    Raises:
        ValueError: one is outside.
    """
    if tokens.numel() and (tokens.min() < -1 or tokens.max() >= D):
        raise ValueError(f"tokens {int(tokens.min())} … {int(tokens.max())}, expected −1 … {D - 1}")
