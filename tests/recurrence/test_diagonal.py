"""The kernel of elementwise recurrences against its twin, the cells' own `step`, and against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import leaves, normal, started, zero_state

from harness.cells import CELLS
from harness.cells.elementwise import Elementwise
from harness.recurrence.adjoints import AdjointRecorder
from harness.recurrence.scan import scan

ELEMENTWISE = [name for name, cell in CELLS.items() if issubclass(cell, Elementwise)]
D = 4


def problem(name: str, *, R: int, H: int, T: int, dtype=torch.float64, **settings):
    """A cell and its parameters, biases moved off zero."""
    cell = CELLS[name](cell=name, hidden_size=H, **settings)
    parameters = started(cell, range(R), input_size=D, length=T, dtype=dtype)
    with torch.no_grad():
        parameters["b_x"] += torch.linspace(-0.5, 0.5, parameters["b_x"].shape[1], dtype=dtype)
    return cell, parameters


def differentiated(cell, parameters, engine: str, x, h_0, *, window, every_step: bool) -> dict[str, torch.Tensor]:
    """States, gradients of all that has one, and the recorded levels, of L = Σ v·h."""
    own = leaves({**parameters, "x": x, "h_0": h_0})
    weights = {key: own[key] for key in parameters}
    recorder = AdjointRecorder()
    options = {"window": window, "every_step": every_step, "engine": engine, "recorder": recorder}
    h, (last,) = scan(cell, weights, own["x"], (own["h_0"],), **options)
    (h * normal(2, *h.shape, dtype=h.dtype)).sum().backward()
    gradients = {key: torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for key, leaf in own.items()}
    levels = {name: torch.as_tensor(getattr(recorder, name)) for name in ("log10_adjoint", "log10_immediate")}
    return {"h": h.detach(), "last": last.detach(), **gradients, **levels}


def log10_adjoints(cell, parameters, x, *, B: int, dtype=torch.float64):
    """log₁₀ adjoints (T,) of one replica by the kernel, of L = Σ h_T."""
    recorder = AdjointRecorder()
    h, _ = scan(cell, parameters, x, zero_state(cell, 1, B, dtype), engine="numba", recorder=recorder)
    h.sum().backward()
    return recorder.log10_adjoint[:, 0]


@pytest.mark.parametrize("name", ELEMENTWISE)
@settings(derandomize=True, deadline=None, max_examples=40)
@given(
    T=st.integers(1, 9),
    R=st.integers(1, 3),
    B=st.integers(1, 4),
    H=st.integers(1, 9),
    window=st.none() | st.integers(1, 10),
    every_step=st.booleans(),
)
def test_states_gradients_and_adjoints_are_those_of_the_steps(name, T, R, B, H, window, every_step) -> None:
    cell, parameters = problem(name, R=R, H=H, T=T)
    x, h_0 = normal(0, T, R, B, D), normal(1, R, B, H)
    ours, twin = (
        differentiated(cell, parameters, engine, x, h_0, window=window, every_step=every_step)
        for engine in ("numba", "torch")
    )
    for key, expected in twin.items():
        torch.testing.assert_close(ours[key], expected, rtol=1e-9, atol=1e-11, msg=lambda m, key=key: f"{key}: {m}")


@pytest.mark.parametrize("nonlinearity", ["relu", "tanh"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_indrnn_of_either_nonlinearity_is_its_twin_in_both_types(nonlinearity: str, dtype) -> None:
    cell, parameters = problem("indrnn", R=2, H=19, T=40, dtype=dtype, nonlinearity=nonlinearity)
    x, h_0 = normal(0, 40, 2, 5, D, dtype=dtype), normal(1, 2, 5, 19, dtype=dtype)
    ours, twin = (
        differentiated(cell, parameters, engine, x, h_0, window=None, every_step=True) for engine in ("numba", "torch")
    )
    rtol = 1e-4 if dtype == torch.float32 else 1e-10
    for key, expected in twin.items():
        torch.testing.assert_close(ours[key], expected, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("u", [0.5, 0.9])
def test_adjoints_of_a_linear_unit_fall_by_exactly_u_a_step_far_below_any_float(u: float, dtype) -> None:
    T = 2000  # ½ to the power of 2000 is 10⁻⁶⁰²; with a large bias relu lets everything through
    cell, parameters = problem("indrnn", R=1, H=3, T=T, dtype=dtype)
    with torch.no_grad():
        parameters["u"].fill_(u)
        parameters["b_x"].fill_(10.0)
    levels = log10_adjoints(cell, parameters, torch.zeros(T, 1, 2, D, dtype=dtype), B=2, dtype=dtype)
    lags = np.arange(T - 1, -1, -1)  # ∂L/∂h_T is 1 for each of 3 units, of 2 sequences
    np.testing.assert_allclose(levels, np.log10(2 * np.sqrt(3)) + lags * np.log10(u), rtol=1e-6, atol=1e-6)


def test_adjoints_of_an_lru_fall_by_the_modulus_of_its_eigenvalue() -> None:
    T, modulus = 500, 0.7
    cell, parameters = problem("lru", R=1, H=2, T=T)
    with torch.no_grad():
        parameters["nu"].fill_(np.log(-np.log(modulus)))
    levels = log10_adjoints(cell, parameters, torch.zeros(T, 1, 1, D, dtype=torch.float64), B=1)
    np.testing.assert_allclose(np.diff(levels), -np.log10(modulus), atol=1e-9)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_float32_adjoints_of_two_thousand_steps_are_those_of_float64(name: str) -> None:
    T = 2000
    single, double = (
        log10_adjoints(*problem(name, R=1, H=6, T=T, dtype=dtype), normal(0, T, 1, 3, D, dtype=dtype), B=3, dtype=dtype)
        for dtype in (torch.float32, torch.float64)
    )
    assert np.isfinite(double[-200:]).all()
    np.testing.assert_allclose(single, double, rtol=1e-4, atol=0.02)


def test_a_kernel_names_the_shapes_types_and_activations_that_do_not_fit() -> None:
    from harness.recurrence.kernels import diagonal

    good = (np.ones((1, 6, 2)), np.ones((1, 2)), np.ones((1, 6, 2)), np.ones((1, 3, 2)))
    diagonal.run(*good, "relu")
    with pytest.raises(ValueError, match=r"no activation 'gelu' \(identity, relu, tanh\)"):
        diagonal.run(*good, "gelu")
    with pytest.raises(ValueError, match=r"\(1, 5, 2\).* do not go together"):
        diagonal.run(np.ones((1, 5, 2)), *good[1:], "relu")
    with pytest.raises(ValueError, match="float32"):
        diagonal.run(good[0].astype(np.float32), *good[1:], "relu")
