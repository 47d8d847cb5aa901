"""Kind of fault: NaN dropped, or taken for something else, so that an aggregate is one of fewer runs than it names."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from grids import grid
from results_folders import quiet_sweep
from study_texts import study_text
from synthetic_results import point, simulate

from harness.errors import HarnessError
from harness.figures.heatmap import gradient_map
from harness.figures.learning import learning
from harness.figures.profile import profile
from harness.figures.score import scores
from harness.probes.saturation import _share
from harness.probes.switches import best_switch
from harness.registry import read
from harness.report import comparison_text
from harness.report.explorer import learning_curves
from harness.statistics.frames import by_lag
from harness.statistics.intervals import finite_mean, iqm, iqm_interval, mean_band, seed_means
from harness.study.plan import plan
from harness.study.spec import Expectation
from harness.verdicts.comparison import compare
from harness.verdicts.expectations import judge
from harness.verdicts.judging import judge_folder
from harness.verdicts.metrics import METRICS, Metric, lost
from harness.verdicts.verdict import Verdict

LOSSES = ("final_loss", "bits_per_symbol", "loss_to_memoryless")
OVER_SETTINGS = ("accuracy_by_exponent", "accuracy_by_nearness")  # need several runs of a seed
OTHERS = ("success_rate", "final_accuracy", "solved_at", *OVER_SETTINGS)
COLUMNS = tuple(name for name in METRICS if name not in (*LOSSES, *OTHERS))


def runs_of(seeds: int, **changes: Any) -> pd.DataFrame:
    """A row a seed of one setting, all unsolved with the same numbers; a change is a value for all, or one a seed."""
    numbers = {
        "outcome": "unsolved", "solved_at": math.nan, "updates": 100, "max_updates": 100, "final_accuracy": 0.9,
        "chance": 0.25, "final_loss": 0.3, "memoryless_loss": 1.5, **dict.fromkeys(COLUMNS, 0.5), **changes,
    }  # fmt: skip
    return pd.DataFrame({"run_id": [f"{seed}" for seed in range(seeds)], "seed": range(seeds), **numbers})


def verdict_on(runs: pd.DataFrame, **expectation: Any) -> Verdict:
    (verdict,) = judge(Expectation(**expectation), runs, runs)
    return verdict


def measured(metric: str, runs: pd.DataFrame) -> Any:
    return METRICS[metric].of(runs, np.random.default_rng(0))


@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_a_loss_is_no_multiple_of_a_memoryless_loss_of_zero(zero: float) -> None:
    """Where the present input alone is enough, the ratio is unknown, and an untrained network passes nothing."""
    runs = runs_of(20, memoryless_loss=zero)
    assert math.isnan(measured("loss_to_memoryless", runs).value)
    assert verdict_on(runs, metric="loss_to_memoryless", at_most=0.5).state == "incomplete"


def with_diverged(seeds: int, diverged: int, **changes: Any) -> pd.DataFrame:
    """Runs of which the last diverged, with what argmax and comparisons make of NaNs in their accuracy."""
    broken = np.arange(seeds) >= seeds - diverged
    return runs_of(
        seeds, outcome=np.where(broken, "diverged", "unsolved"), final_accuracy=np.where(broken, 0.0, 0.9),
        final_loss=np.where(broken, np.nan, 0.3), **changes,
    )  # fmt: skip


@pytest.mark.parametrize("task", ["{name: adding, sequence_length: 30}", "{name: copying, delay: 10}"])
def test_networks_of_nans_score_chance_whatever_argmax_says(plan_of: Any, tmp_path: Path, task: str) -> None:
    study_plan = plan_of(
        study_text(
            task=task,
            model="{cell: rnn, nonlinearity: relu, hidden_size: 8, init: gaussian, spectral_radius: 1e4}",
            expect="[{metric: final_accuracy, at_least: 0.0}]",
        )
    )
    quiet_sweep(study_plan, tmp_path / "out", jobs=1)
    judged = judge_folder(study_plan, tmp_path / "out")
    runs = judged.frames.runs
    assert set(runs["outcome"]) == {"diverged"}
    assert (runs["final_accuracy"] != runs["chance"]).all()
    assert judged.verdicts[0].value == pytest.approx(runs["chance"].iloc[0])


def test_a_run_that_diverges_after_it_was_solved_has_lost_its_accuracy_and_its_loss() -> None:
    solved = {"outcome": "solved", "solved_at": 20.0}
    for broken in (
        {"final_loss": [0.3, 0.3, math.nan]}, {"final_loss": [0.3, 0.3, math.inf]}, {"updates": [100, 100, 60]},
    ):  # fmt: skip
        runs = runs_of(3, **solved, **broken)
        assert lost(runs).tolist() == [False, False, True]
        assert measured("final_accuracy", runs).value == pytest.approx((0.9 + 0.9 + 0.25) / 3)
        assert measured("final_loss", runs).value == math.inf
        assert measured("success_rate", runs).value == 1.0
    stopped = runs_of(3, **solved | {"updates": 20})
    assert not lost(stopped).any()
    assert not lost(runs_of(3, final_loss=math.nan)).any(), "an experiment without a loss has lost nothing"


@pytest.mark.parametrize("metric", LOSSES)
def test_a_diverged_run_counts_as_an_infinite_loss(metric: str) -> None:
    runs = with_diverged(6, 2)
    group = measured(metric, runs)
    assert (group.value, group.runs, group.seeds) == (math.inf, 6, 6)
    assert verdict_on(runs, metric=metric, at_most=1.0, judge="estimate").state == "fails"
    one = measured(metric, with_diverged(6, 1))  # a quarter of the seeds is trimmed from each end
    assert math.isfinite(one.value)
    assert one.seeds == 6
    assert math.isfinite(one.low)
    assert one.high == math.inf


def test_every_metric_says_how_a_diverged_run_counts() -> None:
    for metric in METRICS.values():
        assert "diverged" in metric.meaning or metric.name.startswith("initial_"), metric.name


@pytest.mark.parametrize("metric", COLUMNS)
def test_a_column_that_one_run_lacks_gives_no_verdict(metric: str) -> None:
    runs = runs_of(6, **{metric: [0.5, 0.5, 0.5, 0.5, 0.5, math.nan]})
    verdict = verdict_on(runs, metric=metric, at_most=1.0)
    assert verdict.state == "incomplete"
    assert verdict.reason.startswith("1 of 6 seeds have no ")
    assert verdict.n == 6
    assert verdict_on(runs_of(6), metric=metric, at_most=1.0, judge="estimate").state == "holds"


@pytest.mark.parametrize("metric", COLUMNS)
def test_what_was_measured_of_a_diverged_network_is_no_value(metric: str) -> None:
    state = verdict_on(with_diverged(6, 1), metric=metric, at_most=1.0, judge="estimate").state
    assert state == ("holds" if metric.startswith("initial_") else "incomplete")


@pytest.mark.parametrize("metric", ["final_accuracy", "final_loss", *COLUMNS])
def test_a_run_without_a_value_is_not_hidden_by_another_of_its_seed(metric: str) -> None:
    column = {"final_accuracy": "final_accuracy", "final_loss": "final_loss"}.get(metric, metric)
    runs = pd.concat([runs_of(4, width=1), runs_of(4, width=2, **{column: [0.4, 0.4, 0.4, math.nan]})])
    if metric == "final_loss":
        runs["final_accuracy"] = math.nan  # not a diverged run: nothing of it was recorded
    per_seed = METRICS[metric].per_seed(runs)
    assert per_seed.isna().tolist() == [False, False, False, True]
    assert math.isnan(measured(metric, runs).value)


def test_a_packages_metric_that_drops_what_is_missing_gives_no_verdict() -> None:
    def measure(runs: pd.DataFrame, generator: np.random.Generator) -> Any:
        return METRICS["measured"].of(runs.dropna(subset=["measured"]), generator)

    metric = Metric("own", "own", "own", measure, METRICS["measured"].per_seed, 2, better=1)
    runs = runs_of(4, measured=[0.5, 0.5, 0.5, math.nan])
    assert measure(runs, np.random.default_rng(0)).value == 0.5
    assert math.isnan(metric.of(runs, np.random.default_rng(0)).value)
    table = scores(runs.assign(width=1), metric=metric, by="width")
    assert table["value"].isna().all()


def test_a_contrast_says_which_side_lacks_a_value_and_pairs_no_survivors() -> None:
    sides = [runs_of(4).assign(cell="lstm"), runs_of(4, measured=[0.1, 0.1, 0.1, math.nan]).assign(cell="rnn")]
    runs = pd.concat(sides, ignore_index=True)
    runs["run_id"] += runs["cell"]
    verdict = verdict_on(runs, metric="measured", contrast={"cell": ("lstm", "rnn")})
    assert (verdict.state, verdict.reason) == ("incomplete", "rnn: 1 of 4 seeds have no measured")
    runs = pd.concat([with_diverged(8, 1).assign(cell="rnn"), runs_of(8).assign(cell="lstm")], ignore_index=True)
    runs["run_id"] += runs["cell"]
    verdict = verdict_on(runs, metric="final_loss", contrast={"cell": ("rnn", "lstm")})
    assert verdict.state == "undecided"
    assert "higher for 1 and lower for 0 of 8 shared seeds (by ranks: final loss" in verdict.reason


def test_groups_without_an_interval_do_not_touch() -> None:
    runs = pd.concat([runs_of(1).assign(cell="lstm"), runs_of(1, measured=0.1).assign(cell="rnn")], ignore_index=True)
    runs["run_id"] += runs["cell"]
    verdict = verdict_on(runs, metric="measured", contrast={"cell": ("lstm", "rnn")}, apart=True)
    assert verdict.state == "undecided"
    assert verdict.reason.startswith("no interval of lstm and rnn")
    old = verdict_on(runs, metric="measured", contrast={"cell": ("lstm", "rnn")}, apart=True, judge="estimate")
    assert old.state == "incomplete"
    assert old.reason.startswith("no interval of lstm and rnn")


def test_the_interquartile_mean_does_not_trim_a_nan() -> None:
    values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, math.nan]
    assert math.isnan(iqm(values))
    assert all(map(math.isnan, iqm_interval(values)))
    assert iqm([1.0, 2.0, 3.0, math.inf]) == 2.5
    assert math.isnan(iqm([-math.inf, math.inf]))


def test_comparing_counts_the_pairs_without_a_value() -> None:
    first, second = grid(np.ones((4, 5))), grid(np.ones((4, 5)))
    first.loc[0, ["outcome", "final_loss"]] = ["diverged", np.nan]
    comparison = compare(first, second, metric="final_loss")
    assert comparison.without == 1
    assert any("left out: 1 pair without final_loss in A" in note for note in comparison_text.notes(comparison))
    assert compare(second, first, metric="final_loss").state == "incomplete"


def test_a_mean_of_gradients_is_not_one_of_the_runs_that_did_not_overflow() -> None:
    lists = [np.array([1.0, 2.0, 3.0]), np.array([np.nan, np.inf, 3.0]), np.array([7.0])]
    matrix = by_lag(lists)
    assert matrix == pytest.approx(np.array([[3, 2, 1], [3, np.inf, np.inf], [7, np.nan, np.nan]]), nan_ok=True)
    band = mean_band(seed_means(matrix, [0, 1, 2]), np.random.default_rng(0))
    assert band.mean == pytest.approx([13 / 3, np.inf, np.inf])
    assert np.isnan(band.low[1:]).all()
    assert finite_mean(np.array([[-np.inf], [2.0]])).tolist() == [2.0]  # an exact zero, which figures mark
    records = pd.DataFrame({"run_id": ["a", "b"], "update": 0, "log10_adjoint": lists[:2], "updates": 0})
    assert np.isnan(gradient_map(records, "log10_adjoint").mean[0]).tolist() == [True, True, False]


def test_a_learning_curve_is_no_mean_of_the_runs_that_have_one() -> None:
    curves = simulate([point("rnn", 20, 1.0)]).frames.curves.assign(loss=1.0, outcome="unsolved")
    curves.loc[curves["seed"] == 0, "loss"] = np.nan
    drawn = learning(curves.assign(cell="rnn"), y="loss").axes[0]
    assert not [line for line in drawn.lines if line.get_zorder() == 4 and len(line.get_xdata())]
    data = learning_curves(curves.assign(accuracy=np.nan))
    assert data is not None
    assert data["mean"]["y"] == []


def test_a_profile_of_a_diverged_run_leaves_no_mean_of_the_others() -> None:
    rows = [
        {"run_id": str(seed), "seed": seed, "outcome": outcome, "quantity": "q", "axis": "t", "at": [1.0, 2.0],
         "measured": measured, "theory": None, "update": 0, "cell": "rnn"}
        for seed, outcome, measured in (
            (0, "unsolved", [0.5, 0.5]), (1, "unsolved", [0.7, math.nan]), (2, "diverged", [math.nan, 0.5])
        )
    ]  # fmt: skip
    ax = profile(pd.DataFrame(rows), quantity="q", hue=None, col=None).axes[0]
    (line,) = [line for line in ax.lines if len(line.get_xdata()) == 2]
    assert line.get_ydata() == pytest.approx([math.inf, 0.5])


def test_a_share_of_nans_is_no_share() -> None:
    values = torch.tensor([0.0, math.nan])
    assert math.isnan(_share(values <= 0, values))
    assert _share(values[:1] <= 0, values[:1]) == 1.0


def test_a_unit_of_nans_is_no_switch() -> None:
    def rows(*values: list[float]) -> list[dict[str, Any]]:
        symbols = ["X", "a", "b", "Y"] * 2
        return [
            {"part": "h", "sequence": sequence, "unit": unit, "symbols": [first, *symbols[1:4]], "values": of}
            for sequence, first in enumerate(("X", "Y"))
            for unit, of in enumerate(values)
        ]

    assert best_switch(rows([0.1, 0.2, 0.3, 0.4]), ("X", "Y")) is not None
    assert best_switch(rows([0.1, 0.2, 0.3, 0.4], [0.1, math.nan, 0.3, 0.4]), ("X", "Y")) is None


@pytest.mark.parametrize("value", [".nan", ".inf", "-.inf"])
@pytest.mark.parametrize(
    "section",
    [
        "model: {cell: lstm, hidden_size: 4, forget_bias: VALUE}",
        "model: {cell: janet, hidden_size: 4, forget_bias: VALUE}",
        "model: {cell: lstm1997, hidden_size: 4, input_bias: VALUE}",
        "model: {cell: antisymmetric, hidden_size: 4, weight_scale: VALUE}",
        "model: {cell: rnn, init: normal, hidden_size: 4, deviation: VALUE}",
        "training: {omega: VALUE}",
        "training: {flossing: VALUE}",
        "training: {orthogonal: VALUE}",
        "sweep: {model.forget_bias: [null, VALUE]}\nmodel: {cell: lstm, hidden_size: 4}",
        "expect: [{metric: final_loss, at_most: VALUE}]",
        "figures: [{kind: phase, theory: {multiple: VALUE, input_variance: 1, input_correlation: 0}}]",
    ],
)
def test_a_setting_that_is_not_finite_is_refused_with_its_place(
    study_file: Callable[..., Path], section: str, value: str
) -> None:
    text = "name: n\nclaim: c\ntask: {name: temporal_order, sequence_length: 12}\n" + section.replace("VALUE", value)
    if "model:" not in section:
        text += "\nmodel: {cell: rnn, hidden_size: 4}"
    with pytest.raises(HarnessError, match=r"tiny.yaml:4:\d+: .*(finite number|greater than)"):
        read(study_file(text))


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ("expect: [{metric: final_loss, at_most: 1, where: {forget_bias: .nan}}]", "where"),
        ("expect: [{metric: final_loss, contrast: {forget_bias: [1.0, .nan]}}]", "contrast"),
        ("figures: [{kind: success, where: {forget_bias: [1.0, .nan]}}]", "where"),
    ],
)
def test_a_condition_cannot_ask_for_nan_and_get_null(study_file: Callable[..., Path], section: str, key: str) -> None:
    text = study_text(model={"cell": "lstm"}) + section
    with pytest.raises(HarnessError, match=rf"tiny.yaml:\d+:\d+: .*{key}: forget_bias cannot be NaN"):
        read(study_file(text))


def test_never_clipping_may_be_written_as_infinity(study_file: Callable[..., Path]) -> None:
    for setting in ("clip_norm", "clip_value"):
        (infinite,) = read(study_file(study_text(training={setting: 1}).replace(": 1}", ": .inf}"))).points
        assert getattr(infinite.sections["training"], setting) == math.inf
        for wrong in (".nan", "-.inf"):
            with pytest.raises(HarnessError, match=rf"training.{setting}: .*greater than 0"):
                plan(read(study_file(study_text(training={setting: 1}).replace(": 1}", f": {wrong}}}"))))


def test_a_heat_map_marks_where_a_gradient_is_no_number() -> None:
    rows = [
        {"update": 0, "updates": 1, "log10_adjoint": entries}
        for entries in ([-1.0, -np.inf, -np.inf, np.nan], [-2.0, -np.inf, -3.0, -1.0])
    ]
    drawn = gradient_map(pd.DataFrame(rows), "log10_adjoint")
    assert drawn.broken.tolist() == [[False, False, False, True]]
    assert drawn.zero.tolist() == [[0, 1, 0.5, 0]]


@pytest.mark.parametrize("lost_part", ["measure", "per_seed"])
def test_a_metric_that_returns_nothing_is_named(lost_part: str) -> None:
    runs = simulate([point("rnn", 20, 1.0)], seeds=range(3)).frames.runs
    empty = replace(METRICS["final_accuracy"], **{lost_part: lambda *_: None})
    with pytest.raises(HarnessError, match=f"metric 'final_accuracy': {lost_part} returned NoneType"):
        empty.of(runs, np.random.default_rng(0))
