"""A test of two groups of runs that share no seeds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

from harness.statistics.significance import PATTERNS


def two_sample_permutation(
    first: npt.ArrayLike, second: npt.ArrayLike, generator: np.random.Generator, patterns: int = PATTERNS
) -> float:
    """Two-sided p-value of the difference of two means, under exchange of all runs between two independent groups.

    All divisions of the pooled values where there are at most m, m random ones beyond: the least p is then 2/(m + 1).

    Args:
        first, second: one number a seed, finite; the seeds of the two are different ones.
        generator: source of the random divisions.
        patterns: m.

    Raises:
        ValueError: a group is empty, or a value is not finite.

    Source: Pitman 1937; scipy.stats.permutation_test.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if not (a.size and b.size and np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("two groups of finite numbers are needed, one at least in each")
    if a.size == b.size == 1:  # scipy refuses; each of the two divisions has the same difference
        return 1.0
    test = stats.permutation_test(
        (a, b), lambda x, y, axis: np.mean(x, axis=axis) - np.mean(y, axis=axis),
        permutation_type="independent", n_resamples=patterns, vectorized=True, rng=generator,
    )  # fmt: skip
    return float(test.pvalue)
