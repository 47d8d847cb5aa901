"""A replica's numbers are the same, bit for bit, alone and in any pack, recorded or not, whatever ran before."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import torch
from samples import sampled
from scan_problems import CASES, KINDS, NAMES, answer, problem, replica, same_bits

from harness.recurrence.compiler import memory
from harness.recurrence.scan import scan

DTYPES = [torch.float32, torch.float64]


@pytest.mark.parametrize("name", sampled(NAMES, KINDS))
def test_a_replica_alone_or_anywhere_else_is_itself_in_a_pack(name: str) -> None:
    p = problem(name, T=6, R=3, B=17, H=7, D=3, dtype=torch.float32, loss="every")
    pack = answer(p)
    for order in ([0], [1], [2, 1], [1, 2, 0]):
        others = answer(p.replicas(order))
        for place, r in enumerate(order):
            same_bits(replica(others, place), replica(pack, r))


@pytest.mark.parametrize(
    ("dtype", "name"),
    sampled(
        [(dtype, name) for dtype in DTYPES for name in CASES],
        [(torch.float32, "tanh"), (torch.float32, "lstm"), (torch.float64, "gru")],
    ),
)
@pytest.mark.parametrize(("H", "B", "real"), [(1, 1, False), (7, 5, True), (19, 16, False), (50, 32, False)])
def test_a_replica_alone_is_itself_in_a_pack_of_any_size(name: str, dtype, H: int, B: int, real: bool) -> None:
    for R in (2, 3, 5):
        p = problem(name, T=20, R=R, B=B, H=H, D=3, dtype=dtype, real=real, loss="both", radius=0.9, seed=R)
        pack = answer(p, window=15)
        for r in range(R):
            same_bits(replica(answer(p.replicas([r]), window=15), 0), replica(pack, r))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("H", "B", "D", "real"), [(1, 1, 3, False), (7, 5, 3, True), (19, 16, 3, False), (50, 1, 20, True)]
)
def test_so_is_one_in_the_torch_loop(name: str, dtype, H: int, B: int, D: int, real: bool) -> None:
    p = problem(name, T=6, R=5, B=B, H=H, D=D, dtype=dtype, real=real, loss="both", radius=0.9, seed=2)
    pack = answer(p, "torch")
    for r in (0, 4):
        same_bits(replica(answer(p.replicas([r]), "torch"), 0), replica(pack, r))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", ["last", "every"])
def test_recording_changes_no_bit(name: str, dtype, loss: str) -> None:
    p = problem(name, T=300, R=2, B=5, H=7, D=3, dtype=dtype, real=True, loss=loss, radius=0.3)
    plain = answer(p, record=False)
    assert "level" not in plain
    recorded = answer(p)
    same_bits(recorded, plain)
    assert np.isfinite(recorded["level"]).all()


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_going_back_twice_gives_the_same_bits_and_changes_nothing_that_was_given_or_returned(name: str, dtype) -> None:
    p = problem(name, T=9, R=2, B=5, H=7, D=3, dtype=dtype, real=True, loss="both", radius=0.9)
    state = tuple(part.requires_grad_() for part in p.state)
    weights = {key: value.requires_grad_() for key, value in p.parameters.items()}
    h, last = scan(p.cell, weights, p.inputs, state, every_step=True, engine="compiled")
    ours = [*weights.values(), p.inputs, *state, h, *last, p.every, *p.last]
    before = [value.detach().clone() for value in ours]

    def back() -> list[torch.Tensor]:
        seen, gradients = (h, *last), (p.every, *p.last)
        return list(torch.autograd.grad(seen, [*weights.values(), *state], gradients, retain_graph=True))

    for first, second in zip(back(), back(), strict=True):
        assert torch.equal(first, second)
    for value, copy in zip(ours, before, strict=True):
        assert torch.equal(value, copy)


@pytest.mark.parametrize("name", CASES)
def test_the_strides_of_an_argument_change_no_bit(name: str) -> None:
    p = problem(name, T=4, R=2, B=3, H=5, D=2, real=True, loss="both", radius=0.9)

    def strided(a: torch.Tensor) -> torch.Tensor:
        return a.transpose(0, 1).contiguous().transpose(0, 1)

    q = p._each(strided, strided)
    assert not q.inputs.is_contiguous()
    same_bits(answer(q), answer(p))


def test_calls_between_a_way_forward_and_its_way_back_change_no_bit() -> None:
    p, others = (problem("gru", T=9, B=5, H=7, D=3, dtype=torch.float32, loss="both", seed=seed) for seed in (0, 1))
    expected = answer(p)
    weights = {key: value.requires_grad_() for key, value in p.parameters.items()}
    h, last = scan(p.cell, weights, p.inputs, p.state, every_step=True, engine="compiled")
    answer(others)
    gradients = torch.autograd.grad((h, *last), list(weights.values()), (p.every, *p.last))
    for key, gradient in zip(weights, gradients, strict=True):
        assert np.array_equal(gradient.numpy(), expected[f"∂{key}"])
    values = h.detach()
    del h, last, gradients  # what the graph held may be used again, the values that were returned may not
    gc.collect()
    for _ in range(3):
        answer(others)
    assert np.array_equal(values.transpose(0, 1).numpy(), expected["h"])


def test_memory_is_used_again_once_its_array_is_gone_and_no_more_of_it_is_held_than_the_limit(monkeypatch) -> None:
    monkeypatch.setattr(memory, "POOL", memory.Pool())
    monkeypatch.setattr(memory, "POOL_BYTES", 1000)
    first, second = (memory.empty((7, 3), np.float64) for _ in range(2))
    assert not np.shares_memory(first, second)
    part, address = first[2:], first.ctypes.data
    del first
    assert memory.empty((7, 3), np.float64).ctypes.data != address  # a view still has it
    del part
    assert memory.empty((7, 3), np.float64).ctypes.data == address
    arrays = [memory.empty((n,), np.float64) for n in range(1, 40)]
    assert all(array.ctypes.data % memory.BYTES == 0 for array in arrays)
    del arrays
    assert sum(block.size for blocks in memory.POOL._free.values() for block in blocks) <= 1000
