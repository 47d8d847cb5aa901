"""sLSTM: its equations without a stabiliser, its range with one, its gradient through the memory, its start."""

from __future__ import annotations

import numpy as np
import torch
from cell_examples import D, H, assert_differentiates_as, drawn, example, initial
from torch import Tensor
from torch.nn.functional import sigmoid

from harness.recurrence.scan import scan


def plain(p: dict[str, Tensor], x: Tensor) -> Tensor:
    """h_1 … h_T (T, B, H) by the paper's equations as they stand, exp(ĩ) and all."""
    h = x.new_zeros(x.shape[1], H)
    c, n, states = torch.zeros_like(h), torch.zeros_like(h), []
    for row in x:
        i, f, z, o = torch.split(h @ p["W"].T + row @ p["U"].T + p["b_x"], H, dim=1)
        c = sigmoid(f) * c + torch.exp(i) * torch.tanh(z)
        n = sigmoid(f) * n + torch.exp(i)
        h = sigmoid(o) * c / n
        states.append(h)
    return torch.stack(states)


def test_states_and_gradients_are_those_of_the_equations_without_a_stabiliser() -> None:
    for init in ("paper", "torch"):
        cell, parameters, x = example("slstm", init=init)
        assert_differentiates_as(plain, cell, parameters, 3 * x)


def test_gates_of_any_size_leave_a_weighted_mean_that_is_finite() -> None:
    """c_t/n_t is a mean of z_1 … z_t with positive weights, so that |h| ≤ 1 even where exp(ĩ) is no float."""
    cell, parameters, x = example("slstm")
    with torch.no_grad():
        parameters["b_x"][:, :H] += 2000.0
        parameters["b_x"][:, H : 2 * H] -= 500.0
    h, (_, c, n, m) = scan(cell, parameters, 50 * x, initial(cell), every_step=True)
    assert bool(torch.isfinite(h).all())
    assert float(h.detach().abs().max()) <= 1
    assert float(m.detach().min()) > 500
    assert float((c / n).detach().abs().max()) <= 1


def test_without_recurrent_weights_the_memory_passes_its_gradient_on_by_the_forget_gates_alone() -> None:
    """∂h_T/∂c_0 = o_T Π f_t/n_T, of the c and n that are not scaled."""
    cell, parameters, x = example("slstm")
    c0 = torch.full_like(initial(cell)[1], 0.3, requires_grad=True)
    h0, _, n0, m0 = initial(cell)
    h, _ = scan(cell, parameters, x, (h0, c0, n0 + 1, m0))
    h.sum().backward()
    for r in range(len(h)):
        p = {name: value[r].detach() for name, value in parameters.items()}
        i, f, _, o = torch.split(x[:, r] @ p["U"].T + p["b_x"], H, dim=-1)  # (T, B, H)
        left, n = torch.ones_like(f[0]), torch.ones_like(f[0])
        for gate, write in zip(sigmoid(f), torch.exp(i), strict=True):
            left, n = left * gate, gate * n + write
        torch.testing.assert_close(c0.grad[r], sigmoid(o[-1]) * left / n, rtol=0, atol=1e-13)


def test_the_start_spreads_forget_gates_and_mixes_nothing() -> None:
    weights = drawn("slstm", H=100)
    f = weights["b_x"][100:200]
    assert (f[0], f[-1]) == (5.0, -7.0)
    assert np.all(np.diff(f) < 0)
    assert not weights["W"].any()
    assert not np.delete(weights["b_x"], slice(100, 200)).any()
    assert abs(weights["U"]).max() <= 1 / np.sqrt(100)
    assert drawn("slstm", H=1)["b_x"].shape == (4,)
    assert weights["U"].shape == (400, D)
