"""Sequences of their own lengths equal the sequences alone; zoneout equals what it is the mean of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from made_networks import stacked
from samples import sampled
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from harness.cells import CELLS
from harness.cells.cell import Cell
from harness.cells.layers import shapes, start
from harness.recurrence.adjoints import AdjointRecorder
from harness.recurrence.compiler.recurrence import untraceable
from harness.recurrence.given import GivenSteps, resets, reversal
from harness.recurrence.layers import Stack
from harness.recurrence.scan import scan_layers

T, R, D, H = 8, 2, 3, 4
LENGTHS = torch.tensor([[8, 3, 5, 1], [2, 6, 6, 4]])
B = LENGTHS.shape[1]
PRESENT = torch.arange(T).view(T, 1, 1) >= T - LENGTHS
NETWORKS: dict[str, dict[str, Any]] = {
    "one": {},
    "two": {"layers": 2, "residual": "add", "normalisation": "layer"},
    "both": {"layers": 2, "bidirectional": True},
    "both with residuals": {"layers": 2, "bidirectional": True, "residual": "add"},
}
GATED = ("rnn", "lstm", "gru")
Answer = tuple[dict[str, Tensor], list[list[dict[str, Any]]]]


def network(name: str, **settings: Any) -> tuple[Cell, dict[str, Tensor]]:
    cell = CELLS[name].model_validate({"cell": name, "hidden_size": H, **settings}, strict=False)
    drawn = [start(cell, seed, input_size=D, output_size=1, length=T) for seed in range(R)]
    return cell, stacked([{n: each[n] for n in shapes(cell, D)} for each in drawn])


def normal(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def answer(
    cell: Cell, parameters: dict[str, Tensor], x: Tensor, seen: Tensor, lengths: Tensor | None = None,
    engine: str = "torch", masks: list[Tensor] | tuple[()] = (),
) -> Answer:  # fmt: skip
    """Gradients of the parameters and of the inputs, and what was recorded, for a loss Σ seen·output."""
    leaves = {name: value.detach().clone().requires_grad_() for name, value in parameters.items()}
    x = x.clone().requires_grad_(x.is_floating_point())
    stack, recorder = Stack.of(cell), AdjointRecorder()
    zeros = tuple(
        torch.zeros(*x.shape[1:3], d.cell.hidden_size, dtype=seen.dtype)
        for d in stack.directions
        for _ in d.cell.states
    )
    y, _ = scan_layers(
        stack,
        leaves,
        x,
        zeros,
        every_step=seen.dim() == 4,
        engine=engine,
        recorder=recorder,
        lengths=lengths,
        masks=masks,
    )
    (y * seen).sum().backward()
    return {"x": x.grad, "y": y.detach(), **{name: leaf.grad for name, leaf in leaves.items()}}, recorder.rows()  # type: ignore[dict-item]


def weights(cell: Cell, *, every_step: bool) -> Tensor:
    width = cell.hidden_size * (1 + cell.bidirectional)
    return normal(T, R, B, width) * PRESENT.unsqueeze(-1) if every_step else normal(R, B, width)


@pytest.mark.parametrize(
    ("layers", "every_step", "name"),
    sampled(
        [
            (layers, every_step, name)
            for layers, every_step in zip(NETWORKS, [False, True, False, True], strict=True)
            for name in GATED
        ],
        [("one", False, "lstm"), ("two", True, "rnn"), ("both", False, "lstm"), ("both with residuals", True, "gru")],
    ),
)
def test_a_batch_with_lengths_is_the_sum_of_its_sequences_alone(name: str, layers: str, every_step: bool) -> None:
    cell, parameters = network(name, **NETWORKS[layers])
    x, seen = normal(T, R, B, D), weights(cell, every_step=every_step)
    compiled, by_compiled = answer(cell, parameters, x, seen, LENGTHS, "compiled")
    torchs, by_torch = answer(cell, parameters, x, seen, LENGTHS)
    total = {name: torch.zeros_like(value) for name, value in parameters.items()}
    keys = [(row["layer"], row["direction"]) for row in by_torch[0]]
    norms = {(key, c): np.zeros((T, R)) for key in keys for c in ("log10_adjoint", "log10_adjoint_cell")}
    for r in range(R):
        one = {name: value[r : r + 1] for name, value in parameters.items()}
        for b, length in enumerate(LENGTHS[r].tolist()):
            own = seen[T - length :, r : r + 1, b : b + 1] if every_step else seen[r : r + 1, b : b + 1]
            alone, [rows] = answer(cell, one, x[T - length :, r : r + 1, b : b + 1], own)
            for name in total:
                total[name][r] += alone[name][0]
            assert torch.allclose(compiled["x"][T - length :, r, b], alone["x"][:, 0, 0], rtol=0, atol=1e-12)
            assert not compiled["x"][: T - length, r, b].any()
            for key, row in zip(keys, rows, strict=True):
                for column in ("log10_adjoint", "log10_adjoint_cell"):
                    if row[column] is not None:
                        norms[key, column][T - length :, r] += 10 ** row[column]
    for ours in (compiled, torchs):
        for name, value in total.items():
            assert torch.allclose(ours[name], value, rtol=1e-12, atol=1e-12), name
    # B·‖a_b‖ over the sequences that have the step: the lag counts from each one's own end
    share = PRESENT.double().mean(-1).numpy()
    for rows in (by_compiled, by_torch):
        for r in range(R):
            for row in rows[r]:
                for column in ("log10_adjoint", "log10_adjoint_cell"):
                    if row[column] is not None:
                        level = norms[(row["layer"], row["direction"]), column][:, r]
                        there = share[:, r] > 0
                        assert np.allclose(10 ** row[column][there], level[there] / share[there, r], rtol=1e-12, atol=0)
                        assert np.isnan(row[column][~there]).all()


@pytest.mark.parametrize("name", CELLS)
def test_every_cell_is_compiled_with_what_is_given(name: str) -> None:
    cell, _ = network(name)
    for resets_, drawn, starts in ((True, False, False), (False, True, False), (True, True, False), (True, True, True)):
        if cell.keeps or not drawn:
            assert untraceable(GivenSteps(cell, resets_, drawn, starts), D) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["lru", "skip", "cornn", "lem", "window"])
def test_any_cell_begins_where_its_sequence_does(name: str) -> None:
    cell, parameters = network(name)
    x, seen = normal(T, R, B, D), weights(cell, every_step=True)
    compiled, _ = answer(cell, parameters, x, seen, LENGTHS, "compiled")
    torchs, _ = answer(cell, parameters, x, seen, LENGTHS)
    for key in compiled:
        assert torch.allclose(compiled[key], torchs[key], rtol=1e-10, atol=1e-10), key
    for b, length in enumerate(LENGTHS[1].tolist()):
        one = {name: value[1:2] for name, value in parameters.items()}
        own, _ = answer(cell, one, x[T - length :, 1:2, b : b + 1], seen[T - length :, 1:2, b : b + 1])
        assert torch.allclose(own["y"][:, 0, 0], torchs["y"][T - length :, 1, b], rtol=0, atol=1e-14)


def test_the_network_is_that_of_torch_with_packed_sequences() -> None:
    cell, parameters = network("lstm", layers=2, bidirectional=True)
    twin = torch.nn.LSTM(D, H, num_layers=2, bidirectional=True).double()
    names = {"W": "weight_hh", "U": "weight_ih", "b_x": "bias_ih", "b_h": "bias_hh"}
    suffixes = {".1r": "l0_reverse", ".2": "l1", ".2r": "l1_reverse", "": "l0"}
    own = {
        f"{theirs}_{end}": parameters[ours + suffix][0]
        for ours, theirs in names.items()
        for suffix, end in suffixes.items()
    }
    twin.load_state_dict({name: value.detach() for name, value in own.items()})
    x, lengths = normal(T, 1, B, D), LENGTHS[:1]
    one = {name: value[:1].detach().clone().requires_grad_() for name, value in parameters.items()}
    zeros = (torch.zeros(1, B, H, dtype=torch.float64),) * 8
    y, _ = scan_layers(Stack.of(cell), one, x, zeros, every_step=True, engine="compiled", lengths=lengths)
    post = torch.zeros(T, B, D, dtype=torch.float64)
    for b, length in enumerate(lengths[0].tolist()):
        post[:length, b] = x[T - length :, 0, b]
    packed = pack_padded_sequence(post, lengths[0], enforce_sorted=False)
    theirs, _ = pad_packed_sequence(twin(packed)[0])
    loss = theirs.new_zeros(())
    for b, length in enumerate(lengths[0].tolist()):
        assert torch.allclose(y[T - length :, 0, b], theirs[:length, b], rtol=0, atol=1e-12)
        loss = loss + (theirs[:length, b] * torch.arange(1.0, length + 1).double().unsqueeze(-1)).sum()
    loss.backward()
    steps = (torch.arange(T).view(T, 1) - (T - lengths[0]) + 1).clamp(min=0).double()
    (y[:, 0] * steps.unsqueeze(-1)).sum().backward()
    for ours, name in names.items():
        for suffix, end in suffixes.items():
            gradient = getattr(twin, f"{name}_{end}").grad
            assert torch.allclose(one[ours + suffix].grad[0], gradient, rtol=1e-10, atol=1e-10)  # type: ignore[index]


@pytest.mark.parametrize("engine", ["torch", "compiled"])
def test_what_stands_in_steps_that_are_not_there_changes_no_bit(engine: str) -> None:
    """In float32, with a relu that would overflow on what is there; and of a replica alone."""
    cell, parameters = network("rnn", nonlinearity="relu", init="gaussian", spectral_radius=3.0)
    single = {name: value.detach().float() for name, value in parameters.items()}
    x, seen = normal(T, R, B, D).float(), weights(cell, every_step=False).float()
    other = torch.where(PRESENT.unsqueeze(-1), x, 1e15)
    (ours, rows), (theirs, others) = (answer(cell, single, each, seen, LENGTHS, engine) for each in (x, other))
    one = {name: value[1:] for name, value in single.items()}
    alone, _ = answer(cell, one, x[:, 1:], seen[1:], LENGTHS[1:], engine)
    for name in single:
        assert torch.equal(ours[name], theirs[name])
        assert torch.isfinite(ours[name]).all()
        assert torch.equal(ours[name][1:], alone[name])
    assert all(np.array_equal(a["log10_adjoint"], b["log10_adjoint"]) for a, b in zip(rows[0], others[0], strict=True))


def test_a_window_counts_from_each_own_end() -> None:
    cell, parameters = network("lstm")
    x, seen = normal(T, R, B, D), weights(cell, every_step=False)
    zeros = (torch.zeros(R, B, H, dtype=torch.float64),) * 2
    gradients = []
    for engine in ("torch", "compiled"):
        leaves = {name: value.detach().clone().requires_grad_() for name, value in parameters.items()}
        y, _ = scan_layers(Stack.of(cell), leaves, x, zeros, window=4, engine=engine, lengths=LENGTHS)
        (y * seen).sum().backward()
        gradients.append({name: leaf.grad for name, leaf in leaves.items()})
    total = torch.zeros_like(parameters["W"][0])
    for b, length in enumerate(LENGTHS[0].tolist()):
        leaves = {name: value[:1].detach().clone().requires_grad_() for name, value in parameters.items()}
        start = tuple(part[:1, :1] for part in zeros)
        y, _ = scan_layers(Stack.of(cell), leaves, x[T - length :, :1, b : b + 1], start, window=4)
        (y * seen[:1, b : b + 1]).sum().backward()
        total += leaves["W"].grad[0]  # type: ignore[index]
    for own in gradients:
        assert torch.allclose(own["W"][0], total, rtol=0, atol=1e-12)  # type: ignore[index]


def test_the_order_of_a_backward_direction_undoes_itself() -> None:
    order = reversal(LENGTHS, T)
    steps = torch.arange(T).view(T, 1, 1).expand(T, R, B)
    assert torch.equal(steps.gather(0, order).gather(0, order), steps)
    assert (order[-1] == T - LENGTHS).all()  # its own last step is the first of the sequence
    assert (resets(LENGTHS, T).sum(0) == LENGTHS - 1).all()


@pytest.mark.parametrize(("lengths", "message"), [(9, "lengths 1 … 9"), (0, "lengths 0 … 8")])
def test_a_length_that_a_batch_has_no_room_for_is_refused(lengths: int, message: str) -> None:
    cell, parameters = network("rnn")
    wrong = LENGTHS.clone()
    wrong[0, 2] = lengths
    with pytest.raises(ValueError, match=message):
        answer(cell, parameters, normal(T, R, B, D), weights(cell, every_step=False), wrong)


@pytest.mark.parametrize(
    ("layers", "name"),
    sampled(
        [(layers, name) for layers in ("one", "both") for name in GATED],
        [("one", "lstm"), ("one", "gru"), ("both", "rnn")],
    ),
)
def test_a_sequence_starts_from_its_own_state_at_its_own_first_step(name: str, layers: str) -> None:
    """With both engines; with the gradient of that state, and without it."""
    cell, parameters = network(name, **NETWORKS[layers])
    x, seen = normal(T, R, B, D), weights(cell, every_step=True)
    stack = Stack.of(cell)
    start = [normal(R, B, H) + i for i, d in enumerate(stack.directions) for _ in d.cell.states]

    def run(engine: str, needed: bool, r: slice, b: slice, steps: slice, lengths: Tensor | None) -> Any:
        leaves = {key: value[r].detach().clone().requires_grad_() for key, value in parameters.items()}
        state = [part[r, b].clone().requires_grad_(needed) for part in start]
        recorder = AdjointRecorder()
        y, last = scan_layers(
            stack, leaves, x[steps, r, b], tuple(state), every_step=True, engine=engine, lengths=lengths,
            recorder=recorder,
        )  # fmt: skip
        ((y * seen[steps, r, b]).sum() + sum((i + 1) * part.sum() for i, part in enumerate(last))).backward()
        gradients = {key: leaf.grad for key, leaf in leaves.items()}
        return y.detach(), gradients, [part.grad for part in state], recorder.rows()

    everything = slice(None)
    for needed in (False, True):
        (y, own, states, rows), (y_torch, theirs, _, rows_torch) = (
            run(engine, needed, everything, everything, everything, LENGTHS) for engine in ("compiled", "torch")
        )
        for key, value in own.items():
            assert torch.allclose(value, theirs[key], rtol=1e-10, atol=1e-10), key
        total = {key: torch.zeros_like(value) for key, value in own.items()}
        for r in range(R):
            for a, b_ in zip(rows[r], rows_torch[r], strict=True):
                assert np.allclose(a["log10_adjoint"], b_["log10_adjoint"], rtol=0, atol=1e-9, equal_nan=True)
            for b, length in enumerate(LENGTHS[r].tolist()):
                place = slice(r, r + 1), slice(b, b + 1), slice(T - length, T)
                alone, gradients, of_start, _ = run("torch", needed, *place, None)
                assert torch.allclose(y[place[2], r, b], alone[:, 0, 0], rtol=0, atol=1e-12)
                assert torch.allclose(y_torch[place[2], r, b], alone[:, 0, 0], rtol=0, atol=1e-12)
                for key in total:
                    total[key][r] += gradients[key][0]
                if needed:
                    for part, gradient in zip(states, of_start, strict=True):
                        assert torch.allclose(part[r, b], gradient[0, 0], rtol=0, atol=1e-12)
        for key, value in total.items():
            assert torch.allclose(own[key], value, rtol=1e-10, atol=1e-10), key


# zoneout


def zoneout(cell: Cell, p: float) -> list[Tensor | None]:
    draw = torch.Generator().manual_seed(7)
    stack = Stack.of(cell)
    masks: list[Tensor | None] = [None] * (len(stack.layers) - 1)
    for direction in stack.directions:
        shape = (T, R, B, len(direction.cell.states) * direction.cell.hidden_size)
        masks.append((torch.rand(*shape, generator=draw) < p).double())
    return masks


@pytest.mark.parametrize(
    ("name", "layers"),
    sampled(
        [*((name, layers) for name in GATED for layers in ("one", "both")), ("lru", "one")],
        [("rnn", "both"), ("lstm", "one"), ("lru", "one")],
    ),
)
def test_compiled_zoneout_is_that_of_the_steps(name: str, layers: str) -> None:
    cell, parameters = network(name, zoneout=0.3, **NETWORKS[layers])
    x, seen = normal(T, R, B, D), weights(cell, every_step=True)
    for masks, lengths in ((zoneout(cell, 0.3), None), (zoneout(cell, 0.3), LENGTHS), ([], None)):
        (ours, rows), (theirs, others) = (
            answer(cell, parameters, x, seen, lengths, engine, masks)  # type: ignore[arg-type]
            for engine in ("compiled", "torch")
        )
        for key, value in theirs.items():
            assert torch.allclose(ours[key], value, rtol=1e-10, atol=1e-10), key
        for a, b in zip(rows[0], others[0], strict=True):
            assert np.allclose(a["log10_adjoint"], b["log10_adjoint"], rtol=0, atol=1e-9, equal_nan=True)


@pytest.mark.parametrize("name", GATED)
def test_units_that_are_kept_have_the_bits_of_the_step_before_and_the_others_those_of_the_cell(name: str) -> None:
    cell, parameters = network(name)
    state = tuple(normal(R, B, H) for _ in cell.states)
    z = normal(R, B, len(cell.gates) * H)
    k = zoneout(cell, 0.5)[0][0]  # type: ignore[index]
    new = GivenSteps(cell, False, True).step(parameters, state, torch.cat([z, k], -1))
    for own, old, free, mask in zip(new, state, cell.step(parameters, state, z), k.split(H, -1), strict=True):
        assert torch.equal(own, torch.where(mask.bool(), old, free))
    expected = cell.model_copy(update={"zoneout": 0.25}).step(parameters, state, z)
    for own, old, free in zip(expected, state, cell.step(parameters, state, z), strict=True):
        assert torch.allclose(own, 0.25 * old + 0.75 * free, rtol=1e-15, atol=1e-15)


@pytest.mark.parametrize("engine", ["torch", "compiled"])
def test_no_unit_kept_is_no_zoneout_bit_for_bit(engine: str) -> None:
    cell, parameters = network("lstm")
    x, seen = normal(T, R, B, D), weights(cell, every_step=True)
    none = [torch.zeros(T, R, B, 2 * H, dtype=torch.float64)]
    (ours, _), (theirs, _) = (answer(cell, parameters, x, seen, None, engine, masks) for masks in (none, ()))
    off, _ = answer(cell.model_copy(update={"zoneout": 0.0}), parameters, x, seen, None, engine)
    assert torch.equal(ours["y"], theirs["y"])
    assert all(torch.equal(off[key], value) for key, value in theirs.items())
    assert torch.allclose(ours["W"], theirs["W"], rtol=1e-13, atol=1e-13)
