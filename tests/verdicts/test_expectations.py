"""Verdicts: bounds on the measured value, contrasts, and none at all on an incomplete sweep."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
import pytest
from synthetic_results import SyntheticResults

from harness.errors import HarnessError
from harness.study.spec import Expectation
from harness.verdicts.expectations import describe, judge, overall
from harness.verdicts.metrics import METRICS


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
                "mean_field_residual": 0.02,
                "month_silhouette": 0.0, "weekday_silhouette": 0.4,
                "analogy_month_accuracy": 0.8, "analogy_accuracy": 0.6,
                "final_accuracy": {"s": 1.0, "u": 0.4}.get(outcome[0], math.nan), "chance": 0.25,
            })  # fmt: skip
    return pd.DataFrame(rows)


def one(expectation: Expectation, runs: pd.DataFrame, planned: pd.DataFrame | None = None) -> Any:
    (verdict,) = judge(expectation, runs, runs if planned is None else planned)
    return verdict


RNN, LSTM = {"cell": "rnn"}, {"cell": "lstm"}


def rate(**settings: Any) -> Expectation:
    return Expectation(metric="success_rate", **settings)


def test_a_bound_is_judged_on_the_value_and_shows_the_interval() -> None:
    verdict = one(rate(where=LSTM, at_least=0.8), table((LSTM, ["s"] * 5), (RNN, ["u"] * 5)))
    assert verdict.state == "holds"
    assert (verdict.value, verdict.n) == (1.0, 5)
    assert verdict.interval == pytest.approx((0.5655, 1.0), abs=5e-5)
    assert verdict.text == "success_rate of cell=lstm >= 0.8"


def test_a_bound_that_is_met_exactly_holds() -> None:
    assert one(rate(at_least=0.8), table((RNN, ["s"] * 8 + ["u"] * 2))).state == "holds"


def test_a_bound_that_is_missed_gives_the_value_and_the_bound() -> None:
    verdict = one(rate(at_most=0.2), table((RNN, ["s", "u"])))
    assert (verdict.state, verdict.reason) == ("fails", "0.50 is above 0.2")


def test_a_diverged_run_is_a_result() -> None:
    verdict = one(rate(at_least=0.5), table((RNN, ["s", "d"])))
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
    assert one(rate(where=LSTM, at_least=0.5), planned.iloc[2:], planned).state == "holds"


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
    assert one(rate(at_least=1.0), pd.concat([planned, old]), planned).state == "holds"


def test_an_unknown_column_is_an_error() -> None:
    with pytest.raises(HarnessError, match="did you mean 'cell'"):
        judge(rate(where={"cel": "rnn"}, at_least=0.5), table((RNN, ["s"])), table((RNN, ["s"])))


def test_per_gives_one_verdict_for_each_combination() -> None:
    runs = table((RNN | {"T": 100}, ["u"]), (RNN | {"T": 20}, ["s"]), (LSTM | {"T": 20}, ["s"]))
    verdicts = judge(rate(per=("cell", "T"), at_least=0.5), runs, runs)
    assert [(v.text.split(" of ")[1], v.state) for v in verdicts] == [
        ("cell=rnn, T=20 >= 0.5", "holds"), ("cell=rnn, T=100 >= 0.5", "fails"), ("cell=lstm, T=20 >= 0.5", "holds"),
    ]  # fmt: skip


CONTRAST = {"cell": ("lstm", "rnn")}


def test_a_contrast_shows_both_groups_and_their_paired_difference() -> None:
    verdict = one(rate(contrast=CONTRAST, apart=True), table((LSTM, ["s"] * 8), (RNN, ["u"] * 8)))
    assert verdict.state == "holds"
    assert [row[:2] for row in verdict.rows()] == [("lstm", "1.00"), ("rnn", "0.00")]
    assert verdict.reason == "paired difference +1.00 over 8 shared seeds, p = 0.00781 (permutation)"


def test_intervals_that_touch_are_not_apart() -> None:
    runs = table((LSTM, ["s"] * 3), (RNN, ["u"] * 3))
    assert one(rate(contrast=CONTRAST), runs).state == "holds"
    verdict = one(rate(contrast=CONTRAST, apart=True), runs)
    assert verdict.state == "fails"
    assert verdict.reason.startswith("the intervals touch")


def test_equal_groups_are_no_contrast() -> None:
    assert one(rate(contrast=CONTRAST), table((LSTM, ["s", "u"]), (RNN, ["u", "s"]))).state == "fails"


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
    verdict = one(Expectation(metric="final_accuracy", at_most=0.5), runs)
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


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_measures_one_seed(metric: str) -> None:
    verdict = one(Expectation(metric=metric, at_least=0), table((RNN, ["s"])))
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


@pytest.mark.parametrize(("outcomes", "sentence"), [
    ([["s"], ["s"]], "All 2 expectations hold."),
    ([["s"]], "The expectation holds."),
    ([["s"], ["u"]], "1 of 2 expectations fails."),
    ([["s"], ["f"]], "No verdict on 1 of 2 expectations: runs are missing, failed, or without a value."),
    ([], "This study expects nothing."),
])  # fmt: skip
def test_all_verdicts_are_one_sentence(outcomes: list[list[str]], sentence: str) -> None:
    assert overall([one(rate(at_least=0.5), table((RNN, each))) for each in outcomes]) == sentence
