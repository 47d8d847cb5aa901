"""Tuning: the choice as a law over scores, random candidates, what a plan knows, and mistakes with their places."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import StudyError
from harness.registry import read
from harness.study.plan import Plan, plan
from harness.study.tuning import Range, at_edge, drawn, grid, margin, winner

SCORE = st.one_of(st.floats(allow_nan=False), st.just(math.nan), st.sampled_from([0.0, 0.5, 1.0]))
TUNED = """\
name: tuned
claim: Each cell has its own learning rate.
task: {name: temporal_order, sequence_length: 12}
model: {cell: rnn, hidden_size: 7, init: gaussian}
training: {max_updates: 6, batch_size: 5, optimizer: adam}
evaluation: {every: 3, sequences: 16}
sweep: {model.cell: [rnn, lstm], model.hidden_size: [4, 7]}
tune:
  over: {training.learning_rate: [0.001, 0.01, 0.1], training.clip_norm: [null, 1.0]}
  by: final_accuracy
  per: [cell]
  seeds: [100, 101]
seeds: 3
"""
RANDOM = "{training.learning_rate: {low: 1.0e-4, high: 0.1, scale: log}, training.batch_size: {low: 4, high: 9}}"


@given(st.lists(SCORE, min_size=1, max_size=12), st.sampled_from([1, -1]))
def test_the_winner_is_the_first_of_the_best(scores: list[float], better: int) -> None:
    index = winner(scores, better)
    known = [score for score in scores if not math.isnan(score)]
    if index is None:
        assert not known
        return
    assert scores[index] == (max(known) if better == 1 else min(known))
    assert scores[index] not in scores[:index], "of equal ones the first"
    lead = margin(scores, index, better)
    assert math.isnan(lead) if len(known) == 1 else lead >= 0


@given(st.lists(SCORE, min_size=2, max_size=8), st.integers(0, 7))
def test_a_candidate_that_is_made_worse_never_wins_by_it(scores: list[float], place: int) -> None:
    index = winner(scores, 1)
    if index is not None and (place := place % len(scores)) != index:
        assert winner([*scores[:place], -math.inf, *scores[place + 1 :]], 1) == index or scores[index] == -math.inf


def test_the_margin_of_a_tie_is_nought_even_where_all_is_lost() -> None:
    assert margin([math.inf, math.inf], 0, -1) == 0.0
    assert margin([0.75, 0.5, math.nan], 0, 1) == 0.25


def test_an_edge_is_an_end_of_an_axis_of_numbers() -> None:
    candidates = grid({"a.rate": [0.1, 0.01, 1.0], "a.word": ["x", "y"], "a.flag": [True, False], "a.one": [3]})
    index = candidates.index({"a.rate": 1.0, "a.word": "y", "a.flag": True, "a.one": 3})
    assert at_edge(candidates, index) == {"a.rate": "highest"}
    assert at_edge(candidates, 0) == {}


@given(st.integers(0, 2**40), st.integers(1, 30))
def test_more_budget_adds_candidates_and_changes_none(seed: int, count: int) -> None:
    axes = {"x.rate": Range(low=1e-4, high=1e-1, scale="log"), "x.size": Range(low=3, high=90), "x.word": ["u", "v"]}
    few, many = (drawn(axes, frozenset({"x.size"}), n, seed) for n in (count, count + 5))
    assert many[:count] == few
    assert len(many) == count + 5
    for each in many:
        assert 1e-4 <= each["x.rate"] <= 1e-1
        assert type(each["x.size"]) is int
        assert 3 <= each["x.size"] <= 90
    assert len({tuple(each.values()) for each in many}) == len(many)


def test_a_draw_is_the_same_on_every_machine() -> None:
    axes = {"x.rate": Range(low=1e-4, high=1e-1, scale="log"), "x.word": ["u", "v", "w"]}
    assert drawn(axes, frozenset(), 3, 0) == [
        {"x.rate": 0.0341, "x.word": "w"}, {"x.rate": 0.00183, "x.word": "u"}, {"x.rate": 0.00342, "x.word": "v"},
    ]  # fmt: skip
    assert len(drawn({"x.word": ["u", "v"]}, frozenset(), 9, 0)) == 2, "there are no more"


def test_a_log_scale_is_drawn_evenly_in_decades() -> None:
    axes = {"x.rate": Range(low=1e-4, high=1.0, scale="log")}
    rates = [each["x.rate"] for each in drawn(axes, frozenset(), 400, 3)]
    for low in (1e-4, 1e-3, 1e-2, 1e-1):
        assert 70 <= sum(low <= rate < 10 * low for rate in rates) <= 130


def test_a_plan_knows_the_first_phase_and_the_number_of_the_second(plan_of: Callable[..., Plan]) -> None:
    tuned = plan_of(TUNED)
    assert len(tuned.tuning_runs) == 4 * 6 * 2
    assert tuned.runs == ()
    assert tuned.waiting == 12
    assert [group.per for group in tuned.groups] == [{"cell": "rnn"}, {"cell": "lstm"}]
    half = tuned.with_winners({tuned.groups[1].name: 3})
    assert {run.columns()["cell"] for run in half.runs} == {"lstm"}
    assert half.waiting == 6
    assert {(run.columns()["learning_rate"], run.columns()["clip_norm"]) for run in half.runs} == {(0.01, 1.0)}
    assert half.with_winners({}).ids == tuned.ids == {run.run_id for run in tuned.tuning_runs}


def test_runs_of_both_phases_have_the_ids_of_a_plain_grid(plan_of: Callable[..., Plan]) -> None:
    tuned = plan_of(TUNED)
    whole = tuned.with_winners({group.name: 4 for group in tuned.groups})
    axes = "{model.cell: [rnn, lstm], model.hidden_size: [4, 7], training.learning_rate: [0.001, 0.01, 0.1], "
    plain = plan_of(TUNED, "tune=null", f"sweep={axes}training.clip_norm: [null, 1.0]}}", "seeds=[0, 1, 2, 100, 101]")
    assert whole.ids < plain.ids


def test_the_groups_of_a_larger_study_are_the_same_questions(plan_of: Callable[..., Plan]) -> None:
    """So that winners which were judged stay when a cell is added, and a further candidate asks anew."""
    names = {group.name for group in plan_of(TUNED).groups}
    assert names < {group.name for group in plan_of(TUNED, "model.cell=[gru, rnn, lstm]").groups}
    assert not names & {group.name for group in plan_of(TUNED, "training.learning_rate=[0.001, 0.01]").groups}
    assert not names & {group.name for group in plan_of(TUNED, "tune.by=final_loss").groups}


def test_without_per_each_point_of_the_sweep_is_tuned(plan_of: Callable[..., Plan]) -> None:
    groups = plan_of(TUNED, "tune.per=null").groups
    assert [tuple(group.per.values()) for group in groups] == [("rnn", 4), ("rnn", 7), ("lstm", 4), ("lstm", 7)]


def test_random_candidates_are_the_same_for_everybody(plan_of: Callable[..., Plan]) -> None:
    tuned = plan_of(TUNED, f"tune.over={RANDOM}", "tune.budget=10")
    assert tuned.study.tuning is not None
    assert len(tuned.study.tuning.candidates) == 5
    rows = [[(p.columns()["learning_rate"], p.columns()["batch_size"]) for p in row] for row in tuned.study.rows]
    assert len(rows) == 4
    assert all(row == rows[0] for row in rows)
    assert len(set(rows[0])) == 5
    other = plan_of(TUNED, f"tune.over={RANDOM}", "tune.budget=10", "tune.draw=1")
    assert not other.ids & tuned.ids


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        ("[100, 101]", "[100, 2]", "12:16", "2 is a seed of the study, too: what chose a setting cannot judge it"),
        ("[100, 101]", "[100, 100]", "12:16", "100 is there twice"),
        ("[100, 101]", "[]", "12:10", "seeds"),
        ("training.clip_norm: [null, 1.0]", "model.hidden_size: [3, 5]", "9:54", "is an axis of the sweep, too"),
        ("training.clip_norm", "training.clipnorm", "9:54", "no such setting; did you mean 'clip_norm'"),
        ("training.clip_norm: [null, 1.0]", "task.sequence_length: [10, 20]", "9:54", "belongs to the question"),
        ("training.clip_norm: [null, 1.0]", "training.clip_norm: 1.0", "9:74", "must be a list of values"),
        ("[null, 1.0]", "[1.0, 1]", "9:74", "has a value twice"),
        ("[0.001, 0.01, 0.1]", "[0.001, -3.0]", "9:42", "learning_rate: input should be greater than"),
        ("[0.001, 0.01, 0.1]", "{low: 1, high: 2}", "9:34", "give a budget"),
        ("[cell]", "[cells]", "11:9", "no column 'cells'; did you mean 'cell'"),
        ("[cell]", "[learning_rate]", "11:9", "learning_rate is tuned itself"),
        ("by: final_accuracy", "by: final_acuracy", "10:7", "no metric 'final_acuracy'"),
        ("by: final_accuracy", "by: residual", "10:7", "training measures no residual"),
        ("by: final_accuracy", "by: month_silhouette", "10:7", "the task temporal_order has no month_silhouette"),
        ("by: final_accuracy", "by: final_adjoint_slope", "10:7", "neither more nor less is better"),
        ("by: final_accuracy", "by: accuracy_at_length(50)", "10:7", "judged at length 50"),
        ("{training.learning_rate: [0.001, 0.01, 0.1], training.clip_norm: [null, 1.0]}", "{}", "9:9", "is empty"),
        ("[0.001, 0.01, 0.1], training.clip_norm: [null, 1.0]", "[0.1]", "9:9", "one candidate"),
        ("per: [cell]", "budget: 3", "11:11", "with 2 seeds two candidates take 4 runs"),
        ("per: [cell]", "budget: 99", "11:11", "there are only 6 candidates, which take 12 runs"),
        ("per: [cell]", "pre: [cell]", "11:3", "no such setting; did you mean 'per'"),
    ],
)
def test_a_mistake_is_located(study_file: Callable, old: str, new: str, place: str, message: str) -> None:
    with pytest.raises(StudyError) as raised:
        read(study_file(TUNED.replace(old, new)))
    first = next(line for line in str(raised.value).splitlines() if "tune" in line or message in line)
    assert message in first
    assert f"tiny.yaml:{place}:" in first


@pytest.mark.parametrize("wrong", ["null", "model", "modell.cell", "model.cel", "model.cell.cell", "''"])
def test_an_axis_of_the_sweep_that_is_none_is_located_without_per_too(study_file: Callable, wrong: str) -> None:
    text = TUNED.replace("  per: [cell]\n", "").replace("model.cell:", f"{wrong}:")
    with pytest.raises(StudyError, match=r"tiny.yaml:\d+:\d+: "):
        read(study_file(text))


@pytest.mark.parametrize(
    "written",
    [
        "{metric: final_accuracy, where: {learning_rate: 0.01}, at_least: 0.5}",
        "{metric: final_accuracy, per: [learning_rate], at_least: 0.5}",
        "{metric: final_accuracy, contrast: {learning_rate: [0.01, 0.1]}}",
    ],
)
def test_an_expectation_about_what_is_tuned_is_refused(study_file: Callable, written: str) -> None:
    with pytest.raises(StudyError, match=r"tiny.yaml:14:10: expect: learning_rate is tuned: which of its values"):
        read(study_file(f"{TUNED}expect: [{written}]\n"))


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("{low: 1, high: 1}", "low 1 does not lie below high 1"),
        ("{low: 0, high: 1, scale: log}", "a logarithmic scale begins above 0"),
        ("{low: 0, high: 1, scale: lin}", "no choice 'lin'"),
        ("{low: 1}", "high: must be given"),
    ],
)
def test_a_range_that_is_none_is_located(study_file: Callable, written: str, message: str) -> None:
    text = TUNED.replace("[0.001, 0.01, 0.1]", written).replace("per: [cell]", "budget: 8")
    with pytest.raises(StudyError, match=r"tiny.yaml:9:\d+: tune: over: training.learning_rate") as raised:
        read(study_file(text))
    assert message in str(raised.value)


def test_a_range_of_whole_numbers_ends_at_whole_numbers(study_file: Callable) -> None:
    text = TUNED.replace("training.clip_norm: [null, 1.0]", "training.batch_size: {low: 1.5, high: 8}")
    with pytest.raises(StudyError, match=r"tiny.yaml:9:75: tune: over: training.batch_size: takes whole numbers"):
        read(study_file(text.replace("per: [cell]", "budget: 8")))


def test_a_seed_that_would_judge_by_an_override_is_refused(study_file: Callable) -> None:
    with pytest.raises(StudyError, match="101 is a seed of the study, too"):
        read(study_file(TUNED), ["seeds=[101, 102]"])


def test_settings_without_tuning_are_planned_as_ever(plan_of: Callable[..., Plan]) -> None:
    plain = plan_of(TUNED, "tune=null")
    assert len(plain.runs) == 12 == plain.count
    assert plain.groups == ()
    assert plain.with_winners({}) is plain
    assert plan(plain.study).runs == plain.every
