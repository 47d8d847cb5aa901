"""Newton's method over time: exact where the network is linear, and never later than the recurrence itself."""

from __future__ import annotations

import numpy as np
import pytest
from study_texts import check_text

from harness.experiments.parallel_newton import count, iterate, largest_exponent, states_of
from harness.experiments.setup import Setup

RNG = np.random.default_rng(4)
N, T = 5, 30


@pytest.fixture
def network() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    W, drive = RNG.standard_normal((N, N)) * 1.8 / np.sqrt(N), RNG.standard_normal((T, N)) / 2
    return W, drive, states_of(W, drive, RNG.standard_normal(N))


def test_after_i_iterations_the_first_i_states_are_right(network) -> None:
    W, drive, right = network
    guess = np.zeros_like(right)
    guess[0] = right[0]
    for i in range(1, T + 1):
        guess = iterate(W, drive, guess)
        np.testing.assert_allclose(guess[: i + 1], right[: i + 1], atol=1e-10)


def test_the_states_are_its_fixed_point_and_it_converges_quadratically(network) -> None:
    W, drive, right = network
    np.testing.assert_allclose(iterate(W, drive, right), right, atol=1e-13)
    nudge = np.zeros_like(right)
    nudge[1:3] = 1.0
    errors = [np.abs(iterate(W, drive, right + size * nudge) - right)[:6].max() for size in (1e-3, 1e-4)]
    assert errors[0] / errors[1] == pytest.approx(100, rel=0.05)


def test_a_linear_recurrence_takes_one_iteration() -> None:
    W, drive = 1e-6 * np.eye(N), 1e-6 * RNG.standard_normal((T, N))  # tanh is linear there
    right = states_of(W, drive, np.zeros(N))
    np.testing.assert_allclose(iterate(W, drive, np.zeros_like(right)), right, atol=1e-17)


def test_the_exponent_of_a_multiple_of_the_identity_is_its_logarithm() -> None:
    W, still = 0.7 * np.eye(N), np.zeros((T, N))
    right = states_of(W, still, np.zeros(N))
    assert largest_exponent(W, right, np.random.default_rng(0)) == pytest.approx(np.log(0.7), abs=1e-12)


@pytest.mark.parametrize(("gain", "few"), [(0.5, True), (3.0, False)])
def test_a_run_counts_iterations_for_every_length(plan_of, gain: float, few: bool) -> None:
    newton = {"gain": gain, "hidden_size": 16, "sequence_length": 96}
    [record] = count(plan_of(check_text("parallel_newton", newton=newton, seeds=1)).runs, Setup("numpy"))
    by_length, by_exponent, error = record.rows["profiles"]
    assert by_length["measured"][-1] == record.run["measured"]
    assert np.all(np.diff(by_length["measured"]) >= 0)
    assert np.all(np.array(by_length["measured"]) <= by_length["at"])
    assert (by_exponent["at"][0] < 0) == few == (record.run["measured"] <= 9.6)
    assert record.run["outcome"] == "solved"
    assert error["measured"][-1] <= 1e-8
