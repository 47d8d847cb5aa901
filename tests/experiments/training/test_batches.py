"""Chunks of a long series: every step is scored once, windows reach as far back as asked, the state goes on."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness.cells import CELLS
from harness.experiments.training.batches import BatchSource, Chunks
from harness.experiments.training.settings import Training
from harness.models import MODELS
from harness.recurrence.scan import scan
from harness.study.spec import setting
from harness.tasks.task import Batch, Task

L, B, C = 11, 3, 4


class Series(Task):
    """Tokens, to be told again at once."""

    shape: ClassVar[Any] = "sequence_to_sequence"
    carried: ClassVar[bool] = True
    name: Literal["series"] = setting(..., "which task", column="task")

    @property
    def length(self) -> int:
        return L

    @property
    def input_size(self) -> int:
        return C

    @property
    def output_size(self) -> int:
        return C

    @property
    def chance(self) -> float:
        return 1 / C

    def sample(self, generator: np.random.Generator, batch: int) -> Batch:
        tokens = generator.integers(C, size=(L, batch))
        return Batch(tokens, tokens)


def model_of(cell: str) -> Any:
    return MODELS["sequence_to_sequence"](Series(name="series"), CELLS[cell](cell=cell, hidden_size=5), None, "torch")


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 60))
def test_every_step_is_scored_once_and_windows_go_as_far_back_as_they_can(
    length: int, window: int, stride: int
) -> None:
    window = min(window, length)
    chunks = Chunks(length, window, min(stride, window))
    spans = [chunks.span(k) for k in range(chunks.count)]
    assert [t for _, scored, stop in spans for t in range(scored, stop)] == list(range(length))
    for start, scored, stop in spans:
        assert start == max(0, scored + chunks.stride - window)
        assert stop - start <= window
    if chunks.stride == window:
        assert all(start == scored for start, scored, _ in spans)
    starts = [start for start, _, _ in spans]
    assert starts == sorted(starts)


@pytest.mark.parametrize(("window", "stride"), [(4, None), (4, 2), (5, 3), (None, None), (4, 1)])
def test_the_state_before_a_chunk_is_that_of_the_whole_series_there(window: int | None, stride: int | None) -> None:
    model = model_of("lstm")
    replicas = [model.initialise(model.cell, seed) for seed in (1, 2)]
    parameters = {name: torch.from_numpy(np.stack([p[name] for p in replicas])) for name in replicas[0]}
    batches = BatchSource(model, Training(batch_size=B, bptt_window=window, bptt_stride=stride), "cpu", [1, 2])
    whole = torch.from_numpy(np.stack([model.task.batch(seed, "train", 0, B).inputs for seed in (1, 2)], 1))
    batches.batch(0)
    for update in range(batches.chunks.count):
        inputs, targets = batches.batch(update)
        start, scored, stop = batches.chunks.span(update)
        assert torch.equal(inputs, whole[start:stop])
        assert (targets[: scored - start] == -1).all()
        assert torch.equal(targets[scored - start :], whole[scored:stop])
        expected = model.start(parameters, 2, B)
        if start:
            _, expected = scan(model.cell, parameters, whole[:start], expected)
        state = batches.state or model.start(parameters, 2, B)
        for ours, theirs in zip(state, expected, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
        _, last = model.outputs(parameters, inputs, targets, batches.state)
        batches.carry(parameters, inputs, targets, last, update)
    again, _ = batches.batch(batches.chunks.count)  # a new episode: new data, and the state starts from zero
    assert batches.state is None
    assert not torch.equal(again, whole[: len(again)])


def test_replicas_that_leave_take_their_series_and_state_with_them() -> None:
    model = model_of("rnn")
    batches = BatchSource(model, Training(batch_size=B, bptt_window=4), "cpu", [1, 2, 3])
    batches.batch(0)
    batches.state = (torch.arange(3.0).view(3, 1, 1).expand(3, B, 5),)
    batches.keep([2, 0])
    assert batches.state[0][:, 0, 0].tolist() == [2.0, 0.0]
    kept, _ = batches.batch(1)
    assert torch.equal(kept[:, 0], torch.from_numpy(model.task.batch(3, "train", 0, B).inputs[4:8]))
