"""Gradients of weights as machine code: dW = Σ_t Σ_b δ_t ⊗ operand_t, over a chunk of steps that fits a core's cache.

Sums run over steps, then over the vectors of a row, for each lane of a vector of sequences by itself; lanes are added
last, halves first. That order depends on the shapes alone, so that the bits are the same on every machine, and where
the lanes are units.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from llvmlite import ir

from harness.recurrence.compiler.arithmetic import I32, I64, loop
from harness.recurrence.compiler.function import POINTER, Function, Scope
from harness.recurrence.compiler.layout import Shapes


@dataclass(frozen=True)
class Rows:
    """An array of n units at each step, `stride` numbers from one step to the next."""

    pointer: ir.Value
    n: int
    stride: int

    def at(self, f: Scope, step: ir.Value) -> ir.Value:
        return f.b.gep(self.pointer, [f.b.mul(step, I64(self.stride))], source_etype=f.lanes.real)


def product(f: Function, left: Rows, right: Rows, steps: ir.Value, out: ir.Value) -> None:
    """out (left.n, right.n) += Σ left ⊗ right; rows of `out` are filled up to whole vectors where lanes are units.

    One routine serves all matrices of the same size: they are most of what there is to compile.
    """
    name = f"product_{left.n}_{left.stride}_{right.n}_{right.stride}"
    module = f.b.module
    if name not in module.globals:
        routine = ir.Function(module, ir.FunctionType(ir.VoidType(), [POINTER, POINTER, I64, POINTER]), name)
        routine.linkage = "internal"
        _product(routine, f.shapes, left, right)
    f.b.call(module.globals[name], [left.pointer, right.pointer, steps, out])


def _product(routine: ir.Function, shapes: Shapes, left: Rows, right: Rows) -> None:
    f = Scope(routine, shapes)
    own, other, steps, out = routine.args
    left, right = replace(left, pointer=own), replace(right, pointer=other)
    n = -(-right.n // f.axis.unit_step)
    tile = _tile_of_units if shapes.across_units else _tile
    if shapes.across_units:
        highest, widest = (6, 4) if shapes.registers >= 24 else (3, 2)
    else:
        widest = highest = 5 if shapes.registers >= 24 else 3
    for i_start, i_stop, height in tiles(left.n, highest):
        with loop(f.b, I64(i_start), I64(i_stop), step=height) as i:
            for j_start, j_stop, width in tiles(n, widest):
                with loop(f.b, I64(j_start), I64(j_stop), step=width) as j:
                    tile(f, (left, i, height), (right, f.b.mul(j, I64(f.axis.unit_step)), width), steps, out)
    f.b.ret_void()


def total(f: Scope, left: Rows, steps: ir.Value, out: ir.Value) -> None:
    """out (left.n) += Σ left."""
    b, axis, lanes = f.b, f.axis, f.lanes
    sums = _sums(f, f.shapes.B if f.shapes.across_units else 1)
    with axis.units(left.n) as unit:
        for cell in sums:
            b.store(lanes.const(0), cell)
        with loop(b, I64(0), steps) as step:
            rows = left.at(f, step)
            if f.shapes.across_units:
                for sequence, cell in enumerate(sums):
                    value = axis.load(rows, unit, I64(sequence), left.n)
                    b.store(b.fadd(value, b.load(cell, typ=lanes.vector)), cell)
            else:
                with axis.sequences() as sequence:
                    value = axis.load(rows, unit, sequence, left.n)
                    b.store(b.fadd(value, b.load(sums[0], typ=lanes.vector)), sums[0])
        place = b.gep(out, [unit], source_etype=lanes.real)
        _add_to(f, place, [b.load(cell, typ=lanes.vector) for cell in sums])


def _tile(
    f: Scope,
    rows: tuple[Rows, ir.Value, int],
    columns: tuple[Rows, ir.Value, int],
    steps: ir.Value,
    out: ir.Value,
) -> None:
    """Lanes are sequences: a sum for each pair of units, over the vectors of a row."""
    b, lanes, axis = f.b, f.lanes, f.axis
    (left, i, height), (right, j, width) = rows, columns
    sums = _sums(f, height * width)
    for cell in sums:
        b.store(lanes.const(0), cell)
    with loop(b, I64(0), steps) as step:
        own, other = left.at(f, step), right.at(f, step)
        with axis.sequences() as sequence:
            others = [axis.load(other, b.add(j, I64(m)), sequence, right.n) for m in range(width)]
            others = [f.masked(value, sequence) for value in others]
            owns = (axis.load(own, b.add(i, I64(k)), sequence, left.n) for k in range(height))
            _add_products(f, owns, others, sums)
    for k in range(height):
        for m in range(width):
            index = b.add(b.mul(b.add(i, I64(k)), I64(right.n)), b.add(j, I64(m)))
            value = b.load(sums[k * width + m], typ=lanes.vector)
            _add_to(f, b.gep(out, [index], source_etype=lanes.real), [value])


def _tile_of_units(
    f: Scope,
    rows: tuple[Rows, ir.Value, int],
    columns: tuple[Rows, ir.Value, int],
    steps: ir.Value,
    out: ir.Value,
) -> None:
    """Lanes are units of `right`: sums over the steps for one sequence after another, then over the sequences."""
    b, lanes, axis, B = f.b, f.lanes, f.axis, f.shapes.B
    (left, i, height), (right, j, width) = rows, columns
    sums = _sums(f, height * width)
    with b.goto_entry_block():
        of_sequences = b.alloca(lanes.vector, size=B * height * width)

    def place_of(cell: int, sequence: ir.Value) -> ir.Value:
        return b.gep(of_sequences, [b.add(b.mul(sequence, I64(len(sums))), I64(cell))])

    with loop(b, I64(0), I64(B)) as sequence:
        for cell in sums:
            b.store(lanes.const(0), cell)
        with loop(b, I64(0), steps) as step:
            own, other = left.at(f, step), right.at(f, step)
            at = [b.add(j, I64(m * lanes.width)) for m in range(width)]
            others = [axis.load(other, unit, sequence, right.n) for unit in at]
            owns = (axis.operand(own, b.add(i, I64(k)), sequence, left.n) for k in range(height))
            _add_products(f, owns, others, sums)
        for number, cell in enumerate(sums):
            b.store(b.load(cell, typ=lanes.vector), place_of(number, sequence))
    length = f.shapes.padded(right.n)
    for k in range(height):
        for m in range(width):
            index = b.add(b.mul(b.add(i, I64(k)), I64(length)), b.add(j, I64(m * lanes.width)))
            places = [place_of(k * width + m, I64(sequence)) for sequence in range(B)]
            values = [b.load(place, typ=lanes.vector) for place in places]
            _add_to(f, b.gep(out, [index], source_etype=lanes.real), values)


def _sums(f: Scope, n: int) -> list[ir.Value]:
    """Places for n vectors, which LLVM keeps in registers."""
    with f.b.goto_entry_block():
        return [f.b.alloca(f.lanes.vector) for _ in range(n)]


def _add_products(f: Scope, owns: Iterable[ir.Value], others: list[ir.Value], sums: list[ir.Value]) -> None:
    """Each of `owns` times each of `others`, added to the sum of that pair."""
    for k, own in enumerate(owns):
        for m, other in enumerate(others):
            cell = sums[k * len(others) + m]
            f.b.store(f.lanes.fma(own, other, f.b.load(cell, typ=f.lanes.vector)), cell)


def _add_to(f: Scope, place: ir.Value, values: list[ir.Value]) -> None:
    """Add the sum over sequences: over the lanes of one vector, or over a vector for each sequence."""
    b, lanes = f.b, f.lanes
    if not f.shapes.across_units:
        b.store(b.fadd(b.load(place, typ=lanes.real), lanes.add_lanes(values[0])), place)
        return
    parts: list[ir.Value | None] = [*values, *[None] * (lanes.width - len(values))]  # lanes without a sequence are zero
    while len(parts) > 1:
        half = len(parts) // 2
        parts = [a if c is None else b.fadd(a, c) for a, c in zip(parts[:half], parts[half:], strict=True)]
    b.store(b.fadd(b.load(place, typ=lanes.vector, align=lanes.bytes), parts[0]), place, align=lanes.bytes)


def scatter(f: Function, deltas: Rows, start: ir.Value, steps: ir.Value, out: ir.Value) -> None:
    """dU[unit, token] += δ[unit], step after step and sequence after sequence; nothing for a token of −1."""
    b, s, real = f.b, f.shapes, f.lanes.real
    length = s.padded(s.D) if s.across_units else s.D
    with loop(b, I64(0), steps) as step, loop(b, I64(0), I64(s.B)) as sequence:
        tokens = f.line("tokens", b.add(start, step), kind=I32)
        token = b.sext(b.load(b.gep(tokens, [sequence], source_etype=I32), typ=I32), I64)
        rows = deltas.at(f, step)
        with b.if_then(b.icmp_signed(">=", token, I64(0))), loop(b, I64(0), I64(deltas.n)) as unit:
            delta = b.load(f.axis.address(rows, unit, sequence, deltas.n), typ=real)
            place = b.gep(out, [b.add(b.mul(unit, I64(length)), token)], source_etype=real)
            b.store(b.fadd(b.load(place, typ=real), delta), place)


def tiles(n: int, most: int) -> list[tuple[int, int, int]]:
    """(from, to, height): as few tiles as `most` allows, of one height, and what is left."""
    height = min(range(1, min(most, n) + 1), key=lambda u: (-(-n // u), u))
    whole = n - n % height
    return [(0, whole, height), (whole, n, n - whole)] if n > whole else [(0, n, height)]
