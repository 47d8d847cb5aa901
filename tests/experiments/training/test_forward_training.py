"""Training with gradients that are taken forward in time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from study_texts import study_text
from trained_runs import trained

from harness.cells.gru import GRU
from harness.errors import StudyError
from harness.experiments.training import EXPERIMENT
from harness.experiments.training.batches import BatchSource
from harness.experiments.training.forward import forward_pass
from harness.experiments.training.loop import backward_pass
from harness.experiments.training.replicas import Replicas
from harness.experiments.training.settings import Training
from harness.models import model_of
from harness.registry import read
from harness.tasks.echo import Echo


def text_of(method: object, **changes: dict[str, object]) -> str:
    settings: dict[str, dict[str, object]] = {
        "task": {"name": "echo", "lag": 2, "series_length": 12},
        "model": {"cell": "gru", "hidden_size": 4},
        "training": {"max_updates": 4, "batch_size": 5, "learning_rate": 0.01, "dtype": "float64"},
        "evaluation": {"every": 1, "sequences": 20},
    }
    settings = {key: {**value, **changes.get(key, {})} for key, value in settings.items()}
    settings["training"]["method"] = method
    return study_text(**settings, seeds=[3])


@pytest.mark.parametrize(("cell", "method", "options"), [
    ("gru", "rtrl", {"orthogonal": 0.1}), ("lru", "snap1", {}),
])  # fmt: skip
def test_an_exact_way_trains_as_backpropagation_does(plan_of, cell: str, method: str, options) -> None:
    curves = []
    for way in ("bptt", method):
        runs = plan_of(text_of(way, model={"cell": cell}, training=options)).runs
        [record] = trained(runs).values()
        curves.append([(row["loss"], row["gradient_norm"]) for row in record.rows["curves"]])
    np.testing.assert_allclose(curves[0], curves[1], rtol=1e-10)


def test_tbptt_is_bptt_with_a_window_and_has_its_run_id(plan_of) -> None:
    window = {"training": {"bptt_window": 4}}
    assert plan_of(text_of("tbptt", **window)).runs[0].run_id == plan_of(text_of("bptt", **window)).runs[0].run_id


@pytest.mark.parametrize("chunk", [1, 3])
def test_what_is_carried_from_chunk_to_chunk_makes_the_whole_gradient(chunk: int) -> None:
    """Where no update comes between, gradients of chunks sum to that of the series; of truncated BPTT they do not."""
    task, cell = Echo(name="echo", lag=2, series_length=6), GRU(cell="gru", hidden_size=4)
    keys = {"batch_size": 5, "dtype": "float64"}

    def pack(training: Training) -> tuple[BatchSource, Replicas]:
        model = model_of(task, cell, window=training.bptt_window)
        replicas = Replicas.start([model.initialise(cell, 3)], training, "cpu")
        return BatchSource(model, training, "cpu", [3]), replicas

    batches, replicas = pack(Training(**keys))
    whole = batches.batch(0)
    scored = int((whole[1] != -1).sum())
    backward_pass(batches, replicas, whole, None)
    right = {name: p.grad.clone() for name, p in replicas.parameters.items()}
    for forward in (True, False):
        batches, replicas = pack(Training(method="rtrl" if forward else "bptt", bptt_window=chunk, **keys))
        total = {name: torch.zeros_like(p) for name, p in replicas.parameters.items()}
        for update in range(6 // chunk):
            batch = batches.batch(update)
            if forward:
                *_, last = forward_pass(batches, replicas, batch, update)
            else:
                *_, last = backward_pass(batches, replicas, batch, None)
            for name, p in replicas.parameters.items():
                total[name] += p.grad * (int((batch[1] != -1).sum()) / scored)
            batches.carry(replicas.parameters, *batch, last, update)
        deviation = max(float((total[name] - right[name]).abs().max()) for name in right)
        assert (deviation <= 1e-14) == forward


def test_each_run_is_computed_alone_and_the_plan_says_so(study_file) -> None:
    assert "with method: rtrl each run is computed alone" in " ".join(read(study_file(text_of("rtrl"))).notes())


@pytest.mark.parametrize(
    ("method", "changes", "message"),
    [
        ("tbptt", {}, "'tbptt' is bptt within a window: set training.bptt_window"),
        ("rtrl", {"model": {"layers": 2}}, "several layers"),
        ("uoro", {"training": {"flossing": 1.0}}, "omega and flossing go back"),
        ("snap1", {"training": {"bptt_window": 4, "bptt_stride": 2}}, "chunks that overlap"),
        ("pes", {"model": {"zoneout": 0.1}}, "another network at every step"),
        ("rtrl", {"training": {"dtype": "bfloat16"}}, "float32 and float64"),
        ("snap1", {"model": {"normalisation": "layer"}}, "act on all units at once; take rtrl"),
        ("snap1", {"model": {"cell": "lem"}}, "through W_y z_t a unit's own parameters act on all units at once"),
        ("snap1", {"model": {"cell": "s6"}}, "through B_t a unit's own parameters act on all units at once"),
        ("rtrl", {"model": {"cell": "deltanet", "hidden_size": 9000}}, "take a smaller hidden_size"),
        (
            {"name": "pes", "unroll": 9},
            {"training": {"bptt_window": 4}},
            "unroll: 9 is longer than an update's 4 steps",
        ),
        ("rtrl", {"model": {"cell": "lstm", "hidden_size": 900}}, "take snap1, or a smaller hidden_size"),
        ("rtlr", {}, "did you mean 'rtrl'"),
        ({"name": "uoro", "particles": 2}, {}, "no such keyword of 'uoro'"),
    ],
)
def test_what_does_not_go_together_is_an_error_in_its_place(plan_of, method, changes, message) -> None:
    with pytest.raises(StudyError) as error:
        plan_of(text_of(method, **changes))
    assert message in str(error.value)
    assert "training" in str(error.value)


def test_a_window_of_one_sequence_has_no_meaning_forward_in_time(plan_of) -> None:
    order = {"task": {"name": "temporal_order", "sequence_length": 12}, "training": {"bptt_window": 4}}
    text = text_of("pes", **order)
    with pytest.raises(StudyError, match="its own stretches are"):
        plan_of(text)


def test_a_plan_knows_that_the_influence_grows_with_state_and_parameters(plan_of) -> None:
    """RTRL carries N numbers for each parameter of a GRU, and one for each of a minGRU."""

    def seconds(method: str, cell: str, H: int) -> float:
        [run] = plan_of(text_of(method, model={"cell": cell, "hidden_size": H})).runs
        return EXPERIMENT.cost(run.sections)

    assert seconds("rtrl", "gru", 80) > 20 * seconds("snap1", "gru", 80)
    assert seconds("rtrl", "mingru", 80) < 3 * seconds("snap1", "mingru", 80)
    assert seconds("rtrl", "gru", 8) > 5 * seconds("bptt", "gru", 8)
