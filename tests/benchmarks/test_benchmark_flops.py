"""The counted arithmetic is what a framework counts of the same step."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import flops
from benchmarks.problem import Problem
from benchmarks.sizes import BUILT_IN, CELLS, CENTRE, FACTORS, OTHERS, C, D, Sizes, around, moved


@pytest.mark.parametrize("cell", BUILT_IN)
@pytest.mark.parametrize(("T", "B", "H"), [(11, 3, 5), (20, 4, 7)])
def test_products_and_readout_are_what_torch_counts(cell, T, B, H) -> None:
    sizes = Sizes(cell, H, T, B, R=1)
    problem = Problem(sizes)
    model = replace(problem.model, engine="torch")
    initial = {name: torch.from_numpy(value)[None].requires_grad_() for name, value in problem.initial(0).items()}
    used = {name: value.detach().requires_grad_() for name, value in model.cell.parametrize(initial).items()}
    batch = problem.batch(0, 0)
    with FlopCounterMode(display=False) as counter:
        targets = torch.from_numpy(batch.targets)[None]
        outputs, _ = model.outputs(used, torch.from_numpy(batch.inputs)[:, None], targets)
        model.losses(outputs, targets).sum().backward()
    dense_inputs = 2 * 2 * T * B * used["U"].numel()  # the torch engine multiplies where a look-up would do
    assert counter.get_total_flops() == flops.products(sizes) + flops.readout(sizes) + dense_inputs
    assert used["U"].shape[2] == D


@pytest.mark.parametrize("cell", CELLS)
def test_all_but_products_is_small_where_a_limit_is_judged(cell) -> None:
    sizes = Sizes(cell, H=64)
    assert 1 < flops.step(sizes) / flops.products(sizes) < 1.05


def test_the_centre_by_hand() -> None:
    sizes = Sizes("lstm", H=50, T=100, B=32)
    assert flops.products(sizes) == 299 * 2 * 32 * 200 * 50
    assert flops.inputs(sizes) == 2 * 32 * 100 * 200
    assert flops.readout(sizes) == 6 * 32 * 50 * C


@pytest.mark.parametrize(("cell", "operations"), [
    ("rnn", (1, 2, 2)),  # tanh; (1 − h²) ∂h
    ("lstm", (9, 17, 4)),  # σ, σ, tanh, σ, f c + i g, tanh(c), o tanh(c)
    ("indrnn", (3, 4, 2)),  # u h + z, relu; relu′ ∂h, its products with u and with h, and the latter's sum
])  # fmt: skip
def test_elementwise_operations_by_hand(cell, operations) -> None:
    assert flops.operations(cell) == operations


def test_a_matrix_of_an_older_state_goes_back_fewer_steps() -> None:
    assert flops.reaches("skip") == [1, 10]
    assert flops.reaches("cornn") == [1, 1]
    assert flops.reaches("indrnn") == []


def test_the_grid_varies_one_factor_at_a_time() -> None:
    points = around(CENTRE)
    assert points[0] == CENTRE
    assert len(points) == len(set(points)) == 1 + sum(len(values) - 1 for values in FACTORS.values())
    for point in points[1:]:
        assert sum(getattr(point, factor) != getattr(CENTRE, factor) for factor in FACTORS) == 1
    assert moved(CENTRE, "B", 128) in points
    assert {*CELLS, *OTHERS} == set(BUILT_IN)
