"""The loops over time, one function for each direction, for one replica: what `scan` calls.

Every function takes one argument, a table of 64-bit numbers: addresses and loop bounds, in the order of `slots`. The
address of an array is that of its step 0, whether or not that step is in memory: segments are written where they belong.

The way back carries adjoints as numbers with a power of two of each sequence's own, as far from the loss they are below
any float32. E_t is chosen before step t from what is known of its size, and what comes from step t + ℓ is multiplied by
2^(E_{t+ℓ} − E_t), which is exact. Sums of squares are float64, so that one part of the state may be 2¹²⁶ below another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from harness.recurrence.compiler.arithmetic import DOUBLE, I32, I64, Lanes, function, loop
from harness.recurrence.compiler.emission import PassEmitter, Tile, total_name
from harness.recurrence.compiler.graph import Node
from harness.recurrence.compiler.layout import PassLayout, Shapes, chunk
from harness.recurrence.compiler.program import Pass, Program

POINTER = ir.PointerType()
NONE = -(1 << 29)  # the exponent of zero: below all others, and far from overflow when one is added


class Function:
    """One compiled function and the arrays that it reads and writes.

    Attributes:
        slots: what stands in the table, in order.
    """

    def __init__(self, module: ir.Module, name: str, program: Program, shapes: Shapes, layouts: list[PassLayout]) -> None:
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


def forward(module: ir.Module, program: Program, shapes: Shapes, layouts: list[PassLayout], *, keep: bool) -> list[str]:
    """Emit `forward(table)`: steps from … to − 1. Returns the table's order."""
    f = Function(module, "forward_keep" if keep else "forward", program, shapes, layouts)
    H, kept = shapes.H, program.kept
    scratch = [node for step in program.forward for node in step.stores]
    sums = [total for step in program.forward for total in step.sums]
    if not keep:
        kept = [node for node in kept if node in program.operands]

    def rows(array: str, offset: int) -> ir.Value:
        if array == "x":
            return f.pointer("onehot") if shapes.tokens else f.rows("x", f.t, count=shapes.D)
        if array.startswith("state"):
            return f.rows(array, f.b.add(f.t, I64(offset)), count=H)
        if array.startswith("sum"):
            total = next(node for node in sums if total_name(node) == array)
            return f.rows(array, f.t, count=1) if keep and total in program.kept else f.pointer(array)
        if array.startswith("kept"):
            return f.rows(array, f.t, count=H) if keep else f.pointer(array)
        return f.pointer(array)

    def array_of(node: Node) -> str:
        if node in program.new:
            return f"state{program.new.index(node)}"
        return f"kept{program.kept.index(node)}" if node in kept else f"scratch{scratch.index(node)}"

    level = {node: i for i, step in enumerate(program.forward) for node in step.stores}
    now = 0

    def read(node: Node, tile: Tile, unit: int, vector: int) -> ir.Value | None:
        if node.op == "accumulator" and (node.args[0], unit, vector) in tile.accumulators:
            return tile.accumulators[node.args[0], unit, vector]
        if node.op == "permute":
            operand = node.inputs[0]
            place = f.order_of_parts(operand.args[0]) if operand.op == "state" else (array_of(operand), 0)
            return emitter.permuted(rows(*place), node.args[1], tile, unit, vector)
        if level.get(node, now) < now:
            return emitter.load(rows(array_of(node), 0), emitter.unit(tile, unit), tile, vector)
        return f.memory(node, emitter, tile, unit, vector)

    later = {node for step in program.forward for node in step.stores if _needed_later(node, program, level)}

    def write(node: Node, value: ir.Value, tile: Tile, unit: int, vector: int) -> None:
        for b, new in enumerate(program.new):
            if new is node:
                emitter.save(value, rows(f"state{b}", 0), emitter.unit(tile, unit), tile, vector)
        if node in kept:
            emitter.save(value, rows(f"kept{program.kept.index(node)}", 0), emitter.unit(tile, unit), tile, vector)
        elif node not in program.new and node in later:
            emitter.save(value, rows(f"scratch{scratch.index(node)}", 0), emitter.unit(tile, unit), tile, vector)

    emitter = PassEmitter(f.lanes, shapes, rows, read, write)
    with loop(f.b, f.slot("from"), f.slot("to")) as t:
        f.t = t
        if shapes.tokens and not shapes.gathered:
            f.one_hot(f.pointer("onehot"))
        for total in sums:
            with f.columns() as column:
                f.put(f.lanes.const(0), rows(total_name(total), 0), 0, column)
        offset = 0
        for now, (step, layout) in enumerate(zip(program.forward, layouts, strict=True)):
            weights = f.b.gep(f.pointer("weights"), [I64(offset)], source_etype=f.lanes.real)
            emitter.emit(step, layout, weights, f.pointer("bias"), f.gathered if shapes.gathered else None)
            offset += layout.size
        for b, new in enumerate(program.new):  # a part that never changes is no node of a pass
            if new.op in ("state", "vector", "const"):
                _copy(f, emitter, new, rows(f"state{b}", 0))
    f.b.ret_void()
    return f.slots


def _copy(f: Function, emitter: PassEmitter, node: Node, out: ir.Value) -> None:
    with f.columns() as column, loop(f.b, I64(0), I64(f.shapes.H)) as row:
        tile = Tile(row, column, {})
        emitter.save(emitter.value(node, tile, 0, 0), out, row, tile, 0)


def _needed_later(node: Node, program: Program, level: dict[Node, int]) -> bool:
    return node not in program.new and level[node] < len(program.forward) - 1


def backward(
    module: ir.Module, name: str, program: Program, shapes: Shapes, layouts: list[PassLayout], *, every: bool,
    inputs: PassLayout | None,
) -> list[str]:  # fmt: skip
    """Emit `name(table)`: steps to − 1 down to `from`, in chunks whose weights' gradients are taken at once.

    Args:
        every: the loss sees every h_t: its gradient is added at each step.
        inputs: the products that give the gradient of real inputs, if it is wanted.
    """
    f = Function(module, name, program, shapes, layouts)
    emitter = _BackwardStep(f, every=every, inputs=inputs)
    length = chunk(program, shapes)
    b = f.b
    first, last = f.slot("from"), f.slot("to")
    chunks = b.sdiv(b.add(b.sub(last, first), I64(length - 1)), I64(length))
    with loop(b, b.sub(chunks, I64(1)), I64(-1), step=-1) as number:
        start = b.add(first, b.mul(number, I64(length)))
        stop = b.add(start, I64(length))
        stop = b.select(b.icmp_signed("<", stop, last), stop, last)
        with loop(b, b.sub(stop, I64(1)), b.sub(start, I64(1)), step=-1) as t:
            emitter.step(t, start)
        emitter.weights(start, b.sub(stop, start))
    b.ret_void()
    return f.slots


class _BackwardStep:
    """A step back, and the gradients of weights of a chunk of steps."""

    def __init__(self, f: Function, *, every: bool, inputs: PassLayout | None) -> None:
        self.f, self.b, self.lanes, self.every, self.inputs = f, f.b, f.lanes, every, inputs
        self.program, self.shapes = f.program, f.shapes
        p = f.program
        self.carried = {(base, 1): None for base in range(len(p.bases))}
        self.carried |= {(p.base[part], p.reach(part)): node for part, node in p.carries.items()}
        products = {key for key in f.layouts[0].accumulators if isinstance(key, tuple)}
        self.reaches = sorted({reach for _, reach in [*self.carried, *products]})
        self.ring = self.reaches[-1] + 1
        self.panel_rows = (len(p.deltas) + len(p.vectors)) * f.shapes.H
        self.level = {node: i for i, step in enumerate(p.backward) for node in step.stores}
        self.scratch = [node for step in p.backward for node in step.stores]
        self.now = 0
        self.t: ir.Value = I64(0)
        self.start: ir.Value = I64(0)
        self.emitter = PassEmitter(f.lanes, f.shapes, self.rows, self.read, self.write)

    # arrays

    def rows(self, array: str, offset: int) -> ir.Value:
        f, H = self.f, self.shapes.H
        if array.startswith("delta"):
            place = self.b.add(self.slot(offset), I64(int(array[5:]) * self.ring))
            return f.rows("deltas", place, count=H)
        if array.startswith("sum"):
            kept = [total_name(node) for node in self.program.kept if node.op == "sum"]
            return f.rows(array, self.t, count=1) if array in kept else f.pointer(array)
        if array.startswith("scratch"):
            return f.pointer(array)
        return f.rows(array, self.b.add(self.t, I64(offset)), count=H)

    def slot(self, offset: int, ring: int | None = None) -> ir.Value:
        return self.b.urem(self.b.add(self.t, I64(offset)), I64(ring or self.ring))

    def carry(self, base: int, reach: int) -> ir.Value:
        return self.f.rows(f"carry{base}_{reach}", self.slot(0, reach), count=self.shapes.H)

    def factor(self, reach: int) -> int:
        return self.reaches.index(reach)

    # nodes

    def read(self, node: Node, tile: Tile, unit: int, vector: int) -> ir.Value | None:
        e, p = self.emitter, self.program
        row = e.unit(tile, unit)
        if node in p.new and node.op not in ("state", "vector", "const"):
            return e.load(self.rows(f"state{p.new.index(node)}", 0), row, tile, vector)
        if node in p.kept and node.op != "sum":
            return e.load(self.rows(f"kept{p.kept.index(node)}", 0), row, tile, vector)
        if node.op == "permute":
            return e.permuted(self._place(node.inputs[0]), node.args[1], tile, unit, vector)
        if (node, unit, vector) in tile.accumulators:
            return tile.accumulators[node, unit, vector]
        if self.level.get(node, self.now) < self.now:
            return e.load(self._place(node), row, tile, vector)
        if node.op == "adjoint":
            return self._incoming(node.args[0], tile, unit, vector)
        return self.f.memory(node, e, tile, unit, vector)

    def _place(self, node: Node) -> ir.Value:
        p = self.program
        if node.op == "state":
            return self.rows(*self.f.order_of_parts(node.args[0]))
        if node in p.new:
            return self.rows(f"state{p.new.index(node)}", 0)
        if node in p.kept:
            return self.rows(f"kept{p.kept.index(node)}", 0)
        return self.rows(f"scratch{self.scratch.index(node)}", 0)

    def _incoming(self, base: int, tile: Tile, unit: int, vector: int) -> ir.Value:
        """Σ_ℓ 2^(E_{t+ℓ} − E_t)·(products + pointwise share, of step t + ℓ) + 2^−E_t ∂⁺L/∂h_t."""
        e, b, total = self.emitter, self.b, None
        row = e.unit(tile, unit)
        factors = self.f.pointer("factors")
        for reach in self.reaches:
            parts = []
            if ((base, reach), unit, vector) in tile.accumulators:
                parts.append(tile.accumulators[(base, reach), unit, vector])
            if (base, reach) in self.carried:
                parts.append(e.load(self.carry(base, reach), row, tile, vector))
            if parts:
                value = parts[0] if len(parts) == 1 else b.fadd(*parts)
                value = b.fmul(value, e.load(factors, I64(self.factor(reach)), tile, vector))
                total = value if total is None else b.fadd(total, value)
        if base == 0 and self.every:
            now = e.load(self.f.rows("immediate", self.t, count=self.shapes.H), row, tile, vector)
            for half in (2, 3):
                now = b.fmul(now, e.load(factors, I64(len(self.reaches) + half), tile, vector))
            total = b.fadd(total, now)
        return total

    def write(self, node: Node, value: ir.Value, tile: Tile, unit: int, vector: int) -> None:
        e, b, p, H = self.emitter, self.b, self.program, self.shapes.H
        row = e.unit(tile, unit)
        for base, total in enumerate(p.totals):
            if total is node:
                self._square(base, value, tile, vector)
        for a, delta in enumerate(p.deltas):
            if delta is node:
                e.save(value, self.rows(f"delta{a}", 0), row, tile, vector)
                self._unscaled(value, a, row, tile, vector)
        for v, adjoint in enumerate(p.vectors.values()):
            if adjoint is node:
                self._unscaled(value, len(p.deltas) + v, row, tile, vector)
        for (base, reach), carry in self.carried.items():
            if carry is node:
                e.save(value, self.carry(base, reach), row, tile, vector)
        if self.level[node] < len(p.backward) - 1:
            e.save(value, self.rows(f"scratch{self.scratch.index(node)}", 0), row, tile, vector)

    def _square(self, base: int, value: ir.Value, tile: Tile, vector: int) -> None:
        """norm² of a part's adjoint, in float64, unit after unit."""
        b, wide = self.b, ir.VectorType(DOUBLE, self.lanes.width)
        column = b.add(tile.column, I64(vector * self.lanes.width))
        norms = self.f.rows("norms", self.t, count=len(self.program.bases), kind=DOUBLE)
        value = value if self.shapes.double else b.fpext(value, wide)
        address = self.f.vector(norms, base, column, wide)
        b.store(self.lanes.fma(value, value, b.load(address, typ=wide, align=32)), address, align=32)

    def _unscaled(self, value: ir.Value, block: int, row: ir.Value, tile: Tile, vector: int) -> None:
        """x·2^E into the panel from which the gradients of weights are taken; zero where there is no sequence."""
        e, b = self.emitter, self.b
        factors = self.f.pointer("factors")
        for half in (0, 1):
            value = b.fmul(value, e.load(factors, I64(len(self.reaches) + half), tile, vector))
        column = b.add(tile.column, I64(vector * self.lanes.width))
        panel = self.f.rows("panel", b.sub(self.t, self.start), count=self.panel_rows)
        e.save(self.masked(value, column), panel, b.add(row, I64(block * self.shapes.H)), tile, vector)

    def masked(self, value: ir.Value, column: ir.Value) -> ir.Value:
        """Zero in the lanes beyond the last sequence: 0·∞ there would be NaN in a sum over sequences."""
        if self.shapes.W == self.shapes.B:
            return value
        kind = ir.VectorType(I32, self.lanes.width)
        lane = self.b.add(
            self.lanes.splat(self.b.trunc(column, I32), kind), ir.Constant(kind, list(range(self.lanes.width)))
        )
        there = self.b.icmp_signed("<", lane, ir.Constant(kind, [self.shapes.B] * self.lanes.width))
        return self.b.select(there, value, self.lanes.const(0))

    # a step

    def step(self, t: ir.Value, start: ir.Value) -> None:
        f, b, p = self.f, self.b, self.program
        self.t = f.t = t
        self.start = start
        if self.shapes.tokens and not self.shapes.gathered:
            f.one_hot(f.rows("onehot", b.sub(t, start), count=self.shapes.D))
        for step in p.backward:
            for total in step.sums:
                with f.columns() as column:
                    f.put(self.lanes.const(0), self.rows(total_name(total), 0), 0, column)
        self._scales()
        offset = 0
        for self.now, (step, layout) in enumerate(zip(p.backward, f.layouts, strict=True)):
            weights = b.gep(f.pointer("weights"), [I64(offset)], source_etype=self.lanes.real)
            self.emitter.emit(step, layout, weights, None)
            offset += layout.size
        self._constants()
        self._sizes()
        if self.inputs is not None:
            self._input_gradient(self.inputs)

    def _input_gradient(self, layout: PassLayout) -> None:
        """∂L/∂x_t = Uᵀ δ_t."""
        f, b = self.f, self.b
        leaf = self.program.graph.leaf("x")

        def rows(array: str, offset: int) -> ir.Value:
            panel = f.rows("panel", b.sub(self.t, self.start), count=self.panel_rows)
            block = int(array.removeprefix("unscaled")) * self.shapes.H * self.shapes.W
            return b.gep(panel, [I64(block)], source_etype=self.lanes.real)

        def read(node: Node, tile: Tile, unit: int, vector: int) -> ir.Value | None:
            return tile.accumulators["x", unit, vector]

        def write(node: Node, value: ir.Value, tile: Tile, unit: int, vector: int) -> None:
            out = f.rows("dx", self.t, count=self.shapes.D)
            emitter.save(value, out, emitter.unit(tile, unit), tile, vector)

        emitter = PassEmitter(self.lanes, self.shapes, rows, read, write)
        emitter.emit(Pass(stores=[leaf]), layout, f.pointer("input_weights"), None)

    def _constants(self) -> None:
        """Results that are no node of a pass: true zeros."""
        f, p = self.f, self.program
        zero = self.lanes.const(0)
        with f.columns() as column, loop(self.b, I64(0), I64(self.shapes.H)) as row:
            tile = Tile(row, column, {})
            for (base, reach), node in self.carried.items():
                if node is None or node.op == "const":
                    self.emitter.save(zero, self.carry(base, reach), row, tile, 0)
            for a, delta in enumerate(p.deltas):
                if delta.op == "const":
                    self.emitter.save(zero, self.rows(f"delta{a}", 0), row, tile, 0)
                    self._unscaled(zero, a, row, tile, 0)

    def _scales(self) -> None:
        """E_t and the powers of two of this step; sums of squares begin at zero."""
        f, b, lanes = self.f, self.b, self.lanes
        kind, wide = lanes.integers, ir.VectorType(DOUBLE, lanes.width)
        tops, scales, factors = f.pointer("tops"), f.pointer("scales"), f.pointer("factors")
        norms = f.rows("norms", self.t, count=len(self.program.bases), kind=DOUBLE)
        out = f.rows("exponents", self.t, count=1, kind=kind.element)
        with f.columns() as column:
            E = lanes.whole(NONE)
            for reach in self.reaches:
                E = lanes.largest(E, f.get(self._row(tops, self.slot(reach), kind), 0, column, kind))
            if self.every:
                E = lanes.largest(E, self._size_now(column))
            E = b.select(b.icmp_signed("<=", E, lanes.whole(NONE // 2)), lanes.whole(0), E)
            f.put(E, self._row(scales, self.slot(0), kind), 0, column)
            f.put(E, out, 0, column)
            for place, reach in enumerate(self.reaches):
                then = f.get(self._row(scales, self.slot(reach), kind), 0, column, kind)
                f.put(lanes.power(b.sub(then, E)), factors, place, column)
            halves = [*lanes.halves(E), *(lanes.halves(b.sub(lanes.whole(0), E)) if self.every else ())]
            for place, half in enumerate(halves):
                f.put(half, factors, len(self.reaches) + place, column)
            for base in range(len(self.program.bases)):
                f.put(ir.Constant(wide, [0.0] * lanes.width), norms, base, column)

    def _row(self, pointer: ir.Value, row: ir.Value, kind: ir.Type) -> ir.Value:
        return self.b.gep(pointer, [self.b.mul(row, I64(self.shapes.W))], source_etype=kind.element)

    def _size_now(self, column: ir.Value) -> ir.Value:
        """The exponent of the largest entry of the loss' own gradient at this step, of each sequence."""
        f, b, lanes = self.f, self.b, self.lanes
        rows = f.rows("immediate", self.t, count=self.shapes.H)
        with b.goto_entry_block():
            cell = b.alloca(lanes.vector)
        b.store(lanes.const(0), cell)
        with loop(b, I64(0), I64(self.shapes.H)) as row:
            index = b.add(b.mul(row, I64(self.shapes.W)), column)
            size = lanes.abs(b.load(b.gep(rows, [index], source_etype=lanes.real), typ=lanes.vector, align=32))
            most = b.load(cell, typ=lanes.vector)
            b.store(b.select(b.fcmp_ordered(">", size, most), size, most), cell)
        bits = b.lshr(b.bitcast(b.load(cell, typ=lanes.vector), lanes.integers), lanes.whole(lanes.mantissa))
        e = b.sub(bits, lanes.whole(lanes.bias - 1))
        e = b.select(b.icmp_signed("==", bits, lanes.whole(2 * lanes.bias + 1)), lanes.whole(0), e)  # infinite
        zero = b.fcmp_ordered("==", b.load(cell, typ=lanes.vector), lanes.const(0))
        return b.select(zero, lanes.whole(NONE), e)

    def _sizes(self) -> None:
        """The size of this step's adjoint, from which the steps before choose their powers of two."""
        f, b, lanes = self.f, self.b, self.lanes
        wide, long = ir.VectorType(DOUBLE, lanes.width), ir.VectorType(I64, lanes.width)

        def same(value: int) -> ir.Constant:
            return ir.Constant(long, [value] * lanes.width)

        norms = f.rows("norms", self.t, count=len(self.program.bases), kind=DOUBLE)
        with f.columns() as column:
            top = ir.Constant(long, [NONE] * lanes.width)
            for base in range(len(self.program.bases)):
                square = f.get(norms, base, column, wide)
                bits = b.lshr(b.bitcast(square, long), same(52))
                e = b.add(b.ashr(b.sub(bits, same(1023)), same(1)), same(1))
                e = b.select(b.icmp_unsigned(">=", bits, same(2047)), same(0), e)  # NaN and infinity have no scale
                zero = b.fcmp_ordered("==", square, ir.Constant(wide, [0.0] * lanes.width))
                e = b.select(zero, same(NONE), e)
                top = b.select(b.icmp_signed(">", e, top), e, top)
            narrow = top if self.shapes.double else b.trunc(top, lanes.integers)
            E = f.get(self._row(f.pointer("scales"), self.slot(0), lanes.integers), 0, column, lanes.integers)
            total = b.select(b.icmp_signed("<=", narrow, lanes.whole(NONE)), narrow, b.add(narrow, E))
            f.put(total, self._row(f.pointer("tops"), self.slot(0), lanes.integers), 0, column)

    # gradients of weights

    def weights(self, start: ir.Value, steps: ir.Value) -> None:
        """dW = Σ_t Σ_b δ_t ⊗ operand_t of a chunk of steps, added to what the chunks before gave."""
        f, p, H, W = self.f, self.program, self.shapes.H, self.shapes.W
        self.t = start
        panel, stride = f.pointer("panel"), self.panel_rows * W
        for number, term in enumerate(p.terms):
            if term.operand is None and self.shapes.gathered:
                self._scatter(term.accumulator, start, steps, f.pointer(f"gradient{number}"))
                continue
            if term.operand is None:
                n = self.shapes.D
                source = f.pointer("onehot") if self.shapes.tokens else f.rows("x", start, count=n)
            else:
                n = H
                source = self._place(term.operand)
            delta = self.b.gep(panel, [I64(term.accumulator * H * W)], source_etype=self.lanes.real)
            self._outer(delta, stride, source, n * W, n, steps, f.pointer(f"gradient{number}"))
        for block in range(len(p.deltas) + len(p.vectors)):
            delta = self.b.gep(panel, [I64(block * H * W)], source_etype=self.lanes.real)
            out = self.b.gep(f.pointer("sums"), [I64(block * H)], source_etype=self.lanes.real)
            self._outer(delta, stride, None, 0, 1, steps, out)

    def _scatter(self, accumulator: int, start: ir.Value, steps: ir.Value, out: ir.Value) -> None:
        """dU[unit, token] += δ[unit], step after step and sequence after sequence."""
        f, b, s = self.f, self.b, self.shapes
        with loop(b, I64(0), steps) as step, loop(b, I64(0), I64(s.B)) as column:
            tokens = f.rows("tokens", b.add(start, step), count=1, kind=I32)
            token = b.sext(b.load(b.gep(tokens, [column], source_etype=I32), typ=I32), I64)
            rows = f.rows("panel", step, count=self.panel_rows)
            with b.if_then(b.icmp_signed(">=", token, I64(0))), loop(b, I64(0), I64(s.H)) as unit:
                row = b.add(unit, I64(accumulator * s.H))
                index = b.add(b.mul(row, I64(s.W)), column)
                delta = b.load(b.gep(rows, [index], source_etype=self.lanes.real), typ=self.lanes.real)
                place = b.gep(out, [b.add(b.mul(unit, I64(s.D)), token)], source_etype=self.lanes.real)
                b.store(b.fadd(b.load(place, typ=self.lanes.real), delta), place)

    def _outer(
        self, delta: ir.Value, stride: int, source: ir.Value | None, source_stride: int, n: int, steps: ir.Value, out: ir.Value
    ) -> None:
        H = self.shapes.H
        rows, columns = _divisor(H, 5 if self.shapes.registers >= 24 else 3), _divisor(n, 5 if self.shapes.registers >= 24 else 3)
        for i0, i1, u in _ranges(H, rows):
            with loop(self.b, I64(i0), I64(i1), step=u) as i:
                for j0, j1, c in _ranges(n, columns):
                    with loop(self.b, I64(j0), I64(j1), step=c) as j:
                        self._outer_tile(delta, stride, source, source_stride, n, steps, out, (i, u), (j, c))

    def _outer_tile(
        self, delta: ir.Value, stride: int, source: ir.Value | None, source_stride: int, n: int, steps: ir.Value,
        out: ir.Value, rows: tuple[ir.Value, int], columns: tuple[ir.Value, int],
    ) -> None:  # fmt: skip
        b, lanes, W = self.b, self.lanes, self.shapes.W
        (i, u), (j, c) = rows, columns
        with b.goto_entry_block():
            cells = [[b.alloca(lanes.vector) for _ in range(c)] for _ in range(u)]
        for row in cells:
            for cell in row:
                b.store(lanes.const(0), cell)
        with loop(b, I64(0), steps) as s:
            with loop(b, I64(0), I64(W), step=lanes.width) as column:

                def vector(pointer: ir.Value, step: int, row: ir.Value, k: int) -> ir.Value:
                    index = b.add(b.mul(s, I64(step)), b.mul(b.add(row, I64(k)), I64(W)))
                    address = b.gep(pointer, [b.add(index, column)], source_etype=lanes.real)
                    return b.load(address, typ=lanes.vector, align=32)

                right = (
                    [lanes.const(1)]
                    if source is None
                    else [self.masked(vector(source, source_stride, j, k), column) for k in range(c)]
                )
                for k in range(u):
                    left = vector(delta, stride, i, k)
                    for m in range(c):
                        b.store(lanes.fma(left, right[m], b.load(cells[k][m], typ=lanes.vector)), cells[k][m])
        for k in range(u):
            for m in range(c):
                index = b.add(b.mul(b.add(i, I64(k)), I64(n)), b.add(j, I64(m)))
                place = b.gep(out, [index], source_etype=lanes.real)
                total = lanes.add_lanes(b.load(cells[k][m], typ=lanes.vector))
                b.store(b.fadd(b.load(place, typ=lanes.real), total), place)


def _divisor(n: int, most: int) -> int:
    """Rows of a tile: a divisor of n where one is near the most that registers hold."""
    return max((u for u in range(1, min(most, n) + 1)), key=lambda u: (-(-(-n // u)) - (n % u > 0), u))


def _ranges(n: int, tile: int) -> list[tuple[int, int, int]]:
    """(from, to, height) of whole tiles and of what is left."""
    whole = n - n % tile
    found = [(0, whole, tile)] if whole else []
    return [*found, (whole, n, n - whole)] if n > whole else found


Emit = Callable[..., list[str]]
