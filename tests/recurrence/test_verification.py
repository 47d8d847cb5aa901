"""What a trace does not see costs no number: such cells take the torch loop, and say so."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from scan_problems import answer, assert_close, by_autograd, problem
from torch import Tensor
from torch.nn import functional

from harness.cells.cell import Cell, State, recurrent
from harness.cells.initialisation import Weights
from harness.recurrence.compiler import stored
from harness.recurrence.compiler.recurrence import compiled, untraceable
from harness.recurrence.scan import scan


class Base(Cell):
    """h_t = f(W h_{t−1} + b_h + z), with a parameter q (R, H) that a subclass may use."""

    gates = ("n",)

    def shapes(self, H: int, D: int) -> dict[str, tuple[int, ...]]:
        return {**super().shapes(H, D), "q": (H,)}

    def activations(self, parameters: Mapping[str, Tensor], state: State, z: Tensor) -> dict[str, Tensor]:
        q = parameters["q"].unsqueeze(1)
        return {"n": self.f(z + recurrent(parameters, state[0]), state[0], q, parameters)}

    def combine(self, state: State, a: Mapping[str, Tensor]) -> State:
        return (a["n"],)

    def f(self, x: Tensor, h: Tensor, q: Tensor, parameters: Mapping[str, Tensor]) -> Tensor:
        return x.tanh()


class StoppedGradient(Base):
    def f(self, x, h, q, parameters):
        with torch.no_grad():
            scale = 1 + h.abs()
        return (x / scale).tanh()


class StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.sign()

    @staticmethod
    def backward(ctx, gradient):
        return gradient


class OwnGradient(Base):
    def f(self, x, h, q, parameters):
        return StraightThrough.apply(x)


class InPlace(Base):
    def f(self, x, h, q, parameters):
        before = x
        x *= 0.5
        return (before + x).tanh()


class InPlaceRelu(Base):
    def f(self, x, h, q, parameters):
        y = functional.relu(x, inplace=True)
        return (y + x).tanh()


class Drawn(Base):
    def f(self, x, h, q, parameters):
        return (x * random.random()).tanh()


CALLS = [0]


class Counting(Base):
    def f(self, x, h, q, parameters):
        CALLS[0] += 1
        return x.tanh() * (1 if CALLS[0] % 2 else 0.5)


class AsksForATensor(Base):
    def f(self, x, h, q, parameters):
        return x.tanh() if isinstance(x, torch.Tensor) else x


class AsksForGradients(Base):
    def f(self, x, h, q, parameters):
        return x.tanh() * (1 if torch.is_grad_enabled() else 0.5)


class Swallows(Base):
    def f(self, x, h, q, parameters):
        try:
            return x.clamp(-0.1, 0.1)
        except Exception:
            return x


class NewOrderOfAParameter(Base):
    def f(self, x, h, q, parameters):
        return (x * torch.cat([q[..., 1:], q[..., :1]], -1)).tanh()


class ProductOfAParameter(Base):
    def f(self, x, h, q, parameters):
        return (x + q @ parameters["W"].mT).tanh()


class TwoOfOneDelay(Base):
    states = ("h", "a", "b")

    def combine(self, state, a):
        return (a["n"] + 0.3 * state[1] - 0.2 * state[2], state[0], state[0])


class Diagnostic(Base):
    states = ("h", "m")

    def combine(self, state, a):
        return (a["n"].relu(), state[0].square().sqrt())


class DelayedCell(Base):
    states = ("h", "c")

    def combine(self, state, a):
        return (a["n"] + 0.5 * state[1], state[0])


class FailsOnOneRow(Base):
    def start(self, seed: int, *, input_size: int, output_size: int, length: int) -> Weights:
        assert input_size > 1
        return super().start(seed, input_size=input_size, output_size=output_size, length=length)


REFUSED = {
    StoppedGradient: "the gradient of",
    OwnGradient: "the gradient of",
    InPlace: "part 0",
    InPlaceRelu: "part 0",
    Drawn: "part 0",
    Counting: "part 0",
    AsksForATensor: "part 0",
    AsksForGradients: "part 0",
    Swallows: "part 0",
    NewOrderOfAParameter: "a new order of a parameter's numbers",
    ProductOfAParameter: "a product of parameters alone",
    TwoOfOneDelay: "two parts of the state that are always the same",
    Diagnostic: "the part m of the state, which h never depends on",
    DelayedCell: "a cell state c that is an earlier h",
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_step_that_does_more_than_its_operations_is_refused_with_a_reason(kind: type[Cell]) -> None:
    assert REFUSED[kind] in (untraceable(kind(cell="own", hidden_size=5)) or "")


class Ends(Base):
    def f(self, x, h, q, parameters):
        raise SystemExit(0)


class WithoutTextError(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


class RaisesWithoutText(Base):
    def f(self, x, h, q, parameters):
        raise WithoutTextError


class RaisesControls(Base):
    def f(self, x, h, q, parameters):
        raise ValueError("a\x1b[2Jb\udcff")


@pytest.mark.parametrize(
    ("kind", "name"), [(Ends, "SystemExit"), (RaisesWithoutText, "WithoutTextError"), (RaisesControls, "ValueError")]
)
def test_what_a_step_raises_is_a_reason_that_can_be_printed(kind: type[Cell], name: str) -> None:
    """A plan and a sweep ask before any run: a plug-in that exits there would end them as if all were done."""
    reason = untraceable(kind(cell="own", hidden_size=5)) or ""
    assert name in reason
    assert reason.isprintable()


@pytest.mark.parametrize("kind", [kind for kind in REFUSED if kind not in (Drawn, Counting)])
def test_and_gives_the_numbers_of_its_steps(kind: type[Cell]) -> None:
    p = problem(kind(cell="own", hidden_size=5), T=4, R=2, B=3, D=2, loss="every")
    assert_close(answer(p), answer(p, "torch"), 1e-10)


class SignOfAParameter(Base):
    def f(self, x, h, q, parameters):
        return (x * q.sign()).tanh()


class Softplus(Base):
    def f(self, x, h, q, parameters):
        return (x * functional.softplus(q)).tanh() + functional.softplus(x) + functional.logsigmoid(20 * x)


class ThreeParts(Base):
    states = ("h", "m", "c")

    def combine(self, state, a):
        return (a["n"] * state[2] + 0.3 * state[1], 0.5 * state[1] + state[0], 0.9 * state[2] + 0.1 * a["n"])


class NoInputs(Base):
    def activations(self, parameters, state, z):
        return {"n": recurrent(parameters, state[0]).tanh()}


@pytest.mark.parametrize("kind", [SignOfAParameter, Softplus, ThreeParts, NoInputs, FailsOnOneRow])
@pytest.mark.parametrize("scale", [0.0, 1.0, 30.0])
def test_what_is_compiled_equals_autograd_at_kinks_and_in_saturation(kind: type[Cell], scale: float) -> None:
    cell = kind(cell="own", hidden_size=5)
    assert untraceable(cell, 3) is None
    p = problem(cell, T=4, R=2, B=3, D=3, loss="every", real=True)
    p = replace(
        p, inputs=scale * p.inputs, state=tuple(scale * part for part in p.state),
        parameters={**p.parameters, "q": scale * p.parameters["q"]},
    )  # fmt: skip
    assert_close(answer(p), answer(p, "torch"), 1e-10)


class Forgetting(Base):
    def f(self, x, h, q, parameters):
        return x.tanh() + torch.sigmoid(x - 20) * h


def test_a_closed_gate_of_a_float32_cell_has_the_size_that_it_has_in_torch() -> None:
    """σ(−20) = 2·10⁻⁹, which ½ + ½ tanh(−10) of float32 is not."""
    p = problem(Forgetting(cell="own", hidden_size=4), T=5, B=3, D=2, dtype=torch.float32)
    p = replace(p, parameters={**p.parameters, "W": torch.zeros_like(p.parameters["W"])})
    levels = answer(p)["level"]
    assert levels[0, 0] < -30
    assert np.isfinite(levels).all()
    np.testing.assert_allclose(levels, answer(p, "torch")["level"], atol=1e-4)


class Sums(Base):
    def f(self, x, h, q, parameters):
        first, second = h.exp().mean(-1, keepdim=True), h.square().mean(-1, keepdim=True)
        return (x * (first / (second + 1))).tanh()


class SumsTheOtherWayRound(Base):
    def f(self, x, h, q, parameters):
        squared, exponential = h.square(), h.exp()
        second, first = squared.mean(-1, keepdim=True), exponential.mean(-1, keepdim=True)
        return (x * (first / (second + 1))).tanh()


class SumsWithAnIdleLine(Base):
    def f(self, x, h, q, parameters):
        h.exp() * 2
        first, second = h.exp().mean(-1, keepdim=True), h.square().mean(-1, keepdim=True)
        return (x * (first / (second + 1))).tanh()


@pytest.mark.parametrize("before", [Sums, SumsTheOtherWayRound, SumsWithAnIdleLine])
@pytest.mark.parametrize("after", [Sums, SumsTheOtherWayRound, SumsWithAnIdleLine])
def test_code_on_disk_of_one_source_is_not_taken_for_that_of_another(before, after, monkeypatch, tmp_path) -> None:
    """An interrupted process leaves one direction only; a file has the names of arrays beside the code."""
    monkeypatch.setattr(stored, "folder", lambda: tmp_path)
    compiled.cache_clear()
    p = problem(before(cell="own", hidden_size=5), T=4, B=3, D=2)
    leaves = {name: value.clone().requires_grad_() for name, value in p.parameters.items()}
    scan(p.cell, leaves, p.inputs, p.state, engine="compiled")  # the forward direction alone
    p = problem(after(cell="own", hidden_size=5), T=4, B=3, D=2)
    assert_close(answer(p), by_autograd(p), 1e-10)


def test_an_output_that_is_changed_in_place_before_the_way_back_is_an_error() -> None:
    p = problem("rnn", T=4, B=3, D=2)
    leaves = {name: value.clone().requires_grad_() for name, value in p.parameters.items()}
    h, _ = scan(p.cell, leaves, p.inputs, p.state, every_step=True, engine="compiled")
    loss = h.sum()
    h.detach().clamp_(-0.1, 0.1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
