"""The feed-forward baseline sees the last k inputs: it is one layer over them, and nothing older moves it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.cells import CELLS
from harness.recurrence.adjoints import AdjointRecorder
from harness.recurrence.scan import scan

T, R, B, D, H = 9, 2, 3, 5, 4


def made(k: int):
    cell = CELLS["window"](cell="window", hidden_size=H, inputs=k)
    replicas = [cell.start(r, input_size=D, output_size=1, length=T) for r in range(R)]
    parameters = {n: torch.from_numpy(np.stack([p[n] for p in replicas])).requires_grad_() for n in replicas[0]}
    state = (torch.zeros(R, B, H, dtype=torch.float64),) * len(cell.states)
    x = torch.randn(T, R, B, D, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return cell, parameters, state, x


@pytest.mark.parametrize("k", [1, 2, 4, 20])
def test_states_and_gradients_are_those_of_one_layer_over_the_last_inputs(k: int) -> None:
    cell, parameters, state, x = made(k)
    h, _ = scan(cell, parameters, x, state, every_step=True)
    weights = torch.randn(h.shape, dtype=h.dtype, generator=torch.Generator().manual_seed(2))
    (h * weights).sum().backward()
    for r in range(R):
        U, b = (parameters[name][r].detach().requires_grad_() for name in ("U", "b_x"))
        for t in range(T):
            seen = min(k, t + 1)  # before the first step there is nothing, not even a bias
            layer = torch.cat(U.split(H)[:seen], dim=1)  # (H, seen·D)
            rows = torch.cat([x[t - j, r] for j in range(seen)], dim=1)  # (B, seen·D)
            theirs = torch.tanh(rows @ layer.T + sum(b.split(H)[:seen]))
            torch.testing.assert_close(h[t, r], theirs, rtol=0, atol=1e-12)
            (theirs * weights[t, r]).sum().backward()
        torch.testing.assert_close(parameters["U"].grad[r], U.grad, rtol=0, atol=1e-12)
        torch.testing.assert_close(parameters["b_x"].grad[r], b.grad, rtol=0, atol=1e-12)


@pytest.mark.parametrize("k", [1, 3, 8])
def test_exactly_the_last_k_inputs_reach_the_output(k: int) -> None:
    cell, parameters, state, x = made(k)
    x.requires_grad_()
    h, _ = scan(cell, parameters, x, state)
    h.sum().backward()
    reached = x.grad.abs().sum((1, 2, 3)) > 0
    assert reached.tolist() == [t >= T - k for t in range(T)]


@pytest.mark.parametrize("k", [1, 2, 4])
def test_no_gradient_passes_from_one_hidden_state_to_another(k: int) -> None:
    cell, parameters, state, x = made(k)
    recorder = AdjointRecorder()
    h, _ = scan(cell, parameters, x, state, recorder=recorder)
    h.sum().backward()
    assert np.isfinite(recorder.log10_adjoint[-1]).all()
    assert np.isneginf(recorder.log10_adjoint[:-1]).all()
