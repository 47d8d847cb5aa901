"""The arguments of a kernel: which layouts it accepts, and the messages that refuse what does not fit."""

import numpy as np
import pytest
from kernel_twins import CASES, answer, problem

from harness.cells import CELLS
from harness.recurrence.kernels import KERNELS, interface


@pytest.fixture
def lstm():
    p = problem("lstm", T=4, R=2, B=3, H=5, D=2, dtype=np.float32)
    kernel = KERNELS["lstm"]
    return p, kernel, kernel.forward(p.x, p.state, p.parameters)[1]


def test_the_table_of_kernels_is_by_name():
    assert {name: kernel.name for name, kernel in KERNELS.items()} == {"rnn": "rnn", "lstm": "lstm", "gru": "gru"}


@pytest.mark.parametrize(("name", "activation"), CASES)
@pytest.mark.parametrize("real", [False, True])
def test_the_memory_layout_of_an_argument_changes_no_bit(name, activation, real):
    p = problem(name, activation, T=4, R=2, B=3, H=5, D=2, real=real, loss="both")
    expected = answer(p)

    def strided(a):
        if a.ndim < 2:
            return a
        b = a.swapaxes(0, 1).copy().swapaxes(0, 1)
        b.flags.writeable = False
        return b

    p.x, p.every = strided(p.x), strided(p.every)
    p.state, p.last = tuple(map(strided, p.state)), tuple(map(strided, p.last))
    p.parameters = tuple(map(strided, p.parameters))
    for key, value in answer(p).items():
        assert np.array_equal(value, expected[key]), key


def test_contiguous_arrays_are_not_copied(lstm):
    p, _, saved = lstm
    assert np.shares_memory(saved.W, p.parameters[0])
    assert np.shares_memory(saved.symbols, p.x)
    assert interface.plain(p.state[0]) is p.state[0]


def test_a_gradient_of_none_is_a_gradient_of_zeros(lstm):
    p, kernel, saved = lstm
    zeros = np.zeros_like(p.last[0])
    a = kernel.backward(saved, last=(p.last[0], None), record=True)
    b = kernel.backward(saved, last=(p.last[0], zeros), record=True)
    assert np.array_equal(a.dW, b.dW)
    assert np.array_equal(a.log10_adjoint_cell, b.log10_adjoint_cell)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"activation": "relu"}, "no activation 'relu' [(]tanh[)]"),
        ({"x": np.full((4, 2, 3), 2)}, "symbols 2 ... 2, expected -1 ... 1"),
        ({"x": np.full((4, 2, 3), -2)}, "symbols -2 ... -2, expected -1 ... 1"),
        ({"x": np.zeros((4, 2, 3), np.int32)}, "x: int32 .*expected int64"),
        ({"x": np.zeros((4, 2, 3, 2))}, "x: float64 .*expected float32"),
        ({"x": np.zeros((4, 2, 3, 3), np.float32)}, r"x: float32 \(4, 2, 3, 3\), expected float32 \(4, 2, 3, 2\)"),
        ({"x": np.zeros((4, 2))}, "dimensions"),
        ({"x": np.zeros((0, 2, 3), np.int64)}, "at least 1"),
        ({"state": (np.zeros((2, 3, 5), np.float32),)}, "state: 1 arrays, expected 2"),
        ({"state": (np.zeros((2, 3, 4), np.float32),) * 2}, "state: float32 .*expected float32"),
    ],
)
def test_forward_names_what_does_not_fit(lstm, change, message):
    p, kernel, _ = lstm
    arguments = {"x": p.x, "state": p.state, "parameters": p.parameters} | change
    with pytest.raises(ValueError, match=message):
        kernel.forward(**arguments)


@pytest.mark.parametrize("k", range(4))
def test_forward_names_the_parameter_that_does_not_fit(lstm, k):
    p, kernel, _ = lstm
    parameters = list(p.parameters)
    parameters[k] = parameters[k][:1]
    with pytest.raises(ValueError, match=f"kernel lstm: {('W', 'U', 'b_x', 'b_h')[k]}: "):
        kernel.forward(p.x, p.state, tuple(parameters))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "neither last nor every"),
        ({"last": (None, None), "window": 0}, "window 0"),
        ({"last": (None, None), "need_dx": True}, "symbols have no gradient"),
        ({"last": (None,)}, "last: 1 arrays, expected 2"),
        ({"every": np.zeros((2, 4, 3, 5), np.float32)}, "every"),
    ],
)
def test_backward_names_what_does_not_fit(lstm, arguments, message):
    _, kernel, saved = lstm
    with pytest.raises(ValueError, match=message):
        kernel.backward(saved, **arguments)


def test_cells_that_a_plan_takes_for_fused_are_those_with_a_kernel() -> None:
    assert {name for name, cell in CELLS.items() if cell.fused} == set(KERNELS)
