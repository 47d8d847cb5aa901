"""The slope of a linear recurrence's adjoints is ln ρ, whatever σ₁ is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from study_texts import check_text

from harness.experiments.linear_decay import decay
from harness.experiments.setup import Setup


def text_of(init: str, longest: int) -> str:
    linear = {"init": init, "spectral_radius": 0.9, "hidden_size": 12, "longest": longest}
    return check_text("linear_decay", linear=linear)


def test_an_orthogonal_matrix_decays_by_its_radius_at_every_step(plan_of) -> None:
    for record in decay(plan_of(text_of("orthogonal", 30)).runs, Setup("torch")):
        [profile] = record.rows["profiles"]
        np.testing.assert_allclose(profile["measured"], profile["theory"], atol=1e-10)
        assert record.run["outcome"] == "solved"
        assert record.run["measured"] == pytest.approx(math.log(0.9), abs=1e-12)
        assert record.run["initial_spectral_radius"] == pytest.approx(0.9)
        assert record.run["initial_sigma_max"] == pytest.approx(0.9)


def test_a_gaussian_matrix_has_another_sigma_than_radius(plan_of) -> None:
    for record in decay(plan_of(text_of("gaussian", 300)).runs, Setup("torch")):
        assert record.run["initial_spectral_radius"] == pytest.approx(0.9)
        assert record.run["initial_sigma_max"] > 1.2
        assert record.run["measured"] == pytest.approx(math.log(0.9), abs=0.02)
