"""The exponent before training against what is learnt, over the settings of each seed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.statistics.intervals import iqm, iqm_interval
from harness.statistics.rank_correlation import rank_correlations
from harness.verdicts.metrics import Measured, metric_named


def runs_of(exponents: list[float], accuracies: list[list[float]], **changes: Any) -> pd.DataFrame:
    """A run for each setting and seed: `accuracies` are those of each seed, one a setting."""
    rows = [
        {"seed": seed, "initial_adjoint_slope_geometric": x, "final_accuracy": y}
        for seed, each in enumerate(accuracies)
        for x, y in zip(exponents, each, strict=True)
    ]
    return pd.DataFrame(rows).assign(**{"outcome": "unsolved", "final_loss": 0.5, "chance": 0.1, **changes})


def spearman(x: Any, y: Any) -> float:
    """Pearson's correlation of mean ranks, by the definition."""
    ranks = [[(np.sum(np.less(v, each)) + np.sum(np.less_equal(v, each)) + 1) / 2 for each in v] for v in (x, y)]
    return float(np.corrcoef(ranks)[0, 1])


def measured(name: str, runs: pd.DataFrame) -> Measured:
    return metric_named(name).of(runs, np.random.default_rng(0))


EXPONENTS = [-0.3, -0.1, -0.01, 0.02, 0.2]


def test_ranks_that_agree_are_1_and_that_a_peak_at_zero_is_one_of_nearness_alone() -> None:
    rising = runs_of(EXPONENTS, [[0.1, 0.2, 0.3, 0.4, 0.5]] * 8)
    assert measured("accuracy_by_exponent", rising).value == pytest.approx(1.0)
    peak = runs_of(EXPONENTS, [[0.1, 0.4, 0.9, 0.8, 0.2]] * 8)
    assert measured("accuracy_by_nearness", peak).value == pytest.approx(1.0)
    assert measured("accuracy_by_exponent", peak).value == pytest.approx(0.3)  # 1 − 6·14/120, by hand


@pytest.mark.parametrize(("name", "of"), [("exponent", np.asarray), ("nearness", lambda x: -np.abs(x))])
def test_each_seed_is_spearmans_correlation_and_the_group_their_interquartile_mean(name: str, of: Any) -> None:
    accuracies = np.round(np.random.default_rng(1).uniform(0.1, 1, (12, 5)), 1).tolist()  # with ties
    direct = [spearman(of(EXPONENTS), each) for each in accuracies]
    group = measured(f"accuracy_by_{name}", runs_of(EXPONENTS, accuracies))
    assert group.value == pytest.approx(iqm(np.array(direct)))
    assert (group.low, group.high) == pytest.approx(tuple(iqm_interval(np.array(direct), 0.95, (-1.0, 1.0))))
    assert (group.runs, group.seeds) == (60, 12)


def test_a_diverged_run_counts_at_chance_and_one_without_a_value_leaves_its_seed_without_one() -> None:
    accuracies = [[0.1, 0.2, 0.3, 0.4, 0.5]] * 8
    outcomes = ["unsolved"] * 39 + ["diverged"]  # the last setting of the last seed: .1, a tie with the first
    lost = metric_named("accuracy_by_exponent").per_seed(runs_of(EXPONENTS, accuracies, outcome=outcomes))
    assert lost.iloc[-1] == pytest.approx(spearman(EXPONENTS, [0.1, 0.2, 0.3, 0.4, 0.1]))
    missing = runs_of(EXPONENTS, accuracies)
    missing.loc[2, "initial_adjoint_slope_geometric"] = math.nan
    assert math.isnan(measured("accuracy_by_exponent", missing).value)


def test_two_settings_or_equal_ones_have_no_correlation() -> None:
    seeds = pd.Series([0, 0, 1, 1, 1, 2, 2, 2])
    x, y = pd.Series([1.0, 2, 1, 2, 3, 1, 2, 3]), pd.Series([1.0, 2, 5, 5, 5, 3, 2, 1])
    assert rank_correlations(x, y, seeds).to_numpy() == pytest.approx([math.nan, math.nan, -1.0], nan_ok=True)
