"""Skip connections: equations, gradients and adjoints are those of a loop that keeps every state by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from harness.cells import CELLS
from harness.recurrence.adjoints import AdjointRecorder
from harness.recurrence.scan import scan

T, R, B, D, H = 11, 2, 3, 5, 4
KINDS = ["skip", "gated_skip"]


def made(kind: str, d: int, seed: int = 0):
    cell = CELLS[kind](cell=kind, hidden_size=H, skip=d)
    replicas = [cell.start(seed + r, input_size=D, output_size=1, length=T) for r in range(R)]
    parameters = {n: torch.from_numpy(np.stack([p[n] for p in replicas])).requires_grad_() for n in replicas[0]}
    state = (torch.zeros(R, B, H, dtype=torch.float64),) * len(cell.states)
    return cell, parameters, state


def unrolled(kind: str, d: int, p: dict[str, Tensor], x: Tensor) -> list[Tensor]:
    """h_1 … h_T of one replica, one sequence at a time, from a list of all states: x (T, D)."""
    h = {t: torch.zeros(H, dtype=x.dtype) for t in range(1 - d, 1)}
    for t in range(1, T + 1):
        a = p["W"] @ h[t - 1] + p["U"] @ x[t - 1] + p["b_x"] + p["b_h"]
        if kind == "skip":
            h[t] = torch.tanh(a + p["S"] @ h[t - d])
        else:
            g = torch.sigmoid(a[H:])
            h[t] = (1 - g) * torch.tanh(a[:H]) + g * h[t - d]
    return [h[t] for t in range(1, T + 1)]


@pytest.mark.parametrize("d", [1, 3, 20])
@pytest.mark.parametrize("kind", KINDS)
def test_states_and_gradients_are_those_of_a_loop_by_hand(kind: str, d: int) -> None:
    cell, parameters, state = made(kind, d)
    x = torch.randn(T, R, B, D, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    h, _ = scan(cell, parameters, x, state, every_step=True)
    weights = torch.randn(h.shape, dtype=h.dtype, generator=torch.Generator().manual_seed(2))
    (h * weights).sum().backward()
    for r in range(R):
        own = {name: value[r].detach().requires_grad_() for name, value in parameters.items()}
        columns = [torch.stack(unrolled(kind, d, own, x[:, r, b])) for b in range(B)]
        theirs = torch.stack(columns, 1)  # (T, B, H)
        torch.testing.assert_close(h[:, r], theirs, rtol=0, atol=1e-12)
        (theirs * weights[:, r]).sum().backward()
        for name, value in own.items():
            torch.testing.assert_close(parameters[name].grad[r], value.grad, rtol=0, atol=1e-12)


@pytest.mark.parametrize("d", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_the_adjoint_of_h_counts_every_path_also_those_through_the_skip(kind: str, d: int) -> None:
    cell, parameters, state = made(kind, d)
    x = torch.randn(T, R, B, D, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    recorder = AdjointRecorder()
    h, _ = scan(cell, parameters, x, state, recorder=recorder)
    v = torch.randn(H, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    (h @ v).sum(-1).sum().backward()
    for r in range(R):
        own = {name: value[r].detach().requires_grad_() for name, value in parameters.items()}
        norms = np.zeros((T, B))
        for b in range(B):
            kept = unrolled(kind, d, own, x[:, r, b])
            gradients = torch.autograd.grad(kept[-1] @ v, kept)
            norms[:, b] = [gradient.norm().item() for gradient in gradients]
        np.testing.assert_allclose(recorder.log10_adjoint[:, r], np.log10(norms.sum(1)), atol=1e-10)


def test_a_linear_path_of_skips_takes_t_over_d_factors() -> None:
    """With W = 0 and tanh in its linear middle S = ρ·Q alone carries the gradient: ρ every d steps, nothing between."""
    d, rho, T = 4, 0.5, 13
    cell = CELLS["skip"](cell="skip", hidden_size=H, skip=d)
    Q = np.linalg.qr(np.random.default_rng(0).normal(size=(H, H)))[0]
    zeros = {"W": (H, H), "U": (H, D), "b_x": (H,), "b_h": (H,)}
    parameters = {name: torch.zeros(1, *shape, dtype=torch.float64) for name, shape in zeros.items()}
    parameters["S"] = torch.from_numpy(rho * Q)[None].requires_grad_()
    recorder = AdjointRecorder()
    state = (torch.zeros(1, 1, H, dtype=torch.float64),) * d
    h, _ = scan(cell, parameters, torch.zeros(T, 1, 1, D), state, recorder=recorder)
    h[..., 0].sum().backward()
    lags = np.arange(T)[::-1]
    expected = np.where(lags % d == 0, lags // d * np.log10(rho), -np.inf)
    np.testing.assert_allclose(recorder.log10_adjoint[:, 0], expected, atol=1e-12)


def test_an_open_gate_hands_the_state_of_d_steps_ago_on_untouched() -> None:
    cell, parameters, state = made("gated_skip", 3)
    frozen = {name: value.detach().clone() for name, value in parameters.items()}
    frozen["W"][:, H:], frozen["U"][:, H:] = 0, 0
    frozen["b_x"][:, H:] = 1000.0  # g = 1 exactly
    state = tuple(torch.randn(R, B, H, dtype=torch.float64) for _ in state)
    h, _ = scan(cell, frozen, torch.randn(9, R, B, D), state, every_step=True)
    for t in range(1, 10):
        assert torch.equal(h[t - 1], state[(3 - t) % 3])
