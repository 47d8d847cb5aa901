"""The compiled engine: equal to the equations it was made from, and the same bits wherever it runs."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import started
from torch import Tensor

from harness.cells import CELLS
from harness.cells.cell import Cell, State, recurrent
from harness.recurrence.adjoints import AdjointRecorder
from harness.recurrence.compiler import backward_arrays, forward_arrays, kernel, memory, native, recurrence, stored
from harness.recurrence.compiler.trace import Untraceable, trace
from harness.recurrence.scan import scan
from harness.study.spec import setting


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


def cell_of(name: str, H: int, **options: Any) -> Cell:
    return OWN[name](hidden_size=H, **options) if name in OWN else CELLS[name](cell=name, hidden_size=H, **options)


def problem(cell: Cell, T: int, R: int, B: int, D: int, *, dtype: torch.dtype, tokens: bool, seed: int = 0) -> Any:
    """Parameters, inputs, a state before the first step, and weights of h in the loss."""
    g = torch.Generator().manual_seed(seed)
    parameters = started(cell, range(R), input_size=D, length=max(T, 2), dtype=dtype)
    inputs: Any = torch.randint(-1, D, (T, R, B), generator=g)
    if not tokens:
        inputs = torch.randn(T, R, B, D, generator=g, dtype=torch.float64).to(dtype).requires_grad_()
    state = tuple(
        (0.5 * torch.randn(R, B, cell.hidden_size, generator=g, dtype=torch.float64)).to(dtype).requires_grad_()
        for _ in cell.states
    )
    return parameters, inputs, state, torch.randn(T, R, B, cell.hidden_size, generator=g, dtype=torch.float64).to(dtype)


def answer(
    engine: str, cell: Cell, parameters: Any, inputs: Tensor, state: State, weights: Tensor, **options: Any
) -> dict[str, np.ndarray]:
    """Values, all gradients and all levels."""
    recorder = AdjointRecorder()
    h, last = scan(cell, parameters, inputs, state, engine=engine, recorder=recorder, **options)
    loss = (h * (weights if h.dim() == 4 else weights[-1])).sum() / weights.shape[2]
    sources = {**parameters, **{f"state {i}": part for i, part in enumerate(state)}}
    sources |= {"inputs": inputs} if inputs.is_floating_point() else {}
    gradients = torch.autograd.grad(loss, list(sources.values()), allow_unused=True)
    results = {"h": h, **{f"last {i}": part for i, part in enumerate(last)}}
    results |= {
        f"∂{name}": torch.zeros_like(value) if g is None else g
        for (name, value), g in zip(sources.items(), gradients, strict=True)
    }
    levels = {"level": recorder.log10_adjoint, "level of c": recorder.log10_adjoint_cell}
    return {name: value.detach().numpy() for name, value in results.items()} | {
        name: value for name, value in levels.items() if value is not None
    }


def assert_close(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray], tolerance: float) -> None:
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        scale = np.abs(value[np.isfinite(value)]).max(initial=1e-3)
        np.testing.assert_allclose(ours[name], value, rtol=0, atol=tolerance * scale, err_msg=name)


def same_bits(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> None:
    for name, value in theirs.items():
        assert ours[name].tobytes() == value.tobytes(), name


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=2, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_values_gradients_and_levels_are_those_of_the_equations(name: str, data: st.DataObject) -> None:
    T, R, B, H, D = (data.draw(st.integers(1, most)) for most in (9, 3, 34, 13, 6))
    D = data.draw(st.sampled_from((D, 50)))
    double, tokens, every = (data.draw(st.booleans()) for _ in range(3))
    window = data.draw(st.sampled_from((None, 1, 3)))
    cell = cell_of(name, H)
    p = problem(cell, T, R, B, D, dtype=torch.float64 if double else torch.float32, tokens=tokens)
    ours = answer("compiled", cell, *p, window=window, every_step=every)
    assert_close(ours, answer("torch", cell, *p, window=window, every_step=every), 1e-10 if double else 2e-5)


@pytest.mark.parametrize(("name", "module"), [("rnn", torch.nn.RNN), ("lstm", torch.nn.LSTM), ("gru", torch.nn.GRU)])
def test_cells_of_torch_are_those_of_torch_nn(name: str, module: Any) -> None:
    cell = cell_of(name, 6)
    parameters, inputs, state, weights = problem(cell, 7, 1, 3, 4, dtype=torch.float64, tokens=False)
    twin = module(4, 6, dtype=torch.float64)
    theirs = {"weight_ih_l0": "U", "weight_hh_l0": "W", "bias_ih_l0": "b_x", "bias_hh_l0": "b_h"}
    with torch.no_grad():
        for torchs, own in theirs.items():
            getattr(twin, torchs).copy_(parameters[own][0])
    first = tuple(part.detach() for part in state)
    h, _ = twin(inputs[:, 0].detach(), first if name == "lstm" else first[0])
    (h * weights[:, 0]).sum().backward()
    ours, _ = scan(cell, parameters, inputs, state, engine="compiled", every_step=True)
    gradients = torch.autograd.grad((ours * weights).sum(), [parameters[own] for own in theirs.values()])
    torch.testing.assert_close(ours[:, 0], h, rtol=0, atol=1e-12)
    for torchs, gradient in zip(theirs, gradients, strict=True):
        torch.testing.assert_close(gradient[0], getattr(twin, torchs).grad, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_a_replica_has_the_same_bits_alone_and_at_any_place_of_a_pack(name: str) -> None:
    cell = cell_of(name, 7)
    parameters, inputs, state, weights = problem(cell, 6, 3, 17, 3, dtype=torch.float32, tokens=True)
    pack = answer("compiled", cell, parameters, inputs, state, weights, every_step=True)

    def replicas(order: list[int]) -> dict[str, np.ndarray]:
        chosen = {k: v.detach()[order].requires_grad_() for k, v in parameters.items()}
        start = tuple(part.detach()[order].requires_grad_() for part in state)
        return answer("compiled", cell, chosen, inputs[:, order], start, weights[:, order], every_step=True)

    def taken(results: dict[str, np.ndarray], place: int) -> dict[str, np.ndarray]:
        return {k: v[:, place] if k in ("h", "level", "level of c") else v[place] for k, v in results.items()}

    for order in ([1], [2, 1]):
        same_bits(taken(replicas(order), len(order) - 1), taken(pack, 1))


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("rnn", torch.float32), ("minlstm", torch.float32), ("normalised", torch.float32), ("lru", torch.float64)],
)
def test_bits_do_not_depend_on_vector_width_or_tile_height(monkeypatch, name: str, dtype: torch.dtype) -> None:
    machine = native.host()
    if not {"+avx2", "+fma"} <= set(machine.features.split(",")):
        pytest.skip("no processor of another vector width at hand")
    narrow = native.Processor(machine.triple, "haswell", "+avx2,+fma,-avx512f")
    assert narrow.registers < 24
    cell, answers = cell_of(name, 13), []
    for processor in (machine, narrow, native.Processor(machine.triple, machine.name, "+avx2,+fma,-avx512f")):
        monkeypatch.setattr(recurrence, "host", lambda processor=processor: processor)
        monkeypatch.setattr(kernel, "host", lambda processor=processor: processor)
        recurrence.compiled.cache_clear()
        p = problem(cell, 9, 1, 33, 3, dtype=dtype, tokens=True)
        answers.append(answer("compiled", cell, *p, every_step=True))
    recurrence.compiled.cache_clear()
    for other in answers[1:]:
        same_bits(other, answers[0])


def test_the_same_code_can_be_made_for_arm() -> None:
    native.llvm.initialize_all_targets()
    native.llvm.initialize_all_asmprinters()
    arm = native.Processor("aarch64-unknown-linux-gnu", "generic", "+neon")
    lstm = recurrence.compiled(cell_of("lstm", 8), 3, 16, True, False)
    module, _ = lstm.module("forward_keep")
    parsed, machine = native.optimised(module, arm)
    assert "fmla" in machine.emit_assembly(parsed)  # one rounding, four lanes at a time


@pytest.mark.parametrize("name", ["rnn", "lstm", "orthogonal", "minlstm"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_stays_in_its_sequence(name: str, value: float) -> None:
    cell = cell_of(name, 5)
    parameters, inputs, state, weights = problem(cell, 6, 1, 19, 3, dtype=torch.float32, tokens=False)
    clean = answer("compiled", cell, parameters, inputs, state, weights, every_step=True)
    with torch.no_grad():
        inputs[2, 0, 4, 1] = value
    results = answer("compiled", cell, parameters, inputs, state, weights, every_step=True)
    others = [b for b in range(19) if b != 4]
    assert results["h"][:, :, others].tobytes() == clean["h"][:, :, others].tobytes()
    np.testing.assert_allclose(
        results["h"], answer("torch", cell, parameters, inputs, state, weights, every_step=True)["h"], atol=1e-5
    )
    if np.isnan(value):
        assert np.isnan(results["h"][2:, 0, 4]).any(-1).all()
        assert np.isnan(results["∂b_x"]).any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_levels_are_exact_four_hundred_orders_of_magnitude_down(dtype: torch.dtype) -> None:
    """A linear unit: ∂h_T/∂h_t = u^(T−t), and of the two parts of an LSTM that forgets, f^(T−t)."""
    cell = CELLS["indrnn"](cell="indrnn", hidden_size=3, nonlinearity="relu")
    parameters, inputs, state, weights = problem(cell, 150, 1, 2, 2, dtype=dtype, tokens=True)
    with torch.no_grad():
        for name, number in (("u", 1e-3), ("U", 0.0), ("b_x", 1.0)):
            parameters[name].fill_(number)
    level = answer("compiled", cell, parameters, inputs, state, weights)["level"][:, 0]
    np.testing.assert_allclose(np.diff(level), 3, atol=1e-6)
    assert level[0] < -440


def test_the_hidden_state_of_an_lstm_is_recorded_far_below_its_cell_state() -> None:
    """∂L/∂h_t = W_gᵀ(δ_g): weights of 2⁻⁸⁰ put it eighty powers of two below ∂L/∂c_t, and it is no zero in float32."""
    cell = cell_of("lstm", 4)
    parameters, inputs, state, weights = problem(cell, 6, 1, 2, 3, dtype=torch.float32, tokens=True)
    with torch.no_grad():
        parameters["W"].mul_(2.0**-80)
    results = answer("compiled", cell, parameters, inputs, state, weights)
    exact = {name: value.detach().double().requires_grad_() for name, value in parameters.items()}
    double = answer(
        "torch", cell, exact, inputs, tuple(part.detach().double().requires_grad_() for part in state), weights.double()
    )
    assert (double["level"][:-1] < double["level of c"][:-1] - 23).all()
    np.testing.assert_allclose(results["level"], double["level"], atol=1e-5)


def test_a_sequence_without_a_gradient_adds_nothing_to_a_level_however_low_it_is() -> None:
    cell = CELLS["indrnn"](cell="indrnn", hidden_size=2, nonlinearity="relu")
    parameters, inputs, state, weights = problem(cell, 150, 1, 2, 2, dtype=torch.float32, tokens=True)
    with torch.no_grad():
        for name, number in (("u", 1e-3), ("U", 0.0), ("b_x", 1.0)):
            parameters[name].fill_(number)
        weights[:, :, 1] = 0
    both = answer("compiled", cell, parameters, inputs, state, weights)["level"][:, 0]
    alone = answer("compiled", cell, parameters, inputs[..., :1], tuple(s[:, :1] for s in state), weights[:, :, :1])
    np.testing.assert_allclose(both, alone["level"][:, 0] - np.log10(2), atol=1e-9)


@pytest.mark.parametrize("name", ["lstm", "skip", "normalised", "reset_before", "lru"])
def test_what_was_in_memory_before_changes_no_bit(monkeypatch, name: str) -> None:
    cell = cell_of(name, 5)
    p = problem(cell, 6, 2, 3, 3, dtype=torch.float32, tokens=True)
    clean = answer("compiled", cell, *p, every_step=True)

    def spoiled(size: int) -> np.ndarray:
        return np.full(size, 255, np.uint8)  # NaN in both precisions

    monkeypatch.setattr(memory, "POOL", SimpleNamespace(take=spoiled, give=lambda block: None))
    same_bits(answer("compiled", cell, *p, every_step=True), clean)


@pytest.mark.parametrize("name", ["lstm", "skip", "normalised"])
@pytest.mark.parametrize("window", [None, 11])
def test_segments_change_nothing_but_the_order_of_sums(monkeypatch, name: str, window: int | None) -> None:
    cell = cell_of(name, 5)
    p = problem(cell, 23, 2, 3, 3, dtype=torch.float64, tokens=True)
    whole = answer("compiled", cell, *p, every_step=True, window=window)
    monkeypatch.setattr(forward_arrays, "SEGMENT_BYTES", 5e4)
    assert_close(answer("compiled", cell, *p, every_step=True, window=window), whole, 1e-12)


def test_nothing_is_read_or_written_outside_the_arrays(monkeypatch) -> None:
    """Every array ends where a page begins that may not be touched: one number too far ends the process."""
    libc = ctypes.CDLL(None)
    pages_in_use = []

    def guarded(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        pages = -(-size // mmap.PAGESIZE)
        memory = mmap.mmap(-1, (pages + 2) * mmap.PAGESIZE)
        pages_in_use.append(memory)
        start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        for guard in (0, pages + 1):
            libc.mprotect(ctypes.c_void_p(start + guard * mmap.PAGESIZE), mmap.PAGESIZE, 0)
        first = (pages + 1) * mmap.PAGESIZE - size
        first -= first % np.dtype(dtype).itemsize
        return np.frombuffer(memory, dtype, int(np.prod(shape)), first).reshape(shape)

    monkeypatch.setattr(memory, "empty", guarded)
    for module in (forward_arrays, backward_arrays):
        monkeypatch.setattr(module, "empty", guarded)
    for name, D in (("lstm", 3), ("skip", 3), ("reset_before", 50), ("normalised", 3)):
        cell = cell_of(name, 5)
        p = problem(cell, 7, 2, 17, D, dtype=torch.float32, tokens=True)
        assert np.isfinite(answer("compiled", cell, *p, every_step=True)["h"]).all()
    assert pages_in_use


class Branching(Normalised):
    def combine(self, state: State, a: Mapping[str, Tensor]) -> State:
        return (a["n"] if a["n"].sum() > 0 else state[0],)


class Cumulative(Normalised):
    def combine(self, state: State, a: Mapping[str, Tensor]) -> State:
        return (a["n"].cumsum(-1),)


@pytest.mark.parametrize(("kind", "reason"), [(Branching, "sum other than"), (Cumulative, "Tensor.cumsum")])
def test_what_cannot_be_traced_says_what(kind: type[Cell], reason: str) -> None:
    cell = kind(hidden_size=4)
    with pytest.raises(Untraceable, match=reason):
        trace(cell, started(cell, range(1), input_size=3, length=3), exact=False)


def test_machine_code_is_kept_and_made_again_where_it_is_damaged(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    p = problem(cell_of("rnn", 3), 3, 1, 2, 2, dtype=torch.float32, tokens=True)

    def bits() -> bytes:
        recurrence.compiled.cache_clear()
        return answer("compiled", cell_of("rnn", 3), *p)["∂W"].tobytes()

    first = bits()
    files = sorted(stored.folder().glob("*.bin"))
    assert len(files) == 2  # a way forward and one back
    monkeypatch.setattr(kernel, "machine_code", lambda *_: pytest.fail("compiled again"))
    assert bits() == first
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for damage in (b"", b"\0" * 100, files[0].read_bytes()[:-1]):
        for file in files:
            file.write_bytes(damage)
        assert bits() == first
    stored.folder().chmod(0o777)  # others could have written what is there
    for file in files:
        file.write_bytes(b"")
    assert bits() == first
    assert all(file.read_bytes() == b"" for file in files)


def test_a_token_outside_the_alphabet_is_refused() -> None:
    parameters, inputs, state, weights = problem(cell_of("rnn", 3), 3, 1, 2, 4, dtype=torch.float32, tokens=True)
    with pytest.raises(ValueError, match="expected −1 … 3"):
        answer("compiled", cell_of("rnn", 3), parameters, inputs + 4, state, weights)
