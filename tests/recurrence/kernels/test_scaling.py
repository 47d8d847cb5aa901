"""Closed forms of adjoints far outside the range of float32."""

import math

import numpy as np
import pytest

from harness.recurrence.kernels import KERNELS, scaling

LOG2 = math.log10(2)
BOTH = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def linear(rho, T, *, B=3, H=5, dtype=np.float32, last=None, every=None, matrix=None):
    """Levels of a relu network with W = rho I and positive states: the adjoint is multiplied by rho at every step."""
    W = (rho * np.eye(H) if matrix is None else matrix).astype(dtype)[None]
    h = np.full((1, B, H), 1e-3, dtype)
    x = np.zeros((T, 1, B), np.int64)
    parameters = (W, np.full((1, H, 1), 1e-3, dtype), np.zeros((1, H), dtype), np.zeros((1, H), dtype))
    kernel = KERNELS["rnn"]
    _, saved = kernel.forward(x, (h,), parameters, activation="relu")
    return kernel.backward(saved, last=None if last is None else (last,), every=every, record=True)


@BOTH
@pytest.mark.parametrize("rho", [0.5, 0.58, 0.999])
def test_the_adjoint_falls_by_exactly_rho_a_step(dtype, rho):
    T, B, H = 2001, 3, 5
    last = np.random.default_rng(0).standard_normal((1, B, H)).astype(dtype)
    level = linear(rho, T, last=last, dtype=dtype).log10_adjoint[:, 0]
    top = math.log10(np.linalg.norm(last.astype(np.float64), axis=-1).sum())
    expected = top + math.log10(dtype(rho)) * np.arange(T - 1, -1, -1)
    tolerance = 1e-6 if rho == 0.5 else 1e-4  # a product with 1/2 is exact; others round T times
    np.testing.assert_allclose(level, expected, atol=tolerance if dtype == np.float32 else 1e-9)


@BOTH
def test_an_adjoint_that_explodes_is_measured_too(dtype):
    T, B, H = 2001, 3, 5
    last = np.ones((1, B, H), dtype)
    g = linear(2.0, T, last=last, dtype=dtype)
    expected = math.log10(B * math.sqrt(H)) + LOG2 * np.arange(T - 1, -1, -1)
    np.testing.assert_allclose(g.log10_adjoint[:, 0], expected, atol=1e-6)
    assert not np.isfinite(g.dW).all()  # while the gradient overflows, and is not finite


@BOTH
@pytest.mark.parametrize(("name", "state"), [("lstm", 1), ("gru", 0)])
def test_a_gate_at_one_half_halves_the_adjoint_to_lag_2000(dtype, name, state):
    """With W = U = b = 0 every gate is 1/2: f of the LSTM multiplies the adjoint of c, z of the GRU that of h."""
    T, B, H = 2001, 3, 5
    kernel = KERNELS[name]
    zeros = tuple(np.zeros(s, dtype) for s in ((1, B, H), (1, kernel.gates * H, H), (1, kernel.gates * H, 1)))
    b = np.zeros((1, kernel.gates * H), dtype)
    x = np.zeros((T, 1, B), np.int64)
    _, saved = kernel.forward(x, (zeros[0],) * kernel.states, (zeros[1], zeros[2], b, b))
    last = [None] * kernel.states
    last[state] = np.ones((1, B, H), dtype)
    g = kernel.backward(saved, last=tuple(last), record=True)
    level = (g.log10_adjoint, g.log10_adjoint_cell)[state][:, 0]
    np.testing.assert_allclose(level, math.log10(B * math.sqrt(H)) - LOG2 * np.arange(T - 1, -1, -1), atol=1e-6)
    if name == "lstm":
        assert np.all(g.log10_adjoint == -np.inf)  # nothing but c carries anything here


@BOTH
def test_positive_matrices_multiply_as_in_exact_arithmetic(dtype):
    T, B, H = 1501, 3, 5
    rng = np.random.default_rng(1)
    W = rng.uniform(0, 0.2, (H, H)).astype(dtype)
    last = rng.uniform(0, 1, (1, B, H)).astype(dtype)
    level = linear(0, T, last=last, dtype=dtype, matrix=W).log10_adjoint[:, 0]
    rows, logs = last[0].astype(np.float64), np.zeros((B, 1))
    expected = []
    for _ in range(T):
        norm = np.linalg.norm(rows, axis=1, keepdims=True)
        logs, rows = logs + np.log10(norm), rows / norm
        expected.append(math.log10((10 ** (logs - logs.max())).sum()) + logs.max())
        rows = rows @ W.astype(np.float64)
    np.testing.assert_allclose(level[::-1], expected, atol=1e-4 if dtype == np.float32 else 1e-9)


@BOTH
@pytest.mark.parametrize("early", [1.0, 1e-30, 1e30])
@pytest.mark.parametrize("rho", [0.5, 2.0])
def test_losses_at_several_steps_meet_at_the_right_scale(dtype, early, rho):
    T, B, H, middle = 2001, 3, 5, 1000
    every = np.zeros((T, 1, B, H), dtype)
    every[-1], every[middle - 1], every[0] = 1.0, 1e-20, early
    level = linear(rho, T, every=every, dtype=dtype).log10_adjoint[:, 0]
    t = np.arange(1, T + 1)

    def share(value, step):
        return np.where(t <= step, math.log10(value) + (step - t) * math.log10(rho), -np.inf)

    parts = np.stack([share(1.0, T), share(1e-20, middle), share(early, 1)])
    top = parts.max(0)
    expected = top + np.log10((10 ** (parts - top)).sum(0)) + math.log10(B * math.sqrt(H))
    np.testing.assert_allclose(level, expected, atol=1e-6)


@BOTH
def test_rows_of_very_different_size_are_summed_not_mixed(dtype):
    T, H = 400, 5
    last = np.ones((1, 3, H), dtype) * np.array([1e-25, 0.0, 1e25], dtype)[:, None]
    g = linear(0.5, T, last=last, dtype=dtype)
    expected = 25 + math.log10(math.sqrt(H)) - LOG2 * np.arange(T - 1, -1, -1)
    np.testing.assert_allclose(g.log10_adjoint[:, 0], expected, atol=1e-6)
    assert np.all(g.dstate[0][0, 1] == 0)


@BOTH
@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_a_gradient_of_zero_is_an_exact_zero_and_one_that_is_not_finite_stays_so(dtype, value):
    last = np.zeros((1, 3, 5), dtype)
    last[0, 1, 2] = value
    g = linear(0.5, 300, last=last, dtype=dtype)
    level = g.log10_adjoint[:, 0]
    if value == 0:
        assert np.all(level == -np.inf)
        assert np.all(g.dW == 0)
    else:
        assert level[-1] == value or np.isnan(level[-1]) == np.isnan(value)
        assert not np.isfinite(level).any()
        assert not np.isfinite(g.dW).all()


@BOTH
def test_a_dead_network_has_an_adjoint_of_zero_until_a_loss_revives_it(dtype):
    """The scale of a row that died must not change a gradient which arrives later."""
    T, B, H = 600, 2, 3
    every = np.zeros((T, 1, B, H), dtype)
    every[-1], every[9] = 1.0, 1.0
    W = np.zeros((H, H))
    level = linear(0, T, B=B, H=H, every=every, dtype=dtype, matrix=W).log10_adjoint[:, 0]
    expected = np.full(T, -np.inf)
    expected[[9, T - 1]] = math.log10(B * math.sqrt(H))
    np.testing.assert_allclose(level, expected, atol=1e-6)


@BOTH
@pytest.mark.parametrize("n", [-5000, -300, -140, -1, 0, 1, 127, 200, 5000])
def test_a_shift_is_exact_or_leaves_the_range(dtype, n):
    row = np.array([0.0, -0.75, 1.0, np.inf, np.nan], dtype)
    with np.errstate(over="ignore", under="ignore"):
        expected = np.ldexp(row, n)
    scaling.shift(row, n)
    assert np.array_equal(row, expected, equal_nan=True)
