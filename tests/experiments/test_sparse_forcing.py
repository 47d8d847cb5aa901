"""Sparse teacher forcing: its gradient is autograd's, where it cuts, and what it is at its two ends."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from study_texts import check_text

from harness.errors import StudyError
from harness.experiments.setup import Setup
from harness.experiments.sparse_forcing import (
    Forcing,
    Weights,
    adjoints,
    divisors,
    first_weights,
    largest_exponent,
    learn,
    log_adjoints,
    loss_and_gradient,
    run,
)
from harness.registry import read
from harness.rng import generator

RNG = np.random.default_rng(5)
H, B, T = 7, 3, 12
DATA = RNG.standard_normal((T + 1, B, 3))
WEIGHTS = first_weights(Forcing(hidden_size=H), DATA, 4)


def text(**forcing: object) -> str:
    small = {"hidden_size": 5, "sequence_length": 20, "batch_size": 2, "max_updates": 3, "interval": 4}
    return check_text("sparse_forcing", forcing=small | forcing, seeds=[3])


def forced_loss(parameters: dict[str, torch.Tensor], x: torch.Tensor, interval: int | None) -> torch.Tensor:
    """Step by step, as the equations are written, with linear layers of torch."""
    inner, outer = torch.nn.Linear(3, H).double(), torch.nn.Linear(H, 3).double()

    def step(y: torch.Tensor) -> torch.Tensor:
        h = torch.func.functional_call(inner, {"weight": parameters["U"], "bias": parameters["c"]}, y)
        return torch.func.functional_call(outer, {"weight": parameters["V"], "bias": parameters["b"]}, torch.tanh(h))

    y, errors = x[0], []
    for t in range(1, len(x)):
        y = step(y)
        errors.append((y - x[t]) ** 2)
        if interval is not None and t % interval == 0:
            y = x[t]
    return torch.stack(errors).mean()


@pytest.mark.parametrize("interval", [1, 3, 4, 12])
def test_loss_and_gradient_are_those_of_autograd(interval: int) -> None:
    parameters = {name: torch.tensor(weight, requires_grad=True) for name, weight in WEIGHTS.items()}
    expected = forced_loss(parameters, torch.tensor(DATA), interval)
    expected.backward()
    loss, gradient = loss_and_gradient(WEIGHTS, DATA, interval)
    assert loss == pytest.approx(float(expected.detach()), rel=1e-13)
    for name, parameter in parameters.items():
        np.testing.assert_allclose(gradient[name], parameter.grad.numpy(), atol=1e-14)


def test_forced_at_every_step_it_is_the_regression_of_the_next_value() -> None:
    """The loss of a network of one hidden layer on the pairs (x_{t−1}, x_t), in any order."""
    predicted = np.tanh(DATA[:-1] @ WEIGHTS["U"].T + WEIGHTS["c"]) @ WEIGHTS["V"].T + WEIGHTS["b"]
    loss, gradient = loss_and_gradient(WEIGHTS, DATA, 1)
    assert loss == pytest.approx(np.mean((predicted - DATA[1:]) ** 2))
    np.testing.assert_allclose(gradient["b"], 2 * (predicted - DATA[1:]).mean((0, 1)) / 3)


def test_forced_after_the_last_step_it_is_left_alone() -> None:
    left_alone = forced_loss({name: torch.tensor(weight) for name, weight in WEIGHTS.items()}, torch.tensor(DATA), None)
    assert loss_and_gradient(WEIGHTS, DATA, T)[0] == pytest.approx(float(left_alone))
    assert loss_and_gradient(WEIGHTS, DATA, T)[0] == pytest.approx(
        np.mean((run(WEIGHTS, DATA[0], T).y[1:] - DATA[1:]) ** 2)
    )


def test_the_adjoints_are_the_product_of_jacobians() -> None:
    trajectory, immediate = run(WEIGHTS, DATA[0], T), np.zeros((T, B, 3))
    immediate[-1] = RNG.standard_normal((B, 3))
    of_y, _ = adjoints(WEIGHTS, trajectory, immediate)
    for sequence in range(B):
        adjoint = immediate[-1, sequence]
        for t in range(T - 1, 0, -1):
            J = WEIGHTS["V"] @ np.diag(1 - trajectory.h[t, sequence] ** 2) @ WEIGHTS["U"]
            adjoint = J.T @ adjoint
            np.testing.assert_allclose(of_y[t - 1, sequence], adjoint, atol=1e-14)


def test_the_norms_of_the_adjoints_are_those_of_autograd() -> None:
    y = [torch.tensor(DATA[0], requires_grad=True)]
    for _ in range(T):
        y.append(
            torch.tanh(y[-1] @ torch.tensor(WEIGHTS["U"].T) + torch.tensor(WEIGHTS["c"])) @ torch.tensor(WEIGHTS["V"].T)
        )
    v = torch.tensor(generator(2, "adjoint").standard_normal((B, 3)))
    gradients = torch.autograd.grad((y[-1] * v / v.norm(dim=-1, keepdim=True)).sum(), y[1:])
    logs = [float(gradient.norm(dim=-1).log().mean()) for gradient in reversed(gradients)]
    np.testing.assert_allclose(log_adjoints(WEIGHTS, run(WEIGHTS, DATA[0], T), 2), logs, atol=1e-12)


def test_regression_leaves_an_error_that_no_hidden_unit_explains() -> None:
    """The normal equations: residuals of the start by regression have no covariance with h, and mean zero."""
    weights = first_weights(Forcing(hidden_size=H, start="regression"), DATA, 4)
    np.testing.assert_array_equal(weights["U"], WEIGHTS["U"])
    loss, gradient = loss_and_gradient(weights, DATA, 1)
    np.testing.assert_allclose(gradient["V"], 0, atol=1e-13)
    np.testing.assert_allclose(gradient["b"], 0, atol=1e-13)
    assert loss < loss_and_gradient(WEIGHTS, DATA, 1)[0]


def rotation(scale: float) -> Weights:
    """A network at rest whose Jacobian is `scale` times an orthogonal matrix."""
    Q = np.linalg.qr(RNG.standard_normal((3, 3)))[0]
    return {"U": np.eye(3), "c": np.zeros(3), "V": scale * Q, "b": np.zeros(3)}


@pytest.mark.parametrize("scale", [0.8, 1.0, 1.3])
def test_at_rest_exponent_and_slope_are_the_logarithm_of_the_scale(scale: float) -> None:
    rest = run(rotation(scale), np.zeros((2, 3)), 30)
    assert largest_exponent(rotation(scale), rest) == pytest.approx(np.log(scale), abs=1e-12)
    np.testing.assert_allclose(log_adjoints(rotation(scale), rest, 1), np.arange(30) * np.log(scale), atol=1e-12)


def test_a_run_repeats_bit_by_bit_alone_and_beside_others(plan_of) -> None:
    plan = plan_of(
        check_text("sparse_forcing", forcing={"interval": 5, "sequence_length": 20, "max_updates": 3}, seeds=[3, 4])
    )
    alone = [record for each in plan.runs for record in learn([each], Setup("torch"))]
    for record, again in zip(learn(plan.runs, Setup("torch")), alone, strict=True):
        assert {**record.run, "seconds": 0} == {**again.run, "seconds": 0}
        assert record.rows == again.rows


def test_what_a_run_leaves(plan_of) -> None:
    [record] = learn(plan_of(text()).runs, Setup("torch"))
    profiles = {profile["quantity"]: profile for profile in record.rows["profiles"]}
    assert profiles["log10_gradient_by_interval"]["at"] == [1, 2, 4, 5, 10, 20]
    assert profiles["log10_gradient"]["at"] == [1, 2, 3]
    assert profiles["log_adjoint"]["measured"][0] == pytest.approx(0, abs=1e-15)  # v is of length 1
    assert record.run["updates"] == 3
    assert record.run["exponent_ratio"] == pytest.approx(record.run["predicted"] / (0.906 * 0.05))
    assert record.run["outcome"] == "unsolved"


@pytest.mark.parametrize("interval", [3, 40])
def test_an_interval_divides_the_length(study_file, interval: int) -> None:
    with pytest.raises(StudyError, match=r"forcing.interval: divides sequence_length: 1, 2, 4, 5, 10, 20"):
        read(study_file(text(interval=interval)))


def test_divisors_are_all_of_them() -> None:
    assert divisors(180) == [1, 2, 3, 4, 5, 6, 9, 10, 12, 15, 18, 20, 30, 36, 45, 60, 90, 180]
