"""The accuracy at one length as a metric: by its name, over seeds, of runs that were lost, and in a study."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from study_texts import study_text
from synthetic_results import SyntheticResults

from harness.errors import HarnessError, StudyError
from harness.figures.score import score
from harness.registry import read
from harness.report.gridtable import measures_named
from harness.statistics.frames import Frames, with_lengths
from harness.statistics.intervals import iqm
from harness.study.at_length import at_length, is_at_length
from harness.study.spec import Expectation
from harness.verdicts.expectations import judge
from harness.verdicts.metrics import Measured, metric_named
from harness.verdicts.verdict import Verdict


def runs_of(accuracies: Sequence[float], **changes: Any) -> pd.DataFrame:
    """A run a seed, judged at length 40 with these accuracies (chance .3 there) and at the length in training."""
    runs = pd.DataFrame({
        "run_id": [str(i) for i in range(len(accuracies))], "seed": range(len(accuracies)), "outcome": "unsolved",
        "solved_at": math.nan, "updates": 100, "max_updates": 100, "final_accuracy": 0.9, "final_loss": 0.3,
        "chance": 0.25, **{name: value for name, value in changes.items() if name not in ("accuracy", "loss")},
    })  # fmt: skip
    rows = [
        {"run_id": run_id, "length": length, "accuracy": value, "loss": 0.4, "chance": 0.3}
        for length, values in ((20, [0.9] * len(runs)), (40, accuracies))
        for run_id, value in zip(runs["run_id"], values, strict=True)
    ]
    evaluations = pd.DataFrame(rows)
    if "loss" in changes:
        evaluations.loc[evaluations["length"] == 40, "loss"] = changes["loss"]
    return with_lengths(runs, evaluations)


def measured(runs: pd.DataFrame, name: str = "accuracy_at_length(40)") -> Measured:
    return metric_named(name).of(runs, np.random.default_rng(0))


def test_it_is_the_interquartile_mean_of_the_accuracies_at_that_length() -> None:
    accuracies = [0.1, 0.5, 0.6, 0.7, 0.8, 0.95]
    group = measured(runs_of(accuracies))
    assert group.value == iqm(accuracies)
    assert group.low < group.value < group.high
    assert (group.runs, group.seeds) == (6, 6)
    assert measured(runs_of(accuracies), "accuracy_at_length(20)").value == pytest.approx(0.9)


def test_a_run_that_is_lost_counts_at_chance_of_that_length() -> None:
    diverged = ["unsolved", "unsolved", "diverged"]
    assert measured(runs_of([0.9, 0.9, 0.0], outcome=diverged)).value == pytest.approx((0.9 + 0.9 + 0.3) / 3)
    for loss in (math.nan, math.inf):  # finite at the length in training, and not at this one
        runs = runs_of([0.9, 0.9, 1.0], loss=[0.4, 0.4, loss])
        assert measured(runs).value == pytest.approx((0.9 + 0.9 + 0.3) / 3)
        assert measured(runs, "accuracy_at_length(20)").value == pytest.approx(0.9)


def verdict_on(runs: pd.DataFrame, **expectation: Any) -> Verdict:
    (verdict,) = judge(Expectation(**{"metric": "accuracy_at_length(40)", **expectation}), runs, runs)
    return verdict


def test_a_bound_is_judged_on_it_and_a_run_without_a_value_gives_no_verdict() -> None:
    runs = runs_of([0.8, 0.8, 0.8])
    for judge_on, states in (("estimate", ("holds", "fails")), ("interval", ("undecided", "undecided"))):
        assert tuple(verdict_on(runs, at_least=b, judge=judge_on).state for b in (0.75, 0.9)) == states
    many = runs_of([0.8] * 20)
    assert [verdict_on(many, at_least=bound).state for bound in (0.75, 0.9)] == ["holds", "fails"]
    assert verdict_on(runs, at_least=0.75).text == "accuracy_at_length(40) of all runs >= 0.75"
    lacking = verdict_on(runs_of([0.8, 0.8, math.nan]), at_least=0.75)
    assert (lacking.state, lacking.reason) == ("incomplete", "1 of 3 seeds have no accuracy at length 40")
    never = verdict_on(runs, metric="accuracy_at_length(80)", at_least=0.75)
    assert (never.state, never.reason) == ("incomplete", "no accuracy at length 80 was recorded")


def test_a_contrast_pairs_seeds(synthetic: SyntheticResults) -> None:
    where, contrast = {"sequence_length": 20, "spectral_radius": 1.0}, {"cell": ("lstm", "rnn")}
    expectation = Expectation(metric="accuracy_at_length(400)", where=where, contrast=contrast, judge="estimate")
    (verdict,) = judge(expectation, synthetic.frames.runs_at_lengths, synthetic.planned)
    assert verdict.state == "holds"
    assert "over 4 shared seeds" in verdict.reason
    assert [row[0] for row in verdict.rows()] == ["lstm", "rnn"]


def test_runs_without_such_a_table_are_as_they_were(synthetic: SyntheticResults) -> None:
    without = {name: table for name, table in synthetic.tables.items() if name != "evaluations"}
    frames = Frames.from_tables(without)
    assert frames.runs_at_lengths is frames.runs
    own = synthetic.frames
    added = [name for name in own.runs_at_lengths.columns if name not in own.runs.columns]
    assert added == [at_length(name, T) for name in ("accuracy", "loss", "chance") for T in (20, 50, 100, 400)]
    assert all(map(is_at_length, added))
    assert not any(map(is_at_length, own.runs.columns))
    pd.testing.assert_frame_equal(own.runs_at_lengths[own.runs.columns], own.runs)
    with pytest.raises(HarnessError, match=r"no table of evaluations was recorded; .* with evaluation\.lengths"):
        frames.table("evaluations")
    with pytest.raises(HarnessError, match=r"every study has runs: it is an attribute, \.runs"):
        frames.table("runs")


@pytest.mark.parametrize(
    "bracket", ["", "()", "(0)", "(x)", "(2.5)", "(40", "(040)", "(-4)", "(4)(5)", "(" + "9" * 19 + ")"]
)
def test_without_a_length_it_is_no_metric(bracket: str) -> None:
    with pytest.raises(HarnessError, match=r"that of one length, .* in brackets: accuracy_at_length\(200\)"):
        metric_named(f"accuracy_at_length{bracket}")


def test_a_name_that_is_nearly_it_is_told_so() -> None:
    with pytest.raises(HarnessError, match="did you mean 'accuracy_at_length'"):
        metric_named("acuracy_at_length(40)")
    with pytest.raises(HarnessError, match=r"no metric 'success_rate\(40\)'; did you mean 'success_rate'"):
        metric_named("success_rate(40)")


def test_it_is_a_column_of_the_grid_and_a_figure_with_its_chance(synthetic: SyntheticResults) -> None:
    [measure] = measures_named("accuracy_at_length(100)")
    assert measure.label == "accuracy at length 100"
    runs = synthetic.frames.runs_at_lengths
    ax = score(runs[runs["cell"] == "lstm"], metric="accuracy_at_length(100)").axes[0]
    assert ax.get_ylim() == (-0.03, 1.03)
    assert ax.get_ylabel() == "accuracy at length 100"
    dotted = [line for line in ax.lines if line.get_linestyle() == ":"]
    assert {float(value) for line in dotted for value in line.get_ydata()} == {0.25}


JUDGED = {"every": 2, "sequences": 16, "lengths": [12, 24]}
SWEPT = {"evaluation.lengths": [[12, 24], [12]]}


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"evaluation": JUDGED}, "no point of the grid is judged at length 48; evaluation.lengths has 12, 24"),
        ({}, "no point of the grid is judged at length 48; set evaluation.lengths"),
    ],
)
def test_a_length_that_is_not_judged_is_refused_while_the_study_is_read(study_file, sections, message: str) -> None:
    path = study_file(
        study_text(
            **sections,
            figures=[{"kind": "score", "metric": "accuracy_at_length(48)", "x": "cell"}],
            expect=[{"metric": "accuracy_at_length(48)", "at_least": 0.5}],
        )
    )
    with pytest.raises(StudyError) as caught:
        read(path)
    lines = path.read_text().splitlines()
    assert [problem.message for problem in caught.value.problems] == [
        f"{key}: accuracy_at_length(48): {message}" for key in ("figures", "expect")
    ]
    assert [lines[problem.place.line - 1].partition(":")[0] for problem in caught.value.problems] == [
        "figures", "expect",
    ]  # fmt: skip
    read(path, ["evaluation.lengths=[24]"])  # under overrides it has no verdict


def test_a_length_must_be_judged_by_every_point_that_an_expectation_is_about(study_file) -> None:
    text = study_text(sweep=SWEPT, expect=[{"metric": "accuracy_at_length(24)", "at_least": 0.5}])
    with pytest.raises(StudyError, match=r"1 of 2 points are not judged at length 24; evaluation\.lengths has 12, 24"):
        read(study_file(text))


@pytest.mark.parametrize("metric", ["accuracy_at_length", "accuracy_at_length(x)"])
def test_a_metric_without_a_length_is_refused_while_the_study_is_read(study_file, metric: str) -> None:
    text = study_text(evaluation=JUDGED, expect=[{"metric": metric, "at_least": 0.5}])
    with pytest.raises(StudyError, match=r"tiny.yaml:8:\d+: expect: metric 'accuracy_at_length.*' is that of one"):
        read(study_file(text))
