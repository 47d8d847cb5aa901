"""Every figure draws the data of its frame: the plotted data are compared, not the pixels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from artists import dotted, entries, panel, solid
from samples import sampled
from synthetic_results import BUDGET, SyntheticResults, figures, point, simulate

from harness.errors import HarnessError
from harness.figures import FIGURES, style
from harness.figures.learning import carried_forward, learning
from harness.figures.phase import phase
from harness.figures.success import rates, success
from harness.statistics.frames import Frames, select
from harness.statistics.intervals import rate_interval

SETTINGS: dict[str, dict[str, Any]] = {
    "success": {},
    "learning": {},
    "decay": {},
    "heatmap": {"col": "sequence_length", "row": "cell"},
    "phase": {},
    "prediction": {},
    "score": {},
    "generalisation": {},
    "examples": {},
    "codes": {},
}
ELSEWHERE = {
    "sensitivity",
    "arrows",
    "code_region",
    "difficulties",
    "states",
    "nodes",
    "switches",
    "switch_error",
    "panels",
    "profile",
    "parameters",
    "units",
}  # drawn from tables of their own, with tests of their own


def kind(name: str, **settings: Any) -> Any:
    return figures({"kind": name, **SETTINGS[name], **settings})[0]


def diverged(results: SyntheticResults) -> SyntheticResults:
    """The same results, had every run diverged."""
    tables = dict(results.tables)
    runs = tables["runs"].to_pandas().assign(outcome="diverged", solved_at=None)
    tables["runs"] = pa.Table.from_pandas(runs, schema=tables["runs"].schema, preserve_index=False)
    return replace(results, tables=tables)


def test_settings_are_tested_for_every_kind() -> None:
    assert set(SETTINGS) | ELSEWHERE == set(FIGURES)


@pytest.mark.parametrize("name", FIGURES)
def test_every_setting_of_a_kind_has_a_description(name: str) -> None:
    described = FIGURES[name].model_fields.items()
    assert all(info.description for key, info in described if key != "kind")


@pytest.mark.parametrize("name", SETTINGS)
def test_a_caption_names_the_pooled_settings(name: str, synthetic: SyntheticResults) -> None:
    caption = kind(name, where={"cell": "rnn", "sequence_length": 100}).caption(synthetic.study)
    assert "Runs with cell=rnn, sequence_length=100." in caption
    assert "BPTT window" in caption.split("Runs that differ in")[1]


@pytest.mark.parametrize("name", sampled(SETTINGS, ["decay", "success"]))
def test_the_same_frames_give_the_same_bytes(name: str, synthetic: SyntheticResults) -> None:
    where = {"cell": "rnn", "sequence_length": 20}
    twice = [kind(name, where=where).draw(synthetic.frames, synthetic.study) for _ in range(2)]
    for form in ("pdf", "png", "svg"):
        assert style.encode(twice[0], form) == style.encode(twice[1], form)


ONE_SEED = simulate([point("rnn", 20, 1.0)], seeds=[3])
SPARSE = simulate([point("rnn", 20, 0.8), point("lstm", 50, None), point("lstm", 20, 1.2)], seeds=[0, 1])
DIVERGED = diverged(simulate([point("rnn", 20, 1.0), point("rnn", 50, 1.0)]))


@pytest.mark.parametrize(
    ("name", "one", "sparse", "all_diverged"),
    [
        ("success", [""], [""], [""]),
        ("learning", ["T = 20"], ["T = 20", "T = 50"], ["T = 20", "T = 50"]),
        ("decay", ["cell = rnn"], ["cell = rnn", "cell = lstm"], ["cell = rnn"]),
        ("heatmap", ["rnn, T = 20"], ["rnn, T = 20", "lstm, T = 20", "lstm, T = 50"], ["rnn, T = 20", "rnn, T = 50"]),
        ("phase", ["cell = rnn"], ["cell = rnn", "cell = lstm"], ["cell = rnn"]),
        ("score", [""], [""], [""]),
        ("generalisation", [""], [""], [""]),
        ("examples", [""], [""], [""]),
        ("codes", ["month", "weekday"], ["month", "weekday"], ["month", "weekday"]),
    ],
)
def test_results_with_gaps_are_drawn_in_a_panel_for_each_setting_that_has_some(
    name: str, one: list[str], sparse: list[str], all_diverged: list[str]
) -> None:
    for synthetic, titles in ((ONE_SEED, one), (SPARSE, sparse), (DIVERGED, all_diverged)):
        figure = kind(name).draw(synthetic.frames, synthetic.study)
        style.encode(figure, "png")
        texts = {ax: [text.get_text() for text in ax.texts] for ax in figure.axes if ax.get_label() != "<colorbar>"}
        filled = [ax.get_title() for ax, words in texts.items() if "no runs" not in words]
        assert [title.removeprefix("cell = ") if "T =" in title else title.split(":")[0] for title in filled] == titles


def test_a_combination_that_was_not_run_is_an_empty_panel() -> None:
    ax = panel(kind("heatmap").draw(SPARSE.frames, SPARSE.study), "cell = rnn, T = 50")
    assert [text.get_text() for text in ax.texts] == ["no runs"]
    assert not ax.images


def test_runs_that_all_diverged_have_a_rate_of_zero() -> None:
    (line,) = (each for each in solid(success(DIVERGED.frames.runs).axes[0]) if len(each.get_xdata()) == 2)
    assert line.get_ydata().tolist() == [0.0, 0.0]


@pytest.mark.parametrize("name", SETTINGS)
def test_nothing_to_draw_is_an_error(name: str, synthetic: SyntheticResults) -> None:
    with pytest.raises(HarnessError, match="nothing to draw"):
        kind(name, where={"cell": "gru"}).draw(synthetic.frames, synthetic.study)


@pytest.mark.parametrize("name", SETTINGS)
def test_an_unknown_column_is_an_error(name: str, synthetic: SyntheticResults) -> None:
    with pytest.raises(HarnessError, match="did you mean 'cell'"):
        kind(name, col="cel").draw(synthetic.frames, synthetic.study)


def test_rates_are_counted_over_runs_with_a_result() -> None:
    runs = pd.DataFrame(
        {"cell": ["a"] * 4, "seed": [0, 1, 2, 3], "outcome": ["solved", "unsolved", "diverged", "failed"]}
    )
    (row,) = rates(runs, by=["cell"]).to_dict("records")
    assert (row["solved"], row["n"], row["rate"]) == (1, 3, pytest.approx(1 / 3))
    assert (row["low"], row["high"]) == pytest.approx(rate_interval(1, 3))


def test_success_draws_rates_and_wilson_bars(frames: Frames) -> None:
    ax = success(frames.runs).axes[0]
    lines = {each.get_color(): each for each in solid(ax) if len(each.get_xdata()) == 3}
    for cell in ("rnn", "lstm"):
        expected = rates(frames.runs[frames.runs["cell"] == cell], by=["sequence_length"])
        assert lines[style.colours("cell", [cell])[0]].get_ydata().tolist() == expected["rate"].tolist()
    ends = np.array([segment[:, 1] for bars in ax.collections for segment in bars.get_segments()])
    table = rates(frames.runs, by=["cell", "sequence_length"])
    assert sorted(ends[:, 0]) == pytest.approx(sorted(table["low"]))
    assert sorted(ends[:, 1]) == pytest.approx(sorted(table["high"]))


def test_success_sets_equal_rates_apart(frames: Frames) -> None:
    ax = success(frames.runs).axes[0]
    first = [float(each.get_xdata()[0]) for each in solid(ax) if len(each.get_xdata()) == 3]
    assert len(set(first)) == 2


def test_success_writes_every_n(frames: Frames) -> None:
    figure = success(frames.runs)
    assert entries(figure.legends[0]) == ["rnn (n = 12–16)", "lstm (n = 12–16)"]
    assert sorted(text.get_text() for text in figure.axes[0].texts) == ["12"] * 4 + ["16"] * 2


def test_a_null_hue_is_drawn_grey_and_named_by_what_it_means(frames: Frames) -> None:
    figure = success(frames.runs, hue="forget_bias")
    assert [text.get_text().split(" (")[0] for text in figure.legends[0].get_texts()] == ["1", "chrono", "drawn"]
    assert style.scheme().null in {each.get_color() for each in figure.axes[0].lines}


def test_an_ended_run_keeps_its_last_accuracy_up_to_the_budget(frames: Frames) -> None:
    curves = select(frames.curves, {"cell": "lstm", "sequence_length": 20})
    wide = carried_forward(curves)
    assert wide.columns[-1] == BUDGET
    assert not wide.isna().to_numpy().any()
    for run_id, run in curves.groupby("run_id"):
        assert wide.loc[run_id, run["update"]].tolist() == run["accuracy"].tolist()
        assert set(wide.loc[run_id, wide.columns > run["update"].max()]) <= {1.0}


def test_a_diverged_run_counts_as_guessing_from_its_end_on(frames: Frames) -> None:
    curves = frames.curves[frames.curves["outcome"] == "diverged"]
    run = curves[curves["run_id"] == curves["run_id"].iloc[0]]
    wide = carried_forward(run)
    end = run["updates"].iloc[0]
    assert set(wide.loc[:, wide.columns >= end].to_numpy().ravel()) == {0.25}
    assert wide.loc[:, wide.columns < end].to_numpy().max() > 0.25


def test_learning_draws_the_mean_over_seeds_and_every_run(frames: Frames) -> None:
    ax = panel(learning(frames.curves), "T = 100")
    thick = {each.get_color(): each for each in ax.lines if each.get_linewidth() > 1.5}
    for cell in ("rnn", "lstm"):
        curves = select(frames.curves, {"cell": cell, "sequence_length": 100})
        wide = carried_forward(curves)
        seeds = curves.drop_duplicates("run_id").set_index("run_id")["seed"]
        mean = wide.groupby(seeds.reindex(wide.index)).mean().mean()
        assert thick[style.colours("cell", [cell])[0]].get_ydata() == pytest.approx(mean.to_numpy())
    thin = [each for each in solid(ax) if each.get_linewidth() < 1]
    assert len(thin) == frames.curves.query("sequence_length == 100")["run_id"].nunique()


def test_learning_draws_chance(frames: Frames) -> None:
    assert [line.get_ydata()[0] for line in dotted(learning(frames.curves).axes[0])] == [0.25]


def test_the_phase_diagram_shows_rates_and_counts(frames: Frames) -> None:
    runs = select(frames.runs, {"bptt_window": None})
    ax = panel(phase(runs), "cell = rnn")
    table = rates(runs[runs["cell"] == "rnn"], by=["spectral_radius", "sequence_length"])
    assert ax.collections[0].get_array().ravel().tolist() == table["rate"].tolist()
    counts = [text.get_text() for text in ax.texts]
    assert counts == [f"{k}/{n}" for k, n in zip(table["solved"], table["n"], strict=True)]


def test_the_phase_diagram_leaves_out_what_was_not_run() -> None:
    synthetic = simulate([point("rnn", 20, 0.8), point("rnn", 50, 1.2)], seeds=[0])
    ax = phase(synthetic.frames.runs).axes[0]
    assert np.ma.getmaskarray(ax.collections[0].get_array()).ravel().tolist() == [False, True, True, False]


def test_the_loss_of_an_ended_run_is_carried_on_too(frames: Frames) -> None:
    curves = select(frames.curves, {"cell": "lstm", "sequence_length": 20})
    wide = carried_forward(curves, "loss")
    for run_id, run in curves.groupby("run_id"):
        assert wide.loc[run_id, run["update"]].tolist() == pytest.approx(run["loss"].tolist())
        assert set(wide.loc[run_id, wide.columns > run["update"].max()]) <= {run.sort_values("update")["loss"].iloc[-1]}


def test_a_diverged_run_has_the_loss_of_its_untrained_network_from_its_end_on(frames: Frames) -> None:
    curves = frames.curves[frames.curves["outcome"] == "diverged"]
    run = curves[curves["run_id"] == curves["run_id"].iloc[0]].sort_values("update")
    broken = run.assign(loss=run["loss"].where(run["update"] < run["update"].max(), np.inf))
    wide = carried_forward(broken, "loss")
    assert set(wide.loc[:, wide.columns >= run["updates"].iloc[0]].to_numpy().ravel()) == {run["loss"].iloc[0]}
    assert np.isfinite(wide.to_numpy()).all()


def test_learning_draws_the_loss_and_the_memoryless_reference(frames: Frames) -> None:
    curves = frames.curves.assign(memoryless_loss=1.1)
    figure = learning(curves, y="loss")
    ax = panel(figure, "T = 100")
    thin = [each for each in solid(ax) if each.get_linewidth() < 1]
    losses = curves.query("sequence_length == 100").groupby("run_id", sort=True)["loss"]
    ends = sorted(each.get_ydata()[-1] for each in thin)
    assert ends == pytest.approx(sorted(losses.last()))
    assert [line.get_ydata()[0] for line in dotted(ax)] == [1.1]
    assert figure.axes[0].get_ylabel() == "loss (nats, or squared error)"
    assert "memoryless" in entries(figure.legends[0])


def test_without_a_reference_the_legend_has_no_dotted_line(frames: Frames) -> None:
    figure = learning(frames.curves.assign(memoryless_loss=np.nan), y="loss")
    assert "memoryless" not in entries(figure.legends[0])


def test_the_quantity_of_a_learning_curve_is_no_setting(synthetic: SyntheticResults) -> None:
    assert kind("learning", y="loss").columns() == ("cell", "sequence_length")
    assert kind("learning", y="loss").caption(synthetic.study).startswith("Loss on fresh sequences")
