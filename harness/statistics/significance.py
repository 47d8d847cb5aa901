"""Tests of the difference between two results of the same grid and the same seeds.

A pair is one setting with one seed, computed twice; a cell (of the grid) is the pairs of one setting. The two runs of
a pair are not independent samples, so that only their difference enters. Generators are arguments.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from harness.schema import Values
from harness.statistics.intervals import LEVEL, RESAMPLES, Interval

Cells = Sequence[npt.ArrayLike]
EXACT = 13  # pairs that differ: up to here all 2¹³ = 8192 patterns of signs are enumerated
PATTERNS = 9999

PERMUTATION_MEANS = (
    "p: if A and B did the same and differed by chance alone, how often a mean difference at least this large, up or "
    "down, would come about (A and B exchanged at random within each pair)"
)
CORRECTED_MEANS = (
    "p (BH): p corrected for the number of cells (Benjamini-Hochberg); of the cells that p (BH) <= .05 picks out, at "
    "most .05 are picked by chance on average"
)
IMPROVEMENT_MEANS = (
    "P(B > A): how likely a random run of B is better than a random run of A of the same cell, a tie counting half; "
    "mean over cells"
)


def stratified_permutation(cells: Cells, generator: np.random.Generator, patterns: int = PATTERNS) -> float:
    """Two-sided p-value of the mean over cells of the mean paired difference, under exchange within each pair.

        d̄(s) = 1/C Σ_c 1/n_c Σ_i s_ci d_ci,    p = share of the sign patterns s with |d̄(s)| ≥ |d̄(1)|

    Pairs without a difference change no pattern and are left out. All patterns where at most 13 pairs differ;
    beyond, m random ones with p = (b + 1) / (m + 1), which is never 0. The least p is 2/2ⁿ with n ≤ 13 pairs that
    differ, and 1/(m + 1) with more. With d in {−1, 0, 1} and cells of one size it is McNemar's exact test.

    Args:
        cells: the paired differences of each cell, one number a seed, finite.
        generator: source of the random patterns.
        patterns: m. A correction for k tests needs many more than k/α of them.

    Raises:
        ValueError: if there is no cell, a cell without a pair, or a difference that is not finite.

    Source: Fisher 1935, The Design of Experiments, section 21; Phipson & Smyth 2010 for (b + 1) / (m + 1).
    """
    parts = _checked(cells)
    weighted = np.concatenate([part / part.size for part in parts])
    weighted = weighted[weighted != 0]
    if not weighted.size:
        return 1.0
    # Sums of the same numbers in another order differ by rounding, and a tie must count as "at least as large".
    least = abs(weighted.sum()) - 1e-9 * np.abs(weighted).sum()
    if weighted.size <= EXACT:
        signs = np.array(list(itertools.product((-1.0, 1.0), repeat=weighted.size)))
        return float(np.mean(np.abs(signs @ weighted) >= least))
    signs = generator.choice([-1.0, 1.0], size=(patterns, weighted.size))
    return float((np.sum(np.abs(signs @ weighted) >= least) + 1) / (patterns + 1))


def difference_interval(cells: Cells, generator: np.random.Generator, level: float = LEVEL) -> Interval:
    """Bootstrap interval of the mean over cells of the mean paired difference; seeds are resampled within each cell.

    n − 1 of a cell's n pairs are drawn with replacement: with n draws the spread would be too small by (n − 1)/n,
    which is a fifth with five seeds.

    Args:
        cells: the paired differences of each cell, finite.
        generator: source of the resamples.

    Returns:
        percentiles of 2000 resamples; (NaN, NaN) where no cell has two different differences, because without
        variation there is no estimate of the spread, and where a cell has one pair only.

    Raises:
        ValueError: as `stratified_permutation`.

    Source: Rao & Wu 1988, "Resampling inference with complex survey data", section 2.
    """
    parts = _checked(cells)
    if min(part.size for part in parts) < 2 or all(np.ptp(part) == 0 for part in parts):
        return Interval(math.nan, math.nan)
    means = np.zeros(RESAMPLES)
    for part in parts:
        n = part.size
        counts = generator.multinomial(n - 1, np.full(n, 1 / n), size=RESAMPLES)
        means += counts @ part / ((n - 1) * len(parts))
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(float(low), float(high))


def probability_of_improvement(
    first: Cells, second: Cells, generator: np.random.Generator, level: float = LEVEL
) -> tuple[float, Interval]:
    """Probability that a random run of the second is above a random run of the first of the same cell; its interval.

        P(Y > X) = 1/C Σ_c U_c / (n_c m_c),    U_c = Σ_ij [y_cj > x_ci] + ½ [y_cj = x_ci]

    with Mann and Whitney's U. The interval's ends are percentiles of 2000 resamples, each side's runs drawn
    independently within each cell. P measures how often, not by how much: it is 1 if every run is better by however
    little.

    Args:
        first, second: the values of each cell, in the same order of cells.
        generator: source of the resamples.

    Raises:
        ValueError: if the two differ in their number of cells, or as `stratified_permutation`.

    Source: Agarwal et al. 2021, "Deep reinforcement learning at the edge of the statistical precipice", section 4.3.
    """
    before, after = _checked(first, finite=False), _checked(second, finite=False)
    if len(before) != len(after):
        raise ValueError(f"{len(before)} and {len(after)} cells cannot be paired")
    value, resampled = 0.0, np.zeros(RESAMPLES)
    for x, y in zip(before, after, strict=True):
        wins = (y[None, :] > x[:, None]) + 0.5 * (y[None, :] == x[:, None])  # (n, m)
        value += float(wins.mean()) / len(before)
        rows = generator.multinomial(x.size, np.full(x.size, 1 / x.size), size=RESAMPLES) / x.size
        columns = generator.multinomial(y.size, np.full(y.size, 1 / y.size), size=RESAMPLES) / y.size
        resampled += np.einsum("rn,nm,rm->r", rows, wins, columns, optimize=True) / len(before)
    tail = (1 - level) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return value, Interval(float(low), float(high))


def chance_of_exceeding(cells: Cells, margin: float, generator: np.random.Generator, *, two_sided: bool) -> float:
    """Probability that by chance alone some cell's mean difference exceeds a margin, by exchange within each pair.

        P(min_c d̄_c(s) < −margin) over random signs s;  with `two_sided` P(max_c |d̄_c(s)| > margin)

    This is the false alarm rate of a margin that holds for every cell, given how far these pairs differ. A real change
    makes pairs differ too, so that the rate is then overstated.

    Args:
        cells: the paired differences of each cell, finite; a drop is negative.
        margin: in units of the differences.
        generator: source of the 9999 patterns.
        two_sided: whether rises count as well.

    Raises:
        ValueError: as `stratified_permutation`.
    """
    exceeded = np.zeros(PATTERNS, dtype=bool)
    for part in _checked(cells):
        differing = part[part != 0]
        if np.abs(differing).sum() > margin * part.size:
            means = generator.choice([-1.0, 1.0], size=(PATTERNS, differing.size)) @ differing / part.size
            exceeded |= exceeds(np.abs(means) if two_sided else -means, margin)
    return float(exceeded.mean())


def exceeds(size: npt.ArrayLike, margin: float) -> npt.NDArray[np.bool_]:
    """Whether a size exceeds a margin by more than rounding: three seeds of five do not exceed .6."""
    larger: npt.NDArray[np.bool_] = np.asarray(size, dtype=np.float64) > margin * (1 + 1e-9) + 1e-15
    return larger


def _checked(cells: Cells, *, finite: bool = True) -> list[Values]:
    parts = [np.asarray(cell, dtype=np.float64) for cell in cells]
    bad = [
        part.ndim != 1 or not part.size or not (np.isfinite(part) if finite else part == part).all() for part in parts
    ]
    if not parts or any(bad):
        raise ValueError("cells of numbers are needed, one number a pair, at least one pair a cell")
    return parts


def holm(ps: Sequence[float]) -> list[float]:
    """p-values corrected for their number by Holm: p ≤ α picks out any true null with probability α at the most.

        p̃_(i) = max_{j ≤ i} min(1, (m − j + 1) p_(j)),    p_(1) ≤ … ≤ p_(m)

    Valid whatever the dependence of the tests.

    Args:
        ps: in any order; none is NaN.

    Returns:
        the corrected ones, in the same order.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    order = sorted(range(len(ps)), key=lambda i: ps[i])
    corrected, largest = [0.0] * len(ps), 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(ps) - rank) * ps[i]))
        corrected[i] = largest
    return corrected
