"""W x + b for the replicas of a pack: bit for bit what each gets alone."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from harness.recurrence.autocast import autocast_in_force
from harness.recurrence.products import products


def affine(x: Tensor, W: Tensor, b: Tensor) -> Tensor:
    """y = W x + b of each replica, (…, R, B, I) → (…, R, B, O).

    A matmul of the whole would choose its order of summation by the number of replicas and of leading axes: here each
    replica's rows, all steps and sequences of it, are one matrix (N, I) with a product of its own shape.

    Args:
        W: (R, O, I).
        b: (R, O).
    """
    *lead, R, B, columns = x.shape
    rows = x.movedim(-3, 0).reshape(R, -1, columns)
    y: Tensor = _Affine.apply(rows, W, b)  # type: ignore[no-untyped-call]
    return y.view(R, *lead, B, W.shape[1]).movedim(0, -3)


class _Affine(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, W: Tensor, b: Tensor) -> Tensor:
        ctx.save_for_backward(x, W)
        ctx.arithmetic = autocast_in_force(x.device)
        return products(x, W.mT) + b.unsqueeze(1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        x, W = ctx.saved_tensors
        # How torch sums an axis depends on the strides, and those on the loss.
        g = gradient.contiguous()
        with ctx.arithmetic():
            dx, dW = products(g, W) if ctx.needs_input_grad[0] else None, products(g.mT, x)
        # What was rounded for a product alone has the digits of what it is the gradient of.
        return None if dx is None else dx.to(x.dtype), dW.to(W.dtype), g.sum(1)
