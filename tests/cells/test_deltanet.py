"""DeltaNet: against its matrix form; what is stored under a key, corrected and read; reflections."""

from __future__ import annotations

import numpy as np
import torch
from cell_examples import B, D, H, R, T, adjoints, assert_differentiates_as, drawn, example, initial
from torch import Tensor
from torch.nn.functional import normalize, sigmoid, silu

from harness.recurrence.scan import scan

N = 3


def matrices(p: dict[str, Tensor], x: Tensor, largest: float = 1.0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """I − β k kᵀ (T, B, N, N), β v kᵀ (T, B, H, N), q and k (T, B, N) by the paper's equations."""
    v, u = torch.split(x @ p["U"].T + p["b_x"], H, dim=-1)
    k, q = (silu(u @ p[name].view(N, H).T) for name in ("W_k", "W_q"))
    k, q = (each / (each.square().sum(-1, keepdim=True) + 1e-6).sqrt() for each in (k, q))
    beta = (largest * sigmoid(u @ p["w"]))[..., None, None]
    transition = torch.eye(N, dtype=x.dtype) - beta * k[..., :, None] * k[..., None, :]
    return transition, beta * v[..., :, None] * k[..., None, :], q, k


def of_matrices(p: dict[str, Tensor], x: Tensor, largest: float = 1.0) -> Tensor:
    S, states = x.new_zeros(x.shape[1], H, N), []
    for transition, written, q, _ in zip(*matrices(p, x, largest), strict=True):
        S = S @ transition + written
        states.append((S @ q[..., None])[..., 0])
    return torch.stack(states)


def test_states_and_gradients_are_those_of_the_matrix_form() -> None:
    for eigenvalues, largest in (("positive", 1.0), ("signed", 2.0)):
        cell, parameters, x = example("deltanet", key_size=N, eigenvalues=eigenvalues)
        assert_differentiates_as(lambda p, rows, top=largest: of_matrices(p, rows, top), cell, parameters, x)


def test_the_gradient_of_the_memory_is_the_product_of_transitions() -> None:
    """∂L/∂S_t = (∂L/∂h_T) q_Tᵀ Π_{s>t} (I − β_s k_s k_sᵀ)ᵀ: its norm never grows going back."""
    cell, parameters, x = example("deltanet", key_size=N)
    own, memory, _ = adjoints(cell, parameters, x, torch.ones(R, B, H, dtype=torch.float64))
    assert not np.isfinite(own[:-1]).any()
    for r in range(R):
        transition, _, q, _ = matrices({name: value[r].detach() for name, value in parameters.items()}, x[:, r])
        back, levels = q[-1][:, None].expand(B, H, N), []
        for t in range(T, 0, -1):
            levels.append(float(torch.linalg.matrix_norm(back).sum().log10()))
            back = back @ transition[t - 1].mT
        np.testing.assert_allclose(memory[:, r], levels[::-1], rtol=0, atol=1e-12)
    assert (np.diff(memory, axis=0) >= 0).all()


def test_with_full_correction_a_key_returns_what_was_stored_last_under_it() -> None:
    """β = 1 and q = k: S_t k_t = v_t, whatever S held before."""
    cell, parameters, x = example("deltanet", key_size=N, eigenvalues="signed")
    with torch.no_grad():
        parameters["w"].zero_()  # β = 2 σ(0) = 1
        parameters["b_x"][:, H:] = 50.0
        parameters["W_k"].abs_()  # SiLU leaves such keys large: |k| = 1 but for 1e-9
        parameters["W_q"].copy_(parameters["W_k"])
    h, _ = scan(cell, parameters, x, initial(cell), every_step=True)
    v = torch.einsum("trbd,rhd->trbh", x, parameters["U"][:, :H])
    torch.testing.assert_close(h, v, rtol=0, atol=1e-7)


def test_a_beta_of_two_reflects() -> None:
    """1 − β = −1 along k: two steps on one input, whose values are zero, leave the memory as it was."""
    cell, parameters, x = example("deltanet", key_size=N, eigenvalues="signed")
    with torch.no_grad():
        parameters["U"][:, :H].zero_()  # v = 0
        parameters["b_x"][:, H:] = 1.0
        parameters["U"][:, H:].zero_()  # every input has one key
        parameters["w"].fill_(50.0)  # β = 2 to the last digit
        parameters["W_k"] *= 1e4  # and |k| = 1 but for 1e-9
    h, *columns = initial(cell)
    S0 = [torch.full_like(c, 0.3 * (n + 1)) for n, c in enumerate(columns)]
    before = torch.stack(S0, -1)
    once, twice = (torch.stack(scan(cell, parameters, x[:t], (h, *S0))[1][1:], -1).detach() for t in (1, 2))
    torch.testing.assert_close(twice, before, rtol=0, atol=1e-8)
    k = normalize(silu(parameters["W_k"].view(R, N, H).sum(-1)), dim=-1).detach()
    expected = before - 2 * (before @ k[:, None, :, None]) * k[:, None, None, :]
    torch.testing.assert_close(once, expected, rtol=0, atol=1e-8)


def test_the_start_is_that_of_linear_layers() -> None:
    weights = drawn("deltanet", H=400)
    assert abs(weights["U"]).max() <= 1 / np.sqrt(D)
    assert max(abs(weights[name]).max() for name in ("W_k", "W_q", "w")) <= 1 / 20
    assert weights["W_k"].shape == (4 * 400,)
    assert not weights["b_x"].any()
