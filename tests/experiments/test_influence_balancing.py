"""Our truncated backpropagation sees of the balanced influence what the closed form says, window by window."""

from __future__ import annotations

import numpy as np
import pytest

from harness.errors import StudyError
from harness.experiments.influence_balancing import balance, truncated_derivatives
from harness.experiments.setup import Setup
from harness.registry import read
from harness.study.plan import plan
from harness.theory.balancing import total_influence, truncated_influence

STUDY = """\
name: balance
claim: Early good, later harm.
experiment: influence_balancing
balancing: {size: 7, positive: 3, longest: 20}
seeds: 1
"""


@pytest.mark.parametrize(("size", "positive"), [(23, 10), (5, 2), (4, 4)])
def test_the_window_of_the_scan_is_the_window_of_the_theory(size: int, positive: int) -> None:
    windows = [1, 2, 7, 40, 41]
    theory = [truncated_influence(K, size, positive) for K in windows]
    np.testing.assert_allclose(truncated_derivatives(size, positive, windows), theory, atol=1e-10)


def test_a_long_window_sees_it_all() -> None:
    [whole] = truncated_derivatives(6, 2, [200])
    assert whole == pytest.approx(total_influence(6, 2), abs=1e-10)


def test_a_run_says_from_which_window_on_the_sign_is_right(study_file) -> None:
    [record] = balance(plan(read(study_file(STUDY))).runs, Setup("torch"))
    [profile] = record.rows["profiles"]
    assert record.run["outcome"] == "solved"
    first = int(record.run["measured"])
    assert first == record.run["predicted"]
    assert profile["at"] == list(range(1, 21))
    assert [value < 0 for value in profile["measured"]] == [window >= first for window in range(1, 21)]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [("positive: 3", "positive: 4", "less than half of size, 7"), ("longest: 20", "longest: 5", "from K = ")],
)
def test_a_system_with_nothing_to_see_is_refused(study_file, old: str, new: str, said: str) -> None:
    with pytest.raises(StudyError, match=said):
        read(study_file(STUDY.replace(old, new)))
