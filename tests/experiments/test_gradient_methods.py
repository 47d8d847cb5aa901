"""Bias and spread of each way to the gradient, against the closed form of influence balancing."""

from __future__ import annotations

import numpy as np
import pytest
from study_texts import check_text

from harness.errors import StudyError
from harness.experiments.gradient_methods import Estimating, compare, exact, system_of
from harness.experiments.setup import Setup
from harness.registry import read
from harness.theory.balancing import total_influence, truncated_influence


def measured(plan_of, **settings: object):
    text = check_text("gradient_methods", estimating=settings, seeds=1)
    [record] = compare(plan_of(text).runs, Setup("torch"))
    return record.run, {row["quantity"]: row for row in record.rows["profiles"]}


BALANCING = {"system": "balancing", "size": 7, "positive": 3, "sequence_length": 40}


def test_each_step_has_the_share_that_theory_gives_it() -> None:
    by_step = exact(system_of(Estimating(**BALANCING), 0))[::-1, 0]
    theory = np.diff([truncated_influence(K, 7, 3) for K in range(41)])
    np.testing.assert_allclose(by_step, theory, atol=1e-12)
    assert by_step.sum() == pytest.approx(total_influence(7, 3), abs=1e-5)


@pytest.mark.parametrize("window", [1, 10, 11, 40])
def test_truncation_points_as_theory_says(plan_of, window: int) -> None:
    run, profiles = measured(plan_of, **BALANCING, method="tbptt", window=window)
    share = truncated_influence(window, 7, 3) / truncated_influence(40, 7, 3)
    assert run["measured"] == pytest.approx(share, abs=1e-12)
    lags, bias = (np.array(profiles["bias"][key]) for key in ("at", "measured"))
    assert not bias[lags < window].any()
    assert np.array_equal(bias[lags >= window], np.array(profiles["gradient"]["measured"])[lags >= window])


@pytest.mark.parametrize("system", ["balancing", "network"])
def test_rtrl_is_exact_at_every_lag(plan_of, system: str) -> None:
    run, profiles = measured(plan_of, **{**BALANCING, "system": system}, method="rtrl")
    assert run["outcome"] == "solved"
    assert run["residual"] <= 1e-12
    assert max(profiles["bias"]["measured"]) <= 1e-12


@pytest.mark.parametrize("method", ["uoro", "pes"])
def test_the_bias_of_a_random_way_is_that_of_its_draws(plan_of, method: str) -> None:
    """Of n independent estimates with standard deviation s the mean is off by s/√n; six times that would be bias."""
    run, profiles = measured(plan_of, **{**BALANCING, "sequence_length": 12}, method=method, draws=400)
    bias, expected = (np.array(profiles["bias"][key]) for key in ("measured", "theory"))
    assert np.all(bias <= 6 * expected)
    np.testing.assert_allclose(expected, np.array(profiles["spread"]["measured"]) / 20)
    assert profiles["mean_share"]["measured"][-1] == run["measured"]


def test_snap1_is_right_at_the_last_step_and_biased_before_it(plan_of) -> None:
    run, profiles = measured(plan_of, size=6, sequence_length=8, method="snap1")
    assert run["predicted"] is None
    bias = profiles["bias"]["measured"]
    assert bias[0] <= 1e-14 < bias[1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "tbptt"}, "goes back a window of steps"),
        ({"method": "rtrl", "window": 3}, "is of tbptt"),
        ({"method": "snap1", "system": "balancing"}, "take network"),
        ({"system": "balancing", "positive": 12}, "the harm outweighs"),
        ({"method": {"name": "pes", "unroll": 2}}, "leave unroll at 1"),
        ({"method": {"name": "uoro", "draws": 2}}, "is estimating.draws"),
    ],
)
def test_what_does_not_go_together_is_an_error_in_its_place(study_file, settings, message) -> None:
    with pytest.raises(StudyError) as error:
        read(study_file(check_text("gradient_methods", estimating=settings, seeds=1)))
    assert message in str(error.value)
    assert "estimating." in str(error.value)
