"""Gradients that are taken forward in time against backpropagation, and each against what defines it."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from samples import sampled
from torch import Tensor

from harness.cells import CELLS
from harness.cells.cell import Cell
from harness.cells.lru import LRU
from harness.experiments.training.batches import draw
from harness.gradients.evolution import evolved_gradients
from harness.gradients.local import Local
from harness.gradients.methods import Repeated, estimate
from harness.gradients.objective import TaskObjective
from harness.gradients.online import Estimate, forward_gradients
from harness.gradients.rank_one import RankOne
from harness.gradients.transition import Transition
from harness.models import model_of
from harness.tasks.adding import Adding
from harness.tasks.echo import Echo
from harness.tasks.task import Task

ADDING = Adding(name="adding", sequence_length=12)
ECHO = Echo(name="echo", lag=2, series_length=9)
EXTRA = {"skip": {"skip": 3}, "gated_skip": {"skip": 3}, "window": {"inputs": 3}}
VARIANTS = [
    *((name, EXTRA.get(name, {})) for name in CELLS),
    ("rnn", {"normalisation": "layer"}),
    ("gru", {"biases": 1}),
    ("lru", {"hidden_size": 3}),
    ("lru", {"eigenvalues": "signed"}),
    ("lru", {"gamma": False}),
    ("mingru", {"eigenvalues": "signed"}),
]


def cell_of(name: str, settings: dict[str, object]) -> Cell:
    return CELLS[name](**{"cell": name, "hidden_size": 4, **settings})


class Case:
    """A network in float64 on one batch, with its gradient by backpropagation."""

    def __init__(self, cell: Cell, task: Task, sequences: int = 3) -> None:
        self.model = model_of(task, cell)
        initial = self.model.initialise(cell, 3)
        self.parameters = {name: torch.as_tensor(p)[None].requires_grad_() for name, p in initial.items()}
        inputs, targets = draw(task, [3], "train", 0, sequences, "cpu")
        inputs = inputs.double() if inputs.is_floating_point() else inputs
        outputs, self.last = self.model.outputs(self.parameters, inputs, targets)
        self.loss = self.model.losses(outputs, targets)
        leaves = list(self.parameters.values())
        gradients = torch.autograd.grad(self.loss.sum(), leaves, allow_unused=True, materialize_grads=True)
        self.gradients = dict(zip(self.parameters, gradients, strict=True))
        self.objective = TaskObjective(self.model, inputs, targets, self.parameters["U"])

    def agrees(self, other: Estimate) -> None:
        for name, right in self.gradients.items():
            if not right.numel():
                continue  # phases of eigenvalues that are real
            scale = max(float(right.abs().max()), 1e-3)
            assert float((other.gradients[name] - right).abs().max()) <= 1e-12 * scale, name


AT_THE_END = [(*variant, ADDING) for variant in VARIANTS]
AT_EVERY_STEP = [(*variant, ECHO) for variant in VARIANTS]


@pytest.mark.parametrize(
    ("name", "settings", "task"), [*AT_EVERY_STEP, *sampled(AT_THE_END, AT_THE_END[:3])], ids=lambda of: str(of)[:30]
)
def test_rtrl_is_backpropagation(name: str, settings: dict[str, object], task: Task) -> None:
    case = Case(cell_of(name, settings), task)
    result = estimate("rtrl", case.objective, case.parameters, 0, 0)
    case.agrees(result)
    torch.testing.assert_close(result.loss, case.loss.detach(), rtol=0, atol=1e-14)
    for part, right in zip(result.state, case.last, strict=True):
        torch.testing.assert_close(part, right.detach(), rtol=0, atol=1e-14)


def transition_of(case: Case) -> tuple[Transition, Tensor, Tensor]:
    """A network's transition, with states and rows that are drawn."""
    cell = case.model.cell
    noise = torch.Generator().manual_seed(6)  # a cell may start without recurrent weights
    moved = {
        name: p.detach() + 0.2 * torch.randn(p.shape, generator=noise, dtype=p.dtype)
        for name, p in case.parameters.items()
    }
    used = cell.parametrize(moved)
    D = case.objective.rows.shape[-1]
    draws = torch.Generator().manual_seed(5)
    s = torch.randn(6, sum(cell.widths), generator=draws, dtype=torch.float64)
    return Transition.of(cell, used, (), D), s, torch.randn(6, D, generator=draws, dtype=torch.float64)


@pytest.mark.parametrize(("name", "settings"), VARIANTS, ids=str)
def test_a_cell_is_diagonal_if_no_unit_acts_on_another(name: str, settings: dict[str, object]) -> None:
    cell = cell_of(name, settings)
    transition, s, x = transition_of(Case(cell, ADDING))
    J = transition.state_jacobian(s, x)
    H, units = cell.hidden_size, torch.arange(cell.hidden_size)
    between = (units[:, None] != units) & (torch.as_tensor(cell.partners)[:, None] != units)
    blocks = J.view(len(s), -1, H, transition.parts, H).movedim(3, 2)
    others = bool((blocks[..., between] != 0).any())
    assert others == (not cell.diagonal) or not cell.recurs


@pytest.mark.parametrize(("name", "settings"), VARIANTS, ids=str)
def test_a_row_of_parameters_acts_at_once_on_its_own_unit_alone_but_where_a_cell_says_so(
    name: str, settings: dict[str, object]
) -> None:
    cell = cell_of(name, settings)
    transition, s, x = transition_of(Case(cell, ADDING))
    immediate = transition.jacobians(s, x)[1]
    H = cell.hidden_size
    crossed = False
    for own in immediate.values():
        by_unit = own.reshape(len(s), -1, H, own.shape[2] // H, H, own[0, 0, 0].numel())
        others = ~torch.eye(H, dtype=torch.bool)
        crossed |= bool(by_unit.movedim(4, 3)[:, :, others].any())
    assert crossed == bool(cell.crossing or cell.gains())
    if crossed:
        with pytest.raises(ValueError, match=f"'{name}': a unit's own parameters act on all units at once"):
            Local(transition, 1)


@pytest.mark.parametrize(
    "name", ["rnn", "lstm", "gru", "cornn", *(n for n, kind in CELLS.items() if kind.diagonal and not kind.crossing)]
)
def test_snap1_is_rtrl_without_what_crosses_from_unit_to_unit(name: str) -> None:
    case = Case(cell_of(name, {}), ECHO)
    cell, H = case.model.cell, 4
    partner = torch.as_tensor(cell.partners)

    class Masked:
        """The whole influence, of which all but a unit's own rows is set to zero after every step."""

        def __init__(self, transition: Transition, B: int) -> None:
            self.transition, N = transition, sum(cell.widths)
            self.parts = {n: p.new_zeros(B, N, *p.shape) for n, p in transition.parameters.items()}

        def step(self, s: Tensor, x: Tensor, counts: bool) -> Tensor:
            J, immediate = self.transition.jacobians(s, x)
            for n, P in self.parts.items():
                new = torch.einsum("bij,bj...->bi...", J, P) + immediate[n]
                state, row = torch.arange(new.shape[1]) % H, torch.arange(new.shape[2]) % H
                own = (state[:, None] == row) | (state[:, None] == partner[row])
                self.parts[n] = new * own.view(1, *own.shape, *[1] * (new.dim() - 3))
            return self.transition.step(s, x)

        def credit(self, gradient: Tensor) -> dict[str, Tensor]:
            return {n: torch.einsum("bi,bi...->b...", gradient, P[:, :H]) for n, P in self.parts.items()}

    masked = forward_gradients(case.objective, case.parameters, Masked)
    local = forward_gradients(case.objective, case.parameters, Local)
    for key, right in masked.gradients.items():
        torch.testing.assert_close(local.gradients[key], right, rtol=0, atol=1e-14)
    if cell.diagonal:
        case.agrees(local)


@pytest.mark.parametrize("name", ["rnn", "lstm"])
def test_uoro_is_right_on_average_over_all_signs(name: str) -> None:
    case = Case(
        CELLS[name](cell=name, hidden_size=1 if name == "lstm" else 2), Echo(name="echo", lag=1, series_length=3), 1
    )
    N, T = 2, 3
    signs = torch.tensor(list(product([-1.0, 1.0], repeat=N * T))).view(-1, T, N).transpose(0, 1)
    every = Repeated(case.objective, signs.shape[1])
    case.agrees(forward_gradients(every, case.parameters, lambda transition, B: RankOne(transition, B, signs)))


class Linear:
    """L = Σ_t (t + 1) h_t of one real unit of an LRU: linear in the parameters that are trained."""

    def __init__(self) -> None:
        self.cell = LRU(cell="lru", hidden_size=1)
        self.rows = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64).view(3, 1, 1)
        zero = torch.zeros(1, 1, dtype=torch.float64)
        self.constants = {"nu": zero, "theta": zero[:, :0], "gamma": zero}
        self.trained = {"U": torch.full((1, 1, 1), 0.7, dtype=torch.float64), "b_x": zero + 0.2}

    def loss(self, parameters, h: Tensor, t: int) -> Tensor:
        return (t + 1) * h.mean((1, 2))


@pytest.mark.parametrize("unroll", [1, 2, 3])
def test_pes_is_right_on_average_over_all_signs_of_a_loss_that_is_linear(unroll: int) -> None:
    system = Linear()
    exact = estimate("rtrl", system, system.trained, 0, 0)
    stretches = -(-3 // unroll)
    # Signs have the moments that the proof needs: mean 0, variance 1, independent.
    signs = torch.tensor(list(product([-1.0, 1.0], repeat=2 * stretches)), dtype=torch.float64)

    def normal(stretch: int, name: str, shape: tuple[int, ...]) -> Tensor:
        return signs[:, 2 * stretch + (name == "b_x")].view(shape)

    result = evolved_gradients(system, system.trained, normal, particles=len(signs), sigma=0.1, unroll=unroll)
    for name, right in exact.gradients.items():
        torch.testing.assert_close(result.gradients[name], right, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(result.loss, exact.loss)


@pytest.mark.parametrize("method", ["rtrl", "snap1", "uoro", "pes"])
@pytest.mark.parametrize("name", sampled(["rnn", "lstm", "lru"], ["lstm", "lru"]))
def test_what_is_carried_does_not_grow_with_the_sequence(name: str, method: str) -> None:
    numbers = set()
    for T in (3, 12):
        case = Case(cell_of(name, {}), Echo(name="echo", lag=1, series_length=T))
        parts = estimate(method, case.objective, case.parameters, 0, 0).parts
        numbers.add(sum(part.numel() for part in parts.values()))
    assert len(numbers) == 1


@pytest.mark.parametrize("method", ["rtrl", "snap1"])
def test_gradients_through_the_parameters_of_single_steps_add_up(method: str) -> None:
    case = Case(cell_of("gru", {}), Echo(name="echo", lag=1, series_length=4))
    whole = estimate(method, case.objective, case.parameters, 0, 0)
    single = [estimate(method, case.objective, case.parameters, 0, 0, steps=[t]) for t in range(1, 5)]
    for name in whole.shares:
        total = torch.stack([each.gradients[name] for each in single]).sum(0)
        torch.testing.assert_close(total, whole.gradients[name], rtol=0, atol=1e-14)


@pytest.mark.parametrize("method", ["uoro", "pes"])
def test_what_is_drawn_depends_on_seed_and_update_alone(method: str) -> None:
    case = Case(cell_of("rnn", {}), ECHO)
    first = estimate(method, case.objective, case.parameters, 7, 3).gradients["W"]
    assert torch.equal(first, estimate(method, case.objective, case.parameters, 7, 3).gradients["W"])
    for seed, update in ((8, 3), (7, 4)):
        assert not torch.equal(first, estimate(method, case.objective, case.parameters, seed, update).gradients["W"])


def test_a_way_back_is_no_way_forward() -> None:
    case = Case(cell_of("rnn", {}), ECHO)
    with pytest.raises(ValueError, match="'bptt' goes back"):
        estimate("bptt", case.objective, case.parameters, 0, 0)
    with pytest.raises(ValueError, match="one step only"):
        estimate({"name": "pes", "unroll": 2}, case.objective, case.parameters, 0, 0, steps=[1])


@pytest.mark.parametrize("draws", [1, 4])
def test_more_draws_are_more_estimates_of_each_sequence(draws: int) -> None:
    case = Case(cell_of("rnn", {}), ECHO, sequences=2)
    result = estimate({"name": "uoro", "draws": draws}, case.objective, case.parameters, 0, 0)
    assert len(result.shares["W"]) == 2 * draws
    np.testing.assert_allclose(result.shares["W"].sum(0), result.gradients["W"][0], atol=1e-15)
