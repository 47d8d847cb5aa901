"""Jacobians by autograd against their equation, and the bound on every trajectory."""

from __future__ import annotations

import math

import numpy as np
import pytest
from study_texts import check_text

from harness.errors import StudyError
from harness.experiments.jacobian_bound import Bound, bound, jacobians, log_norms, recurrent_weights
from harness.experiments.setup import Setup
from harness.registry import read

SIZES = {"hidden_size": 9, "sequence_length": 12, "batch_size": 3}
PHI = {
    "tanh": (np.tanh, lambda a: 1 - np.tanh(a) ** 2),
    "sigmoid": (lambda a: 1 / (1 + np.exp(-a)), lambda a: 1 / (2 + np.exp(a) + np.exp(-a))),
    "relu": (lambda a: np.maximum(a, 0), lambda a: (a > 0).astype(float)),
}


@pytest.mark.parametrize("name", PHI)
def test_the_jacobian_is_the_slope_times_the_matrix(name: str) -> None:
    generator, (phi, slope) = np.random.default_rng(1), PHI[name]
    W, h, drive = (
        generator.standard_normal((4, 4)),
        generator.standard_normal((2, 4)),
        generator.standard_normal((5, 2, 4)),
    )
    measured = jacobians(name, W, h, drive)
    for t in range(5):
        a = h @ W.T + drive[t]
        np.testing.assert_allclose(measured[t], slope(a)[:, :, None] * W, atol=1e-13)
        h = phi(a)


def test_norms_are_those_of_steps_and_products() -> None:
    steps = np.random.default_rng(2).standard_normal((4, 2, 3, 3))
    single, several = log_norms(steps)
    for t in range(4):
        assert single[t] == pytest.approx(math.log(max(np.linalg.norm(steps[t, b], 2) for b in range(2))))
        products = [np.linalg.multi_dot([np.eye(3), *steps[::-1][: t + 1, b]]) for b in range(2)]
        assert several[t] == pytest.approx(math.log(max(np.linalg.norm(product, 2) for product in products)))


def test_a_dead_network_has_a_gradient_of_exactly_zero() -> None:
    single, several = log_norms(np.zeros((3, 1, 2, 2)))
    assert (single == -math.inf).all()
    assert (several == -math.inf).all()


def test_no_jacobian_exceeds_the_bound(plan_of) -> None:
    jacobian = {"nonlinearity": "tanh", "spectral_radius": 1.2, **SIZES}
    text = check_text("jacobian_bound", jacobian=jacobian, sweep={"jacobian.nonlinearity": [*PHI]})
    for record in bound(plan_of(text).runs, Setup("torch")):
        single, several = record.rows["profiles"]
        assert record.run["outcome"] == "solved"
        assert record.run["residual"] < 0
        assert record.run["measured"] == max(single["measured"]) < record.run["predicted"]
        assert all(m < t for m, t in zip(several["measured"], several["theory"], strict=True))


def test_weights_have_the_given_radius_or_deviation() -> None:
    sparse = recurrent_weights(Bound(spectral_radius=0.95, incoming=15, hidden_size=40), 3)
    assert ((sparse != 0).sum(axis=1) == 15).all()
    assert np.abs(np.linalg.eigvals(sparse)).max() == pytest.approx(0.95)
    small = recurrent_weights(Bound(std=0.01, hidden_size=200), 3)
    assert small.std() == pytest.approx(0.01, rel=0.02)  # 40,000 entries: standard error .35 %


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"spectral_radius": 1.2, "std": 0.1}, "either std or spectral_radius"),
        ({}, "either std or spectral_radius"),
        ({"spectral_radius": 1.2, "incoming": 10}, "no more than hidden_size weights, 9"),
    ],
    ids=str,
)
def test_weights_of_no_size_or_of_two_are_refused(study_file, settings: dict, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        read(study_file(check_text("jacobian_bound", jacobian={"nonlinearity": "tanh", **SIZES, **settings})))
