"""Truncated backpropagation gives the closed form of the balanced influence, window by window."""

from __future__ import annotations

import numpy as np
import pytest
from study_texts import check_text

from harness.errors import StudyError
from harness.experiments.influence_balancing import balance, truncated_derivatives
from harness.experiments.setup import Setup
from harness.registry import read
from harness.theory.balancing import total_influence, truncated_influence


def text_of(positive: int = 3, longest: int = 20) -> str:
    balancing = {"size": 7, "positive": positive, "longest": longest}
    return check_text("influence_balancing", balancing=balancing, seeds=1)


@pytest.mark.parametrize(("size", "positive"), [(23, 10), (5, 2), (4, 4)])
def test_the_window_of_the_scan_is_the_window_of_the_theory(size: int, positive: int) -> None:
    windows = [1, 2, 7, 40, 41]
    theory = [truncated_influence(K, size, positive) for K in windows]
    np.testing.assert_allclose(truncated_derivatives(size, positive, windows), theory, atol=1e-10)


def test_a_long_window_gives_the_total_influence() -> None:
    [whole] = truncated_derivatives(6, 2, [200])
    assert whole == pytest.approx(total_influence(6, 2), abs=1e-10)


def test_a_run_reports_the_first_window_whose_sign_is_right(plan_of) -> None:
    [record] = balance(plan_of(text_of()).runs, Setup("torch"))
    [profile] = record.rows["profiles"]
    assert record.run["outcome"] == "solved"
    first = int(record.run["measured"])
    assert first == record.run["predicted"]
    assert profile["at"] == list(range(1, 21))
    assert [value < 0 for value in profile["measured"]] == [window >= first for window in range(1, 21)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"positive": 4}, "less than half of size, 7"), ({"longest": 5}, "from K = ")],
    ids=str,
)
def test_a_system_without_a_change_of_sign_is_refused(study_file, settings: dict[str, int], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        read(study_file(text_of(**settings)))
