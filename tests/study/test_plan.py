"""Ids hash a run's settings, not their wording; packs are runs that may be trained together."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from study_texts import text_of

from harness.registry import read
from harness.study.plan import LARGEST_PACK, Plan, pack_key, packs, plan

SECTIONS: dict[str, Any] = {
    "name": "a",
    "claim": "b",
    "task": {"name": "temporal_order", "sequence_length": 20},
    "model": {"cell": "lstm", "init": "gaussian"},
    "training": {"max_updates": 100},
    "sweep": {"model.spectral_radius": [0.9, 1.1], "task.sequence_length": [20, 50]},
    "seeds": 12,
}
PINNED = "8e02cfb982e11b8d"


@pytest.fixture
def planned(plan_of) -> Callable[..., Plan]:
    """The plan of a study of four points and twelve seeds, with other sections or overrides."""
    return lambda *overrides, **sections: plan_of(text_of(SECTIONS | sections), *overrides)


def test_ids_do_not_depend_on_name_claim_order_of_keys_or_defaults_spelled_out(planned, plan_of) -> None:
    ids = planned().ids
    assert planned(name="other", claim="other").ids == ids
    assert plan_of(text_of(dict(reversed(SECTIONS.items())))).ids == ids
    assert planned("training.optimizer=rmsprop", "model.hidden_size=50", "evaluation.every=100").ids == ids
    assert planned("seeds=[11,10,9,8,7,6,5,4,3,2,1,0]").ids == ids


@pytest.mark.parametrize(
    "change",
    [
        "training.max_updates=101",
        "evaluation.sequences=513",
        "record.precision=float64",
        "model.biases=1",
        "task.symbols=3",
    ],
)
def test_ids_differ_where_any_setting_does(planned, change: str) -> None:
    base = planned()
    assert len(base.ids) == len(base.runs) == 48
    assert not planned(change).ids & base.ids


def test_the_short_and_the_long_form_of_an_optimizer_or_a_schedule_have_one_id(planned) -> None:
    ids = planned().ids
    assert planned("training.optimizer={name: rmsprop, alpha: 0.99}", "training.schedule={name: constant}").ids == ids
    for name in ("adam", "sgd"):
        assert planned(f"training.optimizer={{name: {name}}}").ids == planned(f"training.optimizer={name}").ids != ids
    long = planned("training.optimizer={name: adamw, weight_decay: 1, betas: [0.9, 0.98]}").ids
    assert (
        planned("training.optimizer={betas: [0.9, 0.98], weight_decay: 1.0, name: adamw, amsgrad: false}").ids == long
    )
    assert planned("training.schedule=cosine").ids == planned("training.schedule={name: cosine, warm_up: 0}").ids != ids


def test_runs_that_cannot_be_stacked_are_packs_of_one_and_the_plan_says_so(planned) -> None:
    study_plan = planned("training.dtype=bfloat16")
    alone = study_plan.study.experiment.alone
    assert {len(pack) for pack in packs(study_plan.runs, alone=alone, device="cuda")} == {1}
    assert {len(pack) for pack in packs(planned().runs, alone=alone)} == {12}
    [note] = study_plan.study.notes()
    assert note.startswith("with dtype: bfloat16 each run is computed alone, step by step in torch")
    assert planned().study.notes() == ()


def test_more_seeds_add_ids_and_change_none(planned) -> None:
    assert planned().ids < planned(seeds=13).ids


def test_the_id_of_a_pinned_run_does_not_change(planned) -> None:
    assert planned().runs[0].run_id == PINNED


def test_a_gpu_takes_all_runs_of_a_kind_at_once(planned) -> None:
    runs = planned(seeds=100).runs
    kinds = {pack_key(run.point) for run in runs}
    assert len(packs(runs, device="cuda")) == len(kinds) < len(packs(runs))


def test_runs_of_a_pack_differ_in_seed_and_initial_weights_only(planned) -> None:
    runs = planned().runs
    divided = packs(runs)
    assert sorted(run.run_id for pack in divided for run in pack) == sorted(run.run_id for run in runs)
    for pack in divided:
        assert len(pack) <= LARGEST_PACK
        assert len({pack_key(run.point) for run in pack}) == 1
        assert len({run.point.columns()["sequence_length"] for run in pack}) == 1
    assert {len(pack) for pack in divided} == {12}  # 24 runs of a kind are two even packs, not 16 and 8


def test_packs_come_by_descending_cost_and_are_spread_over_jobs(planned) -> None:
    runs = planned().runs
    cost = {run.run_id: float(run.point.columns()["sequence_length"]) for run in runs}
    totals = [sum(cost[run.run_id] for run in pack) for pack in packs(runs, jobs=2, cost=cost)]
    assert totals == sorted(totals, reverse=True)
    assert max(totals) <= sum(totals) / 4  # so that neither of two jobs idles


def test_ten_thousand_runs_are_planned_within_seconds(planned) -> None:
    start = time.process_time()
    radii = ", ".join(str(i / 1000) for i in range(1, 626))
    many = planned(f"model.spectral_radius=[{radii}]", seeds=8)
    assert len(many.ids) == 10_000
    assert time.process_time() - start < 10  # the target, 2 s, is measured in benchmarks/; this only catches a blow-up


def test_a_pack_is_no_larger_than_memory_allows(planned) -> None:
    runs = planned().runs
    assert max(len(pack) for pack in packs(runs, memory=lambda sections: 60e6)) == 3
    assert max(len(pack) for pack in packs(runs, memory=lambda sections: 1e12)) == 1


def test_the_key_of_a_point_is_computed_once_for_all_its_seeds(planned, monkeypatch) -> None:
    points = []
    monkeypatch.setattr("harness.study.plan.pack_key", lambda point: points.append(point) or pack_key(point))
    packs(planned(seeds=40).runs)
    assert len(points) == 4


def test_the_cost_of_a_point_is_predicted_once_for_all_its_runs(study_file) -> None:
    study, points = read(study_file()), []

    def cost(sections) -> float:
        points.append(sections)
        return float(len(points))

    study_plan = plan(replace(study, experiment=replace(study.experiment, cost=cost)))
    costs = study_plan.costs(study_plan.runs[1:])
    assert len(points) == 3
    assert costs == {run.run_id: 1.0 + index // 2 for index, run in enumerate(study_plan.runs) if index}
