"""Closed forms of adjoints far outside the range of float32, and of float64."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from made_networks import normal
from scan_problems import Problem, Results, answer, log10_sum_of_norms, problem

LOG2 = math.log10(2)
B, H = 3, 5
BOTH = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])


def constant(p: Problem, **values: Any) -> Problem:
    """The problem with parameters that are constants or given arrays."""
    parameters = {
        name: torch.as_tensor(values.get(name, 0.0), dtype=value.dtype).expand(value.shape).clone()
        for name, value in p.parameters.items()
    }
    return replace(p, parameters=parameters)


def linear(
    rho: float,
    T: int,
    dtype: torch.dtype,
    *,
    last: Any = None,
    every: Any = None,
    matrix: Any = None,
    engine: str = "compiled",
) -> Results:
    """Levels of a relu network with W = ρ I and positive states: the adjoint is multiplied by ρ at every step."""
    p = problem("relu", T=T, B=B, H=H, D=1, dtype=dtype)
    W = rho * torch.eye(H, dtype=torch.float64) if matrix is None else torch.as_tensor(matrix)
    p = constant(p, W=W, U=1e-3, b_x=1e-3)
    state = (torch.full((1, B, H), 1e-3, dtype=dtype),)
    last = None if last is None else torch.as_tensor(last, dtype=dtype)
    every = None if every is None else torch.as_tensor(every, dtype=dtype)
    p = replace(p, inputs=torch.zeros(T, 1, B, dtype=torch.long), state=state, last=(last,), every=every)
    return answer(p, engine)


def lags(T: int) -> np.ndarray:
    return np.arange(T - 1, -1, -1)


@BOTH
@pytest.mark.parametrize("rho", [0.5, 0.58, 0.999])
def test_the_adjoint_falls_by_exactly_rho_a_step(dtype, rho: float) -> None:
    T = 2001
    last = normal(0, 1, B, H, dtype=dtype)
    level = linear(rho, T, dtype, last=last)["level"][0]
    expected = log10_sum_of_norms(last.double().numpy()) + math.log10(float(torch.tensor(rho, dtype=dtype))) * lags(T)
    tolerance = 1e-6 if rho == 0.5 else 1e-4  # a product with 1/2 is exact; others round T times
    np.testing.assert_allclose(level, expected, atol=tolerance if dtype == torch.float32 else 1e-9)


@BOTH
def test_an_adjoint_that_explodes_is_measured_too(dtype) -> None:
    T = 2001
    last = np.ones((1, B, H))
    last[..., 0] = 0
    results = linear(2.0, T, dtype, last=last)
    np.testing.assert_allclose(results["level"][0], math.log10(B * math.sqrt(H - 1)) + LOG2 * lags(T), atol=1e-6)
    assert not np.isfinite(results["∂W"]).all()  # while the gradient overflows, and is not finite
    assert np.all(results["∂state 0"][..., 1:] == np.inf)
    assert np.all(results["∂state 0"][..., 0] == 0)  # that of a unit which the loss does not see


@BOTH
@pytest.mark.parametrize(("name", "part", "recorded"), [("lstm", 1, "level of c"), ("gru", 0, "level")])
def test_a_gate_at_one_half_halves_the_adjoint_to_lag_2000(dtype, name: str, part: int, recorded: str) -> None:
    """With W = U = b = 0 every gate is 1/2: f of the LSTM multiplies the adjoint of c, z of the GRU that of h."""
    T = 2001
    p = constant(problem(name, T=T, B=B, H=H, D=1, dtype=dtype))
    seen = tuple(torch.ones(1, B, H, dtype=dtype) if i == part else None for i in range(len(p.state)))
    p = replace(p, inputs=torch.zeros(T, 1, B, dtype=torch.long), state=tuple(s * 0 for s in p.state), last=seen)
    results = answer(p)
    np.testing.assert_allclose(results[recorded][0], math.log10(B * math.sqrt(H)) - LOG2 * lags(T), atol=1e-6)
    if name == "lstm":
        assert np.all(results["level"] == -np.inf)  # nothing but c carries anything here


@BOTH
def test_positive_matrices_multiply_as_in_exact_arithmetic(dtype) -> None:
    T = 1501
    rng = np.random.default_rng(1)
    W = torch.as_tensor(rng.uniform(0, 0.2, (H, H)), dtype=dtype)
    last = torch.as_tensor(rng.uniform(0, 1, (1, B, H)), dtype=dtype)
    level = linear(0, T, dtype, last=last, matrix=W)["level"][0]
    rows, logs = last[0].double().numpy(), np.zeros((B, 1))
    expected = []
    for _ in range(T):
        norm = np.linalg.norm(rows, axis=1, keepdims=True)
        logs, rows = logs + np.log10(norm), rows / norm
        expected.append(math.log10((10 ** (logs - logs.max())).sum()) + logs.max())
        rows = rows @ W.double().numpy()
    np.testing.assert_allclose(level[::-1], expected, atol=1e-4 if dtype == torch.float32 else 1e-9)


@BOTH
@pytest.mark.parametrize("early", [1.0, 1e-30, 1e30])
@pytest.mark.parametrize("rho", [0.5, 2.0])
def test_losses_at_several_steps_meet_at_the_right_scale(dtype, early: float, rho: float) -> None:
    T, middle = 2001, 1000
    every = np.zeros((T, 1, B, H))
    every[-1], every[middle - 1], every[0] = 1.0, 1e-20, early
    level = linear(rho, T, dtype, every=every)["level"][0]
    t = np.arange(1, T + 1)

    def share(value: float, step: int) -> np.ndarray:
        return np.where(t <= step, math.log10(value) + (step - t) * math.log10(rho), -np.inf)

    parts = np.stack([share(1.0, T), share(1e-20, middle), share(early, 1)])
    top = parts.max(0)
    expected = top + np.log10((10 ** (parts - top)).sum(0)) + math.log10(B * math.sqrt(H))
    np.testing.assert_allclose(level, expected, atol=1e-6)


@BOTH
def test_sequences_of_very_different_size_are_summed_not_mixed(dtype) -> None:
    T = 400
    last = np.ones((1, B, H)) * np.array([1e-25, 0.0, 1e25])[:, None]
    results = linear(0.5, T, dtype, last=last)
    np.testing.assert_allclose(results["level"][0], 25 + math.log10(math.sqrt(H)) - LOG2 * lags(T), atol=1e-6)
    assert np.all(results["∂state 0"][0, 1] == 0)


@BOTH
@pytest.mark.parametrize("engine", ["compiled", "torch"])
def test_a_sequence_without_a_gradient_adds_nothing_to_a_level_however_low_it_is(dtype, engine: str) -> None:
    T = 1500
    last = np.ones((1, B, H)) * np.array([1, 0, 1])[:, None]
    level = linear(0.5, T, dtype, last=last, engine=engine)["level"][0]
    np.testing.assert_allclose(level, math.log10(2 * math.sqrt(H)) - LOG2 * lags(T), atol=1e-6)
    assert level[0] < -440


@BOTH
@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_a_gradient_of_zero_is_an_exact_zero_and_one_that_is_not_finite_stays_so(dtype, value: float) -> None:
    last = np.zeros((1, B, H))
    last[0, 1, 2] = value
    results = linear(0.5, 300, dtype, last=last)
    level = results["level"][0]
    if value == 0:
        assert np.all(level == -np.inf)
        assert np.all(results["∂W"] == 0)
    else:
        assert level[-1] == value or np.isnan(level[-1]) == np.isnan(value)
        assert not np.isfinite(level).any()
        assert not np.isfinite(results["∂W"]).all()


@BOTH
def test_a_dead_network_has_an_adjoint_of_zero_until_a_loss_revives_it(dtype) -> None:
    """The scale of a sequence that died must not change a gradient which arrives later."""
    T = 600
    every = np.zeros((T, 1, B, H))
    every[-1], every[9] = 1.0, 1.0
    level = linear(0, T, dtype, every=every, matrix=np.zeros((H, H)))["level"][0]
    expected = np.full(T, -np.inf)
    expected[[9, T - 1]] = math.log10(B * math.sqrt(H))
    np.testing.assert_allclose(level, expected, atol=1e-6)


def test_the_hidden_state_of_an_lstm_is_recorded_far_below_its_cell_state() -> None:
    """∂L/∂h_t = W_gᵀ(δ_g): weights of 2⁻⁸⁰ put it eighty powers of two below ∂L/∂c_t, and it is no zero in float32."""
    p = problem("lstm", T=6, B=B, H=H, D=3, dtype=torch.float32, loss="h")
    p.parameters["W"] = p.parameters["W"].detach() * 2.0**-80
    single, double = answer(p), answer(p.double(), "torch")
    assert (double["level"][:, :-1] < double["level of c"][:, :-1] - 23).all()
    np.testing.assert_allclose(single["level"], double["level"], atol=1e-5)
