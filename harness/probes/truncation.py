"""What truncation does to the gradient: its direction, its length, its signs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from harness.cells.cell import State
from harness.models.model import Model
from harness.probes.trajectory import OneReplica, each_replica
from harness.schema import Profile, Values


def truncation_bias(
    model: Model, parameters: Mapping[str, Tensor], batch: tuple[Tensor, Tensor], state: State | None
) -> list[list[Profile]]:
    """The gradient g_K of all recurrent weights by BPTT truncated at a window K, against the full one, g_T.

    cos(g_K, g_T), ‖g_K‖/‖g_T‖ and the share of entries of the same sign, K = 1, 2, 4, …, T. Truncation is what
    `bptt_window` does: nothing passes back beyond h_{T−K}; where the state is carried, the chunk is cut into pieces of
    K steps. Biased is the mean over data (Tallec & Ollivier 2017, "Unbiasing truncated backpropagation through time");
    this is one batch's.

    Returns:
        `truncation_cosine`, `truncation_norm` and `truncation_sign` by window; NaN where a gradient is zero. Nothing
        for a cell without recurrent weights.
    """
    numbers = sum(parameters[name].numel() for name in model.cell.recurrent_weights)
    return [_profiles(model, own) if numbers else [] for own in each_replica(parameters, batch, state)]


def windows(T: int) -> list[int]:
    """1, 2, 4, … and T."""
    return sorted({T, *(2**k for k in range(T.bit_length()) if 2**k < T)})


def gradient(model: Model, own: OneReplica, window: int) -> Values:
    """∂L/∂θ of all recurrent weights of one replica in a row, by BPTT through `window` steps."""
    parameters, (inputs, targets), state = own
    names = model.cell.recurrent_weights
    trained = {name: parameters[name].clone().requires_grad_() for name in names}
    known, exact = {**parameters, **trained}, replace(model, engine="torch", window=window)
    if model.task.carried:
        chunk_outputs = []
        for first in range(0, len(inputs), window):
            chunk = slice(first, first + window)
            outputs, last = exact.outputs(known, inputs[chunk], targets[chunk], state)
            state = tuple(part.detach() for part in last)
            chunk_outputs.append(outputs)
        outputs = torch.cat(chunk_outputs)
    else:
        outputs, _ = exact.outputs(known, inputs, targets, state)
    grads = torch.autograd.grad(model.losses(outputs, targets).sum(), list(trained.values()), materialize_grads=True)
    return np.concatenate([grad.flatten().numpy() for grad in grads])


def _profiles(model: Model, own: OneReplica) -> list[Profile]:
    T = len(own[1][0])
    full, at = gradient(model, own, T), windows(T)
    cut = [gradient(model, own, window) for window in at]
    measured = {
        "cosine": [_cosine(g, full) for g in cut],
        "norm": [_ratio(g, full) for g in cut],
        "sign": [float(np.mean(np.sign(g) == np.sign(full))) for g in cut],
    }
    axis = np.asarray(at, dtype=np.float64)
    return [Profile(f"truncation_{name}", "window", axis, np.asarray(values)) for name, values in measured.items()]


def _cosine(a: Values, b: Values) -> float:
    scale = np.abs(a).max(), np.abs(b).max()  # so that squares of what has vanished do not underflow
    if not all(scale):
        return float("nan")
    a, b = a / scale[0], b / scale[1]
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def _ratio(a: Values, b: Values) -> float:
    top = np.abs(b).max()
    return float(np.linalg.norm(a / top) / np.linalg.norm(b / top)) if top else float("nan")
