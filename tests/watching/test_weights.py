"""Weights that are computed at each access: a watch reads what the call has used, and computes nothing anew."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

import harness

T, B, D, H = 6, 4, 3, 5
KINDS: dict[str, type[nn.Module]] = {
    "GRUCell": nn.GRUCell, "LSTMCell": nn.LSTMCell, "RNNCell": nn.RNNCell, "GRU": nn.GRU, "LSTM": nn.LSTM, "RNN": nn.RNN
}  # fmt: skip


class Dropped(nn.Module):
    """Dropout on weights: each access draws another mask."""

    def forward(self, w: Tensor) -> Tensor:
        return nn.functional.dropout(w, 0.3)


def parametrized(kind: str, way: str) -> nn.Module:
    module = KINDS[kind](D, H)
    weight = "weight_hh" if kind.endswith("Cell") else "weight_hh_l0"
    if way == "spectral norm":
        return parametrizations.spectral_norm(module, weight)
    if way == "old spectral norm":
        return nn.utils.spectral_norm(module, weight)
    return parametrize.register_parametrization(module, weight, Dropped())


def forward(module: nn.Module, x: Tensor) -> Tensor:
    if not isinstance(module, nn.RNNCellBase):
        return module(x)[0][-1]
    state: Any = None
    for row in x:
        state = module(row, state)
    return state[0] if isinstance(state, tuple) else state


def trained(kind: str, way: str, watched: bool) -> list[Tensor]:
    """Outputs, gradients, buffers, weights, the random state: all that four updates give."""
    torch.manual_seed(0)
    module = parametrized(kind, way)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
    watch = harness.watch(module, every=2) if watched else None
    results = []
    for _ in range(4):
        optimizer.zero_grad()
        y = forward(module, torch.randn(T, B, D))
        y.square().sum().backward()
        results += [y.detach(), *(p.grad.clone() for p in module.parameters() if p.grad is not None)]
        results += [buffer.clone() for buffer in module.buffers()]
        optimizer.step()
        if watch is not None:
            watch.step()
    if watch is not None:
        watch.close()
        assert watch.warnings == []
        assert watch.frame["update"].unique().tolist() == [0, 2]
    return [*results, *module.parameters(), torch.get_rng_state()]


@pytest.mark.parametrize("way", ["spectral norm", "old spectral norm", "dropout"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_parametrised_weight_is_computed_as_often_as_without_a_watch(kind: str, way: str) -> None:
    for own, other in zip(trained(kind, way, True), trained(kind, way, False), strict=True):
        assert torch.equal(own, other)


def test_the_weights_are_those_of_each_call() -> None:
    """Another mask at each step: the loop is recorded as the loop with those masks is, by hand."""
    torch.manual_seed(0)
    cell, x = nn.RNNCell(D, H).double(), torch.randn(T, B, D).double()
    parametrize.register_parametrization(cell, "weight_hh", Dropped())
    with harness.watch(cell) as gradients:
        torch.manual_seed(1)
        h = torch.zeros(B, H).double()
        for row in x:
            h = cell(row, h)
        h.sum().backward()
    torch.manual_seed(1)
    h, states, original = torch.zeros(B, H).double(), [], cell.parametrizations["weight_hh"].original
    for row in x:
        W = nn.functional.dropout(original, 0.3)
        h = torch.tanh(row @ cell.weight_ih.mT + cell.bias_ih + h @ W.mT + cell.bias_hh)
        h.retain_grad()
        states.append(h)
    h.sum().backward()
    expected = [float(torch.linalg.vector_norm(each.grad, dim=-1).sum().log10()) for each in states]
    np.testing.assert_allclose(gradients.frame.log10_adjoint, expected, rtol=0, atol=1e-10)


def test_cached_parametrisations_are_read_from_the_cache() -> None:
    torch.manual_seed(0)
    cell, x = parametrizations.spectral_norm(nn.GRUCell(D, H), "weight_hh"), torch.randn(T, B, D)
    with parametrize.cached():
        cell.weight_hh  # noqa: B018  (computed before the calls, which read the cache)
        before = cell.parametrizations["weight_hh"][0]._u.clone()
        with harness.watch(cell) as gradients:
            forward(cell, x).sum().backward()
        assert torch.equal(before, cell.parametrizations["weight_hh"][0]._u)
    assert gradients.warnings == []
    assert len(gradients.frame) == T


class Halved(nn.GRUCell):
    """A weight that is computed by a property."""

    accesses = 0

    @property
    def weight_hh(self) -> Tensor:
        if "weight_hh" not in self._parameters:
            raise AttributeError("weight_hh")
        Halved.accesses += 1
        return self._parameters["weight_hh"] / 2


class Flat(nn.GRU):
    """Weights that are computed by a property."""

    accesses = 0

    @property
    def _flat_weights(self) -> list[Tensor]:
        Flat.accesses += 1
        return [self._parameters[name] / 2 for name in self._flat_weights_names]

    @_flat_weights.setter
    def _flat_weights(self, values: list[Tensor]) -> None:
        pass


@pytest.mark.parametrize(("kind", "name"), [(Halved, "weight_hh"), (Flat, "_flat_weights")])
def test_a_weight_of_a_property_is_not_recorded_and_named(kind: Any, name: str) -> None:
    module, x = kind(D, H), torch.randn(T, B, D)
    counts = []
    for watched in (False, True):
        kind.accesses = 0
        if watched:
            with harness.watch(module) as gradients, pytest.warns(UserWarning, match=f"an access to {name}"):
                forward(module, x).sum().backward()
            assert gradients.frame.empty
        else:
            forward(module, x).sum().backward()
        counts.append(kind.accesses)
    assert counts[0] == counts[1] > 0


def test_a_parametrisation_that_comes_after_the_watch_is_named() -> None:
    late = nn.GRUCell(D, H)
    gradients = harness.watch(late)
    parametrizations.spectral_norm(late, "weight_hh")
    with pytest.warns(UserWarning, match=r"an access to weight_hh.*state\(h\); or call harness\.watch after"):
        forward(late, torch.randn(T, B, D)).sum().backward()
    gradients.close()
    assert gradients.frame.empty
