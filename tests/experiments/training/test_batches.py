"""Chunks of a long series: every step is scored once, windows reach as far back as they can, the state is carried."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from made_networks import stacked, synthetic_task

from harness.cells import CELLS
from harness.experiments.training.batches import BatchSource, Chunks
from harness.experiments.training.settings import Training
from harness.models import MODELS
from harness.recurrence.scan import scan

T, B = 11, 3


def model_of(cell: str) -> Any:
    task = synthetic_task("sequence_to_sequence", length=T, carried=True)
    return MODELS["sequence_to_sequence"](task, CELLS[cell](cell=cell, hidden_size=5), None, "torch")


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
    parameters = stacked([model.initialise(model.cell, seed) for seed in (1, 2)])
    batches = BatchSource(model, Training(batch_size=B, bptt_window=window, bptt_stride=stride), "cpu", [1, 2])
    series = [model.task.batch(seed, "train", 0, B) for seed in (1, 2)]
    symbols, classes = (
        torch.from_numpy(np.stack([getattr(batch, name) for batch in series], 1)) for name in ("inputs", "targets")
    )
    batches.batch(0)
    for update in range(batches.chunks.count):
        inputs, targets = batches.batch(update)
        start, scored, stop = batches.chunks.span(update)
        assert torch.equal(inputs, symbols[start:stop])
        assert (targets[: scored - start] == -1).all()
        assert torch.equal(targets[scored - start :], classes[scored:stop])
        expected = model.start(parameters, 2, B)
        if start:
            _, expected = scan(model.cell, parameters, symbols[:start], expected)
        state = batches.state or model.start(parameters, 2, B)
        for ours, theirs in zip(state, expected, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
        _, last = model.outputs(parameters, inputs, targets, batches.state)
        batches.carry(parameters, inputs, targets, last, update)
    again, _ = batches.batch(batches.chunks.count)  # a new episode: new data, and the state starts from zero
    assert batches.state is None
    assert not torch.equal(again, symbols[: len(again)])


def test_replicas_that_stay_keep_their_own_series_and_state() -> None:
    model = model_of("rnn")
    batches = BatchSource(model, Training(batch_size=B, bptt_window=4), "cpu", [1, 2, 3])
    batches.batch(0)
    batches.state = (torch.arange(3.0).view(3, 1, 1).expand(3, B, 5),)
    batches.keep([2, 0])
    assert batches.state[0][:, 0, 0].tolist() == [2.0, 0.0]
    inputs, _ = batches.batch(1)
    for place, seed in enumerate((3, 1)):
        assert torch.equal(inputs[:, place], torch.from_numpy(model.task.batch(seed, "train", 0, B).inputs[4:8]))
