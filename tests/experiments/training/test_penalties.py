"""Each penalty is its equation, its gradient is autograd's, it is off unless asked for, and a pack changes no digit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.cells import CELLS
from harness.errors import StudyError
from harness.experiments.setup import Setup
from harness.experiments.training.loop import train
from harness.experiments.training.penalties import SLOPES, lyapunov_exponents, omega_gradient, orthogonal_gradient
from harness.experiments.training.replicas import Replicas
from harness.experiments.training.settings import Training
from harness.registry import read
from harness.schema import Record
from harness.study.plan import Run, plan

T, R, B, H, D = 9, 2, 4, 6, 3
STUDY = """\
name: penalised
claim: A run is itself.
task: {{name: temporal_order, sequence_length: 14}}
model: {{cell: {cell}, hidden_size: 19, init: {init}, biases: 1}}
training: {{max_updates: 6, batch_size: 16, learning_rate: 0.01, {options}}}
evaluation: {{every: 3, sequences: 20}}
sweep: {{model.spectral_radius: [0.8, 1.3]}}
seeds: [3, 11]
"""
OPTIONS = [
    "optimizer: sgd, omega: 4.0, clip_norm: 1.0",
    "omega: 0.5, bptt_window: 5",
    "optimizer: sgd, clip_value: 0.01",
    "orthogonal: 0.1",
    "flossing: 0.5, flossing_exponents: 3",
]


def small(name: str = "rnn", seed: int = 0, **settings: object) -> tuple[object, dict[str, torch.Tensor]]:
    cell = CELLS[name](cell=name, hidden_size=H, **settings)
    replicas = [cell.start(seed + r, input_size=D, output_size=1, length=T) for r in range(R)]
    return cell, {n: torch.as_tensor(np.stack([p[n] for p in replicas])).requires_grad_() for n in replicas[0]}


def states(cell, parameters, x: torch.Tensor) -> list[torch.Tensor]:
    """h_1 … h_T by the cell's own step, each with its gradient kept."""
    z = torch.einsum("rgd,trbd->trbg", parameters["U"], x) + parameters["b_x"].unsqueeze(1)
    state, kept = (torch.zeros(R, B, H, dtype=torch.float64),), []
    for t in range(T):
        state = cell.step(parameters, state, z[t])
        state[0].retain_grad()
        kept.append(state[0])
    return kept


@pytest.mark.parametrize("nonlinearity", ["tanh", "sigmoid", "relu"])
@pytest.mark.parametrize("scale", [1.0, 1e-300])
def test_omega_and_its_gradient_are_those_of_the_equation(nonlinearity: str, scale: float) -> None:
    cell, parameters = small(nonlinearity=nonlinearity, init="gaussian", spectral_radius=1.2)
    with torch.no_grad():
        parameters["b_x"] += 1.0  # no sequence's gradient is cut by relu
    h = states(cell, parameters, torch.as_tensor(np.random.default_rng(1).standard_normal((T, R, B, D))))
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
    found, gradient = omega_gradient(W, slopes, scale * E[-1])
    torch.testing.assert_close(found, expected.detach(), rtol=1e-12, atol=0)
    torch.testing.assert_close(gradient, W.grad, rtol=1e-10, atol=1e-14)


def test_omega_of_an_orthogonal_linear_recurrence_is_exactly_that_of_its_radius() -> None:
    for rho in (0.5, 1.0, 1.5):
        W = rho * torch.linalg.qr(torch.as_tensor(np.random.default_rng(0).standard_normal((1, H, H))))[0]
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


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_the_gradient_of_lyapunov_exponents_is_that_of_finite_differences(cell: str) -> None:
    made, parameters = small(cell, biases=1, init="gaussian", spectral_radius=1.1)
    x = torch.as_tensor(np.random.default_rng(2).standard_normal((T, R, 1, D)))
    zero = (torch.zeros(R, 1, H, dtype=torch.float64),) * len(made.states)
    names = list(parameters)

    def loss(*values: torch.Tensor) -> torch.Tensor:
        return lyapunov_exponents(made, dict(zip(names, values, strict=True)), x, zero, 3).square().sum()

    assert torch.autograd.gradcheck(loss, tuple(parameters.values()), atol=1e-6)


def test_descent_on_squared_exponents_brings_them_to_zero() -> None:
    cell, parameters = small(biases=1, init="gaussian", spectral_radius=0.5)
    x = torch.as_tensor(np.random.default_rng(2).standard_normal((T, R, 1, D)))
    zero = (torch.zeros(R, 1, H, dtype=torch.float64),)
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


def test_all_exponents_of_a_linear_recurrence_sum_to_ln_of_its_determinant() -> None:
    cell, parameters = small(nonlinearity="relu", init="gaussian", spectral_radius=0.1, biases=1)
    with torch.no_grad():
        parameters["b_x"].fill_(1.0)  # W h is smaller than that: relu is the identity
    zero = (torch.zeros(R, 1, H, dtype=torch.float64),)
    found = lyapunov_exponents(cell, parameters, torch.zeros(T, R, 1, D).double(), zero, H)
    torch.testing.assert_close(found.sum(1), torch.linalg.slogdet(parameters["W"])[1], rtol=1e-10, atol=1e-10)


def test_the_exponents_of_an_orthogonal_linear_recurrence_are_ln_of_its_radius() -> None:
    cell, parameters = small(nonlinearity="relu", init="orthogonal", spectral_radius=0.2, biases=1)
    with torch.no_grad():
        parameters["b_x"].fill_(1.0)
    zero = (torch.zeros(R, 1, H, dtype=torch.float64),)
    found = lyapunov_exponents(cell, parameters, torch.zeros(T, R, 1, D).double(), zero, 4)
    torch.testing.assert_close(found, torch.full((R, 4), np.log(0.2), dtype=torch.float64), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_the_orthogonal_penalty_is_summed_over_gate_blocks_and_zero_for_orthogonal_ones(cell: str) -> None:
    _, parameters = small(cell, init="gaussian", spectral_radius=1.3)
    W = parameters["W"]
    sum((block.mT @ block - torch.eye(H)).square().sum() for block in W.split(H, dim=1)).backward()
    torch.testing.assert_close(orthogonal_gradient(W.detach()), W.grad, rtol=1e-10, atol=1e-12)
    _, parameters = small(cell, init="orthogonal")
    assert orthogonal_gradient(parameters["W"]).abs().max().item() < 1e-13


def test_clipping_by_value_holds_each_number_alone() -> None:
    pack = Replicas.start([{"W": np.zeros((2, 2))}] * 2, Training(), "cpu")
    pack.parameters["W"].grad = torch.tensor([[[3.0, -0.2], [0.0, 0.5]], [[-9.0, 0.1], [0.5, 0.4]]])
    pack.clip_value(0.5)
    expected = torch.tensor([[[0.5, -0.2], [0.0, 0.5]], [[-0.5, 0.1], [0.5, 0.4]]])
    assert torch.equal(pack.parameters["W"].grad, expected)


def runs_of(study_file, options: str, cell: str = "rnn", init: str = "gaussian") -> tuple[Run, ...]:
    return plan(read(study_file(STUDY.format(options=options, cell=cell, init=init)))).runs


def trained(runs: tuple[Run, ...] | list[Run], engine: str = "torch") -> dict[str, Record]:
    return {record.run_id: record for record in train(runs, Setup(engine))}


def curves(record: Record) -> str:
    return repr(record.rows["curves"]) + repr(record.run["final_loss"])


@pytest.mark.parametrize("engine", ["torch", "numba"])
@pytest.mark.parametrize("options", OPTIONS)
def test_a_penalised_run_alone_is_bit_for_bit_the_run_in_a_pack(study_file, options: str, engine: str) -> None:
    runs = runs_of(study_file, options)
    together, reversed_pack = trained(runs, engine), trained(runs[::-1], engine)
    for run in runs:
        alone = curves(trained([run], engine)[run.run_id])
        assert alone == curves(together[run.run_id]) == curves(reversed_pack[run.run_id])


@pytest.mark.parametrize("options", OPTIONS)
def test_an_option_changes_what_is_trained(study_file, options: str) -> None:
    plain = options.split(",")[0] if options.startswith("optimizer") else "optimizer: rmsprop"
    with_it, without = trained(runs_of(study_file, options)), trained(runs_of(study_file, plain))
    assert not set(with_it) & set(without)
    losses = [[record.run["final_loss"] for record in found.values()] for found in (with_it, without)]
    assert all(a != b for a, b in zip(*losses, strict=True))


@pytest.mark.parametrize(
    ("options", "cell", "what"),
    [
        ("clip_norm: 1.0, clip_value: 1.0", "rnn", "training.clip_value: clip_norm is set as well"),
        ("omega: 4.0", "lstm", "training.omega: is written for an rnn"),
        ("flossing: 1.0, flossing_exponents: 20", "rnn", "training.flossing_exponents: is more than the 19 numbers"),
        ("orthogonal: 1.0", "indrnn", "training.orthogonal: 'indrnn' has no recurrent blocks"),
    ],
)
def test_an_option_without_a_meaning_is_refused(study_file, options: str, cell: str, what: str) -> None:
    text = STUDY.format(options=options, cell=cell, init="gaussian")
    text = text.replace("sweep: {model.spectral_radius: [0.8, 1.3]}\n", "")
    text = text.replace("init: gaussian", "init: paper") if cell == "indrnn" else text
    with pytest.raises(StudyError, match=what):
        read(study_file(text))


@pytest.mark.parametrize("name", ["indrnn", "rnn"])
def test_exponents_stop_before_a_step_that_removes_a_direction(name: str) -> None:
    cell, parameters = small(name, nonlinearity="relu")
    parameters["b_x"].data.fill_(-100.0)  # all units off: the first step removes everything
    state = (torch.zeros(R, 1, cell.hidden_size, dtype=torch.float64),)
    found = lyapunov_exponents(cell, parameters, torch.zeros(5, R, 1, dtype=torch.int64), state, 2)
    grads = torch.autograd.grad(found.square().sum(), list(parameters.values()), allow_unused=True)
    assert (found == 0).all()
    assert all(g is None or torch.isfinite(g).all() for g in grads)
