"""Comparisons: what is a regression, what is not, and the rates of false alarms and of detection."""

from __future__ import annotations

import json
import math
from xml.etree import ElementTree

import numpy as np
import pytest
from grids import grid
from scipy import stats
from synthetic_results import SyntheticResults

from harness.errors import HarnessError
from harness.report import comparison_text
from harness.statistics.significance import chance_of_exceeding, stratified_permutation
from harness.verdicts.comparison import Comparison, compare

NAMES = ("old", "new")
ALL = np.ones((20, 5))


def without(solved, *, seeds: int, cells: int = 1) -> np.ndarray:
    """The outcomes with the first `seeds` seeds of the first `cells` cells lost."""
    lost = np.array(solved)
    lost[:cells, :seeds] = 0
    return lost


def compared(first, second, **options) -> Comparison:
    return compare(grid(first), grid(second), **options)


@pytest.mark.parametrize("metric", [None, "final_accuracy", "final_loss", "solved_at", "bits_per_symbol"])
def test_a_against_a_is_identical_with_p_one(synthetic: SyntheticResults, metric: str | None) -> None:
    runs = synthetic.frames.runs
    same = compare(runs, runs, metric=metric)
    assert same.identical
    assert same.state == "no regression"
    assert same.p == 1.0
    assert all(cell.p == cell.corrected == 1.0 and cell.changed == 0 for cell in same.cells)
    assert f"Identical: {len(runs)} runs" in comparison_text.text(same, NAMES)


def test_a_drop_in_one_cell_is_detected_by_the_margin() -> None:
    one = compared(ALL, without(ALL, seeds=4))
    assert one.state == "regression"
    [cell] = one.beyond
    assert cell.label == "sequence_length=10"
    assert cell.difference == pytest.approx(-0.8)
    assert not one.significant  # four pairs of a hundred are nothing to the test over the grid
    assert cell.p == pytest.approx(2 / 2**4)


def test_a_drop_of_the_margin_itself_passes() -> None:
    assert compared(ALL, without(ALL, seeds=3)).state == "no regression"


def test_a_small_drop_in_every_cell_is_detected_by_the_grid_alone() -> None:
    spread = compared(ALL, without(ALL, seeds=1, cells=20))
    assert spread.state == "regression"
    assert spread.significant
    assert not spread.beyond
    assert spread.difference == pytest.approx(-0.2)
    assert spread.p == 1 / 10000


def test_a_rise_is_no_regression() -> None:
    rise = compared(without(ALL, seeds=4, cells=20), ALL)
    assert rise.state == "no regression"
    assert "B is better over the whole grid" in comparison_text.verdict(rise)
    assert rise.improvement[0] == pytest.approx(0.9)


@pytest.mark.parametrize("metric", ["final_loss", "solved_at", "bits_per_symbol"])
def test_where_lower_is_better_a_rise_is_the_regression(metric: str) -> None:
    worse = without(ALL, seeds=1, cells=20)
    assert compared(ALL, worse, metric=metric).state == "regression"
    assert compared(worse, ALL, metric=metric).state == "no regression"


@pytest.mark.parametrize("change", [-0.1, 0.1])
def test_without_a_better_direction_a_change_in_either_is_a_regression(change: float) -> None:
    slopes = np.linspace(-0.3, -0.2, 100)
    first = grid(ALL, initial_adjoint_slope=slopes)
    second = grid(ALL, initial_adjoint_slope=slopes + change)
    changed = compare(first, second, metric="initial_adjoint_slope")
    assert changed.significant
    assert len(changed.beyond) == 20


def test_no_verdict_while_runs_of_a_lack_a_result_in_b() -> None:
    second = grid(ALL).iloc[5:].reset_index(drop=True)
    second.loc[0, "outcome"] = "failed"
    partial = compare(grid(ALL), second)
    assert partial.state == "incomplete"
    assert "of the runs of A 5 missing in B, 1 failed in B" in comparison_text.verdict(partial)
    assert not partial.identical
    assert compare(grid(ALL), second, allow_partial=True).state == "no regression"


def test_runs_that_only_b_has_do_not_block() -> None:
    more = compare(grid(ALL).iloc[5:], grid(ALL))
    assert more.state == "no regression"
    assert "in B alone, not compared: 5 runs" in " ".join(comparison_text.notes(more))


def test_a_metric_that_b_lost_is_no_verdict() -> None:
    second = grid(ALL)
    second.loc[3, ["outcome", "final_loss"]] = ["diverged", np.nan]
    lost = compare(grid(ALL), second, metric="final_loss")
    assert lost.valueless == 1
    assert lost.state == "incomplete"
    assert compare(second, grid(ALL), metric="final_loss").state == "no regression"


def test_a_diverged_run_is_an_unsolved_one_at_chance() -> None:
    second = grid(ALL)
    second.loc[range(5), "outcome"] = "diverged"
    second.loc[range(5), "final_accuracy"] = np.nan
    assert compare(grid(ALL), second).beyond[0].difference == -1.0
    assert compare(grid(ALL), second, metric="final_accuracy").beyond[0].difference == -0.75


def test_the_metric_is_the_success_rate_if_anything_was_solved() -> None:
    assert compared(without(ALL, seeds=5, cells=19), ALL).metric.name == "success_rate"
    assert compared(0 * ALL, 0 * ALL).metric.name == "final_accuracy"


def test_an_infinite_slope_on_both_sides_is_no_difference_and_on_one_is_refused() -> None:
    cut, full = (grid(ALL, initial_adjoint_slope=slope) for slope in (-math.inf, -0.1))
    assert compare(cut, cut, metric="initial_adjoint_slope").p == 1.0
    with pytest.raises(HarnessError, match="infinite in one of two"):
        compare(full, cut, metric="initial_adjoint_slope")


def test_an_unknown_metric_is_named_with_its_nearest() -> None:
    with pytest.raises(HarnessError, match="did you mean 'success_rate'"):
        compared(ALL, ALL, metric="succes_rate")


def test_a_metric_that_was_not_recorded_is_refused() -> None:
    with pytest.raises(HarnessError, match="switch_error"):
        compared(ALL, ALL, metric="switch_error")


def test_cells_are_corrected_as_benjamini_and_hochberg_do() -> None:
    second = without(without(ALL, seeds=5, cells=2), seeds=4, cells=4)
    cells = compared(ALL, second).cells
    by_p = sorted(cells, key=lambda cell: -cell.p)
    least = 1.0
    for rank, cell in zip(range(len(cells), 0, -1), by_p, strict=True):
        least = min(least, cell.p * len(cells) / rank)
        assert cell.corrected == pytest.approx(least)


def test_too_few_seeds_are_noted() -> None:
    notes = " ".join(comparison_text.notes(compared(ALL, without(ALL, seeds=1))))
    assert "with 5 pairs a cell no cell's own p can fall below 0.0625" in notes
    assert "cannot find anything here" not in notes
    few = " ".join(comparison_text.notes(compared(np.ones((1, 4)), np.zeros((1, 4)))))
    assert "with 4 pairs in all, the test over the grid cannot fall below 0.125" in few


RATES = np.linspace(0, 1, 21)[:, None]  # the grid of the simulations: from never to always solved


def simulated(rates, generator: np.random.Generator, seeds: int) -> np.ndarray:
    return (generator.random((len(rates), seeds)) < rates).astype(float)


@pytest.mark.parametrize("seeds", [5, 8])
def test_the_grid_test_raises_false_alarms_at_most_at_its_level(seeds: int) -> None:
    """Two-sided p, drops only: half of 5 %."""
    generator, alarms, rounds = np.random.default_rng(seeds), 0, 500
    for _ in range(rounds):
        d = simulated(RATES, generator, seeds) - simulated(RATES, generator, seeds)
        alarms += d.mean() < 0 and stratified_permutation(list(d), generator) <= 0.05
    assert alarms / rounds <= 0.025 + 2.5 * math.sqrt(0.025 * 0.975 / rounds)


def test_the_grid_test_finds_some_fifteen_percent_less_in_every_cell() -> None:
    generator, hits, rounds = np.random.default_rng(0), 0, 200
    for _ in range(rounds):
        d = simulated(RATES - 0.15, generator, 8) - simulated(RATES, generator, 8)
        hits += d.mean() < 0 and stratified_permutation(list(d), generator) <= 0.05
    assert hits / rounds > 0.8


@pytest.mark.parametrize("seeds", [5, 8])
def test_the_stated_false_alarm_rate_is_that_of_two_unchanged_results(seeds: int) -> None:
    generator, stated, alarms, rounds = np.random.default_rng(seeds), 0.0, 0, 300
    for _ in range(rounds):
        d = simulated(RATES, generator, seeds) - simulated(RATES, generator, seeds)
        alarms += bool((d.mean(axis=1) < -0.6 - 1e-9).any())
        stated += chance_of_exceeding(list(d), 0.6, generator, two_sided=False) / rounds
    exact = 1 - np.prod([1 - _drop(float(p), seeds) for [p] in RATES])
    assert alarms / rounds == pytest.approx(exact, abs=3 * math.sqrt(exact * (1 - exact) / rounds))
    assert stated == pytest.approx(exact, abs=3 * math.sqrt(exact * (1 - exact) / rounds))


def _drop(p: float, n: int) -> float:
    """How likely one binomial of n lies more than .6 n below another of the same p."""
    rate = stats.binom.pmf(range(n + 1), n, p)
    return sum(rate[i] * rate[j] for i in range(n + 1) for j in range(n + 1) if i - j > 0.6 * n + 1e-9)


def test_the_table_shows_the_cells_that_differ_and_counts_the_others() -> None:
    shown = comparison_text.text(compared(ALL, without(ALL, seeds=4, cells=2)), NAMES, 100)
    assert sum(line.startswith("✗ sequence_length=") and "[0.57, 1.00]" in line for line in shown.splitlines()) == 2
    assert "no pair differs in the other 18 cells" in shown
    assert all(len(line) <= 100 for line in shown.splitlines())
    assert "exchanged at random within each pair" in " ".join(shown.split())
    assert "Regression: over the whole grid success_rate is lower in B by 0.08" in shown


def test_markdown_folds_the_whole_table_away() -> None:
    text = comparison_text.markdown(compared(ALL, without(ALL, seeds=4)), NAMES)
    assert text.startswith("### ❌ Regression: 1 cell became worse by more than 0.6")
    table = text[text.index("<details>") : text.index("</details>")]
    assert sum(line.startswith("| ") and "sequence" in line for line in table.splitlines()) == 20
    assert len({line.count("|") for line in table.splitlines() if line.startswith("|")}) == 1


def test_junit_counts_what_fails() -> None:
    suite = ElementTree.fromstring(comparison_text.junit(compared(ALL, without(ALL, seeds=4)), "new"))
    assert suite.attrib == {"name": "new", "tests": "21", "failures": "1", "errors": "0"}
    assert len(suite.findall("testcase/failure")) == 1
    partial = ElementTree.fromstring(comparison_text.junit(compare(grid(ALL), grid(ALL).iloc[5:]), "new"))
    assert partial.get("errors") == "1"
    assert len(partial.findall("testcase/skipped")) == 19


def test_json_has_no_nan() -> None:
    plain = comparison_text.as_json(compared(ALL, without(ALL, seeds=5)), NAMES)
    again = json.loads(json.dumps(plain, allow_nan=False))
    assert again["verdict"] == "regression"
    assert again["cells"][0]["difference"] == -1.0
    assert again["cells"][0]["interval"] == [None, None]
