"""Training with lengths and zoneout: the same in any pack, losses of the sequences alone, and what is refused."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from made_networks import stacked, synthetic_task
from study_texts import study_text
from trained_runs import assert_packs_change_nothing, trained

from harness.cells.lstm import LSTM
from harness.errors import StudyError
from harness.experiments.training.batches import BatchSource, draw
from harness.experiments.training.ending import depth_slope, slope
from harness.experiments.training.settings import Training, TrainingSections
from harness.models import MODELS
from harness.recurrence.adjoints import AdjointRecorder
from harness.tasks import TASKS

ENGINES = ("torch", "compiled")
RANGE: dict[str, Any] = {"sequence_length": {"low": 9, "high": 12}}


@pytest.fixture(autouse=True)
def few_sequences(monkeypatch) -> None:
    for kind in TASKS.values():
        monkeypatch.setattr(kind, "final_sequences", 16)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_with_lengths_and_zoneout_is_the_same_alone_and_in_any_pack(plan_of, engine: str) -> None:
    model = {"cell": "lstm", "hidden_size": 5, "layers": 2, "dropout": 0.2, "zoneout": 0.1}
    record = {"precision": "float64", "examples": 2}
    runs = plan_of(study_text(task=RANGE, model=model, record=record)).runs
    for each in assert_packs_change_nothing(runs, engine).values():
        assert each.run["engine"] == engine
        assert np.isfinite(each.run["final_adjoint_slope"])


@pytest.mark.parametrize("name", ["adding", "temporal_order"])
def test_loss_accuracy_and_gradient_of_a_batch_are_the_means_of_its_sequences(name: str) -> None:
    """Adjoints too: B times each sequence's own, the mean over those that have the step."""
    varying = TASKS[name].model_validate({"name": name, **RANGE})
    model = MODELS[varying.shape](varying, LSTM(cell="lstm", hidden_size=4), None, "compiled")
    parameters = stacked([model.initialise(model.cell, seed) for seed in (0, 1)])
    inputs, targets = draw(varying, [0, 1], "train", 0, 5, "cpu")
    recorder = AdjointRecorder()
    outputs, _ = model.outputs(parameters, inputs, targets, None, recorder)
    losses = model.losses(outputs, targets)
    losses.sum().backward()
    absent = inputs[..., 0].isnan() if inputs.dim() == 4 else inputs == -2
    lengths = (~absent).sum(0)
    gradients = {key: value.grad.clone() for key, value in parameters.items()}  # type: ignore[union-attr]
    total, norms = torch.zeros(2, dtype=torch.float64), np.zeros((12, 2))
    for value in parameters.values():
        value.grad = None
    for r in range(2):
        for b in range(5):
            n, length = int(lengths[r, b]), slice(12 - int(lengths[r, b]), None)
            one = TASKS[name].model_validate({"name": name, "sequence_length": n})
            alone = MODELS[one.shape](one, model.cell, None, "torch")
            own = {key: value[r : r + 1] for key, value in parameters.items()}
            single = AdjointRecorder()
            y = targets[..., r : r + 1, b : b + 1]
            result, _ = alone.outputs(own, inputs[length, r : r + 1, b : b + 1], y, None, single)
            loss = alone.losses(result, y)
            (loss / 5).sum().backward()
            total[r] += loss[0].detach() / 5
            norms[length, r] += 5 * 10 ** single.rows()[0][0]["log10_adjoint"]
    torch.testing.assert_close(losses.detach(), total, rtol=1e-12, atol=1e-12)
    for key, value in parameters.items():
        torch.testing.assert_close(gradients[key], value.grad, rtol=1e-12, atol=1e-12)
    counts = (~absent).sum(-1).numpy()
    for r, [row] in enumerate(recorder.rows()):
        there = counts[:, r] > 0
        np.testing.assert_allclose(10 ** row["log10_adjoint"][there], norms[there, r] / counts[there, r], rtol=1e-12)
        assert np.isnan(row["log10_adjoint"][~there]).all()


def test_slopes_of_what_is_not_there_or_zero() -> None:
    nan, inf = math.nan, math.inf
    assert slope([-3.0, -2.0, -1.0]) == depth_slope(layers([-3.0, -2.0, -1.0])) == -1.0
    assert slope([nan, nan, -3.0, -1.0], varies=True) == -2.0  # steps of no sequence
    assert slope([nan, -inf, -3.0, -1.0], varies=True) == -inf  # cut by a window
    assert slope([-3.0, -2.0, -inf]) is None  # nothing reads the last state: c_T with zoneout
    assert depth_slope(layers([-inf, -inf])) is None  # an answer that has no last symbol
    assert slope([-1.0]) is slope(None) is depth_slope(layers([-1.0])) is None


def layers(levels: Sequence[float]) -> list[dict[str, object]]:
    return [{"direction": "forward", "log10_adjoint": [0.0, level]} for level in levels]


def test_zoneout_keeps_a_share_p_of_the_units_by_seed_and_update() -> None:
    cell = LSTM(cell="lstm", hidden_size=40, zoneout=0.3, layers=2, bidirectional=True)
    task = synthetic_task("sequence_to_vector", length=30)
    model = MODELS[task.shape](task, cell, None, "torch")
    batch = draw(task, [4, 5], "train", 0, 8, "cpu")
    source = BatchSource(model, Training(), "cpu", [4, 5])
    none, *masks = source.masks(0, batch)
    assert none is None  # of dropout
    assert [mask.shape for mask in masks if mask is not None] == [(30, 2, 8, 80)] * 4
    n = 30 * 8 * 80
    for mask in masks:
        assert mask is not None
        assert set(mask.unique().tolist()) == {0.0, 1.0}
        assert (mask.mean(dim=(0, 2, 3)) - 0.3).abs().max() < 5 * (0.21 / n) ** 0.5
    alone = BatchSource(model, Training(), "cpu", [5]).masks(0, tuple(part[..., 1:, :] for part in batch))  # type: ignore[arg-type]
    assert torch.equal(alone[1], masks[0][:, 1:])  # type: ignore[arg-type,index]
    other = source.masks(1, batch)[1]
    assert not torch.equal(other, masks[0])  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", ["sequence_to_vector_to_sequence", "vector_to_sequence"])
def test_a_decoder_has_masks_of_its_own(shape: str) -> None:
    task = synthetic_task(shape)
    model = MODELS[task.shape](task, LSTM(cell="lstm", hidden_size=4, zoneout=0.4, layers=2), None, "torch")
    parameters = stacked([model.initialise(model.cell, 0)])
    inputs, targets = draw(task, [0], "train", 0, 3, "cpu")
    masks = BatchSource(model, Training(dtype="float64"), "cpu", [0]).masks(0, (inputs, targets))
    assert len(masks) == 6
    drawn, _ = model.outputs(parameters, inputs, targets, None, None, masks)
    off = [None if mask is None else torch.zeros_like(mask) for mask in masks]
    last = [*masks[:3], *off[3:]]
    free, _ = model.outputs(parameters, inputs, targets, None, None, off)
    half, _ = model.outputs(parameters, inputs, targets, None, None, last)
    plain = MODELS[task.shape](task, LSTM(cell="lstm", hidden_size=4, layers=2), None, "torch")
    assert torch.equal(free, plain.outputs(parameters, inputs, targets)[0])
    assert not torch.equal(drawn, half)  # the decoder's masks act
    assert torch.equal(half, free) == (shape == "vector_to_sequence")  # a vector has no recurrence before it


def test_h_detach_draws_one_number_a_step_by_seed_and_update() -> None:
    task = synthetic_task("sequence_to_vector", length=400)
    model = MODELS[task.shape](task, LSTM(cell="lstm", hidden_size=3, h_detach=0.25), None, "torch")
    batch = draw(task, [4, 5], "train", 0, 2, "cpu")
    source = BatchSource(model, Training(), "cpu", [4, 5])
    [d] = source.masks(0, batch)
    assert d is not None
    assert d.shape == (400, 2, 2, 3)
    assert torch.equal(d, d[..., :1, :1].expand_as(d))
    assert set(d.unique().tolist()) == {0.0, 1.0}
    assert (d[..., 0, 0].mean(0) - 0.25).abs().max() < 5 * (0.1875 / 400) ** 0.5
    [alone] = BatchSource(model, Training(), "cpu", [5]).masks(0, tuple(part[..., 1:, :] for part in batch))  # type: ignore[arg-type]
    assert torch.equal(alone, d[:, 1:])  # type: ignore[arg-type]
    assert not torch.equal(d[:, 0], d[:, 1])
    assert not torch.equal(source.masks(1, batch)[0], d)  # type: ignore[arg-type]


@pytest.mark.parametrize("engine", ["torch", "compiled"])
def test_h_detach_changes_the_gradient_and_not_the_loss_and_is_the_same_in_any_pack(plan_of, engine: str) -> None:
    def curves(p: float) -> list[Any]:
        text = study_text(model={"cell": "lstm", "hidden_size": 5, "h_detach": p}, training={"max_updates": 2})
        runs = plan_of(text).runs[:2]
        alone, packed = [trained([run], engine=engine).values() for run in runs], trained(runs, engine=engine).values()
        rows = [record.rows["curves"] for record in packed]
        assert [[record.rows["curves"] for record in each] for each in alone] == [[row] for row in rows]
        return rows[0]

    plain, cut = curves(0.0), curves(1.0)
    assert plain[0]["loss"] == cut[0]["loss"]
    assert plain[0]["gradient_norm"] != cut[0]["gradient_norm"]


def test_zoneout_of_zero_is_none_and_changes_no_run_id(plan_of) -> None:
    [off, *_] = plan_of(study_text()).runs
    [zero, *_] = plan_of(study_text(model={"zoneout": 0.0, "h_detach": 0.0})).runs
    [one_length, *_] = plan_of(study_text(task={"sequence_length": {"low": 12, "high": 12}})).runs
    assert off.run_id == zero.run_id == one_length.run_id
    ids = {
        plan_of(study_text(**{key: value})).runs[0].run_id
        for key, value in (("task", RANGE), ("model", {"zoneout": 0.1}))
    }
    assert len(ids | {off.run_id}) == 3


def test_a_network_trained_on_a_range_is_judged_at_one_length(plan_of) -> None:
    evaluation = {"every": 2, "sequences": 16, "lengths": [12, 20]}
    [run, *_] = plan_of(study_text(task=RANGE, evaluation=evaluation)).runs
    assert [task.varies for task in (run.sections.typed(TrainingSections).task.at_length(20),)] == [False]
    [record] = trained([run]).values()
    assert [row["length"] for row in record.rows["evaluations"]] == [12, 20]


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"task": {"sequence_length": {"low": 20, "high": 12}}}, r"task.sequence_length: low: 20 is more than high"),
        ({"task": {"name": "permutation", "sequence_length": {"low": 9, "high": 12}}},
         r"task.sequence_length: 'permutation' has sequences of one length"),
        ({"task": RANGE, "training": {"omega": 1.0}}, r"training.omega: is written for sequences of one length"),
        ({"task": RANGE, "record": {"states": 2}}, r"record.states: is written for sequences of one length"),
        ({"task": RANGE, "record": {"probes": ["saturation"]}}, r"record.probes: 'saturation' is written for"),
        ({"model": {"zoneout": 1.0}}, r"model.zoneout: .*less than 1"),
        ({"model": {"zoneout": -0.1}}, r"model.zoneout: .*greater than or equal to 0"),
        ({"model": {"cell": "skip", "zoneout": 0.1}}, r"model.zoneout: no unit of 'skip' can keep its value"),
        ({"model": {"cell": "window", "zoneout": 0.1}}, r"model.zoneout: no unit of 'window' can keep its value"),
        ({"model": {"zoneout": 0.1}, "training": {"omega": 1.0}}, r"training.omega: is written for a network without"),
        ({"model": {"cell": "gru", "h_detach": 0.1}}, r"model.h_detach: 'gru' has no memory c beside an h that"),
        ({"model": {"cell": "lstm", "h_detach": 1.1}}, r"model.h_detach: .*less than or equal to 1"),
        ({"model": {"cell": "lstm", "h_detach": 0.1, "zoneout": 0.1}}, r"model.h_detach: is written for a network w"),
        ({"model": {"cell": "lstm", "h_detach": 0.1}, "training": {"flossing": 1.0}}, r"training.flossing: is written"),
    ],
)  # fmt: skip
def test_what_has_no_meaning_is_refused_with_its_place(plan_of, sections: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError, match=rf"tiny.yaml:\d+:\d+: {message}"):
        plan_of(study_text(**sections))
