"""Skip connections: equations, gradients and adjoints are those of a loop by hand over a list of all states."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cell_examples import B, D, H, R, T, assert_differentiates_as, example, initial
from made_networks import Parameters, normal, replica, zero_state
from torch import Tensor

from harness.cells import CELLS
from harness.recurrence.adjoints import AdjointRecorder
from harness.recurrence.scan import scan

KINDS = ["skip", "gated_skip"]


def unrolled(kind: str, d: int, p: Parameters, x: Tensor) -> list[Tensor]:
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
    def states(own: Parameters, x: Tensor) -> Tensor:
        return torch.stack([torch.stack(unrolled(kind, d, own, x[:, b])) for b in range(B)], 1)  # (T, B, H)

    assert_differentiates_as(states, *example(kind, skip=d))


@pytest.mark.parametrize("d", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_the_adjoint_of_h_counts_every_path_also_those_through_the_skip(kind: str, d: int) -> None:
    cell, parameters, x = example(kind, skip=d)
    recorder = AdjointRecorder()
    h, _ = scan(cell, parameters, x, initial(cell), recorder=recorder)
    v = normal(2, H)
    (h @ v).sum(-1).sum().backward()
    for r in range(R):
        own = replica(parameters, r)
        norms = np.zeros((T, B))
        for b in range(B):
            states = unrolled(kind, d, own, x[:, r, b])
            gradients = torch.autograd.grad(states[-1] @ v, states)
            norms[:, b] = [gradient.norm().item() for gradient in gradients]
        np.testing.assert_allclose(recorder.log10_adjoint[:, r], np.log10(norms.sum(1)), atol=1e-10)


def test_a_gradient_through_skips_alone_takes_a_factor_every_d_steps() -> None:
    """With W = 0 and tanh in its linear middle S = ρ·Q alone carries the gradient: ρ every d steps, nothing between."""
    d, rho, T = 4, 0.5, 13
    cell = CELLS["skip"](cell="skip", hidden_size=H, skip=d)
    Q = np.linalg.qr(np.random.default_rng(0).normal(size=(H, H)))[0]
    zeros = {"W": (H, H), "U": (H, D), "b_x": (H,), "b_h": (H,)}
    parameters = {name: torch.zeros(1, *shape, dtype=torch.float64) for name, shape in zeros.items()}
    parameters["S"] = torch.from_numpy(rho * Q)[None].requires_grad_()
    recorder = AdjointRecorder()
    h, _ = scan(cell, parameters, torch.zeros(T, 1, 1, D), zero_state(cell, 1, 1), recorder=recorder)
    h[..., 0].sum().backward()
    lags = np.arange(T)[::-1]
    expected = np.where(lags % d == 0, lags // d * np.log10(rho), -np.inf)
    np.testing.assert_allclose(recorder.log10_adjoint[:, 0], expected, atol=1e-12)


def test_an_open_gate_passes_the_state_of_d_steps_ago_on_unchanged() -> None:
    cell, parameters, x = example("gated_skip", skip=3)
    frozen = {name: value.detach().clone() for name, value in parameters.items()}
    frozen["W"][:, H:], frozen["U"][:, H:] = 0, 0
    frozen["b_x"][:, H:] = 1000.0  # g = 1 exactly
    state = tuple(normal(seed, R, B, H) for seed in range(3))
    h, _ = scan(cell, frozen, x, state, every_step=True)
    for t in range(1, T + 1):
        assert torch.equal(h[t - 1], state[(3 - t) % 3])
