"""S6: against mambapy's selective scan; products of what is decay; one step of each start."""

from __future__ import annotations

import numpy as np
import torch
from cell_examples import B, H, R, T, adjoints, assert_differentiates_as, drawn, example
from mambapy.mamba import MambaBlock, MambaConfig
from torch import Tensor
from torch.nn.functional import softplus

N = 4


def selective_scan(p: dict[str, Tensor], x: Tensor) -> Tensor:
    """h_1 … h_T (T, B, H) of one replica, by the parallel scan of mambapy, whose layout is (B, T, H)."""
    block = MambaBlock(MambaConfig(d_model=H, n_layers=1, d_state=N, expand_factor=1, dt_rank=1)).double()
    u = (x @ p["U"].T + p["b_x"]).transpose(0, 1)
    rows = {name: p[name].view(N, H) for name in ("A_log", "W_B", "W_C")}
    projection = torch.cat([p["w"][None], rows["W_B"], rows["W_C"]])  # (1 + 2N, H), as its x_proj
    step, B_t, C_t = torch.split(u @ projection.T, [1, N, N], dim=-1)
    delta = softplus(step * p["p"] + p["b_dt"])
    return block.selective_scan(u, delta, -rows["A_log"].T.exp(), B_t, C_t, p["skip"]).transpose(0, 1)


def test_states_and_gradients_are_those_of_mambapy() -> None:
    cell, parameters, x = example("s6", state_size=N)
    assert_differentiates_as(selective_scan, cell, parameters, x)


def test_the_memory_passes_its_gradient_on_by_what_is_kept_alone() -> None:
    """∂L/∂c_t,n = C_T,n Π_{s>t} exp(Δ_s A_n) of L = Σ h_T: 2 exp(ΔA) − 1 with signed eigenvalues."""
    for eigenvalues in ("positive", "signed"):
        cell, parameters, x = example("s6", state_size=N, eigenvalues=eigenvalues)
        own, memory, _ = adjoints(cell, parameters, x, torch.ones(R, B, H, dtype=torch.float64))
        assert not np.isfinite(own[:-1]).any()  # h is read and carries nothing
        for r in range(R):
            p = {name: value[r].detach().numpy() for name, value in parameters.items()}
            u = x[:, r].numpy() @ p["U"].T + p["b_x"]
            delta = np.logaddexp(0, (u @ p["w"])[..., None] * p["p"] + p["b_dt"])[:, :, None]  # (T, B, 1, H)
            decay = np.exp(-delta * np.exp(p["A_log"].reshape(N, H)))
            decay = 2 * decay - 1 if eigenvalues == "signed" else decay
            read = np.broadcast_to((u[-1] @ p["W_C"].reshape(N, H).T)[..., None], decay.shape[1:])  # (B, N, H)
            decay[0] = 1
            after = np.cumprod(np.concatenate([read[None], decay[:0:-1]]), axis=0)[::-1].reshape(T, B, N * H)
            np.testing.assert_allclose(
                memory[:, r], np.log10(np.linalg.norm(after, axis=-1).sum(-1)), rtol=0, atol=1e-12
            )


def test_the_start_is_that_of_the_program() -> None:
    weights = drawn("s6", H=400)
    step = np.logaddexp(0, weights["b_dt"])
    assert (step.min() >= 0.001, step.max() <= 0.1) == (True, True)
    np.testing.assert_allclose(np.median(step), 0.01, rtol=0.2)  # log-uniform
    np.testing.assert_allclose(-np.exp(weights["A_log"]).reshape(4, 400), -np.arange(1.0, 5)[:, None].repeat(400, 1))
    assert (weights["skip"] == 1).all()
    assert not weights["b_x"].any()
    assert abs(weights["W_B"]).max() <= 1 / 20
    assert 0.9 < abs(weights["p"]).max() <= 1
