"""Every architecture: its loss is torch's own on the same equations, its adjoints are autograd's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from made_networks import Parameters, normal, stacked, synthetic_task
from samples import sampled
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from harness.cells import CELLS
from harness.cells.sizes import matched_width, parameter_counts
from harness.models import MODELS, readout
from harness.models.decoder import Decoding, decoder
from harness.models.model import Model
from harness.recurrence.adjoints import AdjointRecorder
from harness.recurrence.scan import scan
from harness.tasks.task import UNSCORED

T, B, R, C, H = 6, 4, 3, 4, 7


def model_of(shape: str, cell: str = "lstm", engine: str = "torch", **attributes: Any) -> Any:
    task = synthetic_task(shape, length=T, output_size=C, **attributes)
    return MODELS[shape](task, CELLS[cell](cell=cell, hidden_size=H), None, engine)


def data(model: Model) -> tuple[Parameters, torch.Tensor, torch.Tensor]:
    """float64 parameters, inputs and targets of R replicas."""
    parameters = stacked([model.initialise(model.cell, seed) for seed in range(R)])
    batches = [model.task.batch(seed, "train", 0, B) for seed in range(R)]
    inputs = torch.from_numpy(np.stack([batch.inputs for batch in batches], 1))
    targets = np.stack([batch.targets for batch in batches], batches[0].targets.ndim - 1)
    return parameters, inputs, torch.from_numpy(targets)


def backpropagated(model: Model) -> tuple[torch.Tensor, Parameters, list[dict[str, Any]]]:
    """Outputs, gradients of the parameters, and the recorded adjoints of each replica."""
    parameters, inputs, targets = data(model)
    recorder = AdjointRecorder()
    outputs, _ = model.outputs(parameters, inputs, targets, None, recorder)
    model.losses(outputs, targets).sum().backward()
    return outputs.detach(), {name: p.grad for name, p in parameters.items()}, recorder.rows()


@pytest.mark.parametrize("shape", MODELS)
def test_the_loss_is_the_mean_over_what_is_scored_of_each_replica_alone(shape: str) -> None:
    model = model_of(shape)
    parameters, inputs, targets = data(model)
    outputs, _ = model.outputs(parameters, inputs, targets)
    for r, loss in enumerate(model.losses(outputs, targets)):
        logits, classes = outputs[..., r, :, :].reshape(-1, C), targets[..., r, :].reshape(-1)
        torch.testing.assert_close(loss, cross_entropy(logits, classes, ignore_index=UNSCORED), rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    "cell",  # others pass no code on
    sampled([n for n, cell in CELLS.items() if cell.recurs and cell.carries_h], ["rnn", "lstm", "gru", "skip", "lem"]),
)
@pytest.mark.parametrize("shape", MODELS)
def test_engines_agree_in_values_gradients_and_adjoints(shape: str, cell: str) -> None:
    ours, gradients, rows = backpropagated(model_of(shape, cell, "compiled"))
    theirs, expected, expected_rows = backpropagated(model_of(shape, cell, "torch"))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, expected[name], rtol=0, atol=1e-10)
    for a, b in zip(rows, expected_rows, strict=True):
        np.testing.assert_allclose(a[0]["log10_adjoint"], b[0]["log10_adjoint"], atol=1e-8)


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_adjoints_pass_through_the_bottleneck(cell: str) -> None:
    """∂L/∂h_t of the encoder is what autograd finds when the encoder is unrolled by hand."""
    model = model_of("sequence_to_vector_to_sequence", cell)
    _, _, rows = backpropagated(model)
    parameters, inputs, targets = data(model)
    state, states = model.start(parameters, R, B), []
    for t in range(T):
        h, state = scan(model.cell, parameters, inputs[t : t + 1], state)
        h.retain_grad()
        state = (h, *state[1:])
        states.append(h)
    previous = torch.cat([torch.full_like(targets[:1], C), targets[:-1]])  # teacher forcing; C is the start symbol
    begin = (state[0], *[torch.zeros_like(part) for part in state[1:]])
    s, _ = scan(model.cell, decoder(parameters), previous, begin, every_step=True)
    model.losses(s @ parameters["V"].mT + parameters["b_y"].unsqueeze(1), targets).sum().backward()
    for r, (row,) in enumerate(rows):
        assert len(row["log10_adjoint"]) == 2 * T
        # of an LSTM the last alone: c carries gradients past h, which autograd by hand adds to those of h
        first = 0 if cell == "rnn" else T - 1
        by_hand = [np.log10(B * h.grad[r].norm(dim=-1).mean().item()) for h in states[first:]]
        np.testing.assert_allclose(row["log10_adjoint"][first:T], by_hand, atol=1e-9)


@pytest.mark.parametrize("shape", ["vector_to_sequence", "sequence_to_vector_to_sequence"])
def test_free_running_reads_each_answer_as_the_next_input(shape: str) -> None:
    model = model_of(shape)
    assert isinstance(model, Decoding)
    parameters, inputs, _ = data(model)
    answers = model.answer(parameters, inputs, T)
    outputs, _ = model.outputs(parameters, inputs, answers)  # teacher forcing with its own answers gives the same
    assert torch.equal(outputs.argmax(-1), answers)


@pytest.mark.parametrize("shape", MODELS)
def test_accuracy_is_the_share_of_right_answers_on_a_batch_of_any_size(shape: str, monkeypatch) -> None:
    model = model_of(shape)
    parameters, inputs, targets = data(model)
    whole = model.judge(parameters, inputs, targets)
    monkeypatch.setattr("harness.models.model.AT_ONCE", 3)
    for ours, theirs in zip(model.judge(parameters, inputs, targets), whole, strict=True):
        torch.testing.assert_close(ours, theirs)
    _, hit = model.answers(parameters, inputs, targets)
    for r, accuracy in enumerate(whole[1]):
        mine = hit[..., r, :]
        if shape == "sequence_to_sequence":
            mine = mine[targets[:, r] != UNSCORED]
        assert accuracy == pytest.approx(mine.double().mean().item())


def test_of_several_answers_all_must_be_right_and_the_loss_is_their_mean() -> None:
    model = model_of("sequence_to_vector", answers=2)
    parameters, inputs, targets = data(model)
    outputs, _ = model.outputs(parameters, inputs, targets)
    assert outputs.shape == (2, R, B, C)
    by_hand = [cross_entropy(outputs[n, 0], targets[n, 0]) for n in range(2)]
    torch.testing.assert_close(model.losses(outputs, targets)[0], torch.stack(by_hand).mean())
    hits = (outputs.argmax(-1) == targets).all(0).double().mean(-1)
    torch.testing.assert_close(model.judge(parameters, inputs, targets)[1], hits)


def test_a_bit_is_right_by_its_sign_and_has_the_loss_of_its_logit() -> None:
    outputs, targets = normal(1, T, R, B, 1), (normal(2, T, R, B) > 0).long()
    targets[0] = UNSCORED
    by_hand = binary_cross_entropy_with_logits(outputs[1:, 1, :, 0], targets[1:, 1].double())
    torch.testing.assert_close(readout.losses("bits", outputs, targets)[1], by_hand)
    assert torch.equal(readout.right("bits", outputs, targets)[1:], (outputs[1:, ..., 0] > 0) == (targets[1:] == 1))


@pytest.mark.parametrize("shape", MODELS)
@pytest.mark.parametrize(
    "cell", [n for n, cell in CELLS.items() if cell.recurs and cell.carries_h]
)  # others pass no code on
def test_parameters_are_counted_from_settings_alone(shape: str, cell: str) -> None:
    model = model_of(shape, cell)
    counted = parameter_counts(model.cell, model.task, H)
    initial = model.initialise(model.cell, 0)
    assert counted["parameters"] == sum(value.size for value in initial.values())
    recurrent = [v.size for n, v in initial.items() if n.removesuffix("′") in model.cell.recurrent_weights]
    assert counted["recurrent_parameters"] == sum(recurrent)


COUNTED = [(name, "parameters") for name in CELLS]
COUNTED += [(name, "recurrent_parameters") for name, cell in CELLS.items() if cell.recurrent_weights]


@pytest.mark.parametrize(("name", "match"), COUNTED)
def test_a_matched_width_is_the_nearest(name: str, match: str) -> None:
    task = synthetic_task("sequence_to_vector")
    cell = CELLS[name](cell=name, hidden_size=20, match=match)
    target = parameter_counts(CELLS["rnn"](cell="rnn", biases=cell.biases), task, 20)[match]
    distances = [abs(parameter_counts(cell, task, width)[match] - target) for width in range(1, 500)]
    assert matched_width(cell, task) == 1 + distances.index(min(distances))
