"""Figures of stacks, of backward directions and of sequences of several lengths: theory, words and missing steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from artists import dashed, entries, panel, solid
from study_texts import study_text
from synthetic_results import figures, point, simulate

from harness.errors import StudyError
from harness.figures import style
from harness.figures.decay import decay
from harness.figures.generalisation import generalisation
from harness.figures.heatmap import gradient_map, heatmap
from harness.figures.layered import OWN_STEPS
from harness.figures.nodes import nodes
from harness.figures.steps import by_lag, levels, missing
from harness.registry import read

T, SHORTEST = 20, 14
NAN, ZERO = np.nan, -np.inf


@pytest.fixture(scope="module")
def gradients() -> Any:
    return simulate([point("rnn", T, 0.9)], seeds=[0, 1]).frames.gradients


def stack(gradients: pd.DataFrame, **settings: Any) -> pd.DataFrame:
    """The same records of a network with these settings, for each of two layers."""
    return pd.concat([gradients.assign(layer=layer, **settings) for layer in (1, 2)], ignore_index=True)


@pytest.mark.parametrize(("settings", "lines"), [
    ({"layers": 1}, 1),
    ({"layers": 2}, 0),
    ({"layers": 1, "normalisation": "layer", "normalised": "recurrence"}, 0),
    ({"layers": 1, "normalisation": "layer", "normalised": "between"}, 1),
    ({"layers": 1, "zoneout": 0.1}, 0),
    ({"layers": 1, "normalisation": "none", "zoneout": 0.0}, 1),
])  # fmt: skip
def test_theory_is_drawn_of_a_single_plain_layer_alone(gradients: Any, settings: Any, lines: int) -> None:
    figure = decay(gradients.assign(**settings))
    assert len(dashed(figure.axes[0])) == lines
    assert any("linear theory" in entry for legend in figure.legends for entry in entries(legend)) == bool(lines)
    assert not dashed(decay(stack(gradients, **{**settings, "layers": 2}), hue="layer").axes[0])


def test_a_line_that_pools_stacks_with_single_layers_has_no_theory(gradients: Any) -> None:
    both = pd.concat([gradients.assign(layers=1), gradients.assign(layers=2, run_id=gradients["run_id"] + "b")])
    assert not dashed(decay(both).axes[0])
    apart = decay(both, col="layers")
    assert [len(dashed(panel(apart, title))) for title in ("L = 1", "L = 2")] == [1, 0]


def caption(study_file: Any, figure: dict[str, Any], **model: Any) -> str:
    study = read(study_file(study_text(model={"cell": "rnn", "hidden_size": 5, **model})))
    return str(figures(figure)[0].caption(study))


def test_a_caption_has_theory_where_the_figure_has(study_file: Any) -> None:
    kind = {"kind": "decay", "hue": "layer", "theory": ["rnn"]}
    assert "Dashed" not in caption(study_file, kind, layers=3)
    assert "Dashed" not in caption(study_file, kind, normalisation="layer")
    assert "for rnn; an arrow" in caption(study_file, kind)
    study = read(study_file(study_text(sweep={"model.layers": [1, 2]})))
    assert "Dashed" not in figures(kind)[0].caption(study)  # both are in one line
    [by_depth] = figures({**kind, "col": "layers"})
    assert "for rnn of one layer" in by_depth.caption(study)


def test_captions_say_that_a_backward_direction_counts_its_own_steps(study_file: Any) -> None:
    for figure in (
        {"kind": "heatmap", "y": "layer", "row": "direction"}, {"kind": "decay", "hue": "direction"}, {"kind": "units"},
    ):  # fmt: skip
        assert OWN_STEPS in caption(study_file, figure, bidirectional=True)
        assert OWN_STEPS not in caption(study_file, figure)
    assert OWN_STEPS not in caption(study_file, {"kind": "heatmap", "y": "layer"}, bidirectional=True)


def test_the_axis_of_directions_is_in_their_own_steps(gradients: Any) -> None:
    both = pd.concat([gradients.assign(layer=1, direction=each) for each in ("forward", "backward")])
    assert heatmap(both, row="direction").axes[1].get_xlabel() == "step t of the direction"
    assert heatmap(gradients).axes[0].get_xlabel() == "time step t"


def ranged(gradients: pd.DataFrame, absent: int, column: str = "log10_adjoint") -> pd.DataFrame:
    """Records of sequences of several lengths whose first steps no sequence of the batch has."""
    cut = [np.r_[[NAN] * absent, np.asarray(each, dtype=float)[absent:]] for each in gradients[column]]
    return gradients.assign(**{column: cut}, shortest_length=SHORTEST)


@pytest.mark.parametrize(("entries", "shortest", "count"), [
    ([-3.0, -2.0, -1.0], 2, 0),
    ([NAN, -2.0, -1.0], 2, 1),
    ([NAN, NAN, -1.0], 2, 0),  # a step that every sequence has: an overflow, and so are those before
    ([NAN, -2.0, -1.0], NAN, 0),  # all have three steps
    ([NAN, NAN, NAN], 1, 0),
    ([NAN, ZERO, -1.0], 1, 1),
])  # fmt: skip
def test_only_first_steps_that_sequences_may_lack_are_missing(entries: Any, shortest: float, count: int) -> None:
    assert missing(np.array(entries), shortest) == count


def test_a_step_that_no_sequence_has_is_no_overflow_and_no_zero(gradients: Any) -> None:
    frame = ranged(gradients, 5)
    assert np.isnan(by_lag(levels(frame, "log10_adjoint"))[:, -5:]).all()
    each = gradient_map(frame, "log10_adjoint")
    assert np.isnan(each.mean[:, :5]).all()
    assert np.isfinite(each.mean[:, 5:]).all()
    assert not each.zero.any()
    assert not each.broken.any()
    overflowed = gradient_map(frame.assign(shortest_length=None), "log10_adjoint")
    assert overflowed.broken[:, :5].all()
    assert not overflowed.broken[:, 5:].any()


def test_figures_leave_out_steps_that_no_sequence_has(gradients: Any) -> None:
    frame = ranged(gradients, 5)
    line = solid(decay(frame, hue=None, theory=()).axes[0])[0]
    assert np.flatnonzero(np.isfinite(line.get_ydata())).tolist() == list(range(T - 5))
    plot = decay(frame, theory=())
    assert not plot.legends
    heat = heatmap(frame)
    assert not heat.legends
    zero, values = (np.ma.filled(image.get_array().astype(float), NAN) for image in heat.axes[0].images)
    assert np.isnan(zero).all()
    assert (np.isfinite(values) == (np.arange(T) >= 5)).all()
    assert not heat.axes[0].lines
    crossed = [each for each in nodes(frame).axes[0].lines if each.get_marker() == "x"]
    assert not crossed
    style.encode(heat, "png")


def test_the_mean_is_over_the_runs_that_have_the_step(gradients: Any) -> None:
    first, second = (rows for _, rows in gradients.groupby("run_id"))
    each = gradient_map(pd.concat([ranged(first, 5), ranged(second, 2)]), "log10_adjoint")
    alone = gradient_map(second, "log10_adjoint")
    rows = [alone.updates.index(0)]
    np.testing.assert_array_equal(each.mean[0][2:5], alone.mean[rows[0]][2:5])
    assert np.isnan(each.mean[0][:2]).all()


def test_an_exact_zero_in_all_runs_that_have_the_step_is_one(gradients: Any) -> None:
    first, second = (rows[rows["update"] == 0] for _, rows in gradients.groupby("run_id"))
    cut = second.assign(log10_adjoint=[np.r_[[ZERO] * 5, np.asarray(each)[5:]] for each in second["log10_adjoint"]])
    each = gradient_map(pd.concat([ranged(first, 5), cut.assign(shortest_length=SHORTEST)]), "log10_adjoint")
    assert each.zero[0].tolist() == [1.0] * 5 + [0.0] * (T - 5)


def test_lengths_that_differ_are_in_the_captions(study_file: Any) -> None:
    task = {"name": "temporal_order", "sequence_length": {"low": 12, "high": 24}}
    several, one = read(study_file(study_text(task=task))), read(study_file(study_text()))
    for figure, words in (
        ({"kind": "heatmap"}, "a step that none of the batch has is left empty"),
        ({"kind": "decay"}, "the mean is over those"),
        ({"kind": "nodes"}, "Steps that no sequence of the batch has are left out"),
        ({"kind": "generalisation"}, "the length in training or its range, shaded, where"),
    ):
        [kind] = figures(figure)
        assert words in kind.caption(several)
        assert words not in kind.caption(one)


def test_a_range_of_lengths_in_training_is_shaded_between_its_ends() -> None:
    rows = pd.DataFrame([
        {"run_id": f"{seed}", "seed": seed, "cell": "rnn", "outcome": "unsolved", "length": length,
         "trained_length": 40, "shortest_length": 20, "accuracy": 0.5, "chance": 0.25, "loss": 0.3}
        for seed in (0, 1) for length in (10, 80)
    ])  # fmt: skip
    ax = generalisation(rows).axes[0]
    at = sorted(
        line.get_xdata()[0] for line in dashed(ax) if line.get_linestyle() != ":" and len(line.get_xdata()) == 2
    )
    assert at == [20, 40]
    [span] = ax.patches
    assert (span.get_x(), span.get_x() + span.get_width()) == (20, 40)
    assert not generalisation(rows.assign(shortest_length=None)).axes[0].patches
    assert not generalisation(rows.drop(columns="shortest_length")).axes[0].patches


def test_settings_that_meet_in_one_panel_are_refused_under_overrides_too(study_file: Any) -> None:
    text = study_text(record={"probes": ["unit_gradients"]}, figures=[{"kind": "units", "where": {"cell": "rnn"}}])
    read(study_file(text))
    with pytest.raises(StudyError, match="a panel shows one run, here are several settings in one"):
        read(study_file(text), ["model.layers=[1, 2]"])
    read(study_file(text), ["model.cell=lstm"])  # nothing is left to draw, and the study is sound
    lengths = study_text(figures=[{"kind": "heatmap"}])
    with pytest.raises(StudyError, match="one sequence length a panel, here are 12, 20"):
        read(study_file(lengths), ["task.sequence_length=[12, 20]"])
