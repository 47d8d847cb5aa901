"""Every architecture: its loss is torch's own on the same equations, its adjoints are autograd's."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from harness.cells import CELLS
from harness.cells.sizes import matched_width, parameter_counts
from harness.models import MODELS, readout
from harness.models.decoder import Decoding, decoder
from harness.models.model import Model
from harness.recurrence.adjoints import AdjointRecorder
from harness.recurrence.scan import scan
from harness.study.spec import setting
from harness.tasks.task import UNSCORED, Batch, Task

T, B, R, D, C, H = 6, 4, 3, 5, 4, 7


class Made(Task):
    """A made-up task of any shape: tokens (or a real vector) in, classes out."""

    shape: ClassVar[Any] = "sequence_to_vector"
    name: Literal["made"] = setting(..., "which task", column="task")
    count: int = 1

    @property
    def length(self) -> int:
        return T

    @property
    def input_size(self) -> int:
        return D

    @property
    def output_size(self) -> int:
        return C

    @property
    def chance(self) -> float:
        return 1 / C

    @property
    def answers(self) -> int:
        return self.count

    def sample(self, generator: np.random.Generator, batch: int) -> Batch:
        real = self.shape == "vector_to_sequence"
        inputs = generator.normal(size=(1, batch, D)) if real else generator.integers(-1, D, (T, batch))
        if self.shape == "sequence_to_vector":
            return Batch(inputs, generator.integers(C, size=(self.count, batch) if self.count > 1 else batch))
        targets = generator.integers(C, size=(T, batch))
        targets[T - 2 :, ::2] = UNSCORED
        return Batch(inputs, targets)


def task_of(shape: str, **settings: Any) -> Task:
    kind = type("Shaped", (Made,), {"shape": shape, "__module__": __name__})
    return kind(name="made", **settings)


def model_of(shape: str, cell: str = "lstm", engine: str = "torch", **settings: Any) -> Any:
    return MODELS[shape](task_of(shape, **settings), CELLS[cell](cell=cell, hidden_size=H), None, engine)


def data(model: Model) -> tuple[dict[str, torch.Tensor], torch.Tensor, torch.Tensor]:
    """float64 parameters, inputs and targets of R replicas."""
    replicas = [model.initialise(model.cell, seed) for seed in range(R)]
    parameters = {
        name: torch.from_numpy(np.stack([p[name] for p in replicas])).requires_grad_() for name in replicas[0]
    }
    batches = [model.task.batch(seed, "train", 0, B) for seed in range(R)]
    inputs = torch.from_numpy(np.stack([batch.inputs for batch in batches], 1))
    targets = np.stack([batch.targets for batch in batches], batches[0].targets.ndim - 1)
    return parameters, inputs, torch.from_numpy(targets)


@pytest.mark.parametrize("shape", MODELS)
def test_the_loss_is_the_mean_over_what_is_scored_of_each_replica_alone(shape: str) -> None:
    model = model_of(shape)
    parameters, inputs, targets = data(model)
    outputs, _ = model.outputs(parameters, inputs, targets)
    for r, loss in enumerate(model.losses(outputs, targets)):
        seen, truth = outputs[..., r, :, :].reshape(-1, C), targets[..., r, :].reshape(-1)
        torch.testing.assert_close(loss, cross_entropy(seen, truth, ignore_index=UNSCORED), rtol=1e-12, atol=0)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("shape", MODELS)
def test_engines_agree_in_values_gradients_and_adjoints(shape: str, cell: str) -> None:
    found = []
    for engine in ("torch", "numba"):
        model = model_of(shape, cell, engine)
        parameters, inputs, targets = data(model)
        recorder = AdjointRecorder()
        outputs, _ = model.outputs(parameters, inputs, targets, None, recorder)
        model.losses(outputs, targets).sum().backward()
        found.append((outputs.detach(), {n: p.grad for n, p in parameters.items()}, recorder.rows()))
    ours, theirs = found
    torch.testing.assert_close(ours[0], theirs[0], rtol=0, atol=1e-10)
    for name, gradient in ours[1].items():
        torch.testing.assert_close(gradient, theirs[1][name], rtol=0, atol=1e-10)
    for a, b in zip(ours[2], theirs[2], strict=True):
        np.testing.assert_allclose(a["log10_adjoint"], b["log10_adjoint"], atol=1e-8)


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_adjoints_pass_through_the_bottleneck(cell: str) -> None:
    """∂L/∂h_t of the encoder is what autograd finds when the encoder is unrolled by hand."""
    model = model_of("sequence_to_vector_to_sequence", cell)
    parameters, inputs, targets = data(model)
    recorder = AdjointRecorder()
    outputs, _ = model.outputs(parameters, inputs, targets, None, recorder)
    model.losses(outputs, targets).sum().backward()
    state, kept = model.start(parameters, R, B), []
    for t in range(T):
        h, state = scan(model.cell, parameters, inputs[t : t + 1], state)
        h.retain_grad()
        state = (h, *state[1:])
        kept.append(h)
    told = torch.cat([torch.full_like(targets[:1], C), targets[:-1]])
    begin = (state[0], *[torch.zeros_like(part) for part in state[1:]])
    s, _ = scan(model.cell, decoder(parameters), told, begin, every_step=True)
    model.losses(s @ parameters["V"].mT + parameters["b_y"].unsqueeze(1), targets).sum().backward()
    for r, row in enumerate(recorder.rows()):
        assert len(row["log10_adjoint"]) == 2 * T
        if cell == "rnn":  # h alone: of an LSTM, c carries gradients past h, and autograd by hand sees those too
            by_hand = [np.log10(B * h.grad[r].norm(dim=-1).mean().item()) for h in kept]
            np.testing.assert_allclose(row["log10_adjoint"][:T], by_hand, atol=1e-9)
        else:
            last = np.log10(B * kept[-1].grad[r].norm(dim=-1).mean().item())
            assert row["log10_adjoint"][T - 1] == pytest.approx(last, abs=1e-9)


@pytest.mark.parametrize("shape", ["vector_to_sequence", "sequence_to_vector_to_sequence"])
def test_free_running_feeds_each_answer_back(shape: str) -> None:
    model = model_of(shape)
    assert isinstance(model, Decoding)
    parameters, inputs, _ = data(model)
    said = model.answer(parameters, inputs, T)
    told, _ = model.outputs(parameters, inputs, said)  # teacher forcing with its own answers says the same
    assert torch.equal(told.argmax(-1), said)


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
    model = model_of("sequence_to_vector", count=2)
    parameters, inputs, targets = data(model)
    outputs, _ = model.outputs(parameters, inputs, targets)
    assert outputs.shape == (2, R, B, C)
    by_hand = [cross_entropy(outputs[n, 0], targets[n, 0]) for n in range(2)]
    torch.testing.assert_close(model.losses(outputs, targets)[0], torch.stack(by_hand).mean())
    hits = (outputs.argmax(-1) == targets).all(0).double().mean(-1)
    torch.testing.assert_close(model.judge(parameters, inputs, targets)[1], hits)


def test_a_bit_is_judged_by_its_sign_and_learnt_by_its_logit() -> None:
    outputs, targets = torch.randn(T, R, B, 1), torch.randint(2, (T, R, B))
    targets[0] = UNSCORED
    by_hand = binary_cross_entropy_with_logits(outputs[1:, 1, :, 0], targets[1:, 1].float())
    torch.testing.assert_close(readout.losses("bits", outputs, targets)[1], by_hand)
    assert torch.equal(readout.right("bits", outputs, targets)[1:], (outputs[1:, ..., 0] > 0) == (targets[1:] == 1))


@pytest.mark.parametrize("shape", MODELS)
@pytest.mark.parametrize("cell", CELLS)
def test_parameters_are_counted_from_settings_alone(shape: str, cell: str) -> None:
    model = model_of(shape, cell)
    counted = parameter_counts(model.cell, model.task, H)
    initial = model.initialise(model.cell, 0)
    assert counted["parameters"] == sum(value.size for value in initial.values())
    recurrent = [v.size for n, v in initial.items() if n.removesuffix("′") in model.cell.recurrent_weights]
    assert counted["recurrent_parameters"] == sum(recurrent)


@pytest.mark.parametrize("match", ["parameters", "recurrent_parameters"])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "skip", "gated_skip"])
def test_a_matched_width_is_the_nearest(cell: str, match: str) -> None:
    task = task_of("sequence_to_vector")
    asked = CELLS[cell](cell=cell, hidden_size=50, match=match)
    wanted = parameter_counts(CELLS["rnn"](cell="rnn"), task, 50)[match]
    off = [abs(parameter_counts(asked, task, width)[match] - wanted) for width in range(1, 120)]
    assert matched_width(asked, task) == 1 + off.index(min(off))
