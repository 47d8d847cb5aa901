"""The gradients of torch's recurrent modules equal those of an unrolled loop in float64, at every step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence, pad_packed_sequence
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


def test_two_thousand_steps_have_the_gradients_of_the_unrolled_loop() -> None:
    module, x = module_of("lstm"), normal(2000, 1, D)
    with harness.watch(module) as gradients:
        y, (h, c) = module(x)
        loss_of(list(y.unbind(1)), h, c).backward()
    reference = unrolled(module, x.unbind(1))
    loss_of(reference.outputs, reference.h, reference.c).backward()
    assert_equal(gradients.frame, reference)


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_batch_first_and_a_given_state(name: str) -> None:
    module, x = module_of(name, batch_first=True, num_layers=2, bidirectional=True), normal(B, T, D)
    initial = [normal(4, B, H, seed=seed) for seed in (1, 2)][: 1 + (name == "lstm")]
    with harness.watch(module) as gradients:
        y, hx = module(x, tuple(initial) if name == "lstm" else initial[0])
        h, c = hx if isinstance(hx, tuple) else (hx, None)
        loss_of(list(y.unbind(0)), h, c).backward()
    reference = unrolled(module, x.unbind(0), initial)
    loss_of(reference.outputs, reference.h, reference.c).backward()
    assert_equal(gradients.frame, reference)


def test_a_sequence_without_a_batch() -> None:
    module, x, initial = module_of("gru", num_layers=2), normal(T, D), normal(2, H)
    with harness.watch(module) as gradients:
        y, h = module(x, hx=initial)
        loss_of([y], h.unsqueeze(1), None).backward()
    reference = unrolled(module, [x], [initial.unsqueeze(1)])
    loss_of(reference.outputs, reference.h, None).backward()
    assert_equal(gradients.frame, reference)


LENGTHS = {"sorted": [6, 4, 1], "unsorted": [2, 6, 5], "equal": [6, 6, 6]}


@pytest.mark.parametrize("given", [False, True], ids=["zeros", "given"])
@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("name", ["rnn", "lstm"])
def test_packed_sequences_count_their_lags_from_their_own_ends(name: str, lengths: str, given: bool) -> None:
    module = module_of(name, num_layers=2, bidirectional=True)
    sequences = [normal(length, D, seed=40 + b) for b, length in enumerate(LENGTHS[lengths])]
    initial = [normal(4, B, H, seed=seed) for seed in (1, 2)][: 1 + (name == "lstm")] if given else []
    hx = (tuple(initial) if name == "lstm" else initial[0]) if given else None
    with harness.watch(module) as gradients:
        packed, last = module(pack_sequence(sequences, enforce_sorted=lengths == "sorted"), hx)
        y, _ = pad_packed_sequence(packed)
        h, c = last if isinstance(last, tuple) else (last, None)
        loss_of([y[: len(own), b] for b, own in enumerate(sequences)], h, c).backward()
    reference = unrolled(module, sequences, initial)
    torch.testing.assert_close(reference.h, h, rtol=1e-12, atol=1e-12)
    loss_of(reference.outputs, reference.h, reference.c).backward()
    assert_equal(gradients.frame, reference)


@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
def test_a_projected_lstm_has_states_of_two_widths(packed: bool) -> None:
    torch.manual_seed(5)
    module = nn.LSTM(D, 5, num_layers=2, bidirectional=True, proj_size=H - 1).double()
    sequences = [normal(length, D, seed=40 + b) for b, length in enumerate([6, 3, 4] if packed else [6, 6, 6])]
    initial = [normal(4, B, H - 1, seed=1), normal(4, B, 5, seed=2)]
    with harness.watch(module) as gradients:
        if packed:
            rows, (h, c) = module(pack_sequence(sequences, enforce_sorted=False), tuple(initial))
            y, _ = pad_packed_sequence(rows)
        else:
            y, (h, c) = module(torch.stack(sequences, 1), tuple(initial))
        loss_of([y[: len(own), b] for b, own in enumerate(sequences)], h, c).backward()
    reference = unrolled(module, sequences, initial)
    loss_of(reference.outputs, reference.h, reference.c).backward()
    assert_equal(gradients.frame, reference)


@pytest.mark.parametrize(
    ("settings", "packed"),
    [
        ({}, False),
        ({"batch_first": True}, False),
        ({"bidirectional": True}, False),
        ({"bidirectional": True}, True),
        ({"proj_size": 3}, True),
    ],
)
@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_dropout_between_layers_is_drawn_again(name: str, settings: dict[str, Any], packed: bool) -> None:
    if name == "gru" and "proj_size" in settings:
        settings = {"bidirectional": True, "batch_first": True}
    module = module_of(name, num_layers=3, dropout=0.4, **settings)
    lengths = [6, 4, 2] if packed else [6, 6, 6]
    sequences = [normal(length, D, seed=40 + b) for b, length in enumerate(lengths)]
    torch.manual_seed(11)
    with harness.watch(module) as gradients:
        torch.rand(3)
        if packed:
            rows, last = module(pack_sequence(sequences))
            y = pad_packed_sequence(rows, batch_first=module.batch_first)[0]
        else:
            y, last = module(torch.stack(sequences, 0 if module.batch_first else 1))
        y = y if module.batch_first else y.transpose(0, 1)
        h, c = last if isinstance(last, tuple) else (last, None)
        loss_of([y[b, :length] for b, length in enumerate(lengths)], h, c).backward()
    # torch's own function drops from ones what the module has dropped
    torch.manual_seed(11)
    torch.rand(3)
    width = (module.proj_size or H) * (1 + module.bidirectional)
    masks = []
    for _ in range(2):
        if packed:
            drawn = torch.dropout(torch.ones(sum(lengths), width, dtype=torch.float64), 0.4, True)
            padded, _ = pad_packed_sequence(pack_sequence(sequences)._replace(data=drawn))
        else:
            padded = torch.dropout(torch.ones(T, B, width, dtype=torch.float64), 0.4, True)
        masks.append([padded[:length, b] for b, length in enumerate(lengths)])
    reference = unrolled(module, sequences, masks=masks)
    torch.testing.assert_close(reference.h, h, rtol=1e-12, atol=1e-12)
    loss_of(reference.outputs, reference.h, reference.c).backward()
    assert_equal(gradients.frame, reference)
