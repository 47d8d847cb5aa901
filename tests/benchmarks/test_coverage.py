"""Simulated coverage: laws that every interval in use obeys, in the small, and arrays equal to the functions in use."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks import coverage_simulation as simulation
from benchmarks.coverage_shapes import BY_NAME, SHAPES
from benchmarks.coverage_simulation import COUNTS, Effort, Row, Share
from harness.statistics.intervals import LEVEL, iqm_interval, paired_permutation

SMALL = Effort(samples=400, loops=60, slow=10, resamples=100)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def covers(row: Row) -> bool:
    """Whether no share lies below the level by more than two standard errors of one at the level."""
    shares = [share for share in row.shares if not math.isnan(share.value)]
    errors = [math.sqrt(LEVEL * (1 - LEVEL) / share.samples) if share.samples else 0.0 for share in shares]
    return all(share.value >= LEVEL - 2 * error for share, error in zip(shares, errors, strict=True))


@pytest.mark.parametrize("rows", [simulation.interquartile_rows, simulation.median_rows, simulation.time_rows])
def test_every_interval_that_verdicts_rest_on_covers(rows: object) -> None:
    simulated = list(rows(SMALL, generator(1)))  # type: ignore[operator]
    assert [row.name for row in simulated if not covers(row)] == []
    assert all(any(share.samples for share in row.shares) for row in simulated)


def test_wilson_covers_on_average_over_rates_and_clopper_pearson_at_every_rate() -> None:
    rows = {row.name: row for row in simulation.rate_rows()}
    assert covers(rows["Wilson, mean over rates"])
    assert covers(rows["Clopper–Pearson, least"])
    assert not covers(rows["Wilson, least"])  # as the page says


def test_a_bound_holds_in_error_no_more_often_than_one_end_of_the_interval_errs() -> None:
    rows = {row.name: row for row in simulation.bound_rows(SMALL, generator(2))}
    error = math.sqrt(0.025 * 0.975 / SMALL.samples)
    by_interval = [row for name, row in rows.items() if name.startswith("interquartile") and "interval" in name]
    assert len(by_interval) == 3
    assert all(share.value <= 0.025 + 2 * error for row in by_interval for share in row.shares)
    # By the estimate .8 holds at a true rate of ½ as often as four or five of five tosses are heads.
    estimate = rows["success rate at least .8, truth 0.5: on the estimate"]
    assert estimate.shares[COUNTS.index(5)].value == pytest.approx(6 / 32)


def test_the_paired_test_and_intervals_apart_are_false_rarely_and_the_estimate_half_of_the_time() -> None:
    rows = {row.name: row for row in simulation.contrast_rows(SMALL, generator(3))}
    apart = [row for name, row in rows.items() if name.endswith("intervals apart")]
    assert all(share.value <= 0.025 for row in apart for share in row.shares)
    error = math.sqrt(0.025 * 0.975 / SMALL.loops)
    tests = [row for name, row in rows.items() if name.endswith("p < .05")]
    assert all(share.value <= 0.025 + 3 * error for row in tests for share in row.shares)
    uniform = rows["interquartile means, uniform: the estimate is higher"]
    assert all(share.value == pytest.approx(0.5, abs=0.1) for share in uniform.shares)


@pytest.mark.parametrize("name", ["normal", "exponential", "a quarter near .5, others near 1"])
@pytest.mark.parametrize("n", [3, 13])
def test_intervals_of_arrays_are_those_of_the_function_in_use(name: str, n: int) -> None:
    shape = BY_NAME[name]
    samples = shape.draw(generator(n), (5, n))
    low, high = simulation.interquartile_ends(samples, shape.limits)
    each = [iqm_interval(sample, limits=shape.limits) for sample in samples]
    assert np.stack([low, high], axis=1) == pytest.approx(np.array(each), nan_ok=True)


def test_p_of_arrays_is_that_of_the_function_in_use() -> None:
    first, second = generator(1).normal(size=(2, 4, 7))
    each = [paired_permutation(a, b, generator()) for a, b in zip(first, second, strict=True)]
    assert simulation.paired_p(first - second, generator()) == pytest.approx(each)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_the_truth_is_what_a_large_sample_has(shape: object) -> None:
    from scipy import stats

    values = shape.draw(generator(), (40_000,))  # type: ignore[attr-defined]
    assert stats.trim_mean(values, 0.25) == pytest.approx(shape.interquartile_mean, abs=0.03)  # type: ignore[attr-defined]
    assert values.min() >= shape.limits[0]  # type: ignore[attr-defined]
    assert values.max() <= shape.limits[1]  # type: ignore[attr-defined]


def test_shares_are_written_with_their_error() -> None:
    assert str(Share(0.9, 100)) == "90.0 ± 3.0"
    assert str(Share(0.9)) == "90.0"
    assert str(Share(math.nan)) == "–"
