"""What a record shows of a training that goes wrong, as warnings in words."""

from __future__ import annotations

from collections.abc import Sequence
from math import log10

import numpy as np
import torch
from torch import Tensor

from harness.watching.calls import ModuleCall
from harness.watching.cells import CellCall
from harness.watching.levels import Levels
from harness.watching.moment import Moment


def check_truncated(levels: Sequence[Levels], moment: Moment) -> None:
    """Warn where all gradients of a state beyond some lag are exactly zero."""
    for each in levels:
        T, there = len(each.adjoint), np.flatnonzero(each.adjoint > -np.inf)
        if each.state != "c" and len(there) and there[0] > 0:
            by_hand = each.module == "" and each.state != "h"
            moment.warn(
                f"{_name(each)}: ∂L/∂{each.state}_t of {_layer(each)} is exactly zero beyond lag "
                f"{T - 1 - int(there[0])} of {T - 1}: truncated there (a detach), or all units are saturated or dead",
                ("truncated", each.state if by_hand else each.module),
            )


def check_handed_on(calls: Sequence[ModuleCall], moment: Moment) -> None:
    """Warn of calls of a module that a gradient has come to, and whose state was handed on without its gradient.

    Args:
        calls: of one module in this update, in their order.
    """
    alive = [call for call in calls if call.gradients]
    numbers = [number for number, call in enumerate(alive, start=1) if call.cut]
    name = calls[0].module
    if numbers:
        start = f"calls {listed(numbers)} start" if len(numbers) > 1 else f"call {numbers[0]} starts"
        moment.warn(
            f"{name or 'the model'}: {start} "
            "from a state that an earlier call of the same update has returned, without its gradient: the gradient is "
            "truncated there",
            ("handed on", name),
        )
        return
    before: ModuleCall | None = None
    for call in calls:
        if call.gradients and call.constant and before is not None and not before.gradients:
            same = before.stretch == call.stretch is not None
            if same and _likely(call.initial, before.final):
                _warn_of_start(name, alive.index(call) + 1, "the call", moment)
        before = call if call.stretch is not None else before


def check_cut(calls: Sequence[CellCall], moment: Moment) -> None:
    """Warn of a loop of cells that a state goes through without its gradient, where exact zeros do not say it.

    Args:
        calls: of one module in this update, in their order.
    """
    name = calls[0].name
    reached = {call.sequence for call in calls if _has_gradient(call)}
    numbers = {sequence: number for number, sequence in enumerate(sorted(reached), start=1)}
    before: CellCall | None = None
    for call in calls:
        if call.sequence not in numbers:
            before = call if call.stretch is not None else before
            continue
        cuts = [(part, link[0]) for part, link in enumerate(call.links) if link is not None and link[1] == "cut"]
        if cuts and _has_gradient(call) and cuts[0][1].stretch == call.stretch is not None:
            if ("truncated", name) not in moment.warned:
                parts = " and ".join(f"{'hc'[part]}_{source.t}" for part, source in cuts)
                text = (
                    f"{name or 'the model'}: {parts} {'goes' if len(cuts) == 1 else 'go'} to t = {call.t} without the "
                )
                moment.warn(text + "gradient: it is truncated there (a detach)", ("handed on", name))
        elif call.t == 1 and call.constant and before is not None and before.sequence not in numbers:
            same = before.stretch == call.stretch is not None
            if same and _likely(call.initial, before.outputs):
                _warn_of_start(name, numbers[call.sequence], f"the {before.t} steps", moment)
        before = call if call.stretch is not None else before


def _has_gradient(call: CellCall) -> bool:
    return any(gradient is not None for gradient in call.gradients)


def _likely(start: Sequence[Tensor], end: Sequence[Tensor]) -> bool:
    """Whether a state may have been computed from another: it has its shape, and is not zero."""
    alike = len(start) == len(end) and all(a.shape == b.shape for a, b in zip(start, end, strict=True))
    return alike and any(bool(part.any()) for part in start)


def _warn_of_start(name: str, number: int, before: str, moment: Moment) -> None:
    moment.warn(
        f"{name or 'the model'}: call {number} starts from a state without a gradient, and no gradient has come to "
        f"{before} before it: if that state was computed from theirs, the gradient is truncated there (a detach), and "
        "t counts from there",
        ("handed on", name),
    )


def listed(numbers: Sequence[int]) -> str:
    """1, 2 and 3."""
    *first, last = (str(number) for number in numbers)
    return f"{', '.join(first)} and {last}" if first else last


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
