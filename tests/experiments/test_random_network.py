"""Exponents of networks whose exponents are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from study_texts import check_text

from harness.experiments.random_network import exponents, spectrum, trajectory
from harness.experiments.setup import Setup
from harness.theory.spectra import mean_field_exponent


def text_of(gain: float) -> str:
    lyapunov = {"gain": gain, "hidden_size": 20, "transient": 100, "sequence_length": 400}
    return check_text("lyapunov", lyapunov=lyapunov, seeds=1)


def test_at_rest_the_exponents_are_the_eigenvalues() -> None:
    W = np.diag([0.9, -0.5, 0.2]) + np.triu(np.ones((3, 3)), 1)
    np.testing.assert_allclose(spectrum(W, np.zeros((2001, 3))), np.log([0.9, 0.5, 0.2]), atol=5e-3)


def test_the_sum_of_the_exponents_is_the_mean_log_determinant() -> None:
    generator = np.random.default_rng(3)
    W = generator.standard_normal((8, 8)) * 0.7
    states = trajectory(W, generator.standard_normal(8), 60)
    volumes = [np.linalg.slogdet((1 - h**2)[:, None] * W)[1] for h in states[1:]]
    assert spectrum(W, states).sum() == pytest.approx(np.mean(volumes), abs=1e-9)


def test_a_network_that_falls_silent_has_ln_of_its_radius_as_exponent(plan_of) -> None:
    [record] = exponents(plan_of(text_of(0.8)).runs, Setup("torch"))
    rank, lag = record.rows["profiles"]
    assert record.run["measured"] == pytest.approx(math.log(record.run["initial_spectral_radius"]), abs=0.01)
    assert (np.diff(rank["measured"]) <= 0).all()
    assert len(lag["measured"]) == 400
    assert record.run["predicted"] == pytest.approx(math.log(0.8), abs=1e-12)


def test_a_chaotic_network_has_theory_for_its_first_exponent_alone(plan_of) -> None:
    [record] = exponents(plan_of(text_of(4.0)).runs, Setup("torch"))
    rank, lag = record.rows["profiles"]
    assert rank["theory"][0] == record.run["predicted"] == mean_field_exponent(4.0)
    assert record.run["mean_field_residual"] == record.run["measured"] - record.run["predicted"]
    assert np.isnan(rank["theory"][1:]).all()
    backward = np.polyfit(lag["at"], lag["measured"], 1)[0]
    assert record.run["measured"] > 0
    assert backward == pytest.approx(record.run["measured"], abs=0.05)


def test_no_direction_of_a_strongly_chaotic_network_is_lost_in_rounding() -> None:
    W = np.random.default_rng(0).standard_normal((128, 128)) * 3 / math.sqrt(128)
    states = trajectory(W, np.random.default_rng(1).standard_normal(128), 300)
    measured = spectrum(W, states)
    volumes = np.log1p(-(states[1:] ** 2)).sum(-1) + np.linalg.slogdet(W)[1]
    assert np.isfinite(measured).all()
    assert measured.sum() == pytest.approx(volumes.mean(), rel=1e-6)
