"""How many seeds: the numbers of the closed forms are those at which verdicts change."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from harness.statistics.intervals import pooled_interval, rate_interval
from harness.statistics.wilson import quantile
from harness.study.spec import Expectation
from harness.verdicts.deciding import by_interval
from harness.verdicts.enough import (
    enough_for_bound,
    enough_for_ends,
    enough_for_test,
    fewest_seeds,
    too_few,
)
from harness.verdicts.metrics import FINAL_LOSS, SUCCESS_RATE, Measured


def rate(**settings: object) -> Expectation:
    return Expectation(metric="success_rate", **settings)


@pytest.mark.parametrize("level", [0.9, 0.95])
@pytest.mark.parametrize(
    ("bounds", "perfect"),
    [({"at_least": 0.8}, 1.0), ({"at_least": 0.5}, 1.0), ({"at_most": 0.2}, 0.0), ({"at_most": 0.05}, 0.0)],
)
def test_the_fewest_seeds_are_where_a_perfect_rate_begins_to_hold(
    bounds: dict[str, float], perfect: float, level: float
) -> None:
    states = [
        by_interval(*rate_interval(round(perfect * n), n, level=level), bounds.get("at_least"), bounds.get("at_most"))
        for n in range(1, 200)
    ]
    assert fewest_seeds(rate(**bounds, confidence=level)) == 1 + states.index("holds")


def test_between_two_bounds_no_rate_of_fewer_seeds_holds() -> None:
    fewest = fewest_seeds(rate(at_least=0.3, at_most=0.8)) or 0

    def any_holds(n: int) -> bool:
        return any(by_interval(*rate_interval(k, n), 0.3, 0.8) == "holds" for k in range(n + 1))

    assert not any(any_holds(n) for n in range(1, fewest))
    assert any(any_holds(n) for n in range(fewest, fewest + 3))  # a count of successes lies near enough to the middle


def test_a_bound_that_no_interval_ends_at_needs_infinitely_many() -> None:
    assert fewest_seeds(rate(at_least=1.0)) is None
    assert too_few(rate(at_least=1.0), 1000) == (
        "1000 seeds are too few for success_rate of all runs >= 1: no number of seeds is enough, since no interval "
        "ends at 1"
    )


@pytest.mark.parametrize(("contrasts", "fewest"), [(0, 6), (1, 6), (2, 7), (4, 8), (10, 9)])
def test_a_paired_test_needs_pairs_for_its_least_p(contrasts: int, fewest: int) -> None:
    expectation = rate(contrast={"cell": ("lstm", "rnn")})
    assert fewest_seeds(expectation, contrasts) == fewest
    least = 2 * max(1, contrasts)  # none where an override leaves no group
    assert least / 2**fewest <= 0.05 < least / 2 ** (fewest - 1)


def test_rates_are_apart_from_four_seeds_on() -> None:
    expectation = rate(contrast={"cell": ("lstm", "rnn")}, apart=True)
    fewest = fewest_seeds(expectation) or 0
    touching = [rate_interval(n, n).low <= rate_interval(0, n).high for n in range(1, 9)]
    assert touching == [n < fewest for n in range(1, 9)]


def test_point_estimates_and_values_need_one_seed() -> None:
    assert fewest_seeds(rate(at_least=1.0, judge="estimate")) == 1
    assert fewest_seeds(Expectation(metric="residual", at_most=1e-9)) == 1


@pytest.mark.parametrize(("p", "bounds"), [
    (0.9, {"at_least": 0.8}), (0.7, {"at_least": 0.8}), (0.1, {"at_most": 0.2}), (0.3, {"at_most": 0.2}),
    (0.5, {"at_least": 0.4, "at_most": 0.7}), (0.3, {"at_least": 0.4, "at_most": 0.7}),
])  # fmt: skip
def test_the_seeds_that_decide_a_rate_are_those_at_which_its_interval_leaves_the_bound(
    p: float, bounds: dict[str, float]
) -> None:
    n = 10
    measured = Measured(p, *pooled_interval(round(p * n), n, n), n, n)
    enough = enough_for_bound(rate(**bounds), SUCCESS_RATE, measured) or 0
    scale = 1000  # runs a seed: the rate itself is the same at every number of seeds
    states = [
        by_interval(*pooled_interval(round(p * m * scale), m * scale, m), bounds.get("at_least"), bounds.get("at_most"))
        for m in (enough - 1, enough)
    ]
    assert states[0] == "undecided"
    assert states[1] == (
        "holds" if by_interval(p, p, **{"at_least": None, "at_most": None} | bounds) == "holds" else "fails"
    )


def test_an_interval_of_another_metric_shrinks_with_the_root_of_the_seeds() -> None:
    measured = Measured(1.0, 0.6, 1.2, 10, 10)
    assert enough_for_bound(Expectation(metric="final_loss", at_least=0.8), FINAL_LOSS, measured) == 40
    assert enough_for_bound(Expectation(metric="final_loss", at_least=1.1), FINAL_LOSS, measured) == 40
    assert enough_for_bound(Expectation(metric="final_loss", at_most=1.1), FINAL_LOSS, measured) == 40
    assert enough_for_bound(Expectation(metric="final_loss", at_most=0.9), FINAL_LOSS, measured) == 160
    assert enough_for_bound(Expectation(metric="final_loss", at_most=1.0), FINAL_LOSS, measured) is None
    nothing = Measured(1.0, math.nan, math.nan, 10, 10)
    assert enough_for_bound(Expectation(metric="final_loss", at_least=0.8), FINAL_LOSS, nothing) == 13


def test_two_intervals_come_apart_when_their_halves_fit_between_the_values() -> None:
    low, high = Measured(0.0, -1.0, 1.0, 8, 8), Measured(1.0, 0.0, 2.0, 8, 8)
    assert enough_for_ends(high, low) == enough_for_ends(low, high) == 32
    assert enough_for_ends(low, low) is None


def test_more_pairs_of_the_same_kind_are_significant() -> None:
    """With the differences repeated until there are so many."""
    from harness.statistics.intervals import paired_permutation

    differences = np.array([0.9, -0.5, 0.6, 0.1, 0.8, -0.4, 0.3, 0.2])
    p = paired_permutation(differences, 0 * differences, np.random.default_rng(0))
    enough = enough_for_test(8, p, 0.95, 1)
    assert enough is not None
    many = np.resize(differences, 8 * math.ceil(enough / 8))
    assert paired_permutation(many, 0 * many, np.random.default_rng(0)) <= 0.05 < p
    assert enough_for_test(8, 1.0, 0.95, 1) is None


def test_a_frame_of_rates_has_the_interval_of_its_level() -> None:
    runs = pd.DataFrame({"outcome": ["solved"] * 7, "seed": range(7)})
    for level in (0.8, 0.99):
        measured = SUCCESS_RATE.of(runs, np.random.default_rng(0), level)
        assert measured.low == pytest.approx(7 / (7 + quantile(level) ** 2))
