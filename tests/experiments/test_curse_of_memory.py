"""The simulated moments are the closed ones, at every step and in the steady state."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from study_texts import check_text

from harness.errors import StudyError
from harness.experiments.curse_of_memory import moments, remember
from harness.experiments.setup import Setup
from harness.registry import read
from harness.rng import generator


def text_of(sequence_length: int, **settings: object) -> str:
    memory = {"eigenvalue": 0.8, "sequence_length": sequence_length, "sequences": 20000, **settings}
    return check_text("curse_of_memory", memory=memory)


@pytest.mark.parametrize("normalised", [False, True])
def test_the_derivative_is_that_of_autograd(normalised: bool) -> None:
    """A weight of its own for each of 100 sequences: the gradient of their sum has each one's derivative."""
    squares, sensitivities = moments(0.7, 5, 100, [1, 12], normalised=normalised)
    stream, h = generator(5, "input"), torch.zeros(100, dtype=torch.float64)
    weight = torch.full((100,), 0.7, dtype=torch.float64, requires_grad=True)
    for _ in range(12):
        gain = (1 - weight**2).sqrt() if normalised else 1.0
        h = weight * h + gain * torch.as_tensor(stream.standard_normal(100))
    h.sum().backward()
    assert squares[1] == pytest.approx(float(h.detach().square().mean()))
    assert sensitivities[1] == pytest.approx(float(weight.grad.square().mean()))
    assert normalised or sensitivities[0] == 0.0


def test_the_moments_are_the_closed_ones(plan_of) -> None:
    """20,000 sequences: a standard error of 1 %."""
    for record in remember(plan_of(text_of(60)).runs, Setup("torch")):
        assert record.run["outcome"] == "solved"
        assert record.run["residual"] < 0.05
        assert record.run["predicted"] == pytest.approx(1.64 / 0.36**3)
        for profile in record.rows["profiles"]:
            np.testing.assert_allclose(profile["measured"], profile["theory"], rtol=0.05)


@pytest.mark.parametrize(("by", "steady"), [("eigenvalue", 1 / 0.36**2), ("exponent", (0.8 * np.log(0.8) / 0.36) ** 2)])
def test_normalised_moments_are_the_closed_ones(plan_of, by: str, steady: float) -> None:
    [record, _] = remember(plan_of(text_of(60, normalised=True, by=by)).runs, Setup("numpy"))
    assert record.run["predicted"] == pytest.approx(steady)
    assert record.run["residual"] < 0.05
    for profile in record.rows["profiles"]:
        np.testing.assert_allclose(profile["measured"], profile["theory"], rtol=0.05)


def test_sequences_too_short_for_a_steady_state_are_refused(study_file) -> None:
    with pytest.raises(StudyError, match="take about 50"):
        read(study_file(text_of(15)))
