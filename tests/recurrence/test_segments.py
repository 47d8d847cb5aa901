"""Long sequences: segments that are computed again on the way back change nothing but the order of sums."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scan_problems import CASES, answer, assert_close, problem, same_bits

from harness.recurrence.compiler import forward_arrays, sequence


class Counted(forward_arrays.ForwardArrays):
    """The arrays of a forward pass, which count its calls and may have segments of a given number of steps."""

    steps: int | None = None
    segments: list[tuple[int, int]]

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self.segment = type(self).steps or self.segment

    def run(self, states, saved, start: int, stop: int) -> None:
        self.segments.append((start, stop))
        super().run(states, saved, start, stop)


@pytest.fixture
def arrays(monkeypatch) -> type[Counted]:
    """The class of all arrays from here on; its `steps` are set by a test."""
    kind = type("Arrays", (Counted,), {"segments": []})
    monkeypatch.setattr(sequence, "ForwardArrays", kind)
    return kind


@pytest.mark.parametrize("window", [None, 4, 7, 11])
@pytest.mark.parametrize("loss", ["last", "every"])
@pytest.mark.parametrize("name", [*CASES, "skip", "normalised"])
def test_segments_change_neither_gradients_nor_adjoints(arrays, name: str, loss: str, window: int | None) -> None:
    p = problem(name, T=23, R=2, B=3, H=5, D=3, loss=loss if name != "skip" else loss.replace("last", "h"))
    whole = answer(p, window=window)
    for arrays.steps in (1, 5):
        assert_close(answer(p, window=window), whole, 1e-12)


def test_a_segment_is_computed_again_only_if_the_window_reaches_it(arrays) -> None:
    p = problem("tanh", T=23, B=3, H=5, D=3)
    arrays.steps = 5
    answer(p, window=7)
    forward, again = [(0, 5), (5, 10), (10, 15), (15, 20), (20, 23)], [(15, 20)]
    assert arrays.segments == forward + again  # the last is still there when the way back begins


@pytest.mark.parametrize("name", ["tanh", "lstm"])
def test_a_sequence_has_segments_as_soon_as_what_it_saves_is_more_than_the_limit(arrays, monkeypatch, name) -> None:
    p = problem(name, T=400, B=3, H=5, D=3, loss="every")
    monkeypatch.setattr(forward_arrays, "SEGMENT_BYTES", 5e4)
    answer(p)
    length = arrays.segments[0][1]
    assert 1 < length < 400
    monkeypatch.setattr(forward_arrays, "SEGMENT_BYTES", 1e5)
    arrays.segments.clear()
    answer(p)
    assert abs(arrays.segments[0][1] - 2 * length) <= 1


def test_the_length_of_a_segment_does_not_depend_on_the_pack(monkeypatch) -> None:
    monkeypatch.setattr(forward_arrays, "SEGMENT_BYTES", 5e4)
    p = problem("lstm", T=60, R=3, B=5, H=7, D=3, dtype=torch.float32, loss="every")
    pack = answer(p)
    for r in range(3):
        alone = answer(p.replicas([r]))
        same_bits({name: value[0] for name, value in alone.items()}, {name: value[r] for name, value in pack.items()})


def test_adjoints_do_not_underflow_between_segments(arrays) -> None:
    T, B, H = 1500, 3, 5
    p = problem("relu", T=T, R=2, B=B, H=H, D=3, dtype=torch.float32, loss="h")
    values = {"W": 0.5 * torch.eye(H), "b_x": torch.tensor(1e-3)}
    parameters = {k: values.get(k, torch.tensor(0.0)).expand(v.shape).clone() for k, v in p.parameters.items()}
    arrays.steps = 400
    level = answer(replace(p, parameters=parameters, state=(torch.full_like(p.state[0], 1e-3),)))["level"]
    np.testing.assert_allclose(np.diff(level), np.log10(2), atol=1e-6)
    assert (level[:, 0] < -440).all()
