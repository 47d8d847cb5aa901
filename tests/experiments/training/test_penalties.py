"""Each penalty is its equation, its gradient is autograd's, it is off by default, and a pack changes no digit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from made_networks import Parameters, normal, started, zero_state
from samples import sampled
from study_texts import study_text
from trained_runs import assert_packs_change_nothing, trained

from harness.cells import CELLS
from harness.errors import StudyError
from harness.experiments.training.penalties import SLOPES, lyapunov_exponents, omega_gradient, orthogonal_gradient
from harness.experiments.training.replicas import Replicas
from harness.experiments.training.settings import Training
from harness.recurrence.drive import drive
from harness.registry import read
from harness.study.plan import Run

T, R, B, H, D = 9, 2, 4, 6, 3
OPTIONS: list[dict[str, Any]] = [
    {"optimizer": "sgd", "omega": 4.0, "clip_norm": 1.0},
    {"omega": 0.5, "bptt_window": 5},
    {"optimizer": "sgd", "clip_value": 0.01},
    {"orthogonal": 0.1},
    {"flossing": 0.5, "flossing_exponents": 3},
]


def small(name: str = "rnn", *, H: int = H, **settings: Any) -> tuple[Any, Parameters]:
    """A cell and float64 parameters of R replicas."""
    cell = CELLS[name](cell=name, hidden_size=H, **settings)
    return cell, started(cell, range(R), input_size=D, length=T)


def states_of(cell: Any, parameters: Parameters, x: torch.Tensor) -> list[torch.Tensor]:
    """h_1 … h_T by the cell's own step; autograd will give each its gradient."""
    z, state, states = drive(parameters, x), zero_state(cell, R, B), []
    for t in range(T):
        state = cell.step(parameters, state, z[t])
        state[0].retain_grad()
        states.append(state[0])
    return states


@pytest.mark.parametrize("nonlinearity", ["tanh", "sigmoid", "relu"])
@pytest.mark.parametrize("scale", [1.0, 1e-300])
def test_omega_and_its_gradient_are_those_of_the_equation(nonlinearity: str, scale: float) -> None:
    cell, parameters = small(nonlinearity=nonlinearity, init="gaussian", spectral_radius=1.2)
    with torch.no_grad():
        parameters["b_x"] += 1.0  # no sequence's gradient is cut by relu
    h = states_of(cell, parameters, normal(1, T, R, B, D))
    (h[-1] * torch.linspace(-1, 2, H, dtype=torch.float64)).sum().backward()
    E = [part.grad for part in h]  # ∂E/∂h_1 … ∂E/∂h_T, by autograd
    W = parameters["W"].detach().requires_grad_()
    slopes = torch.stack([SLOPES[nonlinearity](part.detach()) for part in h])
    ratios = [
        torch.linalg.vector_norm((slopes[k + 1] * E[k + 1]) @ W, dim=-1) / torch.linalg.vector_norm(E[k + 1], dim=-1)
        for k in range(T - 1)
    ]
    expected = torch.stack([(r - 1).square() for r in ratios]).mean((0, 2))
    expected.sum().backward()
    omega, gradient = omega_gradient(W, slopes, scale * E[-1])
    torch.testing.assert_close(omega, expected.detach(), rtol=1e-12, atol=0)
    torch.testing.assert_close(gradient, W.grad, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("rho", [0.5, 1.0, 1.5])
def test_omega_of_an_orthogonal_linear_recurrence_is_exactly_that_of_its_radius(rho: float) -> None:
    W = rho * torch.linalg.qr(normal(0, 1, H, H))[0]
    ω, gradient = omega_gradient(W, torch.ones(T, 1, B, H, dtype=torch.float64), torch.ones(1, B, H).double())
    assert ω.item() == pytest.approx((rho - 1) ** 2, abs=1e-12)
    assert (gradient.abs().max().item() < 1e-12) == (rho == 1.0)


def test_a_step_without_gradient_is_left_out_of_omega() -> None:
    slopes = torch.ones(T, 1, 2, H, dtype=torch.float64)
    slopes[3, 0, 0] = 0  # the first sequence's gradient ends here
    ω, gradient = omega_gradient(0.5 * torch.eye(H).double()[None], slopes, torch.ones(1, 2, H).double())
    pairs, dead = (T - 3) + (T - 1), 1
    assert ω.item() == pytest.approx(((pairs - dead) * 0.25 + dead * 1.0) / pairs, abs=1e-12)
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("name", sampled(["rnn", "lstm", "gru"], ["rnn", "gru"]))
def test_the_gradient_of_lyapunov_exponents_is_that_of_finite_differences(name: str) -> None:
    cell, parameters = small(name, H=3, biases=1, init="gaussian", spectral_radius=1.1)
    x, zero = normal(2, 6, R, 1, D), zero_state(cell, R, 1)

    def loss(*values: torch.Tensor) -> torch.Tensor:
        return lyapunov_exponents(cell, dict(zip(parameters, values, strict=True)), x, zero, 2).square().sum()

    assert torch.autograd.gradcheck(loss, tuple(parameters.values()), atol=1e-6)


def test_descent_on_squared_exponents_brings_them_to_zero() -> None:
    cell, parameters = small(biases=1, init="gaussian", spectral_radius=0.5)
    x, zero = normal(2, T, R, 1, D), zero_state(cell, R, 1)
    descent = torch.optim.Adam(parameters.values(), lr=0.05)
    sizes = []
    for _ in range(60):
        exponents = lyapunov_exponents(cell, parameters, x, zero, 2)
        sizes.append(exponents.detach().abs().max().item())
        descent.zero_grad()
        exponents.square().sum().backward()
        descent.step()
    assert sizes[0] > 0.5
    assert sizes[-1] < 0.1


def linear_exponents(init: str, rho: float, count: int) -> tuple[torch.Tensor, Parameters]:
    """Exponents (R, count) of a relu network without inputs that is linear: W h is smaller than the bias."""
    cell, parameters = small(nonlinearity="relu", init=init, spectral_radius=rho, biases=1)
    with torch.no_grad():
        parameters["b_x"].fill_(1.0)
    x = torch.zeros(T, R, 1, D, dtype=torch.float64)
    return lyapunov_exponents(cell, parameters, x, zero_state(cell, R, 1), count), parameters


def test_all_exponents_of_a_linear_recurrence_sum_to_ln_of_its_determinant() -> None:
    exponents, parameters = linear_exponents("gaussian", 0.1, H)
    torch.testing.assert_close(exponents.sum(1), torch.linalg.slogdet(parameters["W"])[1], rtol=1e-10, atol=1e-10)


def test_the_exponents_of_an_orthogonal_linear_recurrence_are_ln_of_its_radius() -> None:
    exponents, _ = linear_exponents("orthogonal", 0.2, 4)
    torch.testing.assert_close(exponents, torch.full((R, 4), np.log(0.2), dtype=torch.float64), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_the_orthogonal_penalty_is_summed_over_gate_blocks_and_zero_for_orthogonal_ones(cell: str) -> None:
    _, parameters = small(cell, init="gaussian", spectral_radius=1.3)
    W = parameters["W"]
    sum((block.mT @ block - torch.eye(H)).square().sum() for block in W.split(H, dim=1)).backward()
    torch.testing.assert_close(orthogonal_gradient(W.detach()), W.grad, rtol=1e-10, atol=1e-12)
    _, parameters = small(cell, init="orthogonal")
    assert orthogonal_gradient(parameters["W"]).abs().max().item() < 1e-13


def test_clipping_by_value_limits_each_number_alone() -> None:
    pack = Replicas.start([{"W": np.zeros((2, 2))}] * 2, Training(), "cpu")
    pack.parameters["W"].grad = torch.tensor([[[3.0, -0.2], [0.0, 0.5]], [[-9.0, 0.1], [0.5, 0.4]]])
    pack.clip_value(0.5)
    expected = torch.tensor([[[0.5, -0.2], [0.0, 0.5]], [[-0.5, 0.1], [0.5, 0.4]]])
    assert torch.equal(pack.parameters["W"].grad, expected)


def text_of(training: dict[str, Any], **model: Any) -> str:
    return study_text(
        task={"sequence_length": 14},
        model={"hidden_size": 19, "biases": 1, **model},
        training={"max_updates": 6, "batch_size": 16, "learning_rate": 0.01, **training},
        evaluation={"every": 3, "sequences": 20},
        seeds=[3, 11],
        sweep={"model.spectral_radius": [0.8, 1.3]} if "init" in model else None,
    )


@pytest.fixture
def runs_of(plan_of) -> Callable[..., tuple[Run, ...]]:
    return lambda training: plan_of(text_of(training, init="gaussian")).runs


@pytest.mark.parametrize("engine", sampled(["torch", "compiled"], ["compiled"]))
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_penalised_run_alone_is_bit_for_bit_the_run_in_a_pack(runs_of, options: dict[str, Any], engine: str) -> None:
    assert_packs_change_nothing(runs_of(options), engine)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_an_option_changes_the_trained_network(runs_of, options: dict[str, Any]) -> None:
    plain = {name: value for name, value in options.items() if name == "optimizer"}
    penalised, unpenalised = trained(runs_of(options)), trained(runs_of(plain))
    assert not set(penalised) & set(unpenalised)
    for one, other in zip(penalised.values(), unpenalised.values(), strict=True):
        assert one.run["final_loss"] != other.run["final_loss"]


@pytest.mark.parametrize(
    ("options", "cell", "message"),
    [
        ({"clip_norm": 1.0, "clip_value": 1.0}, "rnn", "training.clip_value: clip_norm is set as well"),
        ({"omega": 4.0}, "lstm", "training.omega: is written for an rnn"),
        (
            {"flossing": 1.0, "flossing_exponents": 20},
            "rnn",
            "training.flossing_exponents: is more than the 19 numbers",
        ),
        ({"orthogonal": 1.0}, "indrnn", "training.orthogonal: 'indrnn' has no recurrent blocks"),
        ({"orthogonal": 1.0}, "lipschitz", "'lipschitz' has no recurrent blocks of H × H numbers that are trained"),
    ],
    ids=str,
)
def test_an_option_without_a_meaning_is_refused(study_file, options: dict[str, Any], cell: str, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        read(study_file(text_of(options, cell=cell)))


@pytest.mark.parametrize("name", ["indrnn", "rnn"])
def test_exponents_stop_before_a_step_that_removes_a_direction(name: str) -> None:
    cell, parameters = small(name, nonlinearity="relu")
    parameters["b_x"].data.fill_(-100.0)  # all units off: the first step removes everything
    symbols = torch.zeros(5, R, 1, dtype=torch.int64)
    exponents = lyapunov_exponents(cell, parameters, symbols, zero_state(cell, R, 1), 2)
    grads = torch.autograd.grad(exponents.square().sum(), list(parameters.values()), allow_unused=True)
    assert (exponents == 0).all()
    assert all(g is None or torch.isfinite(g).all() for g in grads)
