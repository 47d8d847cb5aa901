"""Verdicts: bounds on the interval or on the value, contrasts, and none at all on an incomplete sweep."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from synthetic_results import SyntheticResults

from harness.errors import HarnessError
from harness.store.columns import OF_TASKS
from harness.study.spec import Expectation
from harness.verdicts.expectations import judge
from harness.verdicts.feasibility import describe
from harness.verdicts.metrics import METRICS, Measured, Metric, metric_named
from harness.verdicts.verdict import overall


def table(*groups: tuple[dict[str, Any], Sequence[str]], budget: int = 1000) -> pd.DataFrame:
    """Runs of groups of settings, one outcome a seed: 's200' solved at 200, 'u' unsolved, 'd' diverged, 'f' failed."""
    words = {"s": "solved", "u": "unsolved", "d": "diverged", "f": "failed"}
    rows = []
    for columns, outcomes in groups:
        for seed, outcome in enumerate(outcomes):
            at = float(outcome[1:] or 100) if outcome[0] in "sd" else math.nan
            rows.append({
                **columns, "seed": seed, "run_id": f"{columns}{seed}", "outcome": words[outcome[0]],
                "max_updates": budget,
                "solved_at": at if outcome[0] == "s" else math.nan, "updates": budget if outcome == "u" else at,
                "initial_adjoint_slope": 0.1, "initial_adjoint_cell_slope": 0.1,
                "initial_adjoint_slope_geometric": 0.1, "final_adjoint_slope_geometric": 0.1,
                "initial_adjoint_slope_median": 0.1, "final_adjoint_slope_median": 0.1,
                "final_adjoint_slope": 0.1, "initial_depth_slope": 0.1, "final_depth_slope": 0.1, "final_loss": 0.5,
                "memoryless_loss": 1.4,
                "switch_score": 0.9, "switch_error": 1e-7, "measured": 0.5, "residual": 1e-7,
                "mean_field_residual": 0.02, "exponent_ratio": 1.0, "distribution_distance": 0.05,
                "gradient_growth": 3.2, "log10_gradient_norm": 0.3, "log10_largest_gradient": 1.0,
                **dict.fromkeys(OF_TASKS, 0.4),
                "final_accuracy": {"s": 1.0, "u": 0.4}.get(outcome[0], math.nan), "chance": 0.25,
            })  # fmt: skip
    return pd.DataFrame(rows)


def one(expectation: Expectation, runs: pd.DataFrame, planned: pd.DataFrame | None = None) -> Any:
    (verdict,) = judge(expectation, runs, runs if planned is None else planned)
    return verdict


RNN, LSTM = {"cell": "rnn"}, {"cell": "lstm"}


def rate(**settings: Any) -> Expectation:
    return Expectation(metric="success_rate", **settings)


def test_a_bound_is_judged_on_the_end_of_the_interval() -> None:
    """Five of five solved: the lower end is 5/(5 + z²) = .5655."""
    runs = table((LSTM, ["s"] * 5), (RNN, ["u"] * 5))
    verdict = one(rate(where=LSTM, at_least=0.56), runs)
    assert verdict.state == "holds"
    assert (verdict.value, verdict.n, verdict.ground, verdict.confidence) == (1.0, 5, "interval", 0.95)
    assert verdict.interval == pytest.approx((0.5655, 1.0), abs=5e-5)
    assert verdict.text == "success_rate of cell=lstm >= 0.56"
    beyond = one(rate(where=LSTM, at_least=0.8), runs)
    assert (beyond.state, beyond.enough_seeds) == ("undecided", 16)
    assert beyond.reason == "the interval includes 0.8; about 16 seeds would decide it at this value"
    assert beyond.warning == (
        "5 seeds are too few for success_rate of cell=lstm >= 0.8: a perfect result holds with 16 at the fewest"
    )


def test_a_bound_fails_where_the_other_end_is_beyond_it_too() -> None:
    verdict = one(rate(at_least=0.8), table((RNN, ["s"] * 4 + ["u"] * 12)))
    assert (verdict.state, verdict.reason) == ("fails", "the upper end 0.49 is below 0.8")
    verdict = one(rate(at_most=0.2), table((RNN, ["s"] * 12 + ["u"] * 4)))
    assert (verdict.state, verdict.reason) == ("fails", "the lower end 0.51 is above 0.2")


@pytest.mark.parametrize("solved", range(17))
@pytest.mark.parametrize("bounds", [{"at_least": 0.4}, {"at_most": 0.4}, {"at_least": 0.2, "at_most": 0.7}])
def test_more_confidence_decides_less_and_never_the_other_way(bounds: dict[str, float], solved: int) -> None:
    runs = table((RNN, ["s"] * solved + ["u"] * (16 - solved)))
    states = [one(rate(**bounds, confidence=level), runs).state for level in (0.6, 0.8, 0.95, 0.999)]
    estimate = one(rate(**bounds, judge="estimate"), runs).state
    first = next((i for i, state in enumerate(states) if state == "undecided"), len(states))
    assert set(states[:first]) <= {estimate}
    assert set(states[first:]) <= {"undecided"}


def test_a_point_estimate_decides_any_number_of_seeds_and_says_so() -> None:
    met = one(rate(at_least=0.8, judge="estimate"), table((RNN, ["s"] * 8 + ["u"] * 2)))
    assert (met.state, met.text) == ("holds", "success_rate of all runs >= 0.8, point estimate")
    missed = one(rate(at_most=0.2, judge="estimate"), table((RNN, ["s", "u"])))
    assert (missed.state, missed.reason, missed.warning) == ("fails", "0.50 is above 0.2", "")


def test_a_metric_without_sampling_is_judged_on_its_value() -> None:
    runs = table((RNN, ["s"]))
    for judge_on in (None, "interval", "estimate", "value"):
        verdict = one(Expectation(metric="residual", at_most=1e-6, judge=judge_on), runs)
        assert (verdict.state, verdict.ground, verdict.text) == ("holds", "value", "residual of all runs <= 1e-06")
    assert one(Expectation(metric="residual", at_most=1e-8), runs).state == "fails"


def test_a_metric_of_an_earlier_version_has_its_interval_at_95_percent_alone() -> None:
    def measure(runs: pd.DataFrame, generator: np.random.Generator) -> Measured:
        return Measured(0.5, 0.4, 0.6, len(runs), len(runs))

    def per_seed(runs: pd.DataFrame) -> Any:
        return runs["final_loss"]

    metric = Metric("half", "half", "a half", measure, per_seed, 2, better=1)
    runs, generator = table((RNN, ["u"] * 4)), np.random.default_rng(0)
    assert metric.of(runs, generator) == measure(runs, generator)
    other = metric.of(runs, generator, 0.9)
    assert (other.value, other.runs) == (0.5, 4)
    assert math.isnan(other.low)
    assert math.isnan(other.high)


def test_the_value_of_these_runs_can_be_meant() -> None:
    verdict = one(Expectation(metric="measured", at_least=0.5, judge="value"), table((RNN, ["s"])))
    assert (verdict.state, verdict.text) == ("holds", "measured of all runs >= 0.5, value of these runs")


def test_a_diverged_run_is_a_result() -> None:
    verdict = one(rate(at_least=0.5, judge="estimate"), table((RNN, ["s", "d"])))
    assert (verdict.state, verdict.value, verdict.n) == ("holds", 0.5, 2)


def test_a_missing_run_blocks_the_verdict() -> None:
    planned = table((RNN, ["s"] * 4))
    verdict = one(rate(at_least=0.5), planned.iloc[:3], planned)
    assert (verdict.state, verdict.reason) == ("incomplete", "1 missing of 4 planned runs")


def test_a_failed_run_blocks_the_verdict() -> None:
    planned = table((RNN, ["s", "s", "f", "s"]))
    verdict = one(rate(at_least=0.5), planned.iloc[1:], planned)
    assert (verdict.state, verdict.reason) == ("incomplete", "1 missing and 1 failed of 4 planned runs")


def test_a_missing_run_elsewhere_blocks_nothing() -> None:
    planned = table((RNN, ["u"] * 3), (LSTM, ["s"] * 3))
    assert one(rate(where=LSTM, at_least=0.4), planned.iloc[2:], planned).state == "holds"


def test_nothing_run_yet_is_incomplete() -> None:
    planned = table((RNN, ["s"] * 4))
    verdict = one(rate(at_least=0.5), planned.iloc[:0], planned)
    assert verdict.state == "incomplete"
    assert math.isnan(verdict.value)


def test_an_expectation_about_runs_that_are_not_planned_is_not_judged() -> None:
    assert one(rate(where={"cell": "gru"}, at_least=0.5), table((RNN, ["s"]))).state == "not asked"


def test_runs_of_an_older_plan_are_not_mixed_in() -> None:
    planned = table((RNN, ["s", "s"]))
    old = table((RNN, ["u"] * 6)).assign(run_id=lambda frame: "old" + frame["run_id"])
    assert one(rate(at_least=0.3), pd.concat([planned, old]), planned).state == "holds"


def test_an_unknown_column_is_an_error() -> None:
    with pytest.raises(HarnessError, match="did you mean 'cell'"):
        judge(rate(where={"cel": "rnn"}, at_least=0.5), table((RNN, ["s"])), table((RNN, ["s"])))


def test_per_gives_one_verdict_for_each_combination() -> None:
    runs = table((RNN | {"T": 100}, ["u"]), (RNN | {"T": 20}, ["s"]), (LSTM | {"T": 20}, ["s"]))
    verdicts = judge(rate(per=("cell", "T"), at_least=0.2), runs, runs)
    assert [(v.text.split(" of ")[1], v.state) for v in verdicts] == [
        ("cell=rnn, T=20 >= 0.2", "holds"), ("cell=rnn, T=100 >= 0.2", "undecided"),
        ("cell=lstm, T=20 >= 0.2", "holds"),
    ]  # fmt: skip


CONTRAST = {"cell": ("lstm", "rnn")}


def test_a_contrast_shows_both_groups_and_their_paired_difference() -> None:
    verdict = one(rate(contrast=CONTRAST, apart=True), table((LSTM, ["s"] * 8), (RNN, ["u"] * 8)))
    assert verdict.state == "holds"
    assert [row[:2] for row in verdict.rows()] == [("lstm", "1.00"), ("rnn", "0.00")]
    assert verdict.reason == "paired difference +1.00 over 8 shared seeds, p = 0.00781 (permutation)"


def test_intervals_that_touch_decide_nothing() -> None:
    runs = table((LSTM, ["s"] * 3), (RNN, ["u"] * 3))
    verdict = one(rate(contrast=CONTRAST, apart=True), runs)
    assert verdict.state == "undecided"
    assert verdict.reason.startswith("the intervals touch; about 4 seeds would decide it at these values; paired")
    apart = table((LSTM, ["s"] * 4), (RNN, ["u"] * 4))
    assert one(rate(contrast=CONTRAST, apart=True), apart).state == "holds"
    assert one(rate(contrast={"cell": ("rnn", "lstm")}, apart=True), apart).state == "fails"


@pytest.mark.parametrize(("n", "state"), [(5, "undecided"), (6, "holds")])
def test_a_contrast_needs_a_significant_paired_difference(n: int, state: str) -> None:
    """The least p of five pairs is 1/16, of six 1/32."""
    runs = table((LSTM, ["s"] * n), (RNN, ["u"] * n))
    verdict = one(rate(contrast=CONTRAST), runs)
    assert (verdict.state, verdict.p) == (state, 2 / 2**n)
    turned = one(rate(contrast={"cell": ("rnn", "lstm")}), runs)
    assert turned.state == {"holds": "fails"}.get(state, state)
    if state == "undecided":
        assert verdict.enough_seeds == 6
        assert "5 seeds are too few" in verdict.warning


def test_contrasts_of_several_combinations_are_corrected_together() -> None:
    """Holm: of two with p = 1/32 both become 1/16; one alone is significant at .05."""
    runs = pd.concat([table(({**cell, "T": T}, outcomes * 6)) for T in (20, 50)
                      for cell, outcomes in ((LSTM, ["s"]), (RNN, ["u"]))])  # fmt: skip
    alone = judge(rate(where={"T": 20}, contrast=CONTRAST), runs, runs)
    both = judge(rate(contrast=CONTRAST, per=("T",)), runs, runs)
    assert [(v.state, v.p) for v in alone] == [("holds", 1 / 32)]
    assert [(v.state, v.p) for v in both] == [("undecided", 1 / 16)] * 2
    assert both[0].reason.endswith("p = 0.0312 (permutation), 0.0625 by Holm over 2")
    assert both[0].enough_seeds == 7
    partly = judge(rate(contrast=CONTRAST, per=("T",)), runs.iloc[:12], runs)
    assert [v.state for v in partly] == ["undecided", "incomplete"]  # as it will be when all runs are there


def test_a_contrast_of_infinite_values_is_tested_by_ranks() -> None:
    runs = table((LSTM, ["s"] * 6), (RNN, ["u"] * 6))
    runs.loc[runs["cell"] == "lstm", "final_loss"] = math.inf
    verdict = one(Expectation(metric="final_loss", contrast=CONTRAST), runs)
    assert (verdict.state, verdict.p) == ("holds", 1 / 32)
    assert verdict.reason.startswith("higher for 6 and lower for 0 of 6 shared seeds (by ranks: final loss")


def test_equal_groups_are_no_contrast() -> None:
    runs = table((LSTM, ["s", "u"]), (RNN, ["u", "s"]))
    assert one(rate(contrast=CONTRAST), runs).state == "undecided"
    assert one(rate(contrast=CONTRAST, judge="estimate"), runs).state == "fails"


def test_a_contrast_is_blocked_by_either_side() -> None:
    planned = table((LSTM, ["s"] * 2), (RNN, ["u"] * 2))
    verdict = one(rate(contrast=CONTRAST), planned.iloc[:3], planned)
    assert (verdict.state, verdict.reason) == ("incomplete", "rnn: 1 missing of 2 planned runs")


def test_a_contrast_without_one_side_is_not_judged() -> None:
    assert one(rate(contrast=CONTRAST), table((LSTM, ["s"]))).state == "not asked"


def test_pairs_share_a_seed_also_where_settings_are_pooled() -> None:
    runs = table((LSTM | {"rho": None}, ["s"] * 6), (RNN | {"rho": 0.8}, ["u"] * 6), (RNN | {"rho": 1.2}, ["s"] * 6))
    verdict = one(rate(contrast=CONTRAST), runs)
    assert verdict.reason.startswith("paired difference +0.50 over 6 shared seeds")
    assert [row[3] for row in verdict.rows()] == ["6", "12 (6 seeds)"]


def test_the_median_time_counts_unsolved_runs_as_censored() -> None:
    runs = table((RNN, ["s100", "s300", "s300", "u", "u"]))
    assert one(Expectation(metric="solved_at", at_most=300), runs).value == 300
    verdict = one(Expectation(metric="solved_at", at_most=300), table((RNN, ["s100", "u", "u"])))
    assert verdict.value == math.inf
    verdict = one(Expectation(metric="solved_at", at_most=300), table((RNN, ["s100"] + ["u"] * 29)))
    assert (verdict.state, verdict.value) == ("fails", math.inf)
    assert verdict.reason == "the median lies beyond the budget"


def test_a_run_that_diverged_early_is_not_solved_later() -> None:
    """Censored at its own end it would leave the risk set, and the median would be 300."""
    runs = table((RNN, ["s300", "s900", "d200", "d200"]))
    assert one(Expectation(metric="solved_at", at_least=0), runs).value == 900
    worse = table((RNN, ["s300", "s900", "d200", "d200", "d200"]))
    assert one(Expectation(metric="solved_at", at_least=0), worse).value == math.inf


def test_final_accuracy_is_over_seeds_and_a_diverged_run_guesses() -> None:
    runs = table((RNN, ["u", "u", "d", "d"]))
    verdict = one(Expectation(metric="final_accuracy", at_most=0.5, judge="estimate"), runs)
    assert verdict.value == pytest.approx((0.4 + 0.25) / 2)
    assert verdict.state == "holds"


def test_a_metric_that_was_not_recorded_gives_no_verdict() -> None:
    runs = table((RNN, ["u", "u"])).assign(final_accuracy=math.nan)
    verdict = one(Expectation(metric="final_accuracy", at_most=0.5), runs)
    assert (verdict.state, verdict.reason) == ("incomplete", "no final accuracy was recorded")


@pytest.mark.parametrize("metric", METRICS)
def test_the_same_tables_give_the_same_verdict(metric: str, synthetic: SyntheticResults) -> None:
    expectation = Expectation(metric=metric, where={"sequence_length": 50}, contrast=CONTRAST, apart=True)
    assert judge(expectation, synthetic.frames.runs, synthetic.planned) == judge(
        expectation, synthetic.frames.runs, synthetic.planned
    )


@pytest.mark.parametrize("metric", [name for name in METRICS if not name.startswith("accuracy_by_")])
def test_every_metric_measures_one_seed(metric: str) -> None:
    verdict = one(Expectation(metric=metric, at_least=0, judge="estimate"), table((RNN, ["s"])))
    assert (verdict.state, verdict.n) == ("holds", 1)


def test_an_expectation_is_described_in_a_line() -> None:
    where = {"sequence_length": [50, 100], "bptt_window": None}
    assert describe(rate(where=where, at_least=0.2, at_most=0.8)) == (
        "success_rate of sequence_length=50|100, bptt_window=full in 0.2 … 0.8"
    )
    assert describe(rate(where={"T": 100}, contrast=CONTRAST, apart=True)) == (
        "success_rate of cell=lstm above cell=rnn at T=100, intervals apart"
    )
    assert describe(rate(at_most=0.5)) == "success_rate of all runs <= 0.5"

    assert describe(rate(at_most=0.5, confidence=0.999)) == "success_rate of all runs <= 0.5, 99.9 % confidence"


@pytest.mark.parametrize(("outcomes", "sentence"), [
    (["s" * 9, "s" * 9], "All 2 expectations hold."),
    (["s" * 9], "The expectation holds."),
    (["s" * 9, "u" * 9], "1 of 2 expectations fails."),
    (["u" * 9], "The expectation fails."),
    (["s" * 9, "f"], "No verdict on 1 of 2 expectations: runs are missing, failed, or without a value."),
    (["s"], "The expectation is undecided: about 4 seeds would decide it."),
    (["s" * 9, "sss", "sss"], "2 of 3 expectations are undecided: about 4 seeds would decide them."),
    (["su"], "The expectation is undecided: its value is too near the bound for any number of seeds."),
    (["sss", "su"], "2 of 2 expectations are undecided: about 4 seeds would decide them, but for 1 of them."),
    (["u" * 9, "sss"], "1 of 2 expectations fails; 1 is undecided."),
    ([], "This study expects nothing."),
])  # fmt: skip
def test_all_verdicts_are_one_sentence(outcomes: list[str], sentence: str) -> None:
    assert overall([one(rate(at_least=0.5), table((RNN, list(each)))) for each in outcomes]) == sentence


def test_a_number_that_rounds_to_nought_has_no_sign() -> None:
    metric = metric_named("final_accuracy")
    assert [metric.text(value) for value in (-1e-9, -0.0, 0.0, -0.0006)] == ["0.000", "0.000", "0.000", "-0.001"]
