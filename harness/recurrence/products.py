"""Matrix products of the replicas of a pack, bit for bit those that each has alone."""

from __future__ import annotations

import torch
from torch import Tensor


def products(a: Tensor, b: Tensor, start: Tensor | None = None) -> Tensor:
    """start + a b of each replica: (R, N, K) and (R, K, M) → (R, N, M).

    A stacked product sums in an order that depends on N, K and M alone, with one exception: a single replica's product
    with a single column is a sum of another order. It is made twice over here, so that it is the same as in a pack; so
    is one whose gradient would be such a product.

    Args:
        start: added to, (R, N, M) or a shape that expands to it; None: zeros.
    """
    if len(a) == 1 and (b.shape[2] == 1 or (a.requires_grad and b.shape[1] == 1)):
        more = None if start is None else start.expand(2, -1, -1)
        return products(a.expand(2, -1, -1), b.expand(2, -1, -1), more)[:1]
    return torch.bmm(a, b) if start is None else torch.baddbmm(start, a, b)
