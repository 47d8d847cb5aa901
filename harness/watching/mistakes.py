"""What a record shows of a training that goes wrong, as warnings in words."""

from __future__ import annotations

from math import log10

import numpy as np
import torch

from harness.watching.levels import Levels
from harness.watching.moment import Moment


def check_truncated(levels: Levels, moment: Moment) -> None:
    """Warn where all gradients beyond some lag are exactly zero."""
    T, there = len(levels.adjoint), np.flatnonzero(levels.adjoint > -np.inf)
    if levels.state == "h" and len(there) and there[0] > 0:
        moment.warn(
            f"{_name(levels)}: ∂L/∂h_t of {_layer(levels)} is exactly zero beyond lag {T - 1 - int(there[0])} of "
            f"{T - 1}: truncated there"
        )


def check_range(levels: Levels, dtype: torch.dtype, moment: Moment) -> None:
    """Warn where gradients are below the smallest number of the training's arithmetic: no entry is larger than the sum
    of all sequences' norms, which is what is recorded.
    """
    info = torch.finfo(dtype)
    smallest = log10(info.tiny) + log10(info.eps) - log10(2)  # half the smallest number is rounded to zero
    below = np.flatnonzero((levels.adjoint > -np.inf) & (levels.adjoint < smallest))
    if len(below):
        first, T = int(below[-1]) + 1, len(levels.adjoint)  # t of the last step that is below
        moment.warn(
            f"{_name(levels)}: ∂L/∂{levels.state}_t of {_layer(levels)} is below the smallest number of {word(dtype)} "
            f"at lag {T - first} and beyond: in the training it is zero there"
        )


def word(dtype: torch.dtype) -> str:
    """float32 for torch.float32."""
    return str(dtype).removeprefix("torch.")


def _name(levels: Levels) -> str:
    return levels.module or "the model"


def _layer(levels: Levels) -> str:
    return f"layer {levels.layer}, {levels.direction}"
