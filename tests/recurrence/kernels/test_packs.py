"""A replica's numbers are the same, bit for bit, alone and in any pack, recorded or not."""

import gc

import numpy as np
import pytest
from kernel_twins import CASES, answer, problem

from harness.recurrence.kernels import KERNELS, buffers

SIZES = [(19, 16), (7, 5), (1, 1), (50, 32)]


@pytest.mark.parametrize(("name", "activation"), CASES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("H", "B"), SIZES)
@pytest.mark.parametrize("R", [2, 3, 5])
def test_a_replica_alone_equals_itself_in_a_pack(name, activation, dtype, H, B, R):
    real, loss = R == 3, ("last", "every", "both")[R % 3]
    p = problem(name, activation, T=20, R=R, B=B, H=H, D=3, dtype=dtype, real=real, loss=loss)
    pack = answer(p, 15)
    for r in range(R):
        for key, value in answer(p.replica(r), 15).items():
            assert np.array_equal(value[0], pack[key][r]), (key, r)


@pytest.mark.parametrize(("name", "activation"), CASES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("loss", ["last", "every"])
def test_recording_changes_no_bit(name, activation, dtype, loss):
    p = problem(name, activation, T=300, R=2, B=5, H=7, D=3, dtype=dtype, loss=loss, radius=0.3)
    kernel = KERNELS[name]
    _, saved = kernel.forward(p.x, p.state, p.parameters, activation=activation)
    plain = kernel.backward(saved, last=p.last, every=p.every)
    recorded = kernel.backward(saved, last=p.last, every=p.every, record=True)
    assert plain.log10_adjoint is None
    for field in ("dW", "dU", "db_x", "db_h", "dstate"):
        assert np.array_equal(getattr(plain, field), getattr(recorded, field)), field


@pytest.mark.parametrize(("name", "activation"), CASES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_backward_does_not_change_what_forward_saved(name, activation, dtype):
    p = problem(name, activation, T=9, R=2, B=5, H=7, D=3, dtype=dtype, loss="both")
    kernel = KERNELS[name]
    states, saved = kernel.forward(p.x, p.state, p.parameters, activation=activation)
    before = [a.copy() for a in (*states, *saved.buffer.arrays, p.every, *p.last)]
    first = kernel.backward(saved, last=p.last, every=p.every, record=True)
    second = kernel.backward(saved, last=p.last, every=p.every, record=True)
    assert np.array_equal(first.dW, second.dW)
    assert all(map(np.array_equal, before, (*states, *saved.buffer.arrays, p.every, *p.last)))


def test_memory_is_reused_only_after_the_saved_arrays_are_released():
    p = problem("gru", T=9, B=5, H=7, D=3, dtype=np.float32)
    kernel = KERNELS["gru"]
    buffers.free.clear()
    (h,), first = kernel.forward(p.x, p.state, p.parameters)
    before = h.copy()
    _, second = kernel.forward(p.x, p.state, p.parameters)
    assert not np.shares_memory(first.buffer.arrays[0], second.buffer.arrays[0])
    address = first.buffer.arrays[0].ctypes.data
    del first
    gc.collect()
    _, third = kernel.forward(-np.ones_like(p.x), p.state, p.parameters)
    assert third.buffer.arrays[0].ctypes.data == address
    assert np.array_equal(h, before)
    del second, third
    gc.collect()
    assert len(buffers.free) <= buffers.KEPT
