"""Families of tests: Holm's correction, and the permutation test of two independent groups."""

from __future__ import annotations

import numpy as np
import pytest

from harness.statistics.families import holm, two_sample_permutation


def test_holm_is_the_example_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_holm_lies_between_the_uncorrected_and_bonferroni_and_preserves_order() -> None:
    ps = np.random.default_rng(0).random(50) ** 3
    corrected = holm(ps.tolist())
    assert (corrected >= ps).all()
    assert (corrected <= np.minimum(1, 50 * ps) + 1e-15).all()
    assert (np.diff(corrected[np.argsort(ps)]) >= 0).all()


def test_holm_rejects_a_true_null_of_ten_in_at_most_one_family_of_twenty() -> None:
    draw = np.random.default_rng(1).random((2000, 10))
    rejected = np.mean([holm(ps.tolist()).min() <= 0.05 for ps in draw])
    assert rejected <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 2000)


def test_what_is_no_p_value_is_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([0.5, float("nan")])


def test_two_groups_are_compared_by_all_their_divisions() -> None:
    generator = np.random.default_rng(0)
    assert two_sample_permutation([1, 2], [3, 4], generator) == pytest.approx(2 / 6)
    assert two_sample_permutation([1], [2], generator) == 1.0
    assert two_sample_permutation([1, 1, 1], [1, 1], generator) == 1.0


def test_groups_without_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        two_sample_permutation([1, np.inf], [1], np.random.default_rng(0))
