"""The truncated derivative of influence balancing, against powers of the matrix and its known values."""

from __future__ import annotations

import numpy as np
import pytest

from harness.theory.balancing import first_right_window, total_influence, truncated_influence


def by_powers(window: int, size: int, positive: int) -> float:
    A = 0.5 * np.eye(size) + 0.5 * np.eye(size, k=1)
    v = np.where(np.arange(size) < positive, 1.0, -1.0)
    total, power = 0.0, np.eye(size)
    for _ in range(window):
        total += float((power @ v)[0])
        power = A @ power
    return total


@pytest.mark.parametrize(("size", "positive"), [(23, 10), (5, 2), (40, 1), (12, 12), (7, 0)])
@pytest.mark.parametrize("window", [0, 1, 2, 9, 40, 41, 300])
def test_the_closed_form_is_the_sum_of_powers(size: int, positive: int, window: int) -> None:
    assert truncated_influence(window, size, positive) == pytest.approx(by_powers(window, size, positive), abs=1e-12)


@pytest.mark.parametrize(("window", "value", "digits"), [
    (1, 1.0, 1e-12), (10, 10.0, 1e-12), (20, 16.476, 5e-4), (40, 0.5655, 5e-5), (41, -0.219, 5e-4), (60, -5.897, 5e-4),
    (200, -6.0, 1e-12),
])  # fmt: skip
def test_the_published_system_has_these_values(window: int, value: float, digits: float) -> None:
    assert truncated_influence(window, 23, 10) == pytest.approx(value, abs=digits)


@pytest.mark.parametrize(("size", "positive"), [(23, 10), (3, 1), (100, 30)])
def test_the_total_influence_is_the_resolvent_and_the_limit(size: int, positive: int) -> None:
    A = 0.5 * np.eye(size) + 0.5 * np.eye(size, k=1)
    v = np.where(np.arange(size) < positive, 1.0, -1.0)
    assert total_influence(size, positive) == pytest.approx(float(np.linalg.solve(np.eye(size) - A, v)[0]))
    assert truncated_influence(20 * size, size, positive) == pytest.approx(total_influence(size, positive))


def test_the_sign_of_the_published_system_is_right_from_41_steps_on() -> None:
    assert first_right_window(23, 10) == 41
    signs = [truncated_influence(K, 23, 10) < 0 for K in range(1, 300)]
    assert signs == [K >= 41 for K in range(1, 300)]


@pytest.mark.parametrize(("size", "positive"), [(4, 2), (4, 0), (3, 3)])
def test_a_system_without_a_change_of_sign_is_refused(size: int, positive: int) -> None:
    with pytest.raises(ValueError, match="outweigh"):
        first_right_window(size, positive)


@pytest.mark.parametrize(("window", "positive"), [(-1, 2), (3, -1), (3, 6)])
def test_a_negative_window_or_a_share_beyond_the_size_is_refused(window: int, positive: int) -> None:
    with pytest.raises(ValueError, match="positive <= size"):
        truncated_influence(window, 5, positive)
