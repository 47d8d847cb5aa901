"""Gradients of weights as machine code: dW = Σ_t Σ_b δ_t ⊗ operand_t, over a chunk of steps that fits a core's cache.

Sums run over steps, then over the vectors of a row, each lane by itself; lanes are added last, halves first. That order
depends on the shapes alone, so that the bits are the same on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass

from llvmlite import ir

from harness.recurrence.compiler.arithmetic import I32, I64, loop
from harness.recurrence.compiler.function import Function


@dataclass(frozen=True)
class Rows:
    """`n` rows of W numbers at each step, `stride` numbers from one step to the next; `pointer` None: rows of ones."""

    pointer: ir.Value | None
    n: int
    stride: int


def product(f: Function, left: Rows, right: Rows, steps: ir.Value, out: ir.Value) -> None:
    """out (left.n, right.n) += Σ left ⊗ right."""
    most = 5 if f.shapes.registers >= 24 else 3  # accumulators of a tile are its square
    for i_start, i_stop, i_height in tiles(left.n, most):
        with loop(f.b, I64(i_start), I64(i_stop), step=i_height) as i:
            for j_start, j_stop, j_height in tiles(right.n, most):
                with loop(f.b, I64(j_start), I64(j_stop), step=j_height) as j:
                    _tile(f, (left, i, i_height), (right, j, j_height), steps, out)


def _tile(
    f: Function,
    rows: tuple[Rows, ir.Value, int],
    columns: tuple[Rows, ir.Value, int],
    steps: ir.Value,
    out: ir.Value,
) -> None:
    b, lanes = f.b, f.lanes
    (left, i, height), (right, j, width) = rows, columns
    with b.goto_entry_block():  # LLVM keeps these in registers
        sums = [[b.alloca(lanes.vector) for _ in range(width)] for _ in range(height)]
    for row in sums:
        for cell in row:
            b.store(lanes.const(0), cell)
    with loop(b, I64(0), steps) as step, loop(b, I64(0), I64(f.shapes.W), step=lanes.width) as column:

        def vector(source: Rows, first: ir.Value, k: int) -> ir.Value:
            if source.pointer is None:
                return lanes.const(1)
            row = b.add(b.mul(step, I64(source.stride)), b.mul(b.add(first, I64(k)), I64(f.shapes.W)))
            address = b.gep(source.pointer, [b.add(row, column)], source_etype=lanes.real)
            return b.load(address, typ=lanes.vector, align=32)

        others = [f.masked(vector(right, j, m), column) for m in range(width)]
        for k in range(height):
            own = vector(left, i, k)
            for m in range(width):
                b.store(lanes.fma(own, others[m], b.load(sums[k][m], typ=lanes.vector)), sums[k][m])
    for k in range(height):
        for m in range(width):
            index = b.add(b.mul(b.add(i, I64(k)), I64(right.n)), b.add(j, I64(m)))
            place = b.gep(out, [index], source_etype=lanes.real)
            total = lanes.add_lanes(b.load(sums[k][m], typ=lanes.vector))
            b.store(b.fadd(b.load(place, typ=lanes.real), total), place)


def scatter(f: Function, deltas: Rows, start: ir.Value, steps: ir.Value, out: ir.Value) -> None:
    """dU[unit, token] += δ[unit], step after step and sequence after sequence; nothing for a token of −1."""
    b, s, real = f.b, f.shapes, f.lanes.real
    with loop(b, I64(0), steps) as step, loop(b, I64(0), I64(s.B)) as column:
        tokens = f.rows("tokens", b.add(start, step), count=1, kind=I32)
        token = b.sext(b.load(b.gep(tokens, [column], source_etype=I32), typ=I32), I64)
        with b.if_then(b.icmp_signed(">=", token, I64(0))), loop(b, I64(0), I64(deltas.n)) as unit:
            index = b.add(b.mul(step, I64(deltas.stride)), b.add(b.mul(unit, I64(s.W)), column))
            delta = b.load(b.gep(deltas.pointer, [index], source_etype=real), typ=real)
            place = b.gep(out, [b.add(b.mul(unit, I64(s.D)), token)], source_etype=real)
            b.store(b.fadd(b.load(place, typ=real), delta), place)


def tiles(n: int, most: int) -> list[tuple[int, int, int]]:
    """(from, to, height): as few tiles as `most` allows, of one height, and what is left."""
    height = min(range(1, min(most, n) + 1), key=lambda u: (-(-n // u), u))
    whole = n - n % height
    return [(0, whole, height), (whole, n, n - whole)] if n > whole else [(0, n, height)]
