"""The autocast that is in force, to be entered again where a backward pass computes products of its own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import torch


def autocast_in_force(device: torch.device) -> Callable[[], AbstractContextManager[object]]:
    """A maker of contexts: torch leaves its autocast when the forward pass ends, and a backward pass runs outside."""
    kind = device.type
    if not torch.amp.is_autocast_available(kind) or not torch.is_autocast_enabled(kind):
        return nullcontext
    return partial(torch.autocast, kind, dtype=torch.get_autocast_dtype(kind))
