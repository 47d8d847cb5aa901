"""Values and slopes of the nonlinearities, in saturation and at NaN and infinity."""

import math

import numba
import numpy as np
import pytest
from kernel_twins import CASES

from harness.recurrence.kernels import KERNELS, nonlinearities
from harness.recurrence.kernels.compiled import OPTIONS

NAMES = ["tanh", "sigmoid"]
EXACT = {"tanh": np.tanh, "sigmoid": lambda x: 1 / (1 + np.exp(-x))}
ARGUMENTS = np.linspace(-20, 20, 4001)


def mapped(function):
    @numba.njit(**OPTIONS)
    def run(x, out):
        for i in range(x.size):
            out[i] = function(x[i])

    return run


def mapped_slope(function):
    @numba.njit(**OPTIONS)
    def run(x, y, out):
        for i in range(x.size):
            out[i] = function(x[i], y[i])

    return run


MAPPED = {name: mapped(getattr(nonlinearities, name)) for name in NAMES}
SLOPES = {name: mapped_slope(getattr(nonlinearities, name)) for name in ("tanh_slope", "gate_slope", "complement")}


def value(name, x):
    out = np.empty_like(x)
    MAPPED[name](x, out)
    return out


@pytest.mark.parametrize("name", NAMES)
def test_float32_is_within_4e_7_of_the_function(name):
    x = ARGUMENTS.astype(np.float32)
    np.testing.assert_allclose(value(name, x), EXACT[name](x.astype(np.float64)), rtol=0, atol=4e-7)
    assert np.abs(value(name, x)).max() <= 1


def test_float32_tanh_is_relatively_exact_near_zero():
    x = np.geomspace(1e-37, 1, 999).astype(np.float32)
    np.testing.assert_allclose(value("tanh", x), np.tanh(x.astype(np.float64)), rtol=4e-7)
    assert np.array_equal(value("tanh", -x), -value("tanh", x))


@pytest.mark.parametrize("name", NAMES)
def test_float64_is_libms(name):
    np.testing.assert_allclose(value(name, ARGUMENTS), EXACT[name](ARGUMENTS), rtol=4e-16 * 4, atol=0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("argument", "expected"), [(np.nan, np.nan), (np.inf, 1.0), (-np.inf, None)])
def test_nan_stays_nan_and_infinity_saturates_in_every_lane(name, dtype, argument, expected):
    if expected is None:
        expected = -1.0 if name == "tanh" else 0.0
    for place in range(67):
        x = np.full(67, 0.5, dtype)
        x[place] = argument
        y = value(name, x)
        assert np.array_equal(y[place], expected, equal_nan=True)
        assert np.isfinite(np.delete(y, place)).all()


@pytest.mark.parametrize("x", [-20.0, -1.0, 0.0, 6.0, 20.0, 300.0])
def test_float64_slopes_keep_their_digits_in_saturation(x):
    out = np.empty(1)
    SLOPES["tanh_slope"](np.array([x]), np.tanh([x]), out)
    assert math.isclose(out[0], math.cosh(x) ** -2, rel_tol=1e-14)
    SLOPES["gate_slope"](np.array([x]), np.zeros(1), out)
    assert math.isclose(out[0], 0.25 * math.cosh(x / 2) ** -2, rel_tol=1e-14)
    SLOPES["complement"](np.array([x]), np.zeros(1), out)
    assert math.isclose(out[0], 0.5 * math.exp(-x / 2) / math.cosh(x / 2), rel_tol=1e-14)


def saturated(name, pre):
    """One step of one unit in float64, all of whose arguments are `pre`, from h = c = 0; dL/dh_1 = 1."""
    kernel = KERNELS[name]
    state = (np.zeros((1, 1, 1)),) * kernel.states
    W, b = np.zeros((1, kernel.gates, 1)), np.zeros((1, kernel.gates))
    _, saved = kernel.forward(np.zeros((1, 1, 1), np.int64), state, (W, W, b + pre, b))
    return kernel.backward(saved, last=(np.ones((1, 1, 1)),) + (None,) * (kernel.states - 1))


@pytest.mark.parametrize("pre", [-20.0, 20.0, 300.0])
def test_kernels_in_float64_use_these_slopes(pre):
    tanh, slope = math.tanh(pre), math.cosh(pre) ** -2
    gate, gate_slope = 0.5 * math.exp(pre / 2) / math.cosh(pre / 2), 0.25 * math.cosh(pre / 2) ** -2
    rest = 0.5 * math.exp(-pre / 2) / math.cosh(pre / 2)
    assert math.isclose(saturated("rnn", pre).db_x[0, 0], slope, rel_tol=1e-13)
    c = gate * tanh
    dc = gate / math.cosh(c) ** 2
    expected = [dc * tanh * gate_slope, 0, dc * gate * slope, math.tanh(c) * gate_slope]
    np.testing.assert_allclose(saturated("lstm", pre).db_x[0], expected, rtol=1e-13)
    np.testing.assert_allclose(saturated("gru", pre).db_x[0], [0, -tanh * gate_slope, rest * slope], rtol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "activation"), CASES)
@pytest.mark.parametrize("real", [False, True])
def test_a_nan_reaches_the_outputs_and_only_its_own_sequence(dtype, name, activation, real):
    T, B, H = 5, 3, 19
    kernel = KERNELS[name]
    state = tuple(np.zeros((1, B, H), dtype) for _ in range(kernel.states))
    state[0][0, 1, H - 1] = np.nan
    rng = np.random.default_rng(0)
    W = rng.standard_normal((1, kernel.gates * H, H)).astype(dtype)
    U, b = np.ones((1, kernel.gates * H, 2), dtype), np.ones((1, kernel.gates * H), dtype)
    x = np.zeros((T, 1, B, 2), dtype) if real else np.zeros((T, 1, B), np.int64)
    states, saved = kernel.forward(x, state, (W, U, b, b), activation=activation)
    for s in states:
        assert np.isnan(s[0, 1:, 1]).all()
        assert np.isfinite(s[0, :, [0, 2]]).all()
    g = kernel.backward(saved, last=(np.ones((1, B, H), dtype),) + (None,) * (kernel.states - 1), record=True)
    assert np.isnan(g.dW).any()
    if activation == "tanh":  # relu's slope at NaN is 1, as torch has it
        assert np.isnan(g.log10_adjoint[0]).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_relu_keeps_infinity_and_has_slope_zero_at_zero(dtype):
    kernel = KERNELS["rnn"]
    one, zero = np.ones((1, 1, 1), dtype), np.zeros((1, 1), dtype)
    for start, expected, slope in ((np.inf, np.inf, 1), (-np.inf, 0, 0), (0.0, 0, 0), (2.0, 2, 1)):
        x = np.full((1, 1, 1), -1)
        (h,), saved = kernel.forward(x, (one * dtype(start),), (one, one, zero, zero), activation="relu")
        assert h[0, 1, 0, 0] == expected
        assert kernel.backward(saved, last=(one,)).db_x[0, 0] == slope
