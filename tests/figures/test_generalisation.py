"""Accuracy against length: points are those of the metric, lines are at chance and at the length in training."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest
from artists import dashed, dotted, entries, panel
from study_texts import study_text
from synthetic_results import JUDGED, SyntheticResults, figures

from harness.errors import HarnessError, StudyError
from harness.figures.generalisation import generalisation, lengths_table, readable
from harness.figures.score import scores
from harness.registry import read
from harness.theory.parity import mean_affine_accuracies
from harness.verdicts.metrics import metric_named


@pytest.fixture
def evaluations(synthetic: SyntheticResults) -> pd.DataFrame:
    return synthetic.frames.table("evaluations")


def points(ax: Any, colour: str) -> dict[float, float]:
    """The marks of a series: accuracy by length."""
    [line] = [each for each in ax.lines if each.get_color() == colour and each.get_linestyle() == "None"
              and len(each.get_xdata()) and each.get_marker() not in ("_", "|")]  # fmt: skip
    return dict(zip(line.get_xdata().tolist(), line.get_ydata().tolist(), strict=True))


def rows(**lengths: Any) -> pd.DataFrame:
    """A run of two seeds, trained at 20 and judged at some lengths with an accuracy and a chance each."""
    return pd.DataFrame([
        {"run_id": f"{seed}", "seed": seed, "cell": "rnn", "outcome": "unsolved", "length": int(length[1:]),
         "trained_length": 20, "accuracy": accuracy + seed / 10, "chance": chance, "loss": 0.3}
        for seed in (0, 1)
        for length, (accuracy, chance) in lengths.items()
    ])  # fmt: skip


def test_every_point_is_the_metric_at_that_length_with_its_interval(synthetic: SyntheticResults, evaluations) -> None:
    ax = generalisation(evaluations).axes[0]
    runs = synthetic.frames.runs_at_lengths
    legend = {text.split()[0]: handle.get_color() for handle, text in zip(
        ax.figure.legends[0].get_lines(), entries(ax.figure.legends[0]), strict=True)}  # fmt: skip
    for cell in ("rnn", "lstm"):
        table = lengths_table(evaluations[evaluations["cell"] == cell])
        assert points(ax, legend[cell]) == dict(zip(table["length"].astype(float), table["value"], strict=True))
        for row in table.itertuples():
            metric = metric_named(f"accuracy_at_length({row.length})")
            [expected] = scores(runs[runs["cell"] == cell], metric=metric, by="cell").itertuples()
            assert (row.value, row.low, row.high, row.runs) == (
                expected.value, expected.low, expected.high, expected.runs,
            )  # fmt: skip
            assert row.low < row.value < row.high


def test_a_lost_run_counts_at_chance_of_the_length() -> None:
    frame = rows(T10=(0.9, 0.5), T40=(0.8, 0.3))
    frame.loc[(frame["seed"] == 1) & (frame["length"] == 40), "loss"] = math.inf
    assert lengths_table(frame)["value"].tolist() == pytest.approx([0.95, (0.8 + 0.3) / 2])
    frame.loc[frame["seed"] == 1, "outcome"] = "diverged"
    assert lengths_table(frame)["value"].tolist() == pytest.approx([0.7, (0.8 + 0.3) / 2])


def test_chance_is_dotted_and_follows_the_length_where_it_depends_on_it() -> None:
    [flat] = dotted(generalisation(rows(T10=(0.9, 0.25), T40=(0.8, 0.25))).axes[0])
    assert list(flat.get_ydata()) == [0.25, 0.25]
    assert list(flat.get_xdata()) == [0, 1]  # of the whole axis
    [curve] = dotted(generalisation(rows(T10=(0.9, 0.5), T20=(0.9, 0.4), T40=(0.8, 0.3))).axes[0])
    assert (list(curve.get_xdata()), list(curve.get_ydata())) == ([10, 20, 40], [0.5, 0.4, 0.3])


def in_training(ax: Any) -> dict[float, str]:
    """The dashed lines: their colour by length; what is dotted is dashed to matplotlib too."""
    return {line.get_xdata()[0]: line.get_color() for line in dashed(ax) if line.get_linestyle() != ":"}


def test_the_length_in_training_is_a_dashed_line_in_the_colour_of_the_series_that_has_it_alone(evaluations) -> None:
    [length] = in_training(generalisation(rows(T10=(0.9, 0.5), T40=(0.8, 0.5))).axes[0])
    assert length == 20
    by_cell = in_training(generalisation(evaluations).axes[0])
    assert (by_cell.keys(), len(set(by_cell.values()))) == ({20, 50, 100}, 1)
    figure = generalisation(evaluations, hue="sequence_length", col="cell")
    for title in ("cell = rnn", "cell = lstm"):
        colours = in_training(panel(figure, title))
        assert len(set(colours.values())) == 3
        for T, colour in colours.items():
            accuracies = points(panel(figure, title), colour)
            assert max(accuracies, key=lambda length: accuracies[length]) == T


@pytest.mark.parametrize(("longest", "scale"), [("T79", "linear"), ("T80", "log")])
def test_the_axis_is_logarithmic_from_a_factor_of_eight_on(longest: str, scale: str) -> None:
    ax = generalisation(rows(T10=(0.9, 0.5), T40=(0.8, 0.5), **{longest: (0.7, 0.5)})).axes[0]
    ax.figure.draw_without_rendering()
    assert ax.get_xscale() == scale
    assert ax.get_xlim()[0] < 10 < int(longest[1:]) < ax.get_xlim()[1]
    shown = [label.get_text() for label in ax.get_xticklabels() if label.get_text()]
    assert shown == ["10", "20", "40", longest[1:]]


def test_lengths_that_would_touch_are_not_written() -> None:
    assert readable([100, 101, 200, 205, 400], logarithmic=False) == [100, 200, 400]
    assert readable([16, 32, 64, 1024], logarithmic=True) == [16, 32, 64, 1024]
    assert readable([16, 32, 64, 1024], logarithmic=False) == [16, 1024]
    assert readable([50], logarithmic=False) == [50]


def test_the_bound_of_affine_margins_is_drawn_from_end_to_end_and_is_that_of_parity_alone(study_file) -> None:
    frame = rows(T10=(0.9, 0.5), T40=(0.8, 0.5))
    ax = generalisation(frame, theory="affine_parity").axes[0]
    [bound] = [line for line in ax.lines if line.get_linestyle() == "-."]
    assert bound.get_xdata().tolist() == list(range(10, 41))
    assert bound.get_ydata().tolist() == mean_affine_accuracies(40)[9:]
    assert "best affine margin" in entries(ax.figure.legends[0])
    assert not [line for line in generalisation(frame).axes[0].lines if line.get_linestyle() == "-."]
    figure = {"kind": "generalisation", "theory": "affine_parity"}
    judged = {"evaluation": {"every": 2, "sequences": 16, "lengths": [24]}, "figures": [figure]}
    [kind] = figures(figure)
    parity = read(study_file(study_text(task={"name": "parity"}, **judged)))
    assert "Dash-dotted: the largest accuracy of a margin that is affine in the bits" in kind.caption(parity)
    for task in ({"name": "parity", "scored": "end"}, {"name": "modular_counting"}):
        with pytest.raises(StudyError, match="figures: theory: affine_parity is that of task parity, scored at every"):
            read(study_file(study_text(task=task, **judged)))


def test_a_series_that_is_alone_in_its_panel_stands_at_its_lengths() -> None:
    frame = pd.concat([rows(T10=(0.9, 0.5), T40=(0.8, 0.5)).assign(cell=cell) for cell in ("rnn", "lstm", "gru")])
    for ax in generalisation(frame, hue="cell", col="cell").axes:
        [marks] = [line for line in ax.lines if line.get_marker() in ("o", "s", "D", "^") and len(line.get_xdata())]
        assert marks.get_transform().transform((10, 0.9)) == pytest.approx(ax.transData.transform((10, 0.9)))


def test_one_length_is_drawn_too() -> None:
    ax = generalisation(rows(T20=(0.9, 0.5))).axes[0]
    low, high = ax.get_xlim()
    assert low < 20 < high


def test_the_axis_is_named_by_the_setting_of_the_tasks_that_are_shown(study_file) -> None:
    judged = {"evaluation": {"every": 2, "sequences": 16, "lengths": [24, 48]}}
    [kind] = figures({"kind": "generalisation"})
    for task, label in (
        ({"name": "temporal_order", "sequence_length": 12}, "sequence length T (steps)"),
        ({"name": "copying", "delay": 12}, "delay T (steps)"),
    ):
        assert kind.axis(read(study_file(study_text(task=task, **judged)))) == label
    several = [
        {"task.name": ["temporal_order"], "task.sequence_length": [12]}, {"task.name": ["copying"], "task.delay": [5]},
    ]  # fmt: skip
    study = read(study_file(study_text(task="{}", sweep=several, **judged)))
    assert kind.axis(study) == "length (steps)"
    [copying] = figures({"kind": "generalisation", "where": {"task": "copying"}})
    assert copying.axis(study) == "delay T (steps)"


def test_the_caption_says_what_is_counted(synthetic: SyntheticResults) -> None:
    [kind] = figures({"kind": "generalisation", "where": {"cell": "rnn"}})
    caption = kind.caption(synthetic.study)
    assert "Dashed: the length in training. Dotted: the accuracy of guessing." in caption
    assert "Runs with cell=rnn." in caption


def test_a_study_without_other_lengths_has_no_such_figure(study_file, synthetic: SyntheticResults) -> None:
    path = study_file(study_text(figures=[{"kind": "generalisation"}]))
    with pytest.raises(StudyError, match=r"tiny.yaml:8:\d+: figures: no run is judged at other lengths; set eval"):
        read(path)
    without = {name: table for name, table in synthetic.tables.items() if name != "evaluations"}
    frames = type(synthetic.frames).from_tables(without)
    with pytest.raises(HarnessError, match=r"the study asks for it with evaluation\.lengths"):
        figures({"kind": "generalisation"})[0].draw(frames, synthetic.study)


def test_the_synthetic_study_is_judged_at_more_lengths_than_it_is_trained_at(evaluations) -> None:
    assert set(evaluations["trained_length"]) < set(evaluations["length"]) == set(JUDGED)
