"""Attention in the training loop: alone, in packs, resumed, with lengths of their own; refused what has no meaning."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from study_texts import study_text
from trained_runs import assert_packs_change_nothing, bits, trained

from harness.errors import StudyError
from harness.experiments.setup import Setup
from harness.experiments.training.checkpoint import Checkpointing
from harness.experiments.training.loop import train
from harness.experiments.training.planning import bytes_kept, seconds
from harness.experiments.training.settings import TrainingSections
from harness.models import model_of
from harness.registry import read
from harness.store.checkpoints import Checkpoints
from harness.study.plan import Plan

ATTENTION = {"cell": "attention", "hidden_size": 6, "heads": 2}
RANGE = {"low": 11, "high": 16}
TASKS = {
    "vector": {"name": "temporal_order", "sequence_length": 12},
    "lengths": {"name": "temporal_order", "sequence_length": RANGE},
    "sequence": {"name": "parity", "sequence_length": 9},
    "rows": {"name": "adding", "sequence_length": 12},
    "answers": {"name": "programs", "digits": 1, "operations": 1},
}


def text(**sections) -> str:
    training = {"max_updates": 4, "batch_size": 5, "learning_rate": 0.01, **sections.pop("training", {})}
    model = {**ATTENTION, **sections.pop("model", {})}
    return study_text(model=model, training=training, **{"evaluation": {"every": 2, "sequences": 16}, **sections})


@pytest.mark.parametrize("task", TASKS)
def test_a_run_alone_is_bit_for_bit_the_run_in_a_pack(plan_of, task: str) -> None:
    runs = plan_of(text(task=TASKS[task], seeds=3)).runs
    records = assert_packs_change_nothing(runs)
    levels = [row["log10_adjoint"] for record in records.values() for row in record.rows["gradients"]]
    assert all(np.isfinite(level[-1]) for level in levels)


def test_a_sequence_of_its_own_length_is_what_it_is_alone(plan_of) -> None:
    """Outputs and adjoints of a batch whose sequences differ in length, one by one at their own length."""
    own = plan_of(text(task=TASKS["lengths"])).runs[0].sections.typed(TrainingSections)
    model = model_of(own.task, own.model)
    weights = model.initialise(own.model, 3)
    p = {name: torch.as_tensor(value).unsqueeze(0) for name, value in weights.items()}
    stream = torch.Generator().manual_seed(2)
    tokens = torch.randint(0, own.task.input_size, (16, 1, 3), generator=stream)
    for b, length in enumerate((16, 13, 11)):
        tokens[: 16 - length, 0, b] = -2  # steps that a sequence does not have
    together, _ = model.outputs(p, tokens, torch.zeros(1, 3, dtype=torch.long))
    for b, length in enumerate((16, 13, 11)):
        single, _ = model.outputs(p, tokens[16 - length :, :, b : b + 1], torch.zeros(1, 1, dtype=torch.long))
        torch.testing.assert_close(together[:, b], single[:, 0], rtol=0, atol=1e-13)


def test_steps_that_no_sequence_has_are_recorded_as_none(plan_of) -> None:
    [record] = trained(plan_of(text(task=TASKS["lengths"], training={"max_updates": 0}, seeds=[3])).runs).values()
    [row] = record.rows["gradients"]
    levels = row["log10_adjoint"]
    first = int(np.argmin(np.isnan(levels)))
    assert not np.isnan(levels[first:]).any()
    assert levels[first:] == pytest.approx(row["log10_adjoint_geometric"][first:], abs=0.3)


@pytest.mark.parametrize("every", [False, True])
def test_a_resumed_run_is_bit_for_bit_the_uninterrupted_one(plan_of, tmp_path: Path, monkeypatch, every) -> None:
    init = Checkpointing.__init__
    monkeypatch.setattr(Checkpointing, "__init__", lambda self, store, by: init(self, store, by, every=0.0))
    runs = plan_of(text(task=TASKS["sequence" if every else "vector"], training={"optimizer": "adam"}, seeds=2)).runs
    whole, store = trained(runs), Checkpoints(tmp_path / "checkpoints")

    def kill(share: float, replicas: int) -> None:
        if share >= 3 / 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(train(runs, Setup("torch", checkpoints=store, listener=kill)))
    for record in train(runs, Setup("torch", checkpoints=store)):
        assert bits(record) == bits(whole[record.run_id])


def test_it_is_judged_at_other_lengths_and_in_every_arithmetic(plan_of) -> None:
    for dtype in ("float32", "float64", "bfloat16"):
        study = text(
            evaluation={"every": 2, "sequences": 16, "lengths": [14, 30]}, training={"dtype": dtype}, seeds=[3]
        )
        [record] = trained(plan_of(study).runs).values()
        assert [row["length"] for row in record.rows["evaluations"]] == [14, 30]
        assert all(np.isfinite(row["loss"]) for row in record.rows["evaluations"])
        assert (record.run["recurrent_parameters"], record.run["engine"]) == (0, "torch")
        assert record.run["initial_spectral_radius"] is None


def test_its_gradient_is_recorded_layer_by_layer_as_a_cells(plan_of) -> None:
    [run] = plan_of(text(record={"probes": ["parameter_gradients"], "precision": "float64"}, seeds=[3])).runs
    [record] = trained([run]).values()
    assert {(row["layer"], row["direction"]) for row in record.rows["gradients"]} == {(1, "forward")}
    assert len(record.rows["profiles"]) > 0


def test_it_learns_an_order_that_sums_alone_do_not_have(plan_of) -> None:
    """Two marked symbols among 20 steps, which come in either order: the positions tell them apart."""
    study = text(
        model={"hidden_size": 16}, task={"name": "temporal_order", "sequence_length": 20},
        training={"max_updates": 200, "batch_size": 32, "optimizer": "adam"},
        evaluation={"every": 50, "sequences": 64}, seeds=[0],
    )  # fmt: skip
    [record] = trained(plan_of(study).runs).values()
    assert record.run["outcome"] == "solved"


REFUSED = [
    ({"training": {"bptt_window": 4}}, r"training.bptt_window: has no meaning for attention: .* reads every step"),
    ({"training": {"omega": 1.0}}, r"training.omega: has no meaning for attention"),
    ({"training": {"flossing": 1.0}}, r"training.flossing: has no meaning for attention"),
    ({"training": {"orthogonal": 0.1}}, r"training.orthogonal: has no meaning for attention"),
    *(
        ({"training": {"method": method}}, rf"training.method: '{method}' goes forward, .* attention shows no step")
        for method in ("rtrl", "snap1", "uoro", "pes")
    ),
    ({"record": {"states": 2}}, r"record.states: keeps states .* which attention does not show"),
    ({"record": {"probes": ["path_decay"]}}, r"record.probes: 'path_decay' .*; of attention: parameter_gradients"),
    ({"task": {"name": "echo", "lag": 2, "series_length": 12}}, r"model.cell: attention takes a whole .* 'echo'"),
    ({"task": {"name": "dates"}}, r"model.cell: attention takes a whole sequence, and 'dates' .* decoder"),
    ({"task": {"name": "words"}}, r"task.name: 'words' has a table .* which attention would not read"),
    ({"model": {"heads": 4}}, r"tiny.yaml:\d+:\d+: model.heads: 4 heads cannot share 6 units .* take 3"),
    ({"model": {"positions": "learned"}}, r"model.positions: no choice 'learned'; there are \(none, sinusoidal\)"),
    ({"model": {"match": "recurrent_parameters"}}, r"model.match: "),
    *(
        ({"model": {key: value}}, rf"tiny.yaml:\d+:\d+: model.{key}: is a recurrent cell's; .* has hidden_size, match")
        for key, value in {"layers": 2, "bidirectional": True, "spectral_radius": 1.0, "init": "gaussian",
                           "dropout": 0.1, "zoneout": 0.1, "forget_bias": 1.0, "normalisation": "layer"}.items()
    ),
]  # fmt: skip


@pytest.mark.parametrize(("sections", "message"), REFUSED, ids=[message[:40] for _, message in REFUSED])
def test_what_needs_a_recurrence_is_refused_with_its_place(study_file, sections, message) -> None:
    with pytest.raises(StudyError, match=message):
        read(study_file(text(**sections)))


def test_beside_cells_it_takes_none_of_their_settings(study_file) -> None:
    study = study_text(
        model={"cell": "rnn", "hidden_size": 6, "init": "gaussian", "heads": 2},
        sweep={"model.cell": ["rnn", "attention"]},
    )
    rnn, attention = (point.columns() for point in read(study_file(study)).points)
    assert (rnn["init"], attention["heads"]) == ("gaussian", 2)
    assert "heads" not in rnn
    assert "init" not in attention


def sections_of(plan: Plan) -> TrainingSections:
    return plan.runs[0].sections.typed(TrainingSections)


def test_its_predicted_cost_grows_with_the_square_of_the_length(plan_of) -> None:
    short, long, longer = (
        sections_of(plan_of(text(task={"name": "temporal_order", "sequence_length": T}))) for T in (10, 10_000, 20_000)
    )
    assert seconds(long) > 100 * seconds(short)
    assert seconds(longer) / seconds(long) == pytest.approx(4, rel=0.2)
    assert bytes_kept(longer) == pytest.approx(2 * bytes_kept(long), rel=1e-3)
