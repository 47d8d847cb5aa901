"""Layers on top of one another: equal to torch.nn, to autograd through the steps, and to themselves in any pack."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from math import log10

import numpy as np
import pytest
import torch
from made_networks import SMALL
from samples import sampled
from torch import Tensor

from harness.cells import CELLS
from harness.cells.cell import Cell
from harness.cells.layers import between_shapes, layers_of, shapes, start
from harness.errors import HarnessError
from harness.recurrence.adjoints import AdjointRecorder
from harness.recurrence.compiler import memory
from harness.recurrence.compiler.layout import LaidOut, Shapes
from harness.recurrence.compiler.sequence import Sequence
from harness.recurrence.layers import Stack, normalised
from harness.recurrence.scan import scan_layers
from harness.theory.depth import log10_level

T, R, B, D, H = 7, 2, 3, 4, 5
TORCH = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}
NAMES = {"W": "weight_hh", "U": "weight_ih", "b_x": "bias_ih", "b_h": "bias_hh"}
NETWORKS = {
    "two": {"layers": 2},
    "widths": {"layer_sizes": [7, 3, 5]},
    "both": {"layers": 3, "bidirectional": True},
    "residual": {"layers": 3, "residual": "add"},
    "residual both": {"layers": 3, "residual": "add", "bidirectional": True},
    "layer between": {"layers": 3, "normalisation": "layer", "normalised": "between", "residual": "add"},
    "rms between": {"layers": 2, "normalisation": "rms", "normalised": "between"},
    "layer within": {"layers": 2, "normalisation": "layer"},
    "rms within": {"normalisation": "rms"},
}
ORDINARY = [  # each network once, each cell in several of them
    ("lstm", "two"), ("gru", "widths"), ("gru", "both"), ("rnn", "residual"), ("lstm", "residual both"),
    ("gru", "layer between"), ("rnn", "rms between"), ("rnn", "layer within"), ("lstm", "rms within"),
]  # fmt: skip


@dataclass(frozen=True)
class Problem:
    """A network, its parameters, inputs, first state, masks, and the weights of the loss on all that it gives."""

    cell: Cell
    parameters: dict[str, Tensor]
    inputs: Tensor
    state: tuple[Tensor, ...]
    masks: list[Tensor]
    seen: Tensor
    last: list[Tensor]


def problem(name: str, every_step: bool = True, *, dropout: bool = False, dtype=torch.float64, **settings) -> Problem:
    settings = {**SMALL.get(name, {}), **settings}
    cell = CELLS[name].model_validate({"cell": name, "hidden_size": H, **settings}, strict=False)
    draw = torch.Generator().manual_seed(5)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=draw, dtype=dtype)

    drawn = [start(cell, seed, input_size=D, output_size=1, length=T) for seed in range(R)]
    parameters = {n: torch.as_tensor(np.stack([each[n] for each in drawn]), dtype=dtype) for n in shapes(cell, D)}
    parameters |= {n: p + 0.1 * normal(*p.shape) for n, p in parameters.items() if n.startswith(("g", "shift."))}
    stack = Stack.of(cell)
    widths = [sum(d.cell.hidden_size for d in layer) for layer in stack.layers]
    state = tuple(0.3 * normal(R, B, d.cell.hidden_size) for d in stack.directions for _ in d.cell.states)
    masks = [(normal(T, R, B, width) > 0).to(dtype) * 2 for width in widths[:-1]] if dropout else []
    seen = normal(*(T,) * every_step, R, B, widths[-1])
    return Problem(cell, parameters, normal(T, R, B, D), state, masks, seen, [normal(*part.shape) for part in state])


@pytest.mark.parametrize("name", CELLS)
def test_every_parameter_has_a_name_of_its_own(name: str) -> None:
    """modReLU has a b too: under one name with the shift between layers they would be trained as one."""
    settings = {"cell": name, "hidden_size": 6, "bidirectional": True, "normalisation": "layer"}
    cell = CELLS[name].model_validate({**settings, "layers": 4, "normalised": "between"}, strict=False)
    own = [n for layer in layers_of(cell, 3) for direction in layer for n in direction.shapes()]
    assert len(shapes(cell, 3)) == len(own) + len(between_shapes(cell)) == len({*own, *between_shapes(cell)})


def test_a_cell_with_a_parameter_called_as_one_between_layers_is_refused() -> None:
    class Gain(CELLS["rnn"]):  # type: ignore[misc]
        def shapes(self, H: int, D: int) -> dict[str, tuple[int, ...]]:
            return {**super().shapes(H, D), "gain": (H,)}

    cell = Gain(cell="rnn", layers=3, normalisation="layer", normalised="between")
    with pytest.raises(HarnessError, match="cell 'rnn' has parameters called gain, as those between layers"):
        shapes(cell, 3)


def answer(p: Problem, engine: str, window: int | None = None) -> dict[str, np.ndarray]:
    """Outputs, all gradients and all levels."""
    leaves = {name: value.clone().requires_grad_() for name, value in p.parameters.items()}
    x, first = p.inputs.clone().requires_grad_(), [part.clone().requires_grad_() for part in p.state]
    recorder = AdjointRecorder()
    y, last = scan_layers(
        Stack.of(p.cell), leaves, x, tuple(first), window=window, every_step=p.seen.dim() == 4, engine=engine,
        recorder=recorder, masks=p.masks,
    )  # fmt: skip
    ((y * p.seen).sum() + sum((a * b).sum() for a, b in zip(last, p.last, strict=True))).backward()
    out = {"y": y, **{f"last {i}": part for i, part in enumerate(last)}, "dx": x.grad}
    out |= {f"d {name}": leaf.grad for name, leaf in leaves.items()} | {f"d0 {i}": s.grad for i, s in enumerate(first)}
    numbers = {n: np.zeros(0) if value is None else value.detach().numpy() for n, value in out.items()}
    for r, rows in enumerate(recorder.rows()):
        for row in rows:
            levels = {k: v for k, v in row.items() if k.startswith("log10") and v is not None}
            numbers |= {f"{k} {r} {row['layer']} {row['direction']}": v for k, v in levels.items()}
    return numbers


def assert_close(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray], tolerance: float) -> None:
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        if value.size or ours[name].any():  # what no window reaches has no gradient, or one of zeros
            np.testing.assert_allclose(ours[name], value, rtol=tolerance, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("every_step", [True, False])
@pytest.mark.parametrize(
    ("name", "network"), sampled([(name, network) for network in NETWORKS for name in TORCH], ORDINARY)
)
def test_compiled_layers_equal_the_steps_and_their_autograd(name: str, network: str, every_step: bool) -> None:
    p = problem(name, every_step, dropout=network in ("two", "layer between", "both"), **NETWORKS[network])
    assert_close(answer(p, "compiled"), answer(p, "torch"), 1e-10)


@pytest.mark.parametrize(
    "name", sampled([name for name in CELLS if name not in TORCH], ["lru", "deltanet", "skip", "window", "lem"])
)
def test_any_cell_may_stand_in_any_layer(name: str) -> None:
    p = problem(name, layers=2, bidirectional=True)
    assert_close(answer(p, "compiled"), answer(p, "torch"), 1e-10)


@pytest.mark.parametrize("name", TORCH)
def test_pieces_of_a_long_sequence_are_joined_where_the_next_layer_can_read_them(name: str, monkeypatch) -> None:
    p = problem(name, layers=3)
    rows = torch.randn(200, R, B, D, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    places, fits = [], LaidOut.fits

    def noted(self: LaidOut, shapes: Shapes) -> bool:
        places.append(self.array.ctypes.data % memory.BYTES)
        return fits(self, shapes)

    monkeypatch.setattr(LaidOut, "fits", noted)
    answers = []
    for engine in ("compiled", "torch"):
        with torch.no_grad():
            y, _ = scan_layers(Stack.of(p.cell), p.parameters, rows, p.state, every_step=True, engine=engine)
        answers.append(y)
    assert places == [0, 0]  # code reads whole vectors; without a way back a piece has 64 steps
    torch.testing.assert_close(answers[0], answers[1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("window", [1, 3])
def test_a_window_cuts_every_layer_at_the_same_step(window: int) -> None:
    p = problem("lstm", False, layers=3, residual="add")
    ours = answer(p, "compiled", window)
    assert_close(ours, answer(p, "torch", window), 1e-10)
    for layer in (1, 2, 3):
        assert (ours[f"log10_adjoint 0 {layer} forward"][:-window] == -np.inf).all()


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("name", TORCH)
def test_layers_are_those_of_torch_nn(name: str, both: bool) -> None:
    """Values and all gradients, from states that are not zero."""
    p = problem(name, layers=3, bidirectional=both)
    ours = answer(p, "compiled")
    for r in range(R):
        module = TORCH[name](D, H, num_layers=3, bidirectional=both).double()
        places = {
            f"{theirs}_l{d.layer - 1}{'_reverse' * d.backward}": own + d.suffix
            for d in Stack.of(p.cell).directions
            for own, theirs in NAMES.items()
        }
        with torch.no_grad():
            for theirs, own in places.items():
                getattr(module, theirs).copy_(p.parameters[own][r])
        parts = len(CELLS[name].states)
        first = [torch.stack([part[r] for part in p.state[k::parts]]).requires_grad_() for k in range(parts)]
        x = p.inputs[:, r].clone().requires_grad_()
        y, last = module(x, tuple(first) if parts > 1 else first[0])
        lasts = last if parts > 1 else (last,)
        loss = (y * p.seen[:, r]).sum()
        for k in range(parts):
            loss = loss + (lasts[k] * torch.stack([part[r] for part in p.last[k::parts]])).sum()
        loss.backward()
        close = {"rtol": 1e-10, "atol": 1e-10}
        np.testing.assert_allclose(ours["y"][:, r], y.detach().numpy(), **close)
        np.testing.assert_allclose(ours["dx"][:, r], x.grad.numpy(), **close)
        for theirs, own in places.items():
            np.testing.assert_allclose(ours[f"d {own}"][r], getattr(module, theirs).grad.numpy(), **close)
        for k in range(parts):
            for i, gradient in enumerate(first[k].grad):
                np.testing.assert_allclose(ours[f"d0 {parts * i + k}"][r], gradient.numpy(), **close)


@pytest.mark.parametrize("engine", ["compiled", "torch"])
def test_the_recorded_adjoint_of_a_layer_is_that_of_autograd_through_all_that_is_above(engine: str) -> None:
    """h of the first of two layers is handed to the second by hand, so that autograd keeps its gradient."""
    p = problem("lstm", layers=2)
    levels = answer(p, engine)
    below, above = (d.cell for d in Stack.of(p.cell).directions)
    states, h1s = [(p.state[:2], p.state[2:])], []
    for x in p.inputs:
        (first, second), own = states[-1], {n.removesuffix(".2"): v for n, v in p.parameters.items() if ".2" in n}
        first = below.step(p.parameters, first, x @ p.parameters["U"].mT + p.parameters["b_x"].unsqueeze(1))
        first = (first[0].requires_grad_(), first[1])
        first[0].retain_grad()
        second = above.step(own, second, first[0] @ own["U"].mT + own["b_x"].unsqueeze(1))
        states.append((first, second))
        h1s.append(first[0])
    y = torch.stack([second[0] for _, second in states[1:]])
    last = [*states[-1][0], *states[-1][1]]
    ((y * p.seen).sum() + sum((a * b).sum() for a, b in zip(last, p.last, strict=True))).backward()
    for r in range(R):
        expected = [h.grad[r].norm(dim=-1).sum().log10().item() for h in h1s]
        np.testing.assert_allclose(levels[f"log10_adjoint {r} 1 forward"], expected, rtol=1e-10)


@pytest.mark.parametrize("residual", ["none", "add"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_levels_of_linear_layers_are_a_sum_over_paths_far_below_any_float(residual: str, dtype: torch.dtype) -> None:
    """Down to 10⁻⁶⁰⁰; in float32 every number of every layer but the last few steps' would be a zero."""
    layers, steps, rho = 12, 2000, 0.5
    cell = CELLS["rnn"].model_validate({
        "cell": "rnn", "hidden_size": 1, "biases": 1, "layers": layers, "residual": residual
    })  # fmt: skip
    stack, recorder = Stack.of(cell), AdjointRecorder()
    parameters = {
        n: torch.full((1, *shape), 0.0 if n.startswith("b") else rho, dtype=dtype).requires_grad_()
        for n, shape in shapes(cell, 1).items()
    }
    rest = tuple(torch.zeros(1, 1, 1, dtype=dtype) for _ in range(layers))
    silence = torch.full((steps, 1, 1), -1)
    y, _ = scan_layers(stack, parameters, silence, rest, engine="compiled", recorder=recorder)
    y.sum().backward()
    [rows] = recorder.rows()
    assert min(row["log10_adjoint"].min() for row in rows) < -580
    for row in rows:
        theory = [
            log10_level(layers - row["layer"], lag, vertical=rho, horizontal=rho, residual=residual == "add")
            for lag in range(steps - 1, -1, -1)
        ]
        np.testing.assert_allclose(row["log10_adjoint"], theory, atol=1e-12 if dtype == torch.float64 else 2e-4)


@pytest.mark.parametrize(
    "network",
    sampled(["both", "layer between", "layer within", "rms within"], ["both", "layer between", "rms within"]),
)
def test_a_network_of_layers_has_the_same_bits_alone_as_in_a_pack(network: str) -> None:
    p = problem("lstm", dropout=True, dtype=torch.float32, **NETWORKS[network])
    whole = answer(p, "compiled")
    for r in range(R):
        own = slice(r, r + 1)
        alone = Problem(
            p.cell, {n: v[own] for n, v in p.parameters.items()}, p.inputs[:, own], tuple(s[own] for s in p.state),
            [mask[:, own] for mask in p.masks], p.seen[:, own], [part[own] for part in p.last],
        )  # fmt: skip
        for name, value in answer(alone, "compiled").items():
            kind, *place = name.split()
            if kind.startswith("log10"):
                expected = whole[" ".join([kind, str(r), *place[1:]])]
            else:
                expected = whole[name][:, own] if name in ("y", "dx") else whole[name][own]
            np.testing.assert_array_equal(value, expected, err_msg=name)


@pytest.mark.parametrize("every_step", [True, False])
@pytest.mark.parametrize("network", sampled(NETWORKS, ["both"]))
def test_what_the_way_back_holds_is_free_once_it_is_done(network: str, every_step: bool) -> None:
    p = problem("lstm", every_step, dropout="layers" in NETWORKS[network], **NETWORKS[network])
    answer(p, "compiled")
    gc.collect()
    assert [each for each in gc.get_objects() if type(each) is Sequence] == []


@pytest.mark.parametrize("kind", ["layer", "rms"])
def test_normalisations_are_those_of_torch_nn(kind: str) -> None:
    h = torch.randn(3, 4, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    module = torch.nn.LayerNorm(9) if kind == "layer" else torch.nn.RMSNorm(9, eps=1e-5)
    torch.testing.assert_close(normalised(kind, h), module.double()(h).detach(), rtol=1e-12, atol=1e-12)


def test_a_normalised_recurrence_does_not_see_the_scale_of_its_weights() -> None:
    """N(a W h) = N(W h): the adjoint's level does not change with the spectral radius, but for ε."""
    p = problem("rnn", normalisation="layer")
    larger = Problem(**{**vars(p), "parameters": p.parameters | {"W": 1000 * p.parameters["W"]}})
    much = Problem(**{**vars(p), "parameters": p.parameters | {"W": 100_000 * p.parameters["W"]}})
    np.testing.assert_allclose(answer(larger, "compiled")["y"], answer(much, "compiled")["y"], atol=1e-6)


def test_one_layer_is_one_term_of_the_sum() -> None:
    assert log10_level(0, 30, vertical=0.3, horizontal=0.9) == pytest.approx(30 * log10(0.9), rel=1e-15)
