"""A cell over time: the window cuts exactly where it says, and adjoints are those of autograd, without underflow."""

import numpy as np
import pytest
import torch

from harness.cells import CELLS
from harness.recurrence.adjoints import AdjointRecorder
from harness.recurrence.kernels import KERNELS
from harness.recurrence.scan import scan

T, R, B, D, H = 12, 2, 3, 8, 5
ENGINES = ("torch", "numba")


def setup(
    name: str, dtype=torch.float64, *, H: int = H, T: int = T, init: str = "gaussian", rho: float = 1.0, **settings
):
    cell = CELLS[name](cell=name, hidden_size=H, init=init, spectral_radius=rho, **settings)
    drawn = [cell.start(seed, input_size=D, output_size=1, length=T) for seed in range(R)]
    parameters = {
        key: torch.as_tensor(np.stack([d[key] for d in drawn]), dtype=dtype).requires_grad_() for key in drawn[0]
    }
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(-1, D, (T, R, B), generator=generator)
    state = tuple(torch.zeros(R, B, H, dtype=dtype) for _ in cell.states)
    weights = torch.randn(R, B, H, generator=generator, dtype=torch.float64).to(dtype)
    return cell, parameters, tokens, state, weights


def autograd_adjoints(cell, parameters, tokens, state, weights, window: int):
    """∂L/∂h_t and ∂L/∂c_t by retain_grad, one step at a time."""
    from harness.recurrence.scan import drive

    z = drive(parameters, tokens)
    states = [tuple(part.clone() for part in state)]
    for t in range(len(tokens)):
        if t == len(tokens) - window:
            states[-1] = tuple(part.detach() for part in states[-1])
        states.append(cell.step(parameters, states[-1], z[t]))
        for part in states[-1]:
            part.retain_grad()
    loss = (states[-1][0] * weights).sum() / weights.shape[1]
    loss.backward()

    def log_norms(part: int) -> np.ndarray:
        rows = [torch.zeros(R, B, H) if s[part].grad is None else weights.shape[1] * s[part].grad for s in states[1:]]
        with np.errstate(divide="ignore"):
            return np.log10(torch.stack(rows).norm(dim=-1).mean(-1).numpy())

    return [log_norms(part) for part in range(len(state))]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("window", [1, 2, 7, T, None, T + 5])
@pytest.mark.parametrize("name", KERNELS)
def test_adjoints_are_those_of_autograd_and_exactly_zero_before_the_window(
    name: str, window: int | None, engine: str
) -> None:
    cell, parameters, tokens, state, weights = setup(name)
    recorder = AdjointRecorder()
    h, _ = scan(cell, parameters, tokens, state, window=window, engine=engine, recorder=recorder)
    ((h * weights).sum() / B).backward()
    ours = {key: p.grad.clone() for key, p in parameters.items()}
    for p in parameters.values():
        p.grad = None
    K = min(window or T, T)
    expected = autograd_adjoints(cell, parameters, tokens, state, weights, K)
    np.testing.assert_allclose(recorder.log10_adjoint, expected[0], rtol=0, atol=1e-10)
    assert np.isneginf(recorder.log10_adjoint[: T - K]).all()
    assert np.isfinite(recorder.log10_adjoint[T - K :]).all()
    if len(state) > 1:
        np.testing.assert_allclose(recorder.log10_adjoint_cell, expected[1], rtol=0, atol=1e-10)
    else:
        assert recorder.log10_adjoint_cell is None
    for key, p in parameters.items():
        torch.testing.assert_close(ours[key], p.grad, rtol=0, atol=1e-10)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_immediate_gradient_of_a_loss_at_the_end_is_seen_at_the_end_alone(engine: str) -> None:
    cell, parameters, tokens, state, weights = setup("rnn")
    recorder = AdjointRecorder()
    h, _ = scan(cell, parameters, tokens, state, engine=engine, recorder=recorder)
    ((h * weights).sum() / B).backward()
    np.testing.assert_allclose(recorder.log10_immediate[-1], weights.norm(dim=-1).mean(-1).log10().numpy(), atol=1e-12)
    assert np.isneginf(recorder.log10_immediate[:-1]).all()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rho", [0.5, 1.5])
def test_adjoints_of_a_scaled_orthogonal_linear_cell_fall_by_exactly_rho_a_step_without_underflow(
    engine: str, dtype, rho: float
) -> None:
    # relu with a huge bias is linear; W = ρ·I; 1500 steps of ½ are 10⁻⁴⁵², below any float64
    steps = 1500
    cell, parameters, tokens, state, weights = setup(
        "rnn", dtype, T=steps, init="identity", rho=rho, nonlinearity="relu"
    )
    if rho > 1:  # states must stay finite: start the growing network from zero drive, at the edge of relu
        cell, parameters, tokens, state, weights = setup(
            "rnn", dtype, T=steps, init="identity", rho=rho, nonlinearity="relu"
        )
        for key in ("U", "b_x", "b_h"):
            parameters[key].data.zero_()
        parameters["b_x"].data.fill_(1e-30)
        steps = 150
        tokens = tokens[:steps]
    else:
        parameters["b_x"].data.fill_(10.0)
    recorder = AdjointRecorder()
    h, _ = scan(cell, parameters, tokens, state, engine=engine, recorder=recorder)
    ((h * weights).sum() / B).backward()
    slopes = np.diff(recorder.log10_adjoint, axis=0)
    np.testing.assert_allclose(slopes, -np.log10(rho), atol=1e-6)
    expected = weights.double().norm(dim=-1).mean(-1).log10().numpy() + (steps - 1) * np.log10(rho)
    np.testing.assert_allclose(recorder.log10_adjoint[0], expected, rtol=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", KERNELS)
def test_a_loss_at_every_step_adds_its_immediate_gradients(name: str, engine: str) -> None:
    cell, parameters, tokens, state, _ = setup(name)
    weights = torch.randn(T, R, B, H, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    recorder = AdjointRecorder()
    h, _ = scan(cell, parameters, tokens, state, every_step=True, engine=engine, recorder=recorder)
    ((h * weights).sum() / B).backward()
    np.testing.assert_allclose(recorder.log10_immediate, weights.norm(dim=-1).mean(-1).log10().numpy(), atol=1e-12)
    ours = {key: p.grad.clone() for key, p in parameters.items()}
    # the same sum, one loss at a time: adjoints add up linearly
    for p in parameters.values():
        p.grad = None
    for t in range(1, T + 1):
        h, _ = scan(cell, parameters, tokens[:t], state, engine=engine)
        ((h * weights[t - 1]).sum() / B).backward()
    for key, p in parameters.items():
        torch.testing.assert_close(ours[key], p.grad, rtol=0, atol=1e-10)


def test_tokens_are_one_hot_rows_and_padding_is_a_row_of_zeros() -> None:
    cell, parameters, tokens, state, _ = setup("lstm")
    rows = torch.nn.functional.one_hot(tokens.clamp(min=0), D).double() * (tokens >= 0).unsqueeze(-1)
    for engine in ENGINES:
        a, _ = scan(cell, parameters, tokens, state, engine=engine)
        b, _ = scan(cell, parameters, rows, state, engine=engine)
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


def test_a_sequence_in_two_parts_with_the_state_carried_is_the_sequence_whole() -> None:
    cell, parameters, tokens, state, _ = setup("lstm")
    for engine in ENGINES:
        whole, _ = scan(cell, parameters, tokens, state, engine=engine)
        _, middle = scan(cell, parameters, tokens[:5], state, engine=engine)
        parts, _ = scan(cell, parameters, tokens[5:], middle, engine=engine)
        torch.testing.assert_close(whole, parts, rtol=0, atol=1e-12)


@pytest.mark.parametrize("window", [None, 4, 7, 9])
@pytest.mark.parametrize("every_step", [False, True])
@pytest.mark.parametrize("name", KERNELS)
def test_a_sequence_computed_again_in_pieces_has_the_same_gradients_and_adjoints(
    monkeypatch, name: str, every_step: bool, window: int | None
) -> None:
    from harness.recurrence import fused

    cell, parameters, tokens, _, _ = setup(name)
    weights = torch.randn(T if every_step else 1, R, B, H, generator=torch.Generator().manual_seed(3)).double()
    generator = torch.Generator().manual_seed(4)
    state = tuple(torch.randn(R, B, H, generator=generator).double().requires_grad_() for _ in cell.states)
    found = []
    for kept in (fused.KEPT_BYTES, 5 * fused.KEPT_BYTES / fused.steps_kept(cell, B, 8)):
        monkeypatch.setattr(fused, "KEPT_BYTES", kept)
        recorder = AdjointRecorder()
        h, _ = scan(
            cell, parameters, tokens, state, window=window, every_step=every_step, engine="numba", recorder=recorder
        )
        gradients = torch.autograd.grad((h * weights).sum(), [*parameters.values(), *state])
        found.append(
            (h.detach(), *gradients, *map(torch.as_tensor, (recorder.log10_adjoint, recorder.log10_immediate)))
        )
    assert fused.steps_kept(cell, B, 8) == 5
    for whole, pieces in zip(*found, strict=True):
        torch.testing.assert_close(whole, pieces, rtol=0, atol=1e-10)


def test_adjoints_do_not_underflow_between_pieces(monkeypatch) -> None:
    from harness.recurrence import fused

    steps = 1500
    cell, parameters, tokens, state, weights = setup(
        "rnn", torch.float32, T=steps, init="identity", rho=0.5, nonlinearity="relu"
    )
    parameters["b_x"].data.fill_(10.0)
    monkeypatch.setattr(fused, "KEPT_BYTES", 400 * fused.KEPT_BYTES / fused.steps_kept(cell, B, 4))
    recorder = AdjointRecorder()
    h, _ = scan(cell, parameters, tokens, state, engine="numba", recorder=recorder)
    ((h * weights).sum() / B).backward()
    np.testing.assert_allclose(np.diff(recorder.log10_adjoint, axis=0), np.log10(2), atol=1e-6)
