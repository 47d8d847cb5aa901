"""What a record shows of a training that goes wrong, as warnings in words."""

from __future__ import annotations

from collections.abc import Sequence
from math import log10

import numpy as np
import torch

from harness.watching.levels import Levels
from harness.watching.moment import Moment


def check_truncated(levels: Sequence[Levels], moment: Moment) -> None:
    """Warn where all gradients of a state beyond some lag are exactly zero."""
    for each in levels:
        T, there = len(each.adjoint), np.flatnonzero(each.adjoint > -np.inf)
        if each.state == "h" and len(there) and there[0] > 0:
            moment.warn(
                f"{_name(each)}: ∂L/∂h_t of {_layer(each)} is exactly zero beyond lag {T - 1 - int(there[0])} of "
                f"{T - 1}: truncated there (a detach), or all units are saturated or dead",
                ("truncated", each.module),
            )


def check_range(levels: Sequence[Levels], dtype: torch.dtype, moment: Moment) -> None:
    """Warn where gradients are below the smallest number of the training's arithmetic: no entry is larger than the sum
    of all sequences' norms, which is what is recorded.

    Args:
        levels: of one call.
        dtype: of its outputs.
    """
    info = torch.finfo(dtype)
    smallest = log10(info.tiny) + log10(info.eps) - log10(2)  # half the smallest number is rounded to zero
    lags: dict[int, Levels] = {}
    for each in levels:
        below = np.flatnonzero((each.adjoint > -np.inf) & (each.adjoint < smallest))
        if each.state == "h" and len(below):
            lags.setdefault(len(each.adjoint) - 1 - int(below[-1]), each)
    if lags:
        lag = min(lags)
        moment.warn(
            f"{_name(lags[lag])}: ∂L/∂h_t of {_layer(lags[lag])} is below the smallest number of {word(dtype)} at lag "
            f"{lag} and beyond: in the training it is zero there",
            ("range", lags[lag].module),
        )


def word(dtype: torch.dtype) -> str:
    """float32 for torch.float32."""
    return str(dtype).removeprefix("torch.")


def _name(levels: Levels) -> str:
    return levels.module or "the model"


def _layer(levels: Levels) -> str:
    return f"layer {levels.layer}, {levels.direction}"
