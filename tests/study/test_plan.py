"""Ids hash the question, not its wording; packs hold what may be trained together."""

from __future__ import annotations

import time
from dataclasses import replace

from harness.registry import read
from harness.study.plan import LARGEST_PACK, pack_key, packs, plan

STUDY = """\
name: {name}
claim: {claim}
task: {{name: temporal_order, sequence_length: 20}}
model: {{cell: lstm, init: gaussian}}
training: {{max_updates: {updates}}}
sweep: {{model.spectral_radius: [0.9, 1.1], task.sequence_length: [20, 50]}}
seeds: {seeds}
"""
PINNED = "4debdd1f29ef4471"  # of the first run below; a change here orphans every result that anyone has


def planned(study_file, name="a", claim="b", updates=100, seeds=12, overrides=()):
    return plan(read(study_file(STUDY.format(name=name, claim=claim, updates=updates, seeds=seeds)), overrides))


def test_ids_do_not_depend_on_name_claim_order_of_keys_or_defaults_spelled_out(study_file) -> None:
    ids = planned(study_file).ids
    assert planned(study_file, name="other", claim="other").ids == ids
    assert (
        planned(
            study_file, overrides=["training.optimizer=rmsprop", "model.hidden_size=50", "evaluation.every=100"]
        ).ids
        == ids
    )
    assert planned(study_file, overrides=["seeds=[11,10,9,8,7,6,5,4,3,2,1,0]"]).ids == ids


def test_ids_differ_where_any_setting_or_the_seed_does(study_file) -> None:
    base = planned(study_file)
    assert len(base.ids) == len(base.runs) == 48
    for change in (
        "training.max_updates=101",
        "evaluation.sequences=513",
        "record.precision=float64",
        "model.biases=1",
        "task.symbols=3",
    ):
        assert not planned(study_file, overrides=[change]).ids & base.ids
    more = planned(study_file, seeds=13)
    assert base.ids < more.ids


def test_the_id_of_a_pinned_run_does_not_change(study_file) -> None:
    assert planned(study_file).runs[0].run_id == PINNED


def test_a_pack_holds_runs_that_differ_in_seed_and_initial_weights_only(study_file) -> None:
    runs = planned(study_file).runs
    found = packs(runs)
    assert sorted(run.run_id for pack in found for run in pack) == sorted(run.run_id for run in runs)
    for pack in found:
        assert len(pack) <= LARGEST_PACK
        assert len({pack_key(run.point) for run in pack}) == 1
        assert len({run.point.columns()["sequence_length"] for run in pack}) == 1
    assert {len(pack) for pack in found} == {12}  # 24 runs of a kind are two even packs, not 16 and 8


def test_packs_are_dearest_first_and_spread_over_jobs(study_file) -> None:
    runs = planned(study_file).runs
    cost = {run.run_id: float(run.point.columns()["sequence_length"]) for run in runs}
    totals = [sum(cost[run.run_id] for run in pack) for pack in packs(runs, jobs=2, cost=cost)]
    assert totals == sorted(totals, reverse=True)
    assert max(totals) <= sum(totals) / 4  # no pack keeps one of two jobs busy while the other idles


def test_ten_thousand_runs_are_planned_in_two_seconds(study_file) -> None:
    start = time.process_time()
    radii = ", ".join(str(i / 1000) for i in range(1, 626))
    many = planned(study_file, seeds=8, overrides=[f"model.spectral_radius=[{radii}]"])
    assert len(many.ids) == 10_000
    assert time.process_time() - start < 10  # the target, 2 s, is measured in benchmarks/; this only catches a blow-up


def test_a_pack_is_no_larger_than_memory_allows(study_file) -> None:
    runs = planned(study_file).runs
    assert max(len(pack) for pack in packs(runs, memory=lambda sections: 60e6)) == 3
    assert max(len(pack) for pack in packs(runs, memory=lambda sections: 1e12)) == 1


def test_what_a_point_is_asked_does_not_grow_with_its_seeds(study_file, monkeypatch) -> None:
    asked = []
    monkeypatch.setattr("harness.study.plan.pack_key", lambda point: asked.append(point) or pack_key(point))
    packs(planned(study_file, seeds=40).runs)
    assert len(asked) == 4


def test_the_cost_of_a_point_is_predicted_once_for_all_its_runs(study_file) -> None:
    study, points = read(study_file()), []

    def cost(sections) -> float:
        points.append(sections)
        return float(len(points))

    study_plan = plan(replace(study, experiment=replace(study.experiment, cost=cost)))
    costs = study_plan.costs(study_plan.runs[1:])
    assert len(points) == 3
    assert costs == {run.run_id: 1.0 + index // 2 for index, run in enumerate(study_plan.runs) if index}
