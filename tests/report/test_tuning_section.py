"""The section 'Tuning': all that was tried, in whose favour, and on equal terms or not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tuned_studies import RANDOM, tuned_results, tuned_study

from harness.report.page import html
from harness.report.tuning_section import budget, tuning_section
from harness.verdicts.choosing import TunedCombination, combinations_of


@pytest.fixture(scope="module")
def tuned() -> list[TunedCombination]:
    study_plan, frames = tuned_results(tuned_study())
    return combinations_of(study_plan.study, frames.tuning)


def test_a_row_has_the_winner_its_lead_and_every_candidate(tuned: list[TunedCombination]) -> None:
    section = tuning_section(tuned_study(), tuned)
    assert section is not None
    assert len(section.rows) == 4
    row = section.rows[0]
    assert (row.name, row.winner) == ("cell=rnn, sequence_length=12", "learning_rate=0.01, init=orthogonal")
    assert (row.score, row.lead, row.runs) == ("0.900", "0.100", "12")
    assert [score for _, score, _ in row.candidates] == sorted((s for _, s, _ in row.candidates), reverse=True)
    assert [won for _, _, won in row.candidates] == [True] + [False] * 5
    assert section.budget == "Each combination has the same budget: 12 tuning runs."
    assert "6 candidates, the same for every combination" in section.tried
    assert "seeds 100, 101" in section.tried


def test_a_winner_at_the_edge_of_its_axis_is_a_warning(tuned: list[TunedCombination]) -> None:
    warnings = {each.group.per["cell"]: each.remarks() for each in tuned}
    assert warnings["rnn"] == []
    assert len(warnings["lstm"]) == 1
    assert "highest learning_rate of all candidates (0.1): widen" in warnings["lstm"][0]


def test_a_tie_with_a_candidate_inside_is_no_edge(tuned: list[TunedCombination]) -> None:
    """Of equal ones the first is taken, which stands at an end however wide the axis is."""
    scores = (1.0, 0.5, 1.0, 0.5, 0.5, 0.5)  # of rates .001, .001, .01, .01, .1, .1
    assert replace(tuned[0], scores=scores, index=0).remarks() == []
    section = tuning_section(tuned_study(), [replace(tuned[0], scores=scores, index=0)])
    assert section is not None
    assert section.rows[0].lead == "0 (a tie)"
    alone = replace(tuned[0], scores=(1.0, 1.0, 0.5, 0.5, 0.5, 0.5), index=0)
    assert "lowest learning_rate of all candidates (0.001)" in alone.remarks()[0]


def test_candidates_that_all_score_the_same_are_a_warning(tuned: list[TunedCombination]) -> None:
    same = replace(tuned[0], scores=(0.25,) * 6, index=0)
    assert same.remarks() == [
        "all candidates of cell=rnn, sequence_length=12 score the same: the first was taken, and nothing is tuned"
    ]


def test_unequal_budgets_are_named(tuned: list[TunedCombination]) -> None:
    text = budget([tuned[0], replace(tuned[1], runs=24)])
    assert "The budgets differ" in text
    assert "24 for cell=" in text
    assert "not on equal terms" in text


def test_the_page_has_the_section_and_its_warnings(tuned: list[TunedCombination]) -> None:
    study_plan, frames = tuned_results(tuned_study(RANDOM, ", budget: 8"))
    tuned = combinations_of(study_plan.study, frames.tuning)
    page = html(study_plan.study, frames, [], [], {}, tuned=tuned)
    assert '<h2 id="tuning">Tuning</h2>' in page
    assert "4 random candidates, the same for every combination" in page
    assert "ahead of the second by" in page
    assert page.count("<summary>4 candidates</summary>") == 4
    plain = tuned_study(tune=None, figures=None)
    assert 'id="tuning"' not in html(plain, frames, [], [], {})
