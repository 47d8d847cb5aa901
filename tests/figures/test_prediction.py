"""The figure of one metric against another: its points are the metrics', its ρ is Spearman's."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from harness.errors import HarnessError
from harness.figures.prediction import points, prediction, rank_correlation
from harness.statistics.frames import Frames
from harness.verdicts.metrics import metric_named

SLOPE, RATE = "initial_adjoint_slope", "success_rate"


@pytest.fixture
def runs(frames: Frames) -> pd.DataFrame:
    """A slope that is steeper for longer sequences, and differs between seeds."""
    length = frames.runs["sequence_length"].astype(float)
    return frames.runs.assign(initial_adjoint_slope=-length / 400 - frames.runs["seed"] / 1000)


def test_a_point_has_the_two_values_that_expectations_are_judged_on(runs: pd.DataFrame) -> None:
    table = points(runs, x=metric_named(SLOPE), y=metric_named(RATE), by=["cell", "sequence_length"])
    assert len(table) == len(runs.groupby(["cell", "sequence_length"]))
    for point in table.itertuples():
        group = runs[(runs["cell"] == point.cell) & (runs["sequence_length"] == point.sequence_length)]
        for metric, value in ((SLOPE, point.x), (RATE, point.y)):
            assert value == metric_named(metric).of(group, np.random.default_rng(0)).value


def test_times_makes_of_a_slope_what_is_lost_over_a_sequence(runs: pd.DataFrame) -> None:
    plain, whole = (
        points(runs, x=metric_named(SLOPE), y=metric_named(RATE), by=["cell", "sequence_length"], times=times)
        for times in (None, "sequence_length")
    )
    assert whole["x"].to_numpy() == pytest.approx((plain["x"] * plain["sequence_length"]).astype(float).to_numpy())


@pytest.mark.parametrize("seed", range(3))
def test_the_correlation_is_that_of_scipy_ties_included(seed: int) -> None:
    generator = np.random.default_rng(seed)
    table = pd.DataFrame({"x": generator.integers(0, 6, 15) / 5, "y": generator.integers(0, 4, 15) / 3})
    rho, p = rank_correlation(table)
    twin = stats.spearmanr(table["x"], table["y"])
    assert rho == pytest.approx(twin.statistic)
    assert p == pytest.approx(twin.pvalue, abs=0.04)  # its p is of Student's t, an approximation at 15 points


def test_a_perfect_order_is_one_and_its_p_the_share_of_permutations_in_order() -> None:
    table = pd.DataFrame({"x": [1.0, 2, 3, 4, 5], "y": [0.0, 0.1, 0.2, 0.7, 1.0]})
    assert rank_correlation(table) == pytest.approx((1.0, 2 / 120))


@pytest.mark.parametrize("table", [{"x": [1.0, 2], "y": [0.0, 1]}, {"x": [1.0, 1, 1], "y": [0.0, 1, 0.5]}])
def test_without_spread_or_with_two_points_there_is_no_correlation(table: dict[str, list[float]]) -> None:
    assert np.isnan(rank_correlation(pd.DataFrame(table))).all()


def test_points_are_coloured_by_hue_and_the_panel_says_the_correlation(runs: pd.DataFrame) -> None:
    (ax,) = prediction(runs, times="sequence_length").axes
    assert len(ax.containers) == runs["cell"].nunique()
    assert [text.get_text()[:3] for text in ax.texts] == ["ρ ="]


def test_what_no_run_has_is_said(runs: pd.DataFrame) -> None:
    with pytest.raises(HarnessError, match="no column 'cel'"):
        prediction(runs, by=["cel"])
    with pytest.raises(HarnessError, match="recorded together"):
        prediction(runs.assign(initial_adjoint_slope=np.nan))
