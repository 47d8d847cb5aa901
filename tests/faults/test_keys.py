"""Kind of fault: a text made for people is a key, an address or a position; whole numbers pass through a float."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from study_texts import study_text
from synthetic_results import SyntheticResults, point, simulate

from harness import sweep
from harness.errors import HarnessError
from harness.figures.heatmap import Heatmap
from harness.figures.phase import phase
from harness.figures.score import score
from harness.registry import read
from harness.report import page, tensorboard
from harness.report.gridtable import axis_values, runs_by_point
from harness.report.latex import latex
from harness.statistics.frames import Frames, exact, select
from harness.store.columns import RUNS
from harness.study import labels
from harness.study.matching import canonical, ordered, same
from harness.study.plan import plan
from harness.study.pooling import pooled
from harness.study.section import Section, arrow_type, setting, setting_column
from harness.study.spec import Expectation
from harness.verdicts.documents import verdict_document
from harness.verdicts.expectations import judge
from harness.verdicts.feasibility import describe
from harness.verdicts.judging import JudgedStudy, planned_runs
from harness.verdicts.summary import summary
from harness.verdicts.verdict import Verdict

LARGE = 2**53
CLOSE: list[tuple[Any, Any]] = [
    (LARGE, LARGE + 1), (20240101, 20240102), (0.9999999, 1.0), (0.1, 0.1 + 2**-56), (1e-7, 1.0000001e-7),
    (20240101.0, 20240102.0), (2.0**60, 2.0**60 + 2**10), (1, True), (0, False), (1.0, True), ("1_000", 1000),
    ("1e999", math.inf), ("nan", None), (-1, 1),
]  # fmt: skip


@pytest.mark.parametrize(("first", "second"), CLOSE)
def test_values_that_differ_are_compared_grouped_and_written_apart(first: Any, second: Any) -> None:
    assert not same(first, second)
    assert len(ordered([first, second])) == 2
    assert labels.value("size", first) != labels.value("size", second)
    assert labels.condition({"size": first}) != labels.condition({"size": second})


@pytest.mark.parametrize(
    ("first", "second"), [(1, 1.0), (1, "1"), (1, "1.0"), (0.1, "0.1"), (LARGE + 1, str(LARGE + 1)), (True, "True"),
                          (np.int64(LARGE + 1), LARGE + 1), (np.float32(0.5), 0.5), (math.inf, "inf"), (None, math.nan)]
)  # fmt: skip
def test_values_that_are_equal_on_either_side_of_a_table_are_one(first: Any, second: Any) -> None:
    assert same(first, second)
    assert len(ordered([first, second])) == 1
    assert hash(canonical(first)) == hash(canonical(second))


def test_a_number_is_written_so_that_it_reads_back_as_itself() -> None:
    numbers = [50, 0.001, 1e-5, 1e-3 / 3, 2.9e7, 123456789, 123456789.5, -0.25, 1e300, math.inf]
    assert all(float(labels.number(number)) == number for number in numbers)
    assert int(labels.number(LARGE + 1)) == LARGE + 1
    assert [labels.number(number) for number in (50, 0.001, 1e-5, 1.0, 2e6)] == ["50", "0.001", "1e-05", "1", "2e+06"]


def test_a_word_none_and_a_null_are_not_written_alike() -> None:
    assert labels.value("curriculum", "none") == "none"
    assert labels.value("curriculum", None) == "not set"
    assert labels.value("forget_bias", None) == "drawn"
    assert labels.value("bptt_window", None) == "full"


def test_a_word_with_a_comma_is_not_read_as_two_conditions() -> None:
    assert labels.condition({"file": "a, cell=lstm"}) != labels.condition({"file": "a", "cell": "lstm"})
    assert labels.condition({"file": "a|b"}) != labels.condition({"file": ["a", "b"]})


def test_whole_numbers_beside_a_null_stay_whole() -> None:
    column = exact([LARGE + 1, None, LARGE])
    assert column.tolist() == [LARGE + 1, None, LARGE]
    schema = RUNS.schema([setting_column(Wide, "window")])
    rows = [{"run_id": f"{window}", "window": window} for window in (LARGE + 1, LARGE, None)]
    frame = Frames.from_tables({"runs": pa.Table.from_pylist(rows, schema=schema)}).runs
    for window in (LARGE + 1, LARGE, None):
        assert select(frame, {"window": window})["run_id"].tolist() == [f"{window}"]


class Wide(Section):
    window: int | None = setting(None, "a whole number, or none")
    switch: bool | int = setting(False, "on, or how often")


def test_a_setting_that_is_true_or_a_number_is_stored_as_text() -> None:
    assert pa.types.is_string(arrow_type(bool | int))
    assert pa.types.is_string(arrow_type(bool | float | None))
    assert pa.types.is_boolean(arrow_type(bool | None))
    assert pa.types.is_integer(arrow_type(int | None))
    assert pa.types.is_floating(arrow_type(int | float))


NEAR = (0.9999999, 1.0)
DATES = (20240101, 20240102, 20240103)


@pytest.fixture(scope="module")
def near() -> SyntheticResults:
    """Two settings that agree in six digits, and seeds that agree in five."""
    return simulate([point("rnn", 20, radius) for radius in NEAR], seeds=DATES)


def test_near_values_stand_at_places_of_their_own(near: SyntheticResults) -> None:
    runs = near.frames.runs
    for x, count in (("spectral_radius", 2), ("seed", 3)):
        ax = score(runs, metric="final_accuracy", x=x, hue=None).axes[0]
        positions = {round(float(at), 6) for line in ax.lines if line.get_marker() == "o" for at in line.get_xdata()}
        assert len(positions) == count
        assert len({tick.get_text() for tick in ax.get_xticklabels()}) == count
    cells = phase(runs, x="spectral_radius", y="seed", col=None).axes[0].texts
    assert len({cell.get_position() for cell in cells}) == 6


def test_near_settings_are_not_pooled_and_have_rows_of_their_own(near: SyntheticResults) -> None:
    study, runs = near.study, near.frames.runs
    assert pooled(study.points, {}, ["spectral_radius"]) == []
    assert [len(rows) for rows in runs_by_point(study, runs)] == [3, 3]
    ((_, values),) = axis_values(study)
    assert values == ["0.9999999", "1"]
    rows = [each.columns() for each in (point("rnn", 20, NEAR[0]), point("rnn", 50, NEAR[1]))]
    assert Heatmap(kind="heatmap", col="spectral_radius").faults(rows) == []


def test_tensorboard_keeps_a_folder_of_every_point(near: SyntheticResults, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    count = tensorboard.write(tmp_path, near.study, near.frames)
    assert len(list(tmp_path.rglob("events.*"))) == count == 6


def test_many_seeds_are_named_by_their_ends() -> None:
    assert labels.condition({"cell": "lstm", "seed": [1, *range(1000, 1020)]}) == "cell=lstm, seed=1|1000–1019"


def test_a_folders_name_belongs_to_one_condition() -> None:
    conditions = ["file='a,b'", "file=a b", "file=a/b", "file=a_b", "file=..", "..", "file=" + "x" * 300]
    conditions += [f"file={'x' * 299}y", "cell=lstm, sequence_length=50"]
    names = [tensorboard._folder(condition) for condition in conditions]
    assert len({name.casefold() for name in names}) == len(conditions)
    assert names[-1] == "cell=lstm,_sequence_length=50"
    assert all(len(name.encode()) < 256 and not name.startswith(".") for name in names)


def test_verdicts_on_different_runs_have_different_texts(near: SyntheticResults) -> None:
    runs = near.frames.runs
    for per, count in ((("seed",), 3), (("spectral_radius",), 2), (("spectral_radius", "seed"), 6)):
        verdicts = judge(Expectation(metric="success_rate", per=per, at_least=0.0), runs, near.planned)
        assert len({verdict.text for verdict in verdicts}) == len(verdicts) == count
        assert all(verdict.n == 6 // count for verdict in verdicts)


def test_expectations_that_differ_have_different_texts() -> None:
    bounds: list[dict[str, Any]] = [
        {"at_least": 0.1234567}, {"at_least": 0.1234568}, {"at_most": 0.1234568},
        {"at_least": 0.1, "at_most": 0.1234567},
        {"at_least": 0.1, "at_most": 0.1234568}, {"contrast": {"ρ": (0.9999999, 1.0)}},
        {"contrast": {"ρ": (0.9999998, 1.0)}}, {"contrast": {"ρ": (0.9999999, 1.0)}, "apart": True},
        {"at_least": 0.1, "where": {"ρ": 0.9999999}}, {"at_least": 0.1, "where": {"ρ": [0.9999999, 1.0]}},
    ]  # fmt: skip
    texts = [describe(Expectation(metric="final_accuracy", **each)) for each in bounds]
    assert len(set(texts)) == len(texts)


def test_a_value_that_misses_its_bound_is_not_written_as_the_bound() -> None:
    runs = pd.DataFrame({
        "run_id": ["a"], "seed": [0], "outcome": "unsolved", "final_accuracy": [0.79996], "final_loss": 1.0,
        "chance": 0.1,
    })  # fmt: skip
    (low,) = judge(Expectation(metric="final_accuracy", at_least=0.8, judge="estimate"), runs, runs)
    assert low.reason == "0.79996 is below 0.8"
    (high,) = judge(Expectation(metric="final_accuracy", at_most=0.79995, judge="estimate"), runs, runs)
    assert high.reason == "0.800 is above 0.79995"


def test_planned_settings_keep_their_type() -> None:
    study_plan = plan(replace(simulate([point("rnn", 20, 1.0, window=window) for window in (7, None)]).study))
    planned = planned_runs(study_plan)
    assert planned["bptt_window"].tolist() == [7] * 4 + [None] * 4
    assert all(type(seed) is int for seed in planned["seed"])


@pytest.mark.parametrize("values", ["[1, 1.0]", "[0.1, 1e-1]"])
def test_one_value_written_in_two_ways_is_one_too_many(study_file: Callable[..., Path], values: str) -> None:
    text = study_text(model={"cell": "lstm"}, sweep=f"{{model.forget_bias: {values}}}")
    with pytest.raises(HarnessError, match=r"tiny.yaml:\d+:\d+: model.forget_bias: the axis has a value twice"):
        read(study_file(text))


@dataclass(frozen=True)
class Weak:
    """A judged study with too few seeds for both of its expectations."""

    judged: JudgedStudy
    verdicts: list[Verdict]


@pytest.fixture(scope="module")
def weak() -> Weak:
    expect = (
        Expectation(metric="success_rate", per=("cell",), at_least=0.8),
        Expectation(metric="success_rate", contrast={"cell": ("lstm", "rnn")}),
        Expectation(metric="final_accuracy", at_least=0.0, judge="estimate"),
    )
    synthetic = simulate([point("rnn", 20, 1.0), point("lstm", 20, 1.0)], seeds=(0, 1), expect=expect)
    return Weak(JudgedStudy(plan(synthetic.study), synthetic.frames, synthetic.verdicts), synthetic.verdicts)


WARNED = 3


def test_too_few_seeds_are_a_warning_that_names_the_expectation(weak: Weak) -> None:
    assert [bool(verdict.warning) for verdict in weak.verdicts] == [True] * WARNED + [False]
    for verdict in weak.verdicts[:WARNED]:
        assert verdict.warning.startswith(f"2 seeds are too few for {verdict.text}: ")


def test_the_warning_stands_beside_each_verdict_wherever_it_is_shown(weak: Weak, tmp_path: Path) -> None:
    study, frames = weak.judged.plan.study, weak.judged.frames
    for width in (80, 100):
        rows = summary(weak.verdicts, width).splitlines()
        starts = [i for i, line in enumerate(rows) if line[:1] in "✓✗?…"]
        parts = [" ".join(rows[i:j]) for i, j in zip(starts, [*starts[1:], len(rows)], strict=True)]
        assert [part.count("warning: 2 seeds") for part in parts] == [1] * WARNED + [0]
    document = json.loads(json.dumps(verdict_document(weak.judged)))
    assert [each["warning"] for each in document["expectations"]] == [verdict.warning for verdict in weak.verdicts]
    weak.judged.write_junit(str(tmp_path / "junit.xml"))
    cases = ElementTree.parse(tmp_path / "junit.xml").getroot().findall("testcase")
    assert [(case.findtext("system-out") or "")[9:] for case in cases] == [v.warning for v in weak.verdicts]
    html = page.html(study, frames, weak.verdicts, [], {})
    assert html.count("Warning: 2 seeds are too few: ") == WARNED
    assert latex(study, frames, weak.verdicts).count("warning: 2 seeds are too few") == WARNED


def test_a_verdict_counts_the_seeds_that_it_rests_on() -> None:
    synthetic = simulate([point("rnn", 20, 1.0), point("lstm", 20, 1.0)], seeds=range(8))
    narrow = Expectation(metric="success_rate", where={"seed": [0, 1]}, at_least=0.6)
    wide = Expectation(metric="success_rate", at_least=0.6)
    texts = [judge(each, synthetic.frames.runs, synthetic.planned)[0].warning for each in (narrow, wide)]
    assert texts[0].startswith("2 seeds are too few")
    assert texts[1] == ""


def test_a_dry_run_names_the_expectations(study_file: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    expect = "[{metric: success_rate, per: [cell], at_least: 0.8}, {metric: success_rate, at_most: 0.1}]"
    sweep.main([str(study_file(study_text(expect=expect))), "-n"])
    shown = capsys.readouterr().out
    assert "warning: 2 seeds are too few for success_rate of all runs >= 0.8 for each cell: " in shown
    assert "warning: 2 seeds are too few for success_rate of all runs <= 0.1: " in shown
