"""The permutation test of two independent groups."""

from __future__ import annotations

import numpy as np
import pytest

from harness.statistics.two_samples import two_sample_permutation


def test_two_groups_are_compared_by_all_their_divisions() -> None:
    generator = np.random.default_rng(0)
    assert two_sample_permutation([1, 2], [3, 4], generator) == pytest.approx(2 / 6)
    assert two_sample_permutation([1], [2], generator) == 1.0
    assert two_sample_permutation([1, 1, 1], [1, 1], generator) == 1.0


def test_groups_without_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        two_sample_permutation([1, np.inf], [1], np.random.default_rng(0))
