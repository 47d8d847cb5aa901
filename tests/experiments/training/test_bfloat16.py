"""dtype bfloat16: products in bfloat16, all else in float32, and the adjoints are those of what was computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from made_networks import normal, started, zero_state
from study_texts import study_text
from torch import Tensor
from trained_runs import bits, trained

from harness.cells import CELLS
from harness.cells.cell import Cell
from harness.experiments.setup import Setup
from harness.experiments.training.arithmetic import arithmetic
from harness.experiments.training.checkpoint import Checkpointing
from harness.experiments.training.loop import train
from harness.experiments.training.settings import Training
from harness.recurrence.adjoints import AdjointRecorder
from harness.recurrence.drive import drive
from harness.recurrence.scan import scan
from harness.schema import Record
from harness.store.checkpoints import Checkpoints
from harness.study.plan import Run

BFLOAT16, FLOAT32 = Training(dtype="bfloat16"), Training()
T, R, B, D = 20, 2, 4, 5
TRAINING = {"max_updates": 4, "batch_size": 5, "learning_rate": 0.01}


def problem(name: str, dtype: torch.dtype = torch.float32) -> tuple[Cell, dict[str, Tensor], Tensor]:
    cell = CELLS[name](cell=name, hidden_size=12)
    return cell, started(cell, [1, 2], input_size=D, length=T, dtype=dtype), normal(0, T, R, B, D, dtype=dtype)


def output(name: str, training: Training, dtype: torch.dtype = torch.float32) -> tuple[Tensor, AdjointRecorder]:
    """h_T of a cell, and the recorded adjoints of ½‖h_T‖²."""
    cell, parameters, inputs = problem(name, dtype)
    recorder = AdjointRecorder()
    with arithmetic(training, "cpu"):
        h, last = scan(cell, parameters, inputs, zero_state(cell, R, B, dtype), recorder=recorder)
    assert {part.dtype for part in (h, *last)} == {dtype}
    (h.square().sum() / 2).backward()
    assert {p.grad.dtype for p in parameters.values() if p.grad is not None} == {dtype}
    return h.detach(), recorder


@pytest.mark.parametrize("name", CELLS)
def test_products_are_rounded_and_states_and_gradients_are_not(name: str) -> None:
    (rounded, _), (h, _) = output(name, BFLOAT16), output(name, FLOAT32)
    assert not torch.equal(rounded, h)
    assert not torch.equal(rounded, rounded.bfloat16().float())
    assert (rounded - h).norm() < 0.1 * h.norm()


@pytest.mark.parametrize("name", ["rnn", "lstm", "cornn"])
def test_what_is_in_float64_is_left_alone(name: str) -> None:
    (inside, first), (outside, second) = (output(name, each, torch.float64) for each in (BFLOAT16, FLOAT32))
    assert torch.equal(inside, outside)
    assert np.array_equal(first.log10_adjoint, second.log10_adjoint)


def test_a_step_is_the_equation_with_rounded_products() -> None:
    cell, parameters, inputs = problem("rnn")
    h = normal(1, R, B, 12, dtype=torch.float32)
    with arithmetic(BFLOAT16, "cpu"):
        [following] = cell.step(parameters, (h,), drive(parameters, inputs)[3])
    W, U, b_x, x = (each.bfloat16().float() for each in (*(parameters[k] for k in ("W", "U", "b_x")), inputs[3]))
    z = (x @ U.mT + b_x.unsqueeze(1)).bfloat16().float()
    expected = torch.tanh((h.bfloat16().float() @ W.mT).bfloat16().float() + parameters["b_h"].unsqueeze(1) + z)
    torch.testing.assert_close(following, expected, rtol=0, atol=2**-7)  # sums may round to the neighbour


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru"])
def test_recorded_adjoints_are_those_of_the_rounded_network(name: str) -> None:
    """Autograd's own ∂L/∂h_t and ∂L/∂c_t, through the products as they were computed."""
    cell, parameters, inputs = problem(name)
    states = [zero_state(cell, R, B, torch.float32)]
    with arithmetic(BFLOAT16, "cpu"):
        for z in drive(parameters, inputs):
            states.append(cell.step(parameters, states[-1], z))
            for part in states[-1]:
                part.retain_grad()
    (states[-1][0].square().sum() / 2).backward()
    (_, recorder), (_, exact) = output(name, BFLOAT16), output(name, FLOAT32)
    recorded = [recorder.log10_adjoint, recorder.log10_adjoint_cell]
    for part, levels in zip(range(len(cell.states)), recorded, strict=False):
        norms = torch.stack([state[part].grad.double().norm(dim=-1).sum(-1) for state in states[1:]])
        np.testing.assert_allclose(levels, norms.log10().numpy(), rtol=0, atol=1e-6)
    assert abs(recorder.log10_adjoint - exact.log10_adjoint).max() > 1e-4


# Whole runs


@pytest.fixture
def run_of(plan_of) -> Callable[..., Run]:
    def one(**sections: Any) -> Run:
        training = TRAINING | {"dtype": "bfloat16"} | sections.pop("training", {})
        evaluation = {"every": 2, "sequences": 20} | sections.pop("evaluation", {})
        return plan_of(study_text(**{"training": training, "evaluation": evaluation, "seeds": 1, **sections})).runs[0]

    return one


def record_of(run: Run) -> Record:
    [record] = trained([run], "compiled").values()
    return record


def test_a_run_is_recorded_as_what_it_is(run_of) -> None:
    weights = {"weights": True}
    run = run_of(record=weights)
    record, exact = record_of(run), record_of(run_of(record=weights, training={"dtype": "float32"}))
    assert (record.run["engine"], run.columns()["dtype"]) == ("torch", "bfloat16")
    assert exact.run["engine"] == "compiled"
    for row, other in zip(record.rows["curves"], exact.rows["curves"], strict=True):
        assert row["loss"] != other["loss"]
        assert row["loss"] == pytest.approx(other["loss"], rel=0.02)
        assert row["gradient_norm"] == pytest.approx(other["gradient_norm"], rel=0.1)
    W = next(np.asarray(row["values"]) for row in record.rows["weights"] if row["name"] == "W")
    assert np.array_equal(W, W.astype(np.float32))
    assert not np.array_equal(W, torch.as_tensor(W).bfloat16().double().numpy())


def test_records_in_float64_are_those_of_float64_and_change_nothing_else(run_of) -> None:
    as_trained, exact = record_of(run_of()), record_of(run_of(record={"precision": "float64"}))
    assert as_trained.rows["curves"] == exact.rows["curves"]
    first = record_of(run_of(training={"dtype": "float64"})).rows["gradients"][0]["log10_adjoint"]
    np.testing.assert_allclose(exact.rows["gradients"][0]["log10_adjoint"], first, rtol=0, atol=1e-6)
    assert abs(as_trained.rows["gradients"][0]["log10_adjoint"] - first).max() > 1e-5


@pytest.mark.parametrize(
    "sections",
    [
        {"task": {"name": "dates"}, "record": {"examples": 1}, "training": {"max_updates": 1}},
        {"task": {"name": "digit_names"}, "record": {"examples": 2}},
        {"task": {"name": "copying", "delay": 2}, "model": {"cell": "lstm"}, "record": {"states": 2}},
        {"record": {"probes": ["saturation", "jacobian_singular_values"]}},
        {"training": {"omega": 1.0, "flossing": 1.0, "orthogonal": 0.1}, "model": {"cell": "rnn"}},
        {"training": {"clip_norm": 0.01, "optimizer": "adamw", "schedule": "cosine"}},
    ],
    ids=lambda sections: " ".join(str(each) for each in sections.values()),
)
def test_every_model_record_and_option_goes_with_it(run_of, sections: dict[str, Any]) -> None:
    record = record_of(run_of(**sections))
    assert record.run["outcome"] == "unsolved"
    assert np.isfinite(record.run["final_loss"])
    assert not any(np.isnan(row["log10_adjoint"]).any() for row in record.rows["gradients"])


@pytest.mark.parametrize(
    "sections",
    [
        {"training": {"optimizer": "nadam", "schedule": {"name": "cosine", "warm_up": 2}}},
        {
            "task": {"name": "echo", "lag": 2, "series_length": 12},
            "training": {"bptt_window": 4, "bptt_stride": 2},
            "model": {"cell": "lstm"},
        },
    ],
    ids=["cosine", "echo"],
)
def test_a_resumed_run_is_bit_for_bit_the_uninterrupted_run(run_of, tmp_path, monkeypatch, sections) -> None:
    init = Checkpointing.__init__
    monkeypatch.setattr(Checkpointing, "__init__", lambda self, store, by: init(self, store, by, every=0.0))
    run, store = run_of(**sections), Checkpoints(tmp_path)

    def stop(share: float, replicas: int) -> None:
        if share >= 3 / 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(train([run], Setup(checkpoints=store, listener=stop)))
    assert set(store.started().values()) == {3}
    [resumed] = train([run], Setup(checkpoints=store))
    assert bits(resumed) == bits(record_of(run))
