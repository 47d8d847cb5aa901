"""The simple RNN: its sigmoid by either engine, and the two initialisations with a given deviation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from made_networks import started
from pydantic import ValidationError

from harness.cells.initialisation import spectral_radius
from harness.cells.rnn import FAN_IN, RNN
from harness.models.sequence_to_vector import SequenceToVector
from harness.recurrence.adjoints import AdjointRecorder
from harness.recurrence.scan import scan
from harness.tasks.temporal_order import TemporalOrder

H, D, T, R, B = 40, 8, 11, 2, 3


def scanned(engine: str, window: int | None, every_step: bool) -> tuple[list[torch.Tensor], AdjointRecorder]:
    cell = RNN(cell="rnn", nonlinearity="sigmoid", hidden_size=7, init="gaussian", spectral_radius=3.0)
    parameters = started(cell, range(R), input_size=D, length=T)
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(-1, D, (T, R, B), generator=generator)
    state = (torch.rand(R, B, 7, generator=generator, dtype=torch.float64),)
    recorder = AdjointRecorder()
    h, last = scan(
        cell, parameters, tokens, state, window=window, every_step=every_step, engine=engine, recorder=recorder
    )
    (h * torch.randn(h.shape, generator=generator, dtype=torch.float64)).sum().backward()
    return [h.detach(), last[0].detach(), *(p.grad for p in parameters.values())], recorder


@pytest.mark.parametrize("every_step", [False, True])
@pytest.mark.parametrize("window", [None, 4])
def test_a_sigmoid_network_is_the_same_by_either_engine(window: int | None, every_step) -> None:
    (ours, recorder), (expected, twin) = (scanned(engine, window, every_step) for engine in ("compiled", "torch"))
    for a, b in zip(ours, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(recorder.log10_adjoint, twin.log10_adjoint, rtol=0, atol=1e-11)
    np.testing.assert_allclose(recorder.log10_immediate, twin.log10_immediate, rtol=0, atol=1e-11)


def model(**settings: object) -> dict[str, np.ndarray]:
    cell = RNN(cell="rnn", hidden_size=H, **settings)
    task = TemporalOrder(name="temporal_order", sequence_length=20)
    return SequenceToVector(task, cell, None, "torch").initialise(cell, 5)


def test_normal_weights_have_the_given_deviation_and_no_bias() -> None:
    drawn, wider = model(init="normal", deviation=0.1), model(init="normal", deviation=0.2)
    for name in ("W", "U", "V"):
        assert drawn[name].std() == pytest.approx(0.1, rel=0.2)
        np.testing.assert_allclose(wider[name], 2 * drawn[name], rtol=1e-12)
    assert all((drawn[name] == 0).all() for name in ("b_x", "b_h", "b_y"))
    assert drawn["W"].std() == pytest.approx(0.1, rel=0.05)


def test_a_sparse_start_has_fifteen_weights_into_each_unit_and_its_radius() -> None:
    drawn = model(init="sparse", deviation=0.01, spectral_radius=0.95)
    assert ((drawn["W"] != 0).sum(1) == FAN_IN).all()
    assert spectral_radius(drawn["W"]) == pytest.approx(0.95, abs=1e-12)
    assert drawn["U"].std() == pytest.approx(0.01, rel=0.2)
    assert (drawn["b_x"] == 0).all()


def test_a_deviation_is_required_where_it_has_a_meaning_and_ignored_elsewhere() -> None:
    assert RNN(cell="rnn", deviation=0.1).deviation is None
    assert RNN(cell="rnn", init="normal", deviation=0.1, spectral_radius=1.0).spectral_radius is None
    with pytest.raises(ValidationError, match="must be given with init: sparse"):
        RNN(cell="rnn", init="sparse")
