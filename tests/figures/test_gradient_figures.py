"""Decay and heat map: the plotted gradients are those of the records, zeros included."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from artists import dashed, entries, panel, solid
from synthetic_results import BUDGET, point, simulate

from harness.errors import HarnessError
from harness.figures.adjoint import column_of
from harness.figures.decay import Decay, decay, line
from harness.figures.heatmap import gradient_map, heatmap, scheduled
from harness.figures.selection import at_update
from harness.statistics.frames import Frames, select
from harness.theory.linear import log10_rate


def test_decay_draws_the_mean_of_the_logarithm_by_lag(frames: Frames) -> None:
    where = {"cell": "rnn", "sequence_length": 100, "spectral_radius": 0.8}
    first = at_update(select(frames.gradients, where), "first")
    assert set(first["update"]) == {0}
    expected = np.stack([np.asarray(cell, dtype=float)[::-1] for cell in first["log10_adjoint"]]).mean(axis=0)
    ax = decay(select(frames.gradients, where)).axes[0]
    assert solid(ax)[0].get_xdata().tolist() == list(range(100))
    assert solid(ax)[0].get_ydata() == pytest.approx(expected)


def test_decay_marks_a_finite_step_between_exact_zeros(frames: Frames) -> None:
    where = {"cell": "rnn", "sequence_length": 20, "spectral_radius": 0.8}
    chosen = select(frames.gradients, where)
    only_last = [np.where(np.arange(len(each)) == len(each) - 1, -1.0, -np.inf) for each in chosen["log10_adjoint"]]
    [ax] = decay(chosen.assign(log10_adjoint=only_last), theory=()).axes
    [mark] = [line for line in ax.lines if line.get_marker() == "o"]
    assert (mark.get_xdata().tolist(), mark.get_ydata().tolist()) == ([0], [-1.0])
    [ax] = decay(chosen, theory=()).axes
    assert not [line for line in ax.lines if line.get_marker() == "o"]


def test_decay_draws_the_linear_theory_from_lag_zero(frames: Frames) -> None:
    where = {"sequence_length": 100, "bptt_window": None}
    figure = decay(select(frames.gradients, where))
    theory = dashed(panel(figure, "cell = rnn"))
    slopes = [np.diff(each.get_ydata()) for each in theory]
    assert [each[0] for each in slopes] == pytest.approx([log10_rate(rho) for rho in (0.8, 1.0, 1.2)])
    measured = solid(panel(figure, "cell = rnn"))
    assert [each.get_ydata()[0] for each in theory] == [each.get_ydata()[0] for each in measured]
    assert not dashed(panel(figure, "cell = lstm"))


def test_theory_takes_the_measured_radius_where_none_was_set() -> None:
    synthetic = simulate([point("rnn", 50, None)])
    gradients = synthetic.frames.gradients.assign(initial_spectral_radius=0.6)
    (theory,) = dashed(decay(gradients).axes[0])
    assert np.diff(theory.get_ydata())[0] == pytest.approx(log10_rate(0.6))


def test_theory_of_a_sigmoid_network_is_a_quarter_of_the_radius() -> None:
    synthetic = simulate([point("rnn", 50, None)])
    gradients = synthetic.frames.gradients.assign(initial_spectral_radius=0.6, nonlinearity="sigmoid")
    (theory,) = dashed(decay(gradients).axes[0])
    assert np.diff(theory.get_ydata())[0] == pytest.approx(log10_rate(0.15))


def test_theory_ends_where_the_gradient_does(frames: Frames) -> None:
    figure = decay(select(frames.gradients, {"cell": "rnn", "bptt_window": 25}))
    (theory,) = dashed(figure.axes[0])
    assert theory.get_xdata().tolist() == list(range(25))


def test_no_theory_is_drawn_after_training(frames: Frames) -> None:
    figure = decay(select(frames.gradients, {"sequence_length": 100, "bptt_window": None}), update="last")
    assert not dashed(figure.axes[0])


def test_exact_zeros_are_a_rug_and_no_point_of_the_curve(frames: Frames) -> None:
    windowed = select(frames.gradients, {"cell": "rnn", "bptt_window": 25})
    data = line(at_update(windowed, "first"), "log10_adjoint")
    assert data is not None
    assert data.zeros.tolist() == list(range(25, 100))
    assert np.isfinite(data.band.mean[:25]).all()
    assert np.isnan(data.band.mean[25:]).all()
    figure = decay(windowed)
    ticks = [each for each in figure.axes[0].collections if hasattr(each, "get_segments")]
    rug = [segment[0, 0] for each in ticks for segment in each.get_segments()]
    assert sorted(rug) == list(range(25, 100))
    assert "exact zero" in entries(figure.legends[0])


def test_the_cell_path_is_drawn_where_there_is_one(frames: Frames) -> None:
    where = {"sequence_length": 100, "bptt_window": None, "spectral_radius": 1.0}
    figure = decay(select(frames.gradients, where), path="both", theory=())
    assert len(panel(figure, "cell = rnn").lines) == 1
    hidden, cell = panel(figure, "cell = lstm").lines
    assert np.asarray(cell.get_ydata()) - np.asarray(hidden.get_ydata()) == pytest.approx(np.full(100, 0.3), abs=1e-5)


def test_a_path_that_no_cell_has_is_an_error(frames: Frames) -> None:
    with pytest.raises(HarnessError, match="no gradient of the cell state"):
        decay(select(frames.gradients, {"cell": "rnn"}), path="cell")


def test_decades_are_written_as_powers_of_ten(frames: Frames) -> None:
    axis = decay(select(frames.gradients, {"sequence_length": 100})).axes[0].yaxis
    assert axis.get_major_formatter()(-15, 0) == "$10^{-15}$"


def test_a_map_shows_the_mean_over_runs_still_training(frames: Frames) -> None:
    gradients = select(frames.gradients, {"cell": "lstm", "sequence_length": 100, "bptt_window": None})
    data = gradient_map(gradients, "log10_adjoint")
    for update in (0, 512):
        rows = gradients[gradients["update"] == update]
        at = data.updates.index(update)
        assert data.n[at] == len(rows)
        assert data.mean[at] == pytest.approx(np.stack(list(rows["log10_adjoint"])).astype(float).mean(axis=0))


def test_a_runs_own_last_record_makes_no_row(frames: Frames) -> None:
    gradients = select(frames.gradients, {"cell": "lstm", "sequence_length": 100, "bptt_window": None})
    ends = set(gradients["updates"]) - {BUDGET}
    powers = {0, *(2**k for k in range(11))}
    assert ends - powers
    assert set(scheduled(gradients)["update"]) <= powers | {BUDGET}


def test_zeros_on_a_map_are_a_colour_of_their_own(frames: Frames) -> None:
    figure = heatmap(select(frames.gradients, {"cell": "rnn", "bptt_window": 25}))
    zero, values = (np.ma.filled(image.get_array().astype(float), np.nan) for image in figure.axes[0].images)
    assert (np.isfinite(zero) == (np.arange(100) < 75)).all()
    assert (np.isfinite(values) == (np.arange(100) >= 75)).all()
    assert entries(figure.legends[0]) == ["exact zero"]


def test_zeros_in_some_runs_are_marked(frames: Frames) -> None:
    both = select(frames.gradients, {"cell": "rnn", "sequence_length": 100, "spectral_radius": 1.0})
    data = gradient_map(both, "log10_adjoint")
    assert set(data.zero[0]) == {0.0, 0.5}
    assert "exact zero in some runs" in entries(heatmap(both).legends[0])


def test_a_map_of_several_lengths_is_refused(frames: Frames) -> None:
    with pytest.raises(HarnessError, match="one sequence length a panel, here are 20, 50, 100"):
        heatmap(frames.gradients)


def with_statistics(gradients: pd.DataFrame) -> pd.DataFrame:
    """Each statistic over the batch as far below the mean as its number says, in tenths of a decade."""
    off = {"geometric": -0.3, "q25": -0.6, "q50": -0.2, "q75": -0.1}
    levels = gradients["log10_adjoint"].map(lambda entries: np.asarray(entries, dtype=float))
    return gradients.assign(**{f"log10_adjoint_{name}": levels + by for name, by in off.items()})


@pytest.mark.parametrize(("statistic", "by"), [("mean", 0.0), ("geometric", -0.3), ("median", -0.2)])
def test_decay_and_heat_map_draw_the_statistic_that_is_chosen(frames: Frames, statistic: str, by: float) -> None:
    gradients = with_statistics(select(frames.gradients, {"cell": "rnn", "sequence_length": 100}))
    gradients = gradients[gradients["bptt_window"].isna()]
    drawn, mean = (decay(gradients, statistic=each).axes[0] for each in (statistic, "mean"))
    for own, other in zip(solid(drawn), solid(mean), strict=True):
        assert own.get_ydata() == pytest.approx(other.get_ydata() + by)
    maps = [heatmap(gradients, statistic=each).axes[0].images[-1].get_array() for each in (statistic, "mean")]
    np.testing.assert_allclose(maps[0], maps[1] + by)
    assert column_of("hidden", statistic) in gradients.columns


def test_the_band_of_one_runs_median_is_from_quartile_to_quartile(frames: Frames) -> None:
    rows = with_statistics(at_update(select(frames.gradients, {"cell": "rnn", "sequence_length": 100}), "first"))
    one = line(rows[:1], "log10_adjoint_q50")
    assert one is not None
    np.testing.assert_allclose(one.band.low, one.band.mean - 0.4)
    np.testing.assert_allclose(one.band.high, one.band.mean + 0.1)
    several = line(rows[rows["spectral_radius"] == 1.0], "log10_adjoint_q50")
    assert several is not None
    assert not np.allclose(several.band.low, several.band.mean - 0.4)


def test_records_of_before_the_statistics_say_so(frames: Frames) -> None:
    rows = frames.gradients.assign(log10_adjoint_geometric=None, log10_adjoint_q50=None)
    for draw in (decay, heatmap):
        with pytest.raises(HarnessError, match="batch mean of the gradient alone, not the geometric mean over the"):
            draw(rows, statistic="geometric")


def test_a_caption_says_which_statistic_is_drawn(plan_of) -> None:
    study = plan_of().study
    texts = [Decay(kind="decay", statistic=each).caption(study) for each in ("mean", "geometric", "median")]
    assert [text.split(" of ")[0] for text in texts] == [
        "Batch mean", "Geometric mean over the batch", "Median over the batch",
    ]  # fmt: skip
    assert ["quartiles" in text for text in texts] == [False, False, True]
