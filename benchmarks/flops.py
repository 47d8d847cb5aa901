"""The arithmetic of one training step of one replica, counted: what no program can leave out.

It is counted from the equations as the compiler traces them, so for any cell. With H units, B sequences, T steps, a
loss at the end and a constant state at the start, each H × H block W of a matrix that multiplies h_{t−k} has

    W h_{t−k}         forward     T      products (B, H)·(H, H), 2·B·H² operations each
    Wᵀ δ_t            to h_{t−k}  T − k  such products: the state at the start needs no gradient
    Σ_t δ_t h_{t−k}ᵀ  to W        T      such products

A one-hot input is no product but a look-up: H additions a block of U, sequence and step forward, and as many to U and
the biases on the way back. Elementwise work counts an addition, a product and a nonlinearity as one operation each, and
nothing for what has a constant in it (1 − z, the ½ of a sigmoid), which fuses with its neighbours. What a cell does to
its parameters before the first step (the exponential of the orthogonal cell) is not in it. All is taken at the rate of
matrix products, which flatters the limit: elementwise work is slower everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import torch

from benchmarks.sizes import BUILT_IN, C, D, Sizes
from harness.recurrence.compiler.graph import LEAVES, Node, ordered
from harness.recurrence.compiler.program import Program, derive
from harness.recurrence.compiler.trace import trace

MOVES = ("neg", "permute")  # a sign or another order, no arithmetic


def step(sizes: Sizes) -> int:
    """FLOPs of forward and backward: products, elementwise work, inputs and readout."""
    return products(sizes) + elementwise(sizes) + inputs(sizes) + readout(sizes)


def products(sizes: Sizes) -> int:
    """2·B·H²·Σ (3T − k) over the blocks of matrices: the recurrent products and their two adjoints."""
    return 2 * sizes.B * sizes.H**2 * sum(3 * sizes.T - reach for reach in reaches(sizes.cell))


def reaches(cell: str) -> list[int]:
    """Of every H × H block of a matrix, k: how many steps before its own the state was new that it multiplies."""
    known = program(cell)
    return [
        known.reach(term.operand.args[0]) if term.operand.op == "state" else 0
        for term in known.terms
        if term.operand is not None
    ]


def elementwise(sizes: Sizes) -> int:
    """B·T·H times the cell's own operations, forward and back, and two for the norm of each recorded adjoint."""
    return sizes.B * sizes.T * sizes.H * sum(operations(sizes.cell))


def operations(cell: str) -> tuple[int, int, int]:
    """Elementwise operations a unit, sequence and step: forward, back, and norms."""
    known = program(cell)
    forward = ordered(known.new)
    results = [*known.totals, *known.deltas, *known.carries.values(), *known.vectors.values()]
    back = [node for node in ordered(results) if node not in set(forward)]
    # the adjoint of a vector is summed over sequences and steps
    return _counted(forward), _counted(back) + len(known.vectors), 2 * (1 + ("c" in BUILT_IN[cell](cell=cell).states))


def inputs(sizes: Sizes) -> int:
    """2·B·T·H a block of U: U x_t + b is looked up and added; δ_t is added to the column of U that was looked up."""
    blocks = sum(term.operand is None for term in program(sizes.cell).terms)
    return 2 * sizes.B * sizes.T * blocks * sizes.H


def readout(sizes: Sizes) -> int:
    """6·B·H·C: V h_T and its two adjoints."""
    return 6 * sizes.B * sizes.H * C


@cache
def program(cell: str) -> Program:
    """What a step of a cell with its default settings needs, whatever its width."""
    settings = BUILT_IN[cell](cell=cell)
    zeros = {name: torch.zeros(1, *shape) for name, shape in settings.shapes(settings.hidden_size, D).items()}
    return derive(trace(settings, settings.parametrize(zeros), exact=False))


def _counted(nodes: Iterable[Node]) -> int:
    return sum(
        node.op not in LEAVES and node.op not in MOVES and all(argument.op != "const" for argument in node.inputs)
        for node in nodes
    )
