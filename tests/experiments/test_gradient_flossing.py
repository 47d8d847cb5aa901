"""Flossing before training: what it minimises, what it leaves, and that what is measured is the network's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from study_texts import check_text

from harness.cells.rnn import RNN
from harness.errors import StudyError
from harness.experiments.gradient_flossing import flossed, jacobians
from harness.experiments.setup import Setup
from harness.rng import generator

SMALL = {"hidden_size": 8, "exponents": 3, "sequence_length": 16, "gain": 0.7}


def record_of(plan_of, **changes: object):
    [record] = flossed(plan_of(check_text("gradient_flossing", flossing=SMALL | changes, seeds=1)).runs, Setup("torch"))
    return record


def test_jacobians_are_those_of_autograd() -> None:
    stream = np.random.default_rng(3)
    W, U, b, x = (stream.standard_normal(shape) for shape in ((4, 4), (4, 1), (4,), (6, 1)))

    def last(first: torch.Tensor) -> torch.Tensor:
        h = first
        for each in torch.as_tensor(x):
            h = torch.tanh(torch.as_tensor(W) @ h + torch.as_tensor(U) @ each + torch.as_tensor(b))
        return h

    whole = torch.autograd.functional.jacobian(last, torch.zeros(4, dtype=torch.float64)).numpy()
    np.testing.assert_allclose(np.linalg.multi_dot(jacobians(W, U, b, x)[::-1]), whole, atol=1e-13)


def test_flossing_brings_the_exponents_near_to_zero_and_flattens_the_condition_number(plan_of) -> None:
    before, after = (record_of(plan_of, updates=updates) for updates in (0, 80))
    assert before.run["outcome"] == "unsolved"
    assert after.run["outcome"] == "solved"
    assert after.run["residual"] < 0.25 * before.run["residual"]
    assert after.run["measured"] < 0.5 * before.run["measured"]


def test_the_spectrum_adds_up_to_the_volume_that_a_step_contracts(plan_of) -> None:
    """Σ λ_i = (1/T) Σ_t ln |det J_t|."""
    plan = plan_of(check_text("gradient_flossing", flossing=SMALL | {"updates": 0}, seeds=[5]))
    [record] = flossed(plan.runs, Setup("torch"))
    spectrum, condition = record.rows["profiles"]
    cell = RNN(cell="rnn", hidden_size=8, biases=1, init="gaussian", spectral_radius=0.7)
    drawn = cell.start(5, input_size=1, output_size=1, length=16)
    inputs = generator(5, "measured sequence").standard_normal((16, 1))
    J = jacobians(drawn["W"], drawn["U"], drawn["b_x"], inputs)
    assert sum(spectrum["measured"]) == pytest.approx(np.linalg.slogdet(J).logabsdet.mean())
    σ = np.linalg.svd(np.linalg.multi_dot(J[::-1]), compute_uv=False)
    assert condition["at"][-1] == 16
    assert condition["measured"][-1] == pytest.approx(np.log10(σ[0] / σ[2]))


def test_more_exponents_than_numbers_of_the_state_are_refused(plan_of) -> None:
    with pytest.raises(StudyError, match=r"flossing.exponents: is more than the 8 numbers of the state"):
        plan_of(check_text("gradient_flossing", flossing=SMALL | {"exponents": 9}))
