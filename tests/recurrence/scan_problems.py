"""Problems for `scan`: its answer to one by each engine, and that of autograd through the cell's steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from made_networks import SMALL, Parameters, leaves, normal, started
from torch import Tensor

from harness.cells import CELLS
from harness.cells.cell import Cell, State, recurrent
from harness.recurrence.adjoints import AdjointRecorder
from harness.recurrence.drive import drive
from harness.recurrence.scan import scan
from harness.study.spec import setting

Results = dict[str, np.ndarray]  # by name, the replica first


class Normalised(Cell):
    """A tanh cell whose pre-activation is normalised over its units, and a gate that multiplies what W multiplies."""

    gates = ("n", "r")
    cell: Literal["normalised"] = setting("normalised", "which cell")

    def activations(self, parameters: Mapping[str, Tensor], state: State, z: Tensor) -> dict[str, Tensor]:
        n, r = (z + recurrent(parameters, state[0])).chunk(2, dim=-1)
        centred = n - n.mean(-1, keepdim=True)
        scaled = centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
        return {"n": scaled.tanh(), "r": torch.sigmoid(r)}

    def combine(self, state: State, a: Mapping[str, Tensor]) -> State:
        return ((1 - a["r"]) * state[0] + a["r"] * a["n"],)


class ResetBefore(Cell):
    """The first GRU (Cho et al. 2014): the reset gate acts before the product, so that a step has two in a row."""

    gates = ("r", "z", "n")
    recurrent_weights = ("W",)
    cell: Literal["reset_before"] = setting("reset_before", "which cell")

    def activations(self, parameters: Mapping[str, Tensor], state: State, z: Tensor) -> dict[str, Tensor]:
        W = parameters["W"]
        r_x, z_x, n_x = z.chunk(3, dim=-1)
        r_h, z_h, _ = (state[0] @ W.mT).chunk(3, dim=-1)
        r = (r_x + r_h).sigmoid()
        *_, n_h = ((r * state[0]) @ W.mT).chunk(3, dim=-1)
        return {"z": (z_x + z_h).sigmoid(), "n": (n_x + n_h).tanh()}

    def combine(self, state: State, a: Mapping[str, Tensor]) -> State:
        return ((1 - a["z"]) * a["n"] + a["z"] * state[0],)


OWN: dict[str, type[Cell]] = {"normalised": Normalised, "reset_before": ResetBefore}
NAMES = [*CELLS, *OWN]
# The cells of torch, with each nonlinearity of the simple RNN.
CASES = ["tanh", "relu", "sigmoid", "lstm", "gru"]
# One of each kind that the compiler treats in a way of its own: a plain cell, one with a memory c, complex units, a
# matrix as memory, an earlier h, sums over units, two products in a row. `test_scan.py` has every cell of the registry.
KINDS = ["rnn", "lstm", "lru", "deltanet", "skip", *OWN]


def cell_of(name: str, H: int, **options: Any) -> Cell:
    """A cell by its name, or a simple RNN by that of its nonlinearity."""
    if name in OWN:
        return OWN[name](hidden_size=H, **options)
    if name not in CELLS:
        return CELLS["rnn"](cell="rnn", hidden_size=H, nonlinearity=name, **options)
    return CELLS[name](cell=name, hidden_size=H, **SMALL.get(name, {}) | options)


@dataclass(frozen=True)
class Problem:
    """The arguments of `scan`, and the gradients with which its backward pass begins.

    Attributes:
        every: ∂⁺L/∂h_t as (T, R, B, H), if the loss sees every step.
        last: ∂⁺L/∂ of each part of the last state, (R, B, H); None for what the loss does not see.
    """

    cell: Cell
    parameters: Parameters
    inputs: Tensor
    state: State
    every: Tensor | None
    last: tuple[Tensor | None, ...]

    def _each(self, steps: Callable[[Tensor], Tensor], others: Callable[[Tensor], Tensor]) -> Problem:
        return replace(
            self,
            parameters={name: others(value.detach()) for name, value in self.parameters.items()},
            inputs=steps(self.inputs),
            state=tuple(map(others, self.state)),
            every=None if self.every is None else steps(self.every),
            last=tuple(None if part is None else others(part) for part in self.last),
        )

    def replicas(self, order: list[int]) -> Problem:
        """Some of its replicas, in that order."""
        return self._each(lambda a: a[:, order], lambda a: a[order])

    def double(self) -> Problem:
        """The same numbers in float64."""
        return self._each(lambda a: a.double() if a.is_floating_point() else a, lambda a: a.double())


def problem(
    name: str | Cell,
    *,
    T: int,
    R: int = 1,
    B: int,
    H: int = 1,
    D: int,
    dtype: torch.dtype = torch.float64,
    real: bool = False,
    loss: str = "last",
    radius: float | None = None,
    seed: int = 0,
) -> Problem:
    """A random problem.

    Args:
        name: of the cell, or the cell itself.
        loss: what it sees: `h` of the last step, the `last` state, `every` h, or `both` every h and the last state.
        radius: with it all parameters are normal and a block of W has about that spectral radius; else they are the
            cell's own before training.
    """
    cell = cell_of(name, H) if isinstance(name, str) else name
    H = cell.hidden_size
    streams = iter(range(1000 * seed, 1000 * seed + 100))

    def drawn(*shape: int) -> Tensor:
        return normal(next(streams), *shape, dtype=dtype)

    parameters = started(cell, range(R), input_size=D, length=max(T, 2), dtype=dtype)
    if radius is not None:
        parameters = {key: drawn(*value.shape) for key, value in parameters.items()}
        parameters["W"] = parameters["W"] * (radius / H**0.5)
    tokens = torch.randint(-1, D, (T, R, B), generator=torch.Generator().manual_seed(seed))
    inputs = drawn(T, R, B, D) if real else tokens
    state = tuple((0.5 if radius is None else 1.0) * drawn(R, B, H) for _ in cell.states)
    last: tuple[Tensor | None, ...] = (None,) * len(state)
    if loss in ("last", "both"):
        last = tuple(drawn(R, B, H) for _ in state)
    elif loss == "h":
        last = (drawn(R, B, H), *last[1:])
    every = drawn(T, R, B, H) if loss in ("every", "both") else None
    return Problem(cell, parameters, inputs, state, every, last)


def answer(
    p: Problem,
    engine: str = "compiled",
    *,
    window: int | None = None,
    record: bool = True,
    constants: Iterable[str] = (),
) -> Results:
    """Values, all gradients but those of parameters that are constants, and the recorder's levels."""
    recorder = AdjointRecorder() if record else None
    parameters = leaves(p.parameters)
    for name in constants:
        parameters[name].requires_grad_(False)
    state = tuple(part.detach().clone().requires_grad_() for part in p.state)
    inputs = p.inputs.detach().clone().requires_grad_(p.inputs.is_floating_point())
    options = {"window": window, "every_step": p.every is not None, "engine": engine, "recorder": recorder}
    h, last = scan(p.cell, parameters, inputs, state, **options)
    seen = [(h, p.every)] if p.every is not None else []
    seen += [(part, g) for part, g in zip(last if seen else (h, *last[1:]), p.last, strict=True) if g is not None]
    names = {name: value for name, value in parameters.items() if value.requires_grad}
    names |= {f"state {i}": part for i, part in enumerate(state)}
    names |= {"inputs": inputs} if inputs.requires_grad else {}
    gradients = torch.autograd.grad(
        [part for part, _ in seen], list(names.values()), [g for _, g in seen], allow_unused=True
    )
    results = {
        f"∂{name}": torch.zeros_like(value) if g is None else g
        for (name, value), g in zip(names.items(), gradients, strict=True)
    }
    results |= {"h": h, **{f"last {i}": part for i, part in enumerate(last)}}
    by_step = ("∂inputs", "h") if p.every is not None else ("∂inputs",)
    arrays = {
        name: (value.transpose(0, 1) if name in by_step else value).detach().numpy() for name, value in results.items()
    }
    if recorder is not None:
        levels = {"level": recorder.log10_adjoint, "level of c": recorder.log10_adjoint_cell}
        arrays |= {name: value.T for name, value in levels.items() if value is not None}
    return arrays


def by_autograd(p: Problem, window: int | None = None) -> Results:
    """The same in float64 by torch's autograd, from a loop of the cell's steps that knows nothing of `scan`."""
    p = p.double()
    T = len(p.inputs)
    first = T - min(window or T, T)  # h_1 … h_first are constants of the backward pass
    trained = leaves(p.parameters)
    parameters = p.cell.parametrize(trained)
    state = tuple(part.clone().requires_grad_() for part in p.state)
    inputs = p.inputs.clone().requires_grad_(p.inputs.is_floating_point())
    z = drive(parameters, inputs)
    history = [state]
    for t in range(T):
        before = tuple(part.detach() for part in history[-1]) if t == first > 0 else history[-1]
        history.append(p.cell.step(parameters, before, z[t]))
    seen = [(part, g) for part, g in zip(history[-1], p.last, strict=True) if g is not None]
    if p.every is not None:
        seen += [(history[t][0], p.every[t - 1]) for t in range(first + 1, T + 1)]
    names = {**trained, **{f"state {i}": part for i, part in enumerate(state)}}
    names |= {"inputs": inputs} if inputs.requires_grad else {}
    recorded = {"level": ("h",)} | ({"level of c": p.cell.cell_state} if p.cell.cell_state else {})
    parts = [p.cell.states.index(name) for names in recorded.values() for name in names]
    steps = [[each[i] for each in history[first + 1 :]] for i in parts]
    gradients = torch.autograd.grad(
        [part for part, _ in seen],
        [*names.values(), *(part for sequence in steps for part in sequence)],
        [g for _, g in seen],
        allow_unused=True,
    )
    results: dict[str, Tensor] = {
        f"∂{name}": torch.zeros_like(value) if g is None else g
        for (name, value), g in zip(names.items(), gradients[: len(names)], strict=True)
    }
    results["h"] = torch.stack([each[0] for each in history[1:]]) if p.every is not None else history[-1][0]
    results |= {f"last {i}": part for i, part in enumerate(history[-1])}
    by_step = ("∂inputs", "h") if p.every is not None else ("∂inputs",)
    arrays = {
        name: (value.transpose(0, 1) if name in by_step else value).detach().numpy() for name, value in results.items()
    }
    each = iter(gradients[len(names) :])
    for level, own in recorded.items():
        adjoints = np.zeros((len(own), T, *p.state[0].shape))
        for part in adjoints:
            for t, g in zip(range(first, T), each, strict=False):
                part[t] = 0 if g is None else g.numpy()
        arrays[level] = log10_sum_of_norms(np.concatenate(adjoints, axis=-1)).T
    return arrays


def log10_sum_of_norms(adjoints: np.ndarray) -> np.ndarray:
    """log₁₀ Σ_b ‖a_b‖ of adjoints (…, B, H); their squares would underflow."""
    top = np.abs(adjoints).max(axis=(-2, -1), keepdims=True)
    norms = np.linalg.norm(adjoints / np.where(top > 0, top, 1), axis=-1).sum(-1)
    with np.errstate(divide="ignore"):
        return np.log10(norms) + np.log10(np.where(top > 0, top, 1))[..., 0, 0]


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """‖a − b‖/‖b‖, and 0 where both are zero."""
    error = float(np.linalg.norm(np.asarray(a, np.float64) - b))
    return error if error == 0 else error / float(np.linalg.norm(b))


def agree(p: Problem, window: int | None, tolerance: float) -> None:
    """The compiled engine's answer against autograd's: by the norm of the difference, and levels by ten times that."""
    expected, measured = by_autograd(p, window), answer(p, window=window)
    assert measured.keys() == expected.keys()
    for key, value in measured.items():
        if key.startswith("level"):
            finite = np.isfinite(expected[key])
            assert np.array_equal(value[~finite], expected[key][~finite]), key  # exact zeros before the window
            np.testing.assert_allclose(value[finite], expected[key][finite], atol=10 * tolerance, err_msg=key)
        else:
            lost = np.abs(expected[key]).max(initial=0) < np.finfo(value.dtype).tiny  # its digits, in any case
            assert lost or distance(value, expected[key]) <= tolerance, (key, distance(value, expected[key]))


def assert_close(ours: Results, theirs: Results, tolerance: float) -> None:
    """Within that share of the largest entry."""
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        scale = np.abs(value[np.isfinite(value)]).max(initial=1e-3)
        np.testing.assert_allclose(ours[name], value, rtol=0, atol=tolerance * scale, err_msg=name)


def same_bits(ours: Results, theirs: Results) -> None:
    for name, value in theirs.items():
        assert ours[name].tobytes() == value.tobytes(), name


def replica(results: Results, r: int) -> Results:
    """Of one replica of a pack."""
    return {name: value[r] for name, value in results.items()}
