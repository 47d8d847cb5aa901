"""Lists and mappings are one text wherever they come from: a study, a table, or a table of an earlier version."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
import pytest
from samples import sampled
from study_texts import study_text

from harness.execution.options import conditions
from harness.experiments.training.settings import Every, Training
from harness.statistics.frames import select
from harness.store import baseline
from harness.store.other_versions import other_versions
from harness.study import labels
from harness.study.canonical_json import canonical_json, collection
from harness.study.keywords import Named
from harness.study.matching import canonical, same
from harness.study.plan import NUMERICS_VERSION
from harness.study.section import plain
from harness.verdicts.pairing import pair

REFERENCE = Path(__file__).parents[2] / "results" / "reference"
OPTIMIZER = '{"betas":[0.9,0.98],"name":"adamw"}'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ((64, 32), "[64,32]"),
        ([], "[]"),
        (("path_decay",), '["path_decay"]'),
        (Every(every=10), '{"every":10}'),
        ({"low": 50, "high": 100}, '{"high":100,"low":50}'),
        ({"b": None, "a": (True, 0.5, "φ")}, '{"a":[true,0.5,"φ"],"b":null}'),
        pytest.param(frozenset({"b", "a"}), '["a","b"]', id="a set"),
        (Path("a/b"), "a/b"),
        ("word", "word"),
        (None, None),
        (0.5, 0.5),
    ],
    ids=str,
)
def test_a_setting_is_one_cell_of_a_table(value: object, text: object) -> None:
    assert plain(value) == text


@pytest.mark.parametrize(
    ("written", "earlier"),
    [
        ([0, 5000], "(0, 5000)"),
        ([0], "(0,)"),
        ([], "()"),
        (["path_decay"], "('path_decay',)"),
        ({"every": 10}, "{'every': 10}"),
        ({"b": 1, "a": [True, None]}, '{"a": [true, null], "b": 1.0}'),
    ],
)
def test_a_table_of_an_earlier_version_holds_the_same_value(written: object, earlier: str) -> None:
    assert canonical(written) == canonical(earlier) == canonical(canonical_json(written))
    assert same(earlier, [written])
    assert select(pd.DataFrame({"x": [earlier, None, "word"]}), {"x": [written]}).index.tolist() == [0]


@pytest.mark.parametrize("text", ["(x", "[1", "{", "(1)", "[", "{name: adam}", "[" * 200_000, "(" * 5000, "{1: []}[0]"])
def test_other_text_is_a_word(text: str) -> None:
    assert collection(text) is None
    assert canonical(text) == text


@pytest.mark.parametrize(
    ("first", "second"),
    [([1], [True]), ([1], ["1"]), ([1, 2], [2, 1]), ({"a": 1}, {"a": 2}), ({"a": [0.1]}, {"a": [0.1 + 2**-56]})],
)
def test_lists_and_mappings_that_differ_are_compared_and_written_apart(first: object, second: object) -> None:
    assert canonical(first) != canonical(second)
    assert labels.value("x", canonical(first)) != labels.value("x", canonical(second))


def test_lists_and_mappings_are_written_for_people() -> None:
    assert labels.value("optimizer", OPTIMIZER) == "adamw (betas=[0.9, 0.98])"
    assert labels.value("optimizer", "adamw") == "adamw"
    assert labels.value("layer_sizes", "[64,32]") == labels.value("layer_sizes", "(64, 32)") == "[64, 32]"
    assert labels.value("adjoints", "{'every': 10}") == "{every=10}"


BASELINES = sorted(REFERENCE.rglob("runs.parquet"))
FEW_RUNS = [path for path in BASELINES if path.stat().st_size < 20_000]  # bytes


@pytest.mark.parametrize("path", sampled(BASELINES, FEW_RUNS), ids=lambda path: path.parent.name)
def test_every_run_of_a_baseline_has_its_partner_in_the_table_of_today(path: Path) -> None:
    before = baseline.read(path.parent).to_pandas()
    now = before.copy()
    for column in ("adjoints", "probes"):  # the lists of what is recorded
        if column in now:
            now[column] = [canonical(value) for value in now[column]]
    pairs = pair(before, now)
    assert len(pairs) == len(before[before["outcome"] != "failed"])
    assert pairs.lost == pairs.gained == ()


def test_a_filter_takes_a_list_or_a_mapping_as_one_value(plan_of) -> None:
    plan = plan_of(study_text(sweep={"training.optimizer": ["sgd", {"name": "adamw", "betas": [0.9, 0.98]}]}))
    where = conditions([f"optimizer={OPTIMIZER}"], plan.study)
    assert [same(run.columns()["optimizer"], where["optimizer"]) for run in plan.runs] == [False, False, True, True]
    assert conditions(["optimizer=sgd,adam"], plan.study) == {"optimizer": ["sgd", "adam"]}


def test_a_word_with_keywords_is_a_value_like_any_other() -> None:
    named = Training(optimizer={"name": "adamw", "weight_decay": 0.1, "betas": [0.9, 0.98]}).optimizer
    assert isinstance(named, Named)
    assert named == {"name": "adamw", "weight_decay": 0.1, "betas": (0.9, 0.98)} == pickle.loads(pickle.dumps(named))
    assert hash(named) == hash(pickle.loads(pickle.dumps(named)))
    assert not hasattr(named, "update")


def test_a_commit_of_an_earlier_version_is_found_by_its_settings(plan_of) -> None:
    plan = plan_of(study_text(record={"adjoints": [0, 5000]}, seeds=1))
    settings = {**plan.runs[0].columns(), "adjoints": "(0, 5000)", "probes": "()"}

    def heads(run_ids: object) -> Iterator[Mapping[str, Any]]:
        yield {"run_id": "before", "settings": settings, "numerics": NUMERICS_VERSION - 1, "versions": {}}

    reasons = other_versions(plan, cast(Any, SimpleNamespace(heads=heads)), ["before"])
    assert reasons == {"before": f"numerics of the harness were {NUMERICS_VERSION - 1}, are {NUMERICS_VERSION}"}
