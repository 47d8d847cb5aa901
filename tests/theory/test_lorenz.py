"""The Lorenz system: tangents by automatic differentiation, order of the method, exponents of the literature."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.probes.benettin import lyapunov_exponents
from harness.rng import generator
from harness.theory.lorenz import (
    DIVERGENCE,
    EXPONENT,
    LONGEST_STEP,
    RHO,
    advance,
    field,
    predictability_time,
    series,
    tangent_field,
)

STEP = 0.05


def torch_step(state: torch.Tensor, h: float) -> torch.Tensor:
    """The classical Runge–Kutta step, written from its tableau, of the equations with σ = 10, ρ = 28, β = 8/3."""

    def f(s: torch.Tensor) -> torch.Tensor:
        return torch.stack([10 * (s[1] - s[0]), s[0] * (28 - s[2]) - s[1], s[0] * s[1] - 8 * s[2] / 3])

    k1 = f(state)
    k2 = f(state + k1 * h / 2)
    k3 = f(state + k2 * h / 2)
    k4 = f(state + k3 * h)
    return state + (k1 / 6 + k2 / 3 + k3 / 3 + k4 / 6) * h


def test_a_step_and_its_tangents_are_those_of_autograd() -> None:
    first = torch.tensor([1.0, -3.0, 25.0], dtype=torch.float64)

    def flow(state: torch.Tensor) -> torch.Tensor:
        for _ in range(5):
            state = torch_step(state, STEP / 5)
        return state

    both = np.concatenate([first.numpy()[:, None], np.eye(3)], axis=1)
    after = advance(tangent_field, both, STEP)
    np.testing.assert_allclose(after[:, 0], flow(first).numpy(), rtol=1e-13)
    np.testing.assert_allclose(after[:, 1:], torch.autograd.functional.jacobian(flow, first).numpy(), rtol=1e-11)


def test_the_fixed_points_stay() -> None:
    """(±√(β(ρ − 1)), ±√(β(ρ − 1)), ρ − 1) and the origin."""
    wing = np.sqrt(8 / 3 * (RHO - 1))
    points = np.array([[0, 0, 0], [wing, wing, RHO - 1], [-wing, -wing, RHO - 1]]).T
    np.testing.assert_allclose(field(points), 0, atol=1e-12)
    np.testing.assert_allclose(advance(field, points, STEP), points, atol=1e-12)


def test_the_method_is_of_fourth_order() -> None:
    """Its error over half a unit of time falls by 2⁴ where its step is halved, to 15 %."""
    first, step = torch.tensor([1.0, 2.0, 20.0], dtype=torch.float64), LONGEST_STEP
    exact, once = first, first
    for _ in range(800):
        exact = torch_step(exact, step / 16)
    twice = first
    for _ in range(50):
        once = torch_step(once, step)
        twice = torch_step(torch_step(twice, step / 2), step / 2)
    np.testing.assert_allclose(advance(field, first.numpy()[:, None], 50 * step)[:, 0], once.numpy(), rtol=1e-12)
    assert float((once - exact).norm() / (twice - exact).norm()) == pytest.approx(16, rel=0.15)


def test_the_exponents_are_those_of_the_literature() -> None:
    """λ₁ = .906 (Sprott 1997), λ₂ = 0 of a flow, and the sum is the divergence; 128 series of 8 units of time."""
    turning, steps = 40, 160  # the first turn the frames into their directions
    states = series(generator(0, "series"), 128, turning + steps, STEP)

    def push(t: int, Q: np.ndarray) -> np.ndarray:
        both = np.concatenate([states[t - 1].T[..., None], np.moveaxis(Q, 1, 0)], axis=-1)
        return np.moveaxis(advance(tangent_field, both, STEP)[..., 1:], 0, 1)

    frame = np.broadcast_to(np.eye(3), (128, 3, 3))
    for t in range(1, turning + 1):
        frame = np.linalg.qr(push(t, frame))[0]
    exponents = lyapunov_exponents(lambda t, Q: push(turning + t, Q), frame, steps).mean(0) / STEP
    assert exponents[0] == pytest.approx(EXPONENT, abs=0.03)
    assert exponents[1] == pytest.approx(0, abs=0.03)
    assert exponents.sum() == pytest.approx(DIVERGENCE, abs=1e-3)


def test_an_error_doubles_in_the_predictability_time() -> None:
    assert np.exp(EXPONENT * predictability_time(EXPONENT)) == pytest.approx(2)
    assert predictability_time(EXPONENT * STEP) == pytest.approx(15.3, abs=0.01)
