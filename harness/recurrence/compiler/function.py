"""One compiled function: its table of addresses, and the arrays behind it.

Every function takes one argument, a table of 64-bit numbers: addresses and loop bounds, in the order of `slots`. The
address of an array is that of its step 0, whether or not that step is in memory: a segment of a sequence lies where it
belongs.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from harness.recurrence.compiler.arithmetic import I32, I64, Lanes, function, loop
from harness.recurrence.compiler.emission import PassEmitter, Tile, total_name
from harness.recurrence.compiler.graph import Node
from harness.recurrence.compiler.layout import PassLayout, Shapes
from harness.recurrence.compiler.program import Program

POINTER = ir.PointerType()


class Function:
    """One compiled function and the arrays that it reads and writes.

    Attributes:
        slots: what stands in the table, in order.
    """

    def __init__(
        self, module: ir.Module, name: str, program: Program, shapes: Shapes, layouts: list[PassLayout]
    ) -> None:
        self.program, self.shapes, self.layouts = program, shapes, layouts
        function = ir.Function(module, ir.FunctionType(ir.VoidType(), [POINTER]), name)
        self.table = function.args[0]
        self.b = ir.IRBuilder(function.append_basic_block("entry"))
        self.lanes = Lanes(self.b, double=shapes.double)
        self.slots: list[str] = []
        self.loaded: dict[str, ir.Value] = {}
        self.entry = self.b.block
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
        """Address of an array's rows at a step; `count` rows of W numbers each."""
        kind = kind or self.lanes.real
        if step is None:
            return self.pointer(name)
        index = self.b.mul(step, I64(count * self.shapes.W))
        return self.b.gep(self.pointer(name), [index], source_etype=kind)

    def vector(self, pointer: ir.Value, row: int, column: ir.Value, kind: ir.Type) -> ir.Value:
        """Address of a vector at `column` in a row of W."""
        index = self.b.add(I64(row * self.shapes.W), column)
        return self.b.gep(pointer, [index], source_etype=kind.element)

    def get(self, pointer: ir.Value, row: int, column: ir.Value, kind: ir.Type) -> ir.Value:
        return self.b.load(self.vector(pointer, row, column, kind), typ=kind, align=32)

    def put(self, value: ir.Value, pointer: ir.Value, row: int, column: ir.Value) -> None:
        self.b.store(value, self.vector(pointer, row, column, value.type), align=32)

    def columns(self) -> Any:
        """A loop over the vectors of a row."""
        return loop(self.b, I64(0), I64(self.shapes.W), step=self.lanes.width)

    def one_hot(self, out: ir.Value) -> None:
        """The D rows of a step's tokens: 1 where the token is the row's."""
        tokens = self.rows("tokens", self.t, count=1, kind=I32)
        with self.columns() as column:
            kind = ir.VectorType(I32, self.lanes.width)
            token = self.get(tokens, 0, column, kind)
            with loop(self.b, I64(0), I64(self.shapes.D)) as row:
                same = self.b.icmp_signed("==", token, self.lanes.splat(self.b.trunc(row, I32), kind))
                value = self.b.select(same, self.lanes.const(1), self.lanes.const(0))
                index = self.b.add(self.b.mul(row, I64(self.shapes.W)), column)
                self.b.store(value, self.b.gep(out, [index], source_etype=self.lanes.real), align=32)

    def gathered(self, accumulator: int, first: ir.Value, tile: Tile, unit: int, vector: int) -> ir.Value:
        """first + U[unit, token] of each sequence; nothing for a token of −1."""
        b, D, H = self.b, self.shapes.D, self.shapes.H
        kind, places = ir.VectorType(I32, self.lanes.width), ir.VectorType(I64, self.lanes.width)
        column = b.add(tile.column, I64(vector * self.lanes.width))
        token = self.get(self.rows("tokens", self.t, count=1, kind=I32), 0, column, kind)
        for term in self.program.terms:
            if term.accumulator == accumulator and term.operand is None:
                row = b.add(I64(term.block * H), b.add(tile.first, I64(unit)))
                index = b.add(self.lanes.splat(b.mul(row, I64(D)), places), b.sext(token, places))
                pointers = b.gep(self.pointer("U"), [index], source_etype=self.lanes.real)
                there = b.icmp_signed(">=", token, ir.Constant(kind, [0] * self.lanes.width))
                first = b.fadd(first, self._gather(pointers, there))
        return first

    def _gather(self, pointers: ir.Value, there: ir.Value) -> ir.Value:
        n, bits = self.lanes.width, 64 if self.shapes.double else 32
        vector, mask = self.lanes.vector, ir.VectorType(ir.IntType(1), n)
        pointers.type = ir.VectorType(POINTER, n)  # llvmlite takes the address of many places for one address
        kinds = [pointers.type, I32, mask, vector]
        gather = function(self.b.module, f"llvm.masked.gather.v{n}f{bits}.v{n}p0", vector, kinds)
        return self.b.call(gather, [pointers, I32(bits // 8), there, self.lanes.const(0)])

    def order_of_parts(self, part: int) -> tuple[str, int]:
        return f"state{self.program.base[part]}", -self.program.reach(part)

    def memory(self, node: Node, emitter: PassEmitter, tile: Tile, unit: int, vector: int) -> ir.Value | None:
        """What both directions read alike: states, parameters, sums over units."""
        if node.op == "state":
            array, offset = self.order_of_parts(node.args[0])
            return emitter.load(emitter.rows(array, offset), emitter.unit(tile, unit), tile, vector)
        if node.op == "vector":
            place = list(self.program.vectors).index(node) if node in self.program.vectors else -1
            index = self.b.add(I64(place * self.shapes.H), emitter.unit(tile, unit))
            return emitter.number(self.pointer("vectors"), index)
        if node.op == "sum":
            return emitter.load(emitter.rows(total_name(node), 0), I64(0), tile, vector)
        return None

    def masked(self, value: ir.Value, column: ir.Value) -> ir.Value:
        """Zero in the lanes beyond the last sequence: 0·∞ there would be NaN in a sum over sequences."""
        if self.shapes.W == self.shapes.B:
            return value
        kind = ir.VectorType(I32, self.lanes.width)
        lane = self.b.add(
            self.lanes.splat(self.b.trunc(column, I32), kind), ir.Constant(kind, list(range(self.lanes.width)))
        )
        there = self.b.icmp_signed("<", lane, ir.Constant(kind, [self.shapes.B] * self.lanes.width))
        return self.b.select(there, value, ir.Constant(value.type, None))
