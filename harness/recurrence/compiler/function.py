"""One compiled function: its table of addresses, and the arrays behind it.

Every function takes one argument, a table of 64-bit numbers: addresses and loop bounds, in the order of `slots`. The
address of an array is that of its step 0, whether or not that step is in memory: a segment of a sequence lies where it
belongs.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from harness.recurrence.compiler.arithmetic import I32, I64, Lanes, loop
from harness.recurrence.compiler.axis import Axis
from harness.recurrence.compiler.emission import PassEmitter, Tile, total_name
from harness.recurrence.compiler.graph import Node
from harness.recurrence.compiler.layout import PassLayout, Shapes
from harness.recurrence.compiler.program import Program

POINTER = ir.PointerType()


class Scope:
    """A function under emission: its builder, vectors in the precision of the shapes, and what their lanes are."""

    def __init__(self, function: ir.Function, shapes: Shapes) -> None:
        self.shapes = shapes
        self.b = ir.IRBuilder(function.append_basic_block("entry"))
        self.lanes = Lanes(self.b, double=shapes.double)
        self.axis = Axis(self.lanes, shapes)

    def masked(self, value: ir.Value, column: ir.Value) -> ir.Value:
        """Zero in the lanes beyond the last sequence: 0·∞ there would be NaN in a sum over sequences.

        `column` is the first sequence of the vector.
        """
        if self.shapes.W == self.shapes.B:
            return value
        kind = ir.VectorType(I32, self.lanes.width)
        lane = self.b.add(
            self.lanes.splat(self.b.trunc(column, I32), kind), ir.Constant(kind, list(range(self.lanes.width)))
        )
        there = self.b.icmp_signed("<", lane, ir.Constant(kind, [self.shapes.B] * self.lanes.width))
        return self.b.select(there, value, ir.Constant(value.type, None))


class Function(Scope):
    """One compiled function and the arrays that it reads and writes.

    Attributes:
        slots: what stands in the table, in order.
    """

    def __init__(
        self, module: ir.Module, name: str, program: Program, shapes: Shapes, layouts: list[PassLayout]
    ) -> None:
        function = ir.Function(module, ir.FunctionType(ir.VoidType(), [POINTER]), name)
        super().__init__(function, shapes)
        self.program, self.layouts, self.table = program, layouts, function.args[0]
        self.slots: list[str] = []
        self.loaded: dict[str, ir.Value] = {}
        self.t: ir.Value = I64(0)

    def slot(self, name: str) -> ir.Value:
        """The number of that name in the table; loaded once, at the function's entry."""
        if name not in self.loaded:
            with self.b.goto_entry_block():
                if name not in self.slots:
                    self.slots.append(name)
                place = self.b.gep(self.table, [I64(self.slots.index(name))], source_etype=I64)
                self.loaded[name] = self.b.load(place, typ=I64)
        return self.loaded[name]

    def pointer(self, name: str) -> ir.Value:
        key = f"*{name}"
        if key not in self.loaded:
            number = self.slot(name)
            with self.b.goto_entry_block():
                self.loaded[key] = self.b.inttoptr(number, POINTER)
        return self.loaded[key]

    def rows(self, name: str, step: ir.Value | None = None, *, count: int, kind: ir.Type | None = None) -> ir.Value:
        """Address of an array of `count` units at a step."""
        kind = kind or self.lanes.real
        if step is None:
            return self.pointer(name)
        index = self.b.mul(step, I64(self.shapes.size(count)))
        return self.b.gep(self.pointer(name), [index], source_etype=kind)

    def line(self, name: str, step: ir.Value, count: int = 1, kind: ir.Type | None = None) -> ir.Value:
        """Address of an array's rows at a step that hold one number a sequence."""
        index = self.b.mul(step, I64(count * self.shapes.W))
        return self.b.gep(self.pointer(name), [index], source_etype=kind or self.lanes.real)

    def vector(self, pointer: ir.Value, row: int, column: ir.Value, kind: ir.Type) -> ir.Value:
        """Address of a vector at `column` in a row of W."""
        index = self.b.add(I64(row * self.shapes.W), column)
        return self.b.gep(pointer, [index], source_etype=kind.element)

    def get(self, pointer: ir.Value, row: int, column: ir.Value, kind: ir.Type) -> ir.Value:
        return self.b.load(self.vector(pointer, row, column, kind), typ=kind, align=32)

    def put(self, value: ir.Value, pointer: ir.Value, row: int, column: ir.Value) -> None:
        self.b.store(value, self.vector(pointer, row, column, value.type), align=32)

    def columns(self) -> Any:
        """A loop over the vectors of a row with one number a sequence."""
        return loop(self.b, I64(0), I64(self.shapes.W), step=self.lanes.width)

    def one_hot(self, out: ir.Value) -> None:
        """The D rows of a step's tokens: 1 where the token is the row's."""
        b, tokens = self.b, self.line("tokens", self.t, kind=I32)
        if self.shapes.across_units:
            with loop(b, I64(0), I64(self.shapes.padded_batch)) as sequence:
                token = b.load(b.gep(tokens, [sequence], source_etype=I32), typ=I32)
                with loop(b, I64(0), I64(self.shapes.D)) as row:
                    same = b.icmp_signed("==", token, b.trunc(row, I32))
                    value = b.select(same, ir.Constant(self.lanes.real, 1.0), ir.Constant(self.lanes.real, 0.0))
                    b.store(value, self.axis.address(out, row, sequence, self.shapes.D))
            return
        with self.columns() as column:
            kind = ir.VectorType(I32, self.lanes.width)
            token = self.get(tokens, 0, column, kind)
            with loop(b, I64(0), I64(self.shapes.D)) as row:
                same = b.icmp_signed("==", token, self.lanes.splat(b.trunc(row, I32), kind))
                value = b.select(same, self.lanes.const(1), self.lanes.const(0))
                self.axis.save(value, out, row, column, self.shapes.D)

    def gathered(self, accumulator: int, first: ir.Value, tile: Tile, unit: int, vector: int) -> ir.Value:
        """first + U[unit, token]; nothing for a token of −1."""
        b, D, n = self.b, self.shapes.D, self.lanes.width
        kind, places = ir.VectorType(I32, n), ir.VectorType(I64, n)
        sequence = b.add(tile.sequence, I64(vector * self.axis.sequence_step))
        unit_number = b.add(tile.first, I64(unit * self.axis.unit_step))
        pointer = b.gep(self.line("tokens", self.t, kind=I32), [sequence], source_etype=I32)
        across = self.shapes.across_units
        token = self.lanes.splat(b.load(pointer, typ=I32), kind) if across else b.load(pointer, typ=kind, align=32)
        steps = ir.Constant(places, list(range(n)) if across else [0] * n)
        there = known = b.icmp_signed(">=", token, _same(kind, 0))
        if across:
            units = b.add(self.lanes.splat(unit_number, places), steps)
            there = b.and_(known, b.icmp_signed("<", units, _same(places, self.shapes.H)))
        for term in self.program.terms:
            if term.accumulator == accumulator and term.operand is None:
                row = b.add(self.lanes.splat(b.add(I64(term.block * self.shapes.H), unit_number), places), steps)
                index = b.add(b.mul(row, _same(places, D)), b.sext(token, places))
                first = b.fadd(first, self.lanes.gather(self.pointer("U"), index, there))
        return first

    def order_of_parts(self, part: int) -> tuple[str, int]:
        return f"state{self.program.base[part]}", -self.program.reach(part)

    def memory(self, node: Node, emitter: PassEmitter, tile: Tile, unit: int, vector: int) -> ir.Value | None:
        """What both directions read alike: states, what is given, parameters, sums over units."""
        if node.op == "state":
            array, offset = self.order_of_parts(node.args[0])
            return emitter.load(emitter.rows(array, offset), emitter.unit(tile, unit), tile, vector)
        if node.op == "given":
            rows = self.rows(f"given{node.args[0]}", self.t, count=self.shapes.H)
            return emitter.load(rows, emitter.unit(tile, unit), tile, vector)
        if node.op == "vector":
            place = list(self.program.vectors).index(node) if node in self.program.vectors else -1
            return self.axis.of_unit(self.pointer("vectors"), place, emitter.unit(tile, unit))
        if node.op == "sum":
            return emitter.of_sequence(emitter.rows(total_name(node), 0), 0, tile, vector)
        return None


def _same(kind: ir.VectorType, value: int) -> ir.Constant:
    return ir.Constant(kind, [value] * kind.count)
