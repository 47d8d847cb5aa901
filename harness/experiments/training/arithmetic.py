"""In what arithmetic a network is computed: its parameters' own, or torch's autocast to bfloat16."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from harness.experiments.training.settings import Training


def arithmetic(training: Training, device: str) -> AbstractContextManager[object]:
    """The context in which a network's outputs and losses are computed; a backward pass needs none.

    With `dtype: bfloat16`, torch's autocast: operands of matrix products are rounded to bfloat16, and everything else
    is float32. What is in float64, as records may be, is left alone.
    """
    if not training.autocasts:
        return nullcontext()
    return torch.autocast(torch.device(device).type, dtype=torch.bfloat16)
