"""The compiled engine's bits and its memory: the same wherever it runs, and nothing outside its arrays."""

from __future__ import annotations

import ctypes
import mmap
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from samples import sampled
from scan_problems import KINDS, NAMES, answer, cell_of, problem, same_bits

from harness.recurrence.compiler import backward_arrays, forward_arrays, kernel, layout, memory, native, recurrence

LAID_OUT = ["rnn", "lstm", "skip", "normalised", "reset_before", "lru"]
GUARDED = [("lstm", 3, True), ("skip", 3, False), ("reset_before", 50, False), ("normalised", 3, False)]


@pytest.mark.parametrize(
    ("name", "dtype"),
    sampled(
        [("rnn", torch.float32), ("minlstm", torch.float32), ("normalised", torch.float32), ("lru", torch.float64)],
        [("rnn", torch.float32), ("normalised", torch.float32), ("lru", torch.float64)],
    ),
)
def test_bits_do_not_depend_on_vector_width_or_tile_height(monkeypatch, name: str, dtype: torch.dtype) -> None:
    machine = native.host()
    if not {"+avx2", "+fma"} <= set(machine.features.split(",")):
        pytest.skip("no processor of another vector width at hand")
    narrow = native.Processor(machine.triple, "haswell", "+avx2,+fma,-avx512f")
    assert narrow.registers < 24
    p, answers = problem(name, T=9, B=33, H=13, D=3, dtype=dtype, loss="every"), []
    for processor in (machine, narrow, native.Processor(machine.triple, machine.name, "+avx2,+fma,-avx512f")):
        monkeypatch.setattr(recurrence, "host", lambda processor=processor: processor)
        monkeypatch.setattr(kernel, "host", lambda processor=processor: processor)
        recurrence.compiled.cache_clear()
        answers.append(answer(p))
    recurrence.compiled.cache_clear()
    for other in answers[1:]:
        same_bits(other, answers[0])


@pytest.mark.parametrize(
    ("name", "dtype"),
    sampled(
        [(name, dtype) for name in LAID_OUT for dtype in (torch.float32, torch.float64)],
        [*((name, torch.float32) for name in ("rnn", "skip", "lru")),
         *((name, torch.float64) for name in ("lstm", "normalised", "reset_before"))],
    ),
)  # fmt: skip
def test_bits_do_not_depend_on_whether_lanes_are_units_or_sequences(monkeypatch, name: str, dtype: torch.dtype) -> None:
    p = problem(name, T=9, R=2, B=3, H=21, D=3, dtype=dtype, real=True, loss="every")
    answers = []
    for few in (layout.FEW, 0):
        monkeypatch.setattr(layout, "FEW", few)
        recurrence.compiled.cache_clear()
        answers.append(answer(p))
        compiled = recurrence.compiled(p.cell, 3, 3, False, dtype == torch.float64)
        assert compiled.shapes.across_units == (few > 0)
    recurrence.compiled.cache_clear()
    same_bits(*answers)


@pytest.mark.parametrize("name", sampled(LAID_OUT, ["lstm", "skip", "normalised"]))
def test_a_sequence_has_the_same_bits_in_any_batch(name: str) -> None:
    p = problem(name, T=9, R=2, B=17, H=21, D=3, dtype=torch.float32, real=True, loss="every")
    batch = answer(p)
    for B in (1, 3):
        few = replace(p, inputs=p.inputs[:, :, :B], state=tuple(s[:, :B] for s in p.state), every=p.every[:, :, :B])
        results = answer(few)
        for key in ("h", "∂inputs"):
            assert np.array_equal(results[key], batch[key][:, :, :B]), key


def test_the_same_code_can_be_made_for_arm() -> None:
    native.llvm.initialize_all_targets()
    native.llvm.initialize_all_asmprinters()
    arm = native.Processor("aarch64-unknown-linux-gnu", "generic", "+neon")
    lstm = recurrence.compiled(cell_of("lstm", 8), 3, 16, True, False)
    module, _ = lstm.module("forward_keep")
    parsed, machine = native.optimised(module, arm)
    assert "fmla" in machine.emit_assembly(parsed)  # one rounding, four lanes at a time


@pytest.mark.parametrize("name", ["lstm", "skip", "normalised", "reset_before", "lru"])
def test_what_was_in_memory_before_changes_no_bit(monkeypatch, name: str) -> None:
    p = problem(name, T=6, R=2, B=3, H=5, D=3, dtype=torch.float32, loss="every")
    clean = answer(p)

    def spoiled(size: int) -> np.ndarray:
        return np.full(size, 255, np.uint8)  # NaN in both precisions

    monkeypatch.setattr(memory, "POOL", SimpleNamespace(take=spoiled, give=lambda block: None))
    same_bits(answer(p), clean)


@pytest.mark.parametrize(
    ("dtype", "name", "D", "real"),
    sampled(
        [(dtype, *each) for dtype in (torch.float32, torch.float64) for each in GUARDED],
        [(torch.float32, "lstm", 3, True), (torch.float32, "reset_before", 50, False),
         (torch.float64, "skip", 3, False), (torch.float64, "normalised", 3, False)],
    ),
)  # fmt: skip
def test_nothing_is_read_or_written_outside_the_arrays(monkeypatch, dtype, name: str, D: int, real: bool) -> None:
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
    p = problem(name, T=7, R=2, B=17, H=5, D=D, dtype=dtype, real=real, loss="every")
    assert np.isfinite(answer(p)["h"]).all()
    assert pages_in_use


@pytest.mark.parametrize("real", [False, True])
@pytest.mark.parametrize("name", sampled(NAMES, KINDS))
def test_where_no_weight_needs_a_gradient_all_others_are_the_same_bits(name: str, real: bool) -> None:
    p = problem(name, T=7, R=2, B=3, H=5, D=3, dtype=torch.float32, real=real, loss="both")
    weights = [key for key, value in p.parameters.items() if value.dim() == 3]
    whole, without = answer(p), answer(p, constants=weights)
    assert set(whole) - set(without) == {f"∂{key}" for key in weights}
    same_bits(without, {key: whole[key] for key in without})
