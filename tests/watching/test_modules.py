"""The gradients of torch's recurrent modules equal those of an unrolled loop in float64, at every step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from unrolled import Unrolled, unrolled

import harness

T, B, D, H = 6, 3, 2, 4
MODULES: dict[str, tuple[type[nn.RNNBase], dict[str, Any]]] = {
    "rnn": (nn.RNN, {}),
    "relu": (nn.RNN, {"nonlinearity": "relu"}),
    "lstm": (nn.LSTM, {}),
    "gru": (nn.GRU, {}),
}
SHAPES: dict[str, dict[str, Any]] = {
    "one": {},
    "two": {"num_layers": 2},
    "both": {"num_layers": 2, "bidirectional": True},
    "without biases": {"bias": False},
}


def module_of(name: str, **settings: Any) -> nn.RNNBase:
    torch.manual_seed(5)
    kind, own = MODULES[name]
    return kind(D, H, **own, **settings).double()


def normal(*shape: int, seed: int = 3) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def loss_of(outputs: list[Tensor], h: Tensor, c: Tensor | None) -> Tensor:
    """Sees every output, and both last states, with weights of their own."""
    total = (normal(*h.shape, seed=8) * h).sum()
    if c is not None:
        total = total + (normal(*c.shape, seed=9) * c).sum()
    for b, own in enumerate(outputs):
        total = total + (normal(*own.shape, seed=20 + b) * own.square()).sum()
    return total / len(outputs)


def assert_equal(frame: Any, reference: Unrolled) -> None:
    assert set(zip(frame.layer, frame.direction, frame.state, strict=True)) == set(reference.states)
    for key in reference.states:
        rows = frame[(frame.layer == key[0]) & (frame.direction == key[1]) & (frame.state == key[2])]
        levels = reference.levels(key)
        assert rows.t.tolist() == list(range(1, len(levels) + 1))
        assert (rows.t + rows.lag).eq(len(levels)).all()
        np.testing.assert_allclose(rows.log10_adjoint, levels, rtol=0, atol=1e-10, err_msg=str(key))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", MODULES)
def test_a_module_has_the_gradients_of_the_unrolled_loop(name: str, shape: str) -> None:
    module, x = module_of(name, **SHAPES[shape]), normal(T, B, D)
    with harness.watch(module) as gradients:
        y, hx = module(x)
        h, c = hx if isinstance(hx, tuple) else (hx, None)
        loss_of(list(y.unbind(1)), h, c).backward()
    reference = unrolled(module, x.unbind(1))
    torch.testing.assert_close(torch.stack(reference.outputs, 1), y, rtol=1e-12, atol=1e-12)
    loss_of(reference.outputs, reference.h, reference.c).backward()
    assert_equal(gradients.frame, reference)
