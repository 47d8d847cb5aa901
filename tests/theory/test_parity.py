"""The bound on parity by affine margins, against every threshold function of a few bits."""

from itertools import product
from math import pi, sqrt

import numpy as np
import pytest

from harness.theory.parity import affine_accuracy, mean_affine_accuracies


@pytest.mark.parametrize("T", [1, 2, 3, 4])
def test_the_bound_is_the_best_of_all_threshold_functions(T: int) -> None:
    """Those of up to four bits have weights in −3 … 3 (Muroga 1971)."""
    bits = np.array(list(product((0, 1), repeat=T)))
    parity = bits.sum(1) % 2
    sums = np.array(list(product(range(-3, 4), repeat=T))) @ bits.T  # (weights, corners)
    thresholds = np.arange(-3 * T - 0.5, 3 * T + 1)
    right = ((sums[..., None] > thresholds) == parity[:, None, None].transpose(1, 0, 2)).mean(1)
    assert right.max() == affine_accuracy(T)


def test_a_threshold_on_the_number_of_ones_reaches_it() -> None:
    for T in (5, 6, 11):
        ones = np.array([sum(word) for word in product((0, 1), repeat=T)])
        right = [((ones > j) == ones % 2).mean() for j in range(-1, T + 1)]
        assert max(*right, *(1 - each for each in map(float, right))) == pytest.approx(affine_accuracy(T), rel=1e-12)


def test_it_falls_to_one_half_as_the_inverse_root_of_the_length() -> None:
    assert affine_accuracy(1) == 1
    assert affine_accuracy(2) == 0.75
    assert affine_accuracy(10_001) == pytest.approx(0.5 + 1 / sqrt(2 * pi * 10_001), abs=1e-6)
    means = [float(np.mean([affine_accuracy(t) for t in range(1, T + 1)])) for T in range(1, 257)]
    assert mean_affine_accuracies(256) == pytest.approx(means, rel=1e-12)
    assert means[-1] == pytest.approx(0.54796, abs=1e-5)
    with pytest.raises(ValueError, match="got 0"):
        affine_accuracy(0)
