"""What each training setting means for each kind of task: the definition, computed another way, or a refusal.

The independent value: the parameters are copied for every step, G[s, t] is the gradient of the loss at step s with
respect to the copy that step t uses. Full BPTT is the sum over all (s, t); a truncation is a sum over fewer.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from harness.cells import CELLS
from harness.errors import StudyError
from harness.experiments.training.batches import _unscored
from harness.experiments.training.settings import Training
from harness.models import MODELS, readout
from harness.models.model import Model
from harness.recurrence.drive import drive
from harness.registry import read
from harness.study.plan import plan
from harness.tasks import TASKS
from harness.tasks.echo import Echo
from harness.tasks.temporal_order import TemporalOrder

H = 4
TINY = """\
name: tiny
claim: b.
task: {task}
model: {{cell: {cell}, hidden_size: 4}}
training: {{max_updates: 2, batch_size: 3{training}}}
evaluation: {{every: 1, sequences: 4, lengths: [{lengths}]}}
record: {{probes: [{probes}]}}
"""
KINDS = {
    "loss at the last step": "{name: temporal_order, sequence_length: 10}",
    "loss at every step": "{name: copying, delay: 3}",
    "carried": "{name: echo, lag: 2, series_length: 10}",
    "decoder": "{name: digit_names}",
    "encoder and decoder": "{name: dates}",
}


def refusal(study_file, kind: str, training: str = "", probes: str = "", cell: str = "rnn", lengths: str = "") -> str:
    """What a study of one kind of task is refused for; nothing if it is planned."""
    training = training and f", {training}"
    text = TINY.format(task=KINDS[kind], cell=cell, training=training, probes=probes, lengths=lengths)
    try:
        plan(read(study_file(text)))
    except StudyError as error:
        return re.sub(r"^\S+:(\d+):(\d+): ", "", str(error))
    return ""


REFUSED = {
    ("bptt_window: 3", ""): {
        "loss at every step": "training.bptt_window: 'copying' has a loss at every step of one sequence",
        "decoder": "training.bptt_window: 'digit_names' is trained by full BPTT",
        "encoder and decoder": "training.bptt_window: 'dates' is trained by full BPTT",
    },
    ("bptt_window: 1000", ""): {  # cuts nothing: full BPTT, whatever the task
        "decoder": "training.bptt_window: 'digit_names' is trained by full BPTT",
        "encoder and decoder": "training.bptt_window: 'dates' is trained by full BPTT",
    },
    ("bptt_window: 4, bptt_stride: 2", ""): dict.fromkeys(KINDS.keys() - {"carried"}, "training.bptt_stride: has a"),
    ("flossing: 1.0", ""): dict.fromkeys(("decoder", "encoder and decoder"), "training.flossing: "),
    ("flossing: 1.0, bptt_window: 3", ""): {
        "loss at the last step": "training.flossing: its exponents are those of the whole sequence",
        **dict.fromkeys(("loss at every step", "decoder", "encoder and decoder"), "training.bptt_window: "),
    },
    ("omega: 1.0", ""): dict.fromkeys(KINDS.keys() - {"loss at the last step"}, "training.omega: is written for"),
    ("orthogonal: 1.0", ""): {},
    ("clip_norm: 1.0", ""): {},
    ("clip_value: 1.0", ""): {},
    ("clip_norm: 1.0, clip_value: 1.0", ""): dict.fromkeys(KINDS, "training.clip_value: clip_norm is set as well"),
    ("", "truncation_bias"): {
        "loss at every step": "record.probes: truncation_bias is about bptt_window",
        **dict.fromkeys(("decoder", "encoder and decoder"), "record.probes: probes follow one recurrence"),
    },
    ("bptt_window: 4, bptt_stride: 2", "truncation_bias"): {
        "carried": "record.probes: truncation_bias cuts a chunk",
        **dict.fromkeys(KINDS.keys() - {"carried"}, "training.bptt_stride: has a"),
    },
    ("", "parameter_gradients"): {},
    ("", "parameter_gradients, unit_gradients"): dict.fromkeys(
        ("decoder", "encoder and decoder"), "record.probes: probes follow one recurrence"
    ),
    ("", "path_decay"): dict.fromkeys(("decoder", "encoder and decoder"), "record.probes: probes follow"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("settings", REFUSED, ids=" ".join)
def test_a_setting_is_defined_for_a_kind_of_task_or_refused(study_file, settings, kind: str) -> None:
    expected = REFUSED[settings].get(kind)
    answer = refusal(study_file, kind, *settings)
    assert answer.startswith(expected) if expected else answer == ""


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_is_judged_at_other_lengths_of_its_task_where_there_are_any(study_file, kind: str) -> None:
    answer = refusal(study_file, kind, lengths="20, 40")
    assert answer.startswith("evaluation.lengths: 'd") if "decoder" in kind else answer == ""


def test_every_shape_of_task_is_among_the_kinds() -> None:
    # The shape of a file's task is its study's: one of the others'.
    kinds = {(task.shape, task.carried) for task in TASKS.values() if isinstance(task.shape, str)}
    names = {re.search(r"name: (\w+)", text)[1] for text in KINDS.values()}  # type: ignore[index]
    assert kinds == {(TASKS[name].shape, TASKS[name].carried) for name in names}


def gradients(model: Model, parameters, inputs, targets) -> np.ndarray:
    """G (steps of the loss, steps of the parameters, numbers of W), summed over the batch as the loss is."""
    T, names = len(inputs), model.cell.recurrent_weights
    copies = [{name: parameters[name].clone().requires_grad_() for name in names} for _ in range(T)]
    state, losses = model.start(parameters, *inputs.shape[1:3]), []
    count = targets.numel() // T if targets.dim() == 3 else targets.numel()
    for t, z in enumerate(drive(parameters, inputs)):
        state = model.cell.step({**parameters, **copies[t]}, state, z)
        outputs = state[0] @ parameters["V"].mT + parameters["b_y"]
        if targets.dim() == 3:
            losses.append(
                binary_cross_entropy_with_logits(outputs[..., 0], targets[t].double(), reduction="sum") / count / T
            )
    if targets.dim() == 2:
        losses = [torch.zeros((), dtype=torch.double)] * (T - 1)
        losses.append(cross_entropy(outputs[0], targets[0].long(), reduction="sum") / count)
    flat = [copy[name] for copy in copies for name in names]
    rows = []
    for loss in losses:
        if not loss.requires_grad:
            rows.append(np.zeros((T, sum(p.numel() for p in copies[0].values()))))
            continue
        gradient = torch.autograd.grad(loss, flat, retain_graph=True, allow_unused=True, materialize_grads=True)
        rows.append(torch.cat([g.flatten() for g in gradient]).view(T, -1).numpy())
    return np.stack(rows)


def start(task, cell: str, seed: int = 3):
    own = CELLS[cell](cell=cell, hidden_size=H)
    model = MODELS[task.shape](task=task, cell=own, window=None, engine="torch")
    parameters = {name: torch.as_tensor(p)[None] for name, p in model.initialise(own, seed).items()}
    batch = task.batch(seed, "train", 0, 3)
    inputs, targets = torch.as_tensor(batch.inputs)[:, None], torch.as_tensor(batch.targets)
    inputs = inputs.double() if inputs.is_floating_point() else inputs
    return model, parameters, inputs, targets.unsqueeze(targets.dim() - 1)


def trained(model: Model, parameters, inputs, targets) -> np.ndarray:
    """The gradient of the recurrent weights by the model's own backward pass."""
    settings = {name: p.clone().requires_grad_() for name, p in parameters.items()}
    outputs, _ = model.outputs(settings, inputs, targets)
    model.losses(outputs, targets).sum().backward()
    return torch.cat([settings[name].grad.flatten() for name in model.cell.recurrent_weights]).numpy()


@pytest.mark.parametrize("engine", ["torch", "compiled"])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "janet"])
@pytest.mark.parametrize("K", [1, 3, 10])
def test_where_the_loss_is_at_the_end_a_window_keeps_the_last_steps_share(cell: str, K: int, engine: str) -> None:
    model, *given = start(TemporalOrder(name="temporal_order", sequence_length=10), cell)
    G = gradients(model, *given)
    own = trained(replace(model, window=K, engine=engine if cell != "janet" else "torch"), *given)
    np.testing.assert_allclose(own, G[-1, -K:].sum(0), rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize(("K", "stride"), [(5, 5), (4, 2), (10, 10)])
def test_where_the_state_is_carried_a_chunk_keeps_its_own_share(study_file, K: int, stride: int) -> None:
    from harness.experiments.training.batches import BatchSource

    task = Echo(name="echo", lag=2, series_length=10)
    model, parameters, inputs, targets = start(task, "lstm")
    G = gradients(model, parameters, inputs, targets)
    training = Training(bptt_window=K, bptt_stride=stride, batch_size=3)
    source = BatchSource(replace(model, window=K), training, "cpu", [3])
    for update in range(10 // stride):
        x, y = source.batch(update)
        settings = {name: p.clone().requires_grad_() for name, p in parameters.items()}
        outputs, last = source.model.outputs(settings, x.double(), y, source.state)
        source.model.losses(outputs, y).sum().backward()
        own = torch.cat([settings[name].grad.flatten() for name in model.cell.recurrent_weights]).numpy()
        end = (update + 1) * stride
        scored, back = range(end - stride, end), range(max(0, end - K), end)
        expected = sum(G[s, t] for s in scored for t in back) * 10 / stride  # the mean is over the scored steps
        np.testing.assert_allclose(own, expected, rtol=1e-9, atol=1e-14)
        source.carry({name: p.detach() for name, p in settings.items()}, x.double(), y, last, update)


def test_numbers_that_are_not_scored_are_seen_by_neither_loss_nor_accuracy() -> None:
    targets = _unscored(np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), 2)
    outputs = torch.tensor([[[[9.0], [9.0]]], [[[9.0], [9.0]]], [[[5.0], [5.0]]]], requires_grad=True)  # (T, R, B, 1)
    y = torch.as_tensor(targets)[:, None]
    loss = readout.losses("numbers", outputs, y)
    assert loss.tolist() == [0.5]  # ((5 − 5)² + (5 − 6)²)/2
    loss.sum().backward()
    assert outputs.grad.flatten().tolist() == [0, 0, 0, 0, 0, -1.0]
    assert readout.right("numbers", outputs, y, 0.5).flatten().tolist() == [True] * 5 + [False]


@pytest.mark.parametrize("kind", ["classes", "bits"])
def test_a_batch_without_a_scored_answer_changes_nothing_and_has_no_accuracy(kind) -> None:
    outputs = torch.ones(4, 1, 2, 1, requires_grad=True)
    targets = torch.full((4, 1, 2), -1)
    loss = readout.losses(kind, outputs, targets)
    loss.sum().backward()
    assert loss.item() == 0
    assert not outputs.grad.any()
    with pytest.raises(ValueError, match="no answer of the task is scored"):
        readout.share_right(targets == 0, targets != -1)


LECTURE = "task: {name: temporal_order, level: easy, draw: lecture}"
ECHO = "task: {name: echo, draw: lecture}"


@pytest.mark.parametrize(
    ("task", "training", "evaluation", "expected"),
    [
        (
            LECTURE,
            "max_updates: 31",
            "every: 31, sequences: 992",
            "training.batch_size: task.draw: lecture has batches",
        ),
        (LECTURE, "max_updates: 31, batch_size: 32", "every: 31", "evaluation.sequences: task.draw: lecture has test"),
        (LECTURE, "max_updates: 40, batch_size: 32", "every: 31, sequences: 992", "training.max_updates: task.draw"),
        (LECTURE, "max_updates: 31, batch_size: 32", "every: 10, sequences: 992", "evaluation.every: task.draw: lec"),
        (ECHO, "batch_size: 4", "sequences: 5", "training.batch_size: task.draw: lecture has 5 columns"),
        (ECHO, "batch_size: 5", "sequences: 6", "evaluation.sequences: task.draw: lecture has 5 columns"),
        ("task: {name: characters}", "batch_size: 1000000", "sequences: 5", "training.batch_size: its part of the te"),
    ],
)
def test_batches_that_a_task_does_not_have_are_refused_when_it_is_planned(
    study_file, task: str, training: str, evaluation: str, expected: str
) -> None:
    training = training if "batch_size" in training else f"{training}, batch_size: 16"
    text = f"name: a\nclaim: b.\n{task}\nmodel: {{cell: rnn}}\ntraining: {{{training}}}\nevaluation: {{{evaluation}}}\n"
    with pytest.raises(StudyError, match=rf"tiny.yaml:[56]:\d+: {expected}"):
        plan(read(study_file(text)))
