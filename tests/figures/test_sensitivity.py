"""The figure of tuning: its points are the scores that chose the winners, and a winner stands where it is highest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tuned_studies import GRID, RANDOM, tuned_results, tuned_study

from harness.errors import HarnessError, StudyError
from harness.figures.sensitivity import curves, sensitivity
from harness.verdicts.choosing import combinations_of


def test_a_point_is_the_best_or_the_mean_of_the_candidates_with_its_value() -> None:
    study_plan, frames = tuned_results(tuned_study())
    combinations = combinations_of(study_plan.study, frames.tuning)
    for others, gain in (("best", 0.1), ("mean", 0.05)):
        table = curves(combinations, others)
        rows = table[(table["axis"] == "training.learning_rate") & (table["cell"] == "rnn")]
        assert rows["score"].to_numpy() == pytest.approx(np.tile([0.6, 0.8, 0.6], 2) + gain)
    inits = table[(table["axis"] == "model.init") & (table["cell"] == "lstm")].groupby("value")["score"].mean()
    assert inits["orthogonal"] - inits["gaussian"] == pytest.approx(0.1)


def test_a_ring_stands_at_the_setting_that_is_judged() -> None:
    study_plan, frames = tuned_results(tuned_study())
    table = curves(combinations_of(study_plan.study, frames.tuning))
    won = table[table["won"] & (table["axis"] == "training.learning_rate")]
    judged = {(p.columns()["cell"], p.columns()["sequence_length"]): p.columns() for p in study_plan.study.points}
    assert len(won) == len(judged) == 4
    for row in won.itertuples():
        assert row.value == judged[row.cell, row.sequence_length]["learning_rate"]
    best = table[table["axis"] == "training.learning_rate"].groupby(["cell", "sequence_length"])["score"].max()
    assert won.groupby(["cell", "sequence_length"])["score"].max().equals(best)


@pytest.mark.parametrize(("over", "more", "scale"), [(GRID, "", "linear"), (RANDOM, ", budget: 24", "log")])
def test_a_panel_for_each_tuned_setting_and_value_of_the_row(over: str, more: str, scale: str) -> None:
    study_plan, frames = tuned_results(tuned_study(over, more))
    figure = study_plan.study.figures[0].drawn(frames, study_plan.study)  # type: ignore[attr-defined]
    assert [ax.get_xlabel() for ax in figure.axes] == ["learning rate", "init"] * 2
    assert [ax.get_title() for ax in figure.axes] == ["T = 12"] * 2 + ["T = 15"] * 2
    assert figure.axes[0].get_xscale() == scale
    assert figure.axes[1].get_xscale() == "linear"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["rnn", "lstm", "winner"]
    rings = [line for line in figure.axes[0].lines if line.get_markerfacecolor() == "none"]
    assert len(rings) == 2, "one of each cell"


def test_the_caption_says_how_the_others_are_and_what_is_averaged() -> None:
    study = tuned_study(figures="[{kind: sensitivity, others: mean}]")
    caption = study.figures[0].caption(study)  # type: ignore[attr-defined]
    assert "averaged over all their values" in caption
    assert "seeds 100, 101" in caption
    assert "Combinations that differ in T are averaged" in caption
    assert "at their best for it" in tuned_study().figures[0].caption(study)  # type: ignore[attr-defined]


def test_candidates_without_all_their_runs_are_not_drawn() -> None:
    study_plan, frames = tuned_results(tuned_study(), without=0.1)
    combinations = combinations_of(study_plan.study, frames.tuning)
    table = curves(combinations)
    assert set(table.loc[table["axis"] == "training.learning_rate", "value"]) == {0.001, 0.01}
    assert not table["won"].any(), "nothing is chosen yet"
    with pytest.raises(HarnessError, match="no candidate has all its tuning runs yet"):
        sensitivity(combinations_of(study_plan.study, frames.tuning.head(1)))


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"figures": "[{kind: sensitivity, hue: cel}]"}, "winners are not chosen per cel; did you mean 'cell'"),
        ({"figures": "[{kind: sensitivity, row: init}]"}, "row: winners are not chosen per init"),
        ({"tune": None}, "shows what is tuned, and the study has no tune:"),
    ],
)
def test_what_it_cannot_draw_is_reported_before_anything_runs(sections: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError) as raised:
        tuned_study(**{"figures": "[{kind: sensitivity, hue: null}]", **sections})
    assert message in str(raised.value)
