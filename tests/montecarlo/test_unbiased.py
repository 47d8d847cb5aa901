"""UORO and PES with draws from the generator: right on average within the interval of 1e5 draws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2

from harness.experiments.gradient_methods import Estimating, estimates, exact, system_of

pytestmark = pytest.mark.long
DRAWS, AT_ONCE = 100_000, 10_000
SETTINGS = {
    "balancing": {"system": "balancing", "size": 7, "positive": 3, "sequence_length": 30},
    "network": {"system": "network", "size": 3, "sequence_length": 8},
}


@pytest.mark.parametrize("system", SETTINGS)
@pytest.mark.parametrize("method", ["uoro", "pes"])
def test_the_mean_of_1e5_draws_is_within_its_interval(method: str, system: str) -> None:
    """Hotelling's T² of the mean against the exact gradient, at a level of 1e-3: right answers fail once in a thousand.

    PES is unbiased for the smoothed loss, which differs from the loss by O(σ²): σ = 1e-3 here.
    """
    way: object = {"name": "pes", "sigma": 1e-3} if method == "pes" else method
    settings = Estimating(**SETTINGS[system], method=way, draws=AT_ONCE)
    own = system_of(settings, 0)
    right = exact(own).sum(0)
    drawn = np.concatenate([estimates(settings, own, seed, None) for seed in range(DRAWS // AT_ONCE)])
    assert len(drawn) == DRAWS
    deviation = drawn.mean(0) - right
    covariance = np.atleast_2d(np.cov(drawn, rowvar=False)) / DRAWS
    statistic = deviation @ np.linalg.solve(covariance, deviation)
    assert statistic <= chi2.ppf(1 - 1e-3, len(right))
    wrong = drawn.mean(0) - 0.9 * right  # a bias of a tenth would be seen
    assert wrong @ np.linalg.solve(covariance, wrong) > chi2.ppf(1 - 1e-3, len(right))
