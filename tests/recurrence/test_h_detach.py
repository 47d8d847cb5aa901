"""h-detach: the gradient of an LSTM whose recurrent term is cut, at the steps that are drawn; values as they were."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from samples import sampled
from test_given import LENGTHS, B, D, H, R, T, answer, network, normal, weights
from torch import Tensor

from harness.cells.cell import Cell
from harness.recurrence.compiler.recurrence import untraceable
from harness.recurrence.given import GivenSteps

MEMORIES = ["lstm", "lstm1997", "slstm"]
ENGINES = ["torch", "compiled"]


def drawn(p: float) -> Tensor:
    """d (T, R, B, H): one number for each step and replica."""
    d = torch.rand(T, R, 1, 1, generator=torch.Generator().manual_seed(11)) < p
    return d.double().expand(T, R, B, H)


def of_torch(parameters: dict[str, Tensor], x: Tensor, seen: Tensor, d: Tensor) -> dict[str, Tensor]:
    """Gradients of an LSTM by torch's own operations, its h detached where d is 1."""
    leaves = {name: value.detach().clone().requires_grad_() for name, value in parameters.items()}
    for r in range(R):
        W, U, b_x, b_h = (leaves[name][r] for name in ("W", "U", "b_x", "b_h"))
        h = c = torch.zeros(B, H, dtype=x.dtype)
        for t in range(T):
            recurrent = (h.detach() if bool(d[t, r, 0, 0]) else h) @ W.T + b_h
            i, f, g, o = (x[t, r] @ U.T + b_x + recurrent).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            (h * seen[t, r]).sum().backward(retain_graph=True)
    return {name: leaf.grad for name, leaf in leaves.items()}  # type: ignore[misc]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("p", [0.0, 0.4, 1.0])
def test_the_gradient_is_that_of_an_lstm_whose_recurrent_term_is_detached(engine: str, p: float) -> None:
    cell, parameters = network("lstm", h_detach=0.5)
    x, seen, d = normal(T, R, B, D), normal(T, R, B, H), drawn(p)
    assert p in (0.0, 1.0) or 0 < float(d.mean()) < 1
    ours, _ = answer(cell, parameters, x, seen, None, engine, [d])
    for name, value in of_torch(parameters, x, seen, d).items():
        assert torch.allclose(ours[name], value, rtol=1e-10, atol=1e-12), name


NETWORKS = [  # an sLSTM starts without recurrent weights, and then there is nothing to stop
    *((name, {"init": "torch"}) for name in MEMORIES), ("lstm", {"layers": 2, "bidirectional": True}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "settings"), sampled(NETWORKS, [NETWORKS[0], NETWORKS[-1]]))
def test_values_stay_bit_for_bit_and_both_engines_have_one_gradient(name: str, settings: dict[str, Any]) -> None:
    cell, parameters = network(name, h_detach=0.5, **settings)
    x, seen = normal(T, R, B, D), weights(cell, every_step=True)
    masks = [None, *[drawn(0.5)] * 4] if cell.layers > 1 else [drawn(0.5)]
    for lengths in (None, LENGTHS):
        (compiled, by_compiled), (torchs, by_torch) = (
            answer(cell, parameters, x, seen, lengths, engine, masks)  # type: ignore[arg-type]
            for engine in ("compiled", "torch")
        )
        for key, value in torchs.items():
            assert torch.allclose(compiled[key], value, rtol=1e-10, atol=1e-10), key
        for a, b in zip(by_compiled[0], by_torch[0], strict=True):
            for column in ("log10_adjoint", "log10_adjoint_cell"):
                assert np.allclose(a[column], b[column], rtol=0, atol=1e-9, equal_nan=True)
        plain, _ = answer(cell, parameters, x, seen, lengths)
        assert torch.equal(torchs["y"], plain["y"])
        assert not torch.allclose(torchs["U"], plain["U"], rtol=1e-3)


@pytest.mark.parametrize("engine", ENGINES)
def test_where_every_step_is_cut_the_memorys_adjoint_is_a_product_of_forget_gates(engine: str) -> None:
    """∂L/∂c_t = v ⊙ o_T (1 − tanh² c_T) Π_{s>t} f_s for L = Σ v·h_T, and h_t acts on L at the last step alone."""
    cell, parameters = network("lstm", h_detach=1.0)
    x, v = normal(T, R, B, D), normal(R, B, H)
    _, rows = answer(cell, parameters, x, v, None, engine, [drawn(1.0)])
    for r in range(R):
        one = {name: value[r : r + 1].detach() for name, value in parameters.items()}
        state = (torch.zeros(1, B, H, dtype=x.dtype),) * 2
        gates, c = [], state[1]
        for t in range(T):
            z = x[t, r : r + 1] @ one["U"].mT + one["b_x"].unsqueeze(1)
            a = cell.activations(one, state, z)
            state = cell.combine(state, a)
            gates.append(a["f"])
        c = state[1]
        left = v[r] * a["o"][0] * (1 - c[0].tanh().square())
        expected = []
        for t in range(T - 1, -1, -1):
            expected.append(float(left.norm(dim=-1).mean().log10()))
            left = left * gates[t][0]
        measured = np.asarray(rows[r][0]["log10_adjoint_cell"])
        # one constant between a mean and a sum over sequences
        np.testing.assert_allclose(measured - measured[-1], np.array(expected[::-1]) - expected[0], atol=1e-10)
        assert np.isneginf(np.asarray(rows[r][0]["log10_adjoint"])[:-1]).all()


@pytest.mark.parametrize("name", MEMORIES)
def test_every_memory_is_compiled_with_gradients_that_stop(name: str) -> None:
    cell, _ = network(name)
    for resets, starts in ((False, False), (True, True)):
        given: Cell = GivenSteps(cell, resets, False, starts, True)  # type: ignore[assignment]
        assert untraceable(given, D) is None
