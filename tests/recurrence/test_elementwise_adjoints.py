"""Recurrences without a matrix: their adjoints have closed forms, and those of float32 are those of float64."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_networks import normal
from scan_problems import Problem, agree, answer, cell_of, problem

from harness.cells import CELLS
from harness.recurrence.compiler.program import derive
from harness.recurrence.compiler.trace import trace

D = 4


def multiplies_its_state(name: str) -> bool:
    cell = cell_of(name, 4)
    parameters = {key: torch.zeros(1, *shape) for key, shape in cell.shapes(4, D).items()}
    program = derive(trace(cell, cell.parametrize(parameters), exact=True))
    return any(term.operand is not None for term in program.terms)


ELEMENTWISE = [name for name, cell in CELLS.items() if cell.recurs and not multiplies_its_state(name)]


def seen_at_the_end(p: Problem) -> Problem:
    """L = Σ h_T, from a state of zero."""
    ones = (torch.ones_like(p.state[0]), *(None for _ in p.state[1:]))
    return replace(p, last=ones, state=tuple(torch.zeros_like(part) for part in p.state))


@pytest.mark.parametrize("nonlinearity", ["relu", "tanh"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_indrnn_of_either_nonlinearity_is_its_equations_in_both_types(nonlinearity: str, dtype) -> None:
    cell = cell_of("indrnn", 19, nonlinearity=nonlinearity)
    p = problem(cell, T=40, R=2, B=5, D=D, dtype=dtype, real=True, loss="every")
    p.parameters["b_x"] = p.parameters["b_x"].detach() + torch.linspace(-0.5, 0.5, 19, dtype=dtype)
    agree(p, None, 1e-5 if dtype == torch.float32 else 1e-10)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("u", [0.5, 0.9, 1e-3])
def test_adjoints_of_a_linear_unit_fall_by_exactly_u_a_step_far_below_any_float(u: float, dtype) -> None:
    T = 2000  # ½ to the power of 2000 is 10⁻⁶⁰²; with a large bias relu lets everything through
    p = seen_at_the_end(problem("indrnn", T=T, B=2, H=3, D=D, dtype=dtype, real=True))
    parameters = {**p.parameters, "u": torch.full((1, 3), u, dtype=dtype), "b_x": torch.full((1, 3), 10.0, dtype=dtype)}
    level = answer(replace(p, parameters=parameters, inputs=torch.zeros_like(p.inputs)))["level"][0]
    lags = np.arange(T - 1, -1, -1)  # ∂L/∂h_T is 1 for each of 3 units, of 2 sequences
    np.testing.assert_allclose(level, np.log10(2 * np.sqrt(3)) + lags * np.log10(u), rtol=1e-6, atol=1e-6)


def test_adjoints_of_an_lru_fall_by_the_modulus_of_its_eigenvalue() -> None:
    T, modulus = 500, 0.7
    p = seen_at_the_end(problem("lru", T=T, B=1, H=2, D=D, real=True))
    p.parameters["nu"] = torch.full((1, 1), np.log(-np.log(modulus)), dtype=torch.float64)
    np.testing.assert_allclose(np.diff(answer(p)["level"][0]), -np.log10(modulus), atol=1e-9)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_float32_adjoints_of_two_thousand_steps_are_those_of_float64(name: str) -> None:
    T = 2000
    p = seen_at_the_end(problem(name, T=T, B=3, H=6, D=D, dtype=torch.float32, real=True))
    p = replace(p, inputs=normal(0, T, 1, 3, D, dtype=torch.float32))
    p.parameters["b_x"] = p.parameters["b_x"].detach() + torch.linspace(-0.5, 0.5, p.parameters["b_x"].shape[1])
    level = "level" if p.cell.carries_h else "level of c"
    single, double = answer(p)[level][0], answer(p.double())[level][0]
    assert np.isfinite(double[-200:]).all()
    np.testing.assert_allclose(single, double, rtol=1e-4, atol=0.02)
