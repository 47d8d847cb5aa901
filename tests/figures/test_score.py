"""The score figure draws the metrics, and the score of a guess or of a memoryless prediction."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from artists import dotted, entries
from synthetic_results import SyntheticResults, figures, point, simulate

from harness.errors import HarnessError
from harness.figures import style
from harness.figures.reference import OF_METRIC
from harness.figures.score import score, scores
from harness.statistics.frames import Frames
from harness.verdicts.metrics import METRICS


@pytest.fixture
def runs(frames: Frames) -> pd.DataFrame:
    """Two levels of memoryless loss, and a loss that differs between seeds."""
    level = np.where(frames.runs["sequence_length"] == 20, 1.2, 1.5)
    return frames.runs.assign(memoryless_loss=level, final_loss=level / 2 + frames.runs["seed"] / 10)


NAMES = ["rnn (n = 12–16)", "lstm (n = 12–16)"]


@pytest.mark.parametrize("name", METRICS)
def test_a_point_is_the_value_that_an_expectation_is_judged_on(runs: pd.DataFrame, name: str) -> None:
    table = scores(runs[runs["cell"] == "lstm"], metric=METRICS[name], by="sequence_length")
    assert table["sequence_length"].tolist() == [20, 50, 100]
    for T, drawn in zip(table["sequence_length"], table.itertuples(), strict=True):
        part = runs[(runs["cell"] == "lstm") & (runs["sequence_length"] == T)]
        direct = METRICS[name].of(part, np.random.default_rng(0))
        assert (drawn.value, drawn.low, drawn.high, drawn.runs, drawn.seeds) == pytest.approx(
            (direct.value, direct.low, direct.high, direct.runs, direct.seeds), nan_ok=True
        )


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_drawn_as_in_the_table_or_reported_as_not_recorded(runs: pd.DataFrame, name: str) -> None:
    if scores(runs, metric=METRICS[name], by="cell")["value"].isna().all():
        with pytest.raises(HarnessError, match="was recorded"):
            score(runs, metric=name)
        return
    points = [container.lines[0] for container in score(runs, metric=name).axes[0].containers]
    lines = {line.get_color(): line.get_ydata() for line in points}
    for cell in ("rnn", "lstm"):
        values = scores(runs[runs["cell"] == cell], metric=METRICS[name], by="sequence_length")["value"]
        assert lines[style.colours("cell", [cell])[0]].tolist() == values[np.isfinite(values)].tolist()


def test_every_seed_is_a_dot(runs: pd.DataFrame) -> None:
    part = runs[(runs["cell"] == "lstm") & (runs["sequence_length"] == 20)]
    ax = score(part, metric="final_loss").axes[0]
    (dots,) = [each for each in ax.lines if each.get_marker() == "."]
    assert sorted(dots.get_ydata()) == pytest.approx(sorted(METRICS["final_loss"].per_seed(part)))


def test_dotted_lines_are_at_the_reference_of_each_task(runs: pd.DataFrame) -> None:
    figure = score(runs, metric="bits_per_symbol")
    levels = [line.get_ydata()[0] for line in dotted(figure.axes[0])]
    assert levels == pytest.approx([nats / math.log(2) for nats in (1.2, 1.5, 1.5)])
    assert entries(figure.legends[0]) == [*NAMES, "memoryless"]


@pytest.mark.parametrize("name", OF_METRIC)
def test_a_run_that_scores_as_its_reference_lies_on_the_dotted_line(runs: pd.DataFrame, name: str) -> None:
    level = runs.assign(final_loss=runs["memoryless_loss"], final_accuracy=runs["chance"], outcome="unsolved")
    part = level[level["sequence_length"] == 50]
    reference = OF_METRIC[name].of(part).to_numpy()
    assert reference == pytest.approx(METRICS[name].of(part, np.random.default_rng(0)).value)


def test_without_a_known_reference_there_is_no_line(runs: pd.DataFrame) -> None:
    figure = score(runs.assign(memoryless_loss=np.nan), metric="final_loss")
    assert not dotted(figure.axes[0])
    assert entries(figure.legends[0]) == NAMES


def test_an_infinite_value_is_an_open_triangle_at_its_edge(runs: pd.DataFrame) -> None:
    never = runs.assign(solved_at=np.nan, outcome="unsolved", initial_adjoint_slope=-np.inf)
    for metric, marker, edge in (("solved_at", "^", 1.0), ("initial_adjoint_slope", "v", 0.0)):
        part = never[never["sequence_length"] == 20]
        marks = [each for each in score(part, metric=metric).axes[0].lines if each.get_marker() == marker]
        assert [float(each.get_ydata()[0]) for each in marks] == [edge] * 2


def test_a_metric_that_was_never_recorded_is_an_error(runs: pd.DataFrame) -> None:
    with pytest.raises(HarnessError, match="nothing to draw: no final loss"):
        score(runs.assign(final_loss=np.nan), metric="final_loss")


def test_an_unknown_metric_is_a_fault_of_the_study_and_names_the_nearest(synthetic: SyntheticResults) -> None:
    (kind,) = figures({"kind": "score", "metric": "final_los"})
    assert "did you mean 'final_loss'" in kind.faults([])[0]
    with pytest.raises(HarnessError, match="did you mean 'final_loss'"):
        kind.draw(synthetic.frames, synthetic.study)


def test_one_seed_has_no_bar(runs: pd.DataFrame) -> None:
    one = simulate([point("rnn", 20, 1.0)], seeds=[3]).frames.runs
    ax = score(one, metric="final_loss").axes[0]
    assert not any(len(segment) for segment in ax.collections[0].get_segments())


def test_the_caption_explains_the_metric_and_the_dotted_line(synthetic: SyntheticResults) -> None:
    (kind,) = figures({"kind": "score", "metric": "bits_per_symbol", "where": {"cell": "rnn"}})
    caption = kind.caption(synthetic.study)
    assert caption.startswith("Bits per symbol against sequence length T (steps)")
    assert "the best prediction from the present input alone" in caption
    assert "Runs with cell=rnn." in caption


def test_a_point_has_its_number_of_runs_beside_it_where_they_differ(runs: pd.DataFrame) -> None:
    whole = runs.assign(outcome="unsolved")  # a diverged run's loss is infinite, and stands at the edge
    numbers = sorted(text.get_text() for text in score(whole, metric="final_loss").axes[0].texts)
    assert numbers == ["12"] * 4 + ["16"] * 2
    same = runs[runs["sequence_length"] < 100]
    assert not score(same, metric="final_loss").axes[0].texts
