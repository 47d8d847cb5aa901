"""Wilson's interval in closed form is scipy's, which solves the score test; its quantile is the normal one."""

from __future__ import annotations

import pytest
from scipy import stats

from harness.statistics.wilson import quantile, wilson


@pytest.mark.parametrize("level", [0.6, 0.9, 0.95, 0.999])
def test_the_quantile_is_the_normal_one(level: float) -> None:
    assert quantile(level) == pytest.approx(stats.norm.ppf(0.5 + level / 2), rel=1e-12)


@pytest.mark.parametrize("level", [0.5, 0.95, 0.99])
@pytest.mark.parametrize("n", [1, 3, 20, 1000])
def test_both_ends_are_scipys_for_every_count(n: int, level: float) -> None:
    for k in range(0, n + 1, max(1, n // 20)):
        twin = stats.binomtest(k, n).proportion_ci(confidence_level=level, method="wilson")
        assert wilson(k / n, n, level) == pytest.approx((twin.low, twin.high), abs=1e-12)


def test_the_ends_at_none_and_all_are_exact() -> None:
    assert wilson(0.0, 7, 0.95) == (0.0, pytest.approx(quantile(0.95) ** 2 / (7 + quantile(0.95) ** 2)))
    assert wilson(1.0, 7, 0.95) == (pytest.approx(7 / (7 + quantile(0.95) ** 2)), 1.0)
