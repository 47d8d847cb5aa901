"""A cell over time: the window truncates exactly, and adjoints are those of autograd, without underflow."""

from typing import Any, get_args

import numpy as np
import pytest
import torch
from made_networks import CELL_ENGINES, ENGINES, Parameters, normal, started, zero_state
from samples import sampled
from torch import Tensor

from harness.cells import CELLS
from harness.recurrence.adjoints import AdjointRecorder
from harness.recurrence.drive import drive
from harness.recurrence.scan import scan

T, R, B, D, H = 12, 2, 3, 8, 5


def problem(name: str, dtype: torch.dtype = torch.float64, *, T: int = T, **settings: Any):
    """A cell, parameters of R replicas, symbols (T, R, B), the state before the first step, and ∂L/∂h_T · B."""
    if "gaussian" in get_args(CELLS[name].model_fields["init"].annotation):
        settings = {"init": "gaussian", "spectral_radius": 1.0, **settings}
    cell = CELLS[name](cell=name, hidden_size=H, **settings)
    parameters = started(cell, range(R), input_size=D, length=T, dtype=dtype)
    tokens = torch.randint(-1, D, (T, R, B), generator=torch.Generator().manual_seed(0))
    return cell, parameters, tokens, zero_state(cell, R, B, dtype), normal(1, R, B, H, dtype=dtype)


def gradients_of(loss: Tensor, parameters: Parameters) -> Parameters:
    """By name; zero where the loss does not depend on a parameter."""
    values = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
    return {
        name: torch.zeros_like(parameters[name]) if value is None else value
        for name, value in zip(parameters, values, strict=True)
    }


def assert_close(ours: Parameters, theirs: Parameters) -> None:
    for name, value in ours.items():
        torch.testing.assert_close(value, theirs[name], rtol=0, atol=1e-10, msg=lambda m, name=name: f"{name}: {m}")


def differentiated_by_hand(cell, parameters, tokens, state, weights, window: int):
    """Gradients of the parameters and log₁₀ norms (T, R) of ∂L/∂h_t and ∂L/∂c_t, by autograd one step at a time."""
    z = drive(parameters, tokens)
    states = []
    for t in range(T):
        if t == T - window:
            state = tuple(part.detach() for part in state)
        state = cell.step(parameters, state, z[t])
        states.append(state)
    groups = [("h",), *([cell.cell_state] if cell.cell_state else [])]
    loss = (state[0] * weights).sum() / B
    levels = []
    for names in groups:
        own = [each[cell.states.index(name)] for each in states for name in names]
        gradients = torch.autograd.grad(loss, own, retain_graph=True, allow_unused=True)
        whole = [torch.zeros_like(part) if g is None else g for g, part in zip(gradients, own, strict=True)]
        steps = [torch.cat(whole[i : i + len(names)], -1) for i in range(0, len(whole), len(names))]
        norms = [(B * g).norm(dim=-1).mean(-1) for g in steps]
        with np.errstate(divide="ignore"):
            levels.append(np.log10(np.stack(norms)))
    return gradients_of(loss, parameters), levels


@pytest.mark.parametrize("window", [1, 2, 7, T, None, T + 5])
@pytest.mark.parametrize(("name", "engine"), CELL_ENGINES)
def test_adjoints_are_those_of_autograd_and_exactly_zero_before_the_window(
    name: str, engine: str, window: int | None
) -> None:
    cell, parameters, tokens, state, weights = problem(name)
    recorder = AdjointRecorder()
    h, _ = scan(cell, parameters, tokens, state, window=window, engine=engine, recorder=recorder)
    ours = gradients_of((h * weights).sum() / B, parameters)
    K = min(window or T, T)
    theirs, expected = differentiated_by_hand(cell, parameters, tokens, state, weights, K)
    np.testing.assert_allclose(recorder.log10_adjoint, expected[0], rtol=0, atol=1e-10)
    assert np.isneginf(recorder.log10_adjoint[: T - K]).all()
    carrying = recorder.log10_adjoint if cell.carries_h else recorder.log10_adjoint_cell
    assert np.isfinite(carrying[T - K if cell.recurs else T - 1 :]).all()
    if cell.cell_state:
        np.testing.assert_allclose(recorder.log10_adjoint_cell, expected[1], rtol=0, atol=1e-10)
    else:
        assert recorder.log10_adjoint_cell is None
    assert_close(ours, theirs)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_immediate_gradient_of_a_loss_at_the_end_is_seen_at_the_end_alone(engine: str) -> None:
    cell, parameters, tokens, state, weights = problem("rnn")
    recorder = AdjointRecorder()
    h, _ = scan(cell, parameters, tokens, state, engine=engine, recorder=recorder)
    ((h * weights).sum() / B).backward()
    np.testing.assert_allclose(recorder.log10_immediate[-1], weights.norm(dim=-1).mean(-1).log10().numpy(), atol=1e-12)
    assert np.isneginf(recorder.log10_immediate[:-1]).all()


def linear_problem(dtype: torch.dtype, rho: float, T: int):
    """An RNN with W = ρ·I whose states are small and positive, so that relu lets every gradient through."""
    cell, parameters, *rest = problem("rnn", dtype, T=T, init="identity", spectral_radius=rho, nonlinearity="relu")
    with torch.no_grad():
        for name, value in (("U", 0.0), ("b_h", 0.0), ("b_x", 1e-30)):  # 1.5¹⁵⁰·10⁻³⁰ is still finite in float32
            parameters[name].fill_(value)
    return cell, parameters, *rest


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("rho", "steps"), [(0.5, 1500), (1.5, 150)])  # ½¹⁵⁰⁰ is 10⁻⁴⁵², below any float64
def test_adjoints_of_a_scaled_orthogonal_linear_cell_fall_by_exactly_rho_a_step_without_underflow(
    engine: str, dtype, rho: float, steps: int
) -> None:
    cell, parameters, tokens, state, weights = linear_problem(dtype, rho, steps)
    recorder = AdjointRecorder()
    h, _ = scan(cell, parameters, tokens, state, engine=engine, recorder=recorder)
    ((h * weights).sum() / B).backward()
    lags = np.arange(steps)[::-1, None]
    expected = weights.double().norm(dim=-1).mean(-1).log10().numpy() + lags * np.log10(rho)
    np.testing.assert_allclose(recorder.log10_adjoint, expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(np.diff(recorder.log10_adjoint, axis=0), -np.log10(rho), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "engine"),
    sampled(
        CELL_ENGINES, [(name, engine) for name in ("rnn", "lstm", "lru", "deltanet", "skip") for engine in ENGINES]
    ),
)
def test_a_loss_at_every_step_adds_its_immediate_gradients(name: str, engine: str) -> None:
    cell, parameters, tokens, state, _ = problem(name)
    weights = normal(2, T, R, B, H)
    recorder = AdjointRecorder()
    h, _ = scan(cell, parameters, tokens, state, every_step=True, engine=engine, recorder=recorder)
    ours = gradients_of((h * weights).sum() / B, parameters)
    np.testing.assert_allclose(recorder.log10_immediate, weights.norm(dim=-1).mean(-1).log10().numpy(), atol=1e-12)
    # the same sum, one loss at a time: adjoints add up linearly
    losses = [
        (scan(cell, parameters, tokens[:t], state, engine=engine)[0] * weights[t - 1]).sum() for t in range(1, T + 1)
    ]
    assert_close(ours, gradients_of(sum(losses) / B, parameters))


@pytest.mark.parametrize(("name", "engine"), CELL_ENGINES)
def test_tokens_are_one_hot_rows_and_padding_is_a_row_of_zeros(name: str, engine: str) -> None:
    cell, parameters, tokens, state, _ = problem(name)
    rows = torch.nn.functional.one_hot(tokens.clamp(min=0), D).double() * (tokens >= 0).unsqueeze(-1)
    of_tokens, of_rows = (scan(cell, parameters, x, state, engine=engine)[0] for x in (tokens, rows))
    torch.testing.assert_close(of_tokens, of_rows, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("name", "engine"), CELL_ENGINES)
def test_a_sequence_in_two_parts_with_the_state_carried_is_the_whole_sequence(name: str, engine: str) -> None:
    cell, parameters, tokens, state, _ = problem(name)
    whole, _ = scan(cell, parameters, tokens, state, engine=engine)
    _, middle = scan(cell, parameters, tokens[:5], state, engine=engine)
    last, _ = scan(cell, parameters, tokens[5:], middle, engine=engine)
    torch.testing.assert_close(whole, last, rtol=0, atol=1e-12)
