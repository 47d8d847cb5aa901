"""The loop over time backward, for one replica: total adjoints of every part of the state, and gradients of weights.

Adjoints are carried as numbers with a power of two of each sequence's own, as far from the loss they are below any
float32. E_t is chosen before step t from what is known of its size, and what comes from step t + ℓ is multiplied by
2^(E_{t+ℓ} − E_t), which is exact. Sums of squares are float64, so that one part of the state may be 2¹²⁶ below another.
"""

from __future__ import annotations

from llvmlite import ir

from harness.recurrence.compiler import outer
from harness.recurrence.compiler.arithmetic import DOUBLE, I64, Lanes, loop
from harness.recurrence.compiler.emission import PassEmitter, Tile, total_name
from harness.recurrence.compiler.function import Function
from harness.recurrence.compiler.graph import Node
from harness.recurrence.compiler.layout import PassLayout, Shapes, chunk
from harness.recurrence.compiler.partial import PARTIAL, PartialSums
from harness.recurrence.compiler.program import Pass, Program

NONE = -(1 << 29)  # the exponent of zero: below all others, and far from overflow when one is added


def backward(
    module: ir.Module, name: str, program: Program, shapes: Shapes, layouts: list[PassLayout], *, every: bool,
    inputs: PassLayout | None, matrices: bool,
) -> list[str]:  # fmt: skip
    """Emit `name(table)`: steps to − 1 down to `from`, in chunks whose weights' gradients are taken at once.

    Args:
        every: the loss sees every h_t: its gradient is added at each step, with a power of two of its own.
        inputs: the products that give the gradient of real inputs, if it is wanted; it is left with E_t beside it.
        matrices: gradients of the weights are wanted, and not of biases and vectors alone.
    """
    f = Function(module, name, program, shapes, layouts)
    emitter = BackwardStep(f, every=every, inputs=inputs, matrices=matrices)
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
        if matrices:
            emitter.matrices(start, b.sub(stop, start))
        emitter.vectors(b.sub(stop, start))
    b.ret_void()
    return f.slots


class BackwardStep:
    """A step back, and the gradients of weights of a chunk of steps."""

    def __init__(self, f: Function, *, every: bool, inputs: PassLayout | None, matrices: bool) -> None:
        self.f, self.b, self.lanes, self.every, self.inputs = f, f.b, f.lanes, every, inputs
        self.one_hot = matrices and f.shapes.tokens and not f.shapes.gathered
        self.program, self.shapes = f.program, f.shapes
        self.wide = Lanes(f.b, double=True, width=f.lanes.width)
        p = f.program
        self.carried: dict[tuple[int, int], Node | None] = {(base, 1): None for base in range(len(p.bases))}
        self.carried |= {(p.base[part], p.reach(part)): node for part, node in p.carries.items()}
        products = {key for key in f.layouts[0].accumulators if isinstance(key, tuple)}
        self.reaches = sorted({reach for _, reach in [*self.carried, *products]})
        self.ring = self.reaches[-1] + 1
        self.panel_blocks, self.size = len(p.deltas) + len(p.vectors), f.shapes.size(f.shapes.H)
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
            saved = [total_name(node) for node in self.program.saved if node.op == "sum"]
            return f.line(array, self.t) if array in saved else f.pointer(array)
        if array.startswith(("scratch", "partial")):
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
        if node in p.saved and node.op != "sum":
            return e.load(self.rows(f"saved{p.saved.index(node)}", 0), row, tile, vector)
        if node.op == "permute":
            return e.permuted(self.place(node.inputs[0]), node.args[1], tile, unit, vector)
        if (node, unit, vector) in tile.accumulators:
            return tile.accumulators[node, unit, vector]
        if self.level.get(node, self.now) < self.now:
            return e.load(self.place(node), row, tile, vector)
        if node.op == "adjoint":
            return self._incoming(node.args[0], tile, unit, vector)
        return self.f.memory(node, e, tile, unit, vector)

    def place(self, node: Node) -> ir.Value:
        p = self.program
        if node.op == "state":
            return self.rows(*self.f.order_of_parts(node.args[0]))
        if node in p.new:
            return self.rows(f"state{p.new.index(node)}", 0)
        if node in p.saved:
            return self.rows(f"saved{p.saved.index(node)}", 0)
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
                value = b.fmul(value, e.of_sequence(factors, self.factor(reach), tile, vector))
                total = value if total is None else b.fadd(total, value)
        if base == 0 and self.every:
            now = e.load(self.f.rows("immediate", self.t, count=self.shapes.H), row, tile, vector)
            for half in (2, 3):
                now = b.fmul(now, e.of_sequence(factors, len(self.reaches) + half, tile, vector))
            total = b.fadd(total, now)
        return total

    def write(self, node: Node, value: ir.Value, tile: Tile, unit: int, vector: int) -> None:
        e, p = self.emitter, self.program
        row = e.unit(tile, unit)
        for base, total in enumerate(p.totals):
            if total is node:
                self._square(base, value, row, tile, vector)
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

    def _square(self, base: int, value: ir.Value, row: ir.Value, tile: Tile, vector: int) -> None:
        """norm² of a part's adjoint, in float64."""
        value = value if self.shapes.double else self.b.fpext(value, self.wide.vector)
        self._squares(base).add(value, row, self.emitter.sequence(tile, vector), squared=True)

    def _squares(self, base: int) -> PartialSums:
        place = self.b.gep(self.f.pointer("squares"), [I64(base * PARTIAL * self.shapes.W)], source_etype=DOUBLE)
        return PartialSums(self.wide, place, self.shapes)

    def _unscaled(self, value: ir.Value, block: int, row: ir.Value, tile: Tile, vector: int) -> None:
        """x·2^E into the panel from which the gradients of weights are taken; zero where there is no sequence."""
        e, b = self.emitter, self.b
        factors = self.f.pointer("factors")
        for half in (0, 1):
            value = b.fmul(value, e.of_sequence(factors, len(self.reaches) + half, tile, vector))
        if not self.shapes.across_units:
            value = self.f.masked(value, e.sequence(tile, vector))
        e.save(value, self.panel(b.sub(self.t, self.start), block), row, tile, vector)

    def panel(self, step: ir.Value, block: int) -> ir.Value:
        """The deltas of one accumulator, or adjoints of one vector, at a step of the chunk."""
        index = self.b.add(self.b.mul(step, I64(self.panel_blocks * self.size)), I64(block * self.size))
        return self.b.gep(self.f.pointer("panel"), [index], source_etype=self.lanes.real)

    # a step

    def step(self, t: ir.Value, start: ir.Value) -> None:
        f, b, p = self.f, self.b, self.program
        self.t = f.t = t
        self.start = start
        if self.one_hot:
            f.one_hot(f.rows("onehot", b.sub(t, start), count=self.shapes.D))
        self._scales()
        offset = 0
        for self.now, (step, layout) in enumerate(zip(p.backward, f.layouts, strict=True)):
            weights = b.gep(f.pointer("weights"), [I64(offset)], source_etype=self.lanes.real)
            self.emitter.emit(step, layout, weights, None)
            offset += layout.size
        self._constants()
        self._sizes()
        self._record()
        if self.inputs is not None:
            self._input_gradient(self.inputs)

    def _input_gradient(self, layout: PassLayout) -> None:
        """∂L/∂x_t = 2^E_t Uᵀ δ_t: the product, and E_t of each sequence."""
        f = self.f
        leaf = self.program.graph.leaf("x")
        kind = self.lanes.integers
        with f.columns() as column:
            E = f.get(self._row(f.pointer("scales"), self.slot(0), kind), 0, column, kind)
            f.put(E, f.line("dx_scales", self.t, kind=kind.element), 0, column)

        def read(node: Node, tile: Tile, unit: int, vector: int) -> ir.Value | None:
            return tile.accumulators["x", unit, vector]

        def write(node: Node, value: ir.Value, tile: Tile, unit: int, vector: int) -> None:
            out = f.rows("dx", self.t, count=self.shapes.D)
            emitter.save(value, out, emitter.unit(tile, unit), tile, vector)

        emitter = PassEmitter(self.lanes, self.shapes, self.rows, read, write)
        emitter.emit(Pass(stores=[leaf]), layout, f.pointer("input_weights"), None)

    def _constants(self) -> None:
        """Results that are no node of a pass: true zeros."""
        f, p = self.f, self.program
        zero = self.lanes.const(0)
        with f.axis.sequences() as sequence, f.axis.units(self.shapes.H) as row:
            tile = Tile(row, sequence, {})
            for (base, reach), node in self.carried.items():
                if node is None or node.op == "const":
                    self.emitter.save(zero, self.carry(base, reach), row, tile, 0)
            for a, delta in enumerate(p.deltas):
                if delta.op == "const":
                    self.emitter.save(zero, self.rows(f"delta{a}", 0), row, tile, 0)
                    self._unscaled(zero, a, row, tile, 0)
            for v, adjoint in enumerate(p.vectors.values()):
                if adjoint.op == "const":
                    self._unscaled(zero, len(p.deltas) + v, row, tile, 0)

    def _scales(self) -> None:
        """E_t and the powers of two of this step; sums of squares begin at zero."""
        f, b, lanes = self.f, self.b, self.lanes
        kind = lanes.integers
        tops, scales, factors = f.pointer("tops"), f.pointer("scales"), f.pointer("factors")
        if self.every:
            self._largest_now()
        with f.columns() as column:
            E = lanes.whole(NONE)
            for reach in self.reaches:
                E = lanes.largest(E, f.get(self._row(tops, self.slot(reach), kind), 0, column, kind))
            if self.every:
                now = f.get(f.line("immediate_scales", self.t, kind=kind.element), 0, column, kind)
                E = lanes.largest(E, b.add(self._size_now(column), now))
            E = b.select(b.icmp_signed("<=", E, lanes.whole(NONE // 2)), lanes.whole(0), E)
            f.put(E, self._row(scales, self.slot(0), kind), 0, column)
            for place, reach in enumerate(self.reaches):
                then = f.get(self._row(scales, self.slot(reach), kind), 0, column, kind)
                f.put(lanes.power(b.sub(then, E)), factors, place, column)
            halves = [*lanes.halves(E), *(lanes.halves(b.sub(now, E)) if self.every else ())]
            for place, half in enumerate(halves):
                f.put(half, factors, len(self.reaches) + place, column)
        with f.axis.sequences() as sequence:
            for base in range(len(self.program.bases)):
                self._squares(base).begin(sequence)

    def _row(self, pointer: ir.Value, row: ir.Value, kind: ir.Type) -> ir.Value:
        return self.b.gep(pointer, [self.b.mul(row, I64(self.shapes.W))], source_etype=kind.element)

    def _largest_now(self) -> None:
        """max_i |∂⁺L/∂h_t,i| of each sequence; NaN counts as none."""
        f, b, lanes, H = self.f, self.b, self.lanes, self.shapes.H
        rows, out = f.rows("immediate", self.t, count=H), f.pointer("largest")
        with b.goto_entry_block():
            cell = b.alloca(lanes.vector)
        with f.axis.sequences() as sequence:
            b.store(lanes.const(0), cell)
            with f.axis.units(H) as unit:
                size = lanes.abs(f.axis.load(rows, unit, sequence, H))
                most = b.load(cell, typ=lanes.vector)
                b.store(b.select(b.fcmp_ordered(">", size, most), size, most), cell)
            value = b.load(cell, typ=lanes.vector)
            if self.shapes.across_units:  # without a sign, floats are in the order of their bits
                value = b.bitcast(lanes.largest_lane(b.bitcast(value, lanes.integers)), lanes.real)
            b.store(value, b.gep(out, [sequence], source_etype=lanes.real), align=4)

    def _size_now(self, column: ir.Value) -> ir.Value:
        """The exponent of the largest entry of the loss' own gradient at this step, of each sequence."""
        f, b, lanes = self.f, self.b, self.lanes
        largest = f.get(f.pointer("largest"), 0, column, lanes.vector)
        bits = b.lshr(b.bitcast(largest, lanes.integers), lanes.whole(lanes.mantissa))
        e = b.sub(bits, lanes.whole(lanes.bias - 1))
        e = b.select(b.icmp_signed("==", bits, lanes.whole(2 * lanes.bias + 1)), lanes.whole(0), e)  # infinite
        return b.select(b.fcmp_ordered("==", largest, lanes.const(0)), lanes.whole(NONE), e)

    def _sizes(self) -> None:
        """The size of this step's adjoint, from which the steps before choose their powers of two."""
        f, b, lanes, wide = self.f, self.b, self.lanes, self.wide
        same, norms = wide.whole, f.pointer("norms")
        with f.axis.sequences() as sequence:
            for base in range(len(self.program.bases)):
                place = b.gep(norms, [b.add(I64(base * self.shapes.W), sequence)], source_etype=DOUBLE)
                b.store(self._squares(base).total(sequence), place, align=8)
        with f.columns() as column:
            top = same(NONE)
            for base in range(len(self.program.bases)):
                square = f.masked(f.get(norms, base, column, wide.vector), column)
                f.put(wide.sqrt(square), norms, base, column)
                bits = b.lshr(b.bitcast(square, wide.integers), same(52))
                e = b.add(b.ashr(b.sub(bits, same(1023)), same(1)), same(1))
                e = b.select(b.icmp_unsigned(">=", bits, same(2047)), same(0), e)  # NaN and infinity have no scale
                e = b.select(b.fcmp_ordered("==", square, wide.const(0)), same(NONE), e)
                top = wide.largest(e, top)
            narrow = top if self.shapes.double else b.trunc(top, lanes.integers)
            E = f.get(self._row(f.pointer("scales"), self.slot(0), lanes.integers), 0, column, lanes.integers)
            total = b.select(b.icmp_signed("<=", narrow, lanes.whole(NONE)), narrow, b.add(narrow, E))
            f.put(total, self._row(f.pointer("tops"), self.slot(0), lanes.integers), 0, column)

    def _record(self) -> None:
        """Σ_b ‖a_t‖ of each part of the state as a number times 2^top, where `top` is the largest exponent in use.

        And of each sequence ‖a_t‖ and E_t: at the next step's place where they are recorded, else over the last ones.
        """
        f, b, wide = self.f, self.b, self.wide
        zero = wide.const(0)
        scales = self._row(f.pointer("scales"), self.slot(0), self.lanes.integers)

        def norm_and_exponent(base: int, column: ir.Value) -> tuple[ir.Value, ir.Value]:
            E = f.get(scales, 0, column, self.lanes.integers)
            return f.get(f.pointer("norms"), base, column, wide.vector), b.sext(E, wide.integers)

        with b.goto_entry_block():
            cell, most = b.alloca(wide.vector), b.alloca(wide.integers)
        each = b.gep(f.pointer("each"), [b.mul(self.t, f.slot("each_step"))], source_etype=DOUBLE)
        with f.columns() as column:
            _, E = norm_and_exponent(0, column)
            f.put(b.sitofp(E, wide.vector), each, len(self.program.bases), column)
        for base in range(len(self.program.bases)):
            b.store(wide.whole(NONE), most)
            with f.columns() as column:
                norm, E = norm_and_exponent(base, column)
                f.put(norm, each, base, column)
                E = b.select(b.fcmp_ordered(">", norm, zero), E, wide.whole(NONE))
                b.store(wide.largest(E, b.load(most, typ=wide.integers)), most)
            top = wide.largest_lane(b.load(most, typ=wide.integers))
            top = b.select(b.icmp_signed("==", top, I64(NONE)), I64(0), top)
            b.store(zero, cell)
            with f.columns() as column:
                norm, E = norm_and_exponent(base, column)
                size = b.fmul(norm, wide.power(b.sub(E, wide.splat(top, wide.integers))))
                size = b.select(b.fcmp_ordered("==", norm, zero), zero, size)  # whatever its exponent
                b.store(b.fadd(b.load(cell, typ=wide.vector), size), cell)
            total = wide.add_lanes(b.load(cell, typ=wide.vector))
            place = b.mul(b.add(b.mul(self.t, I64(len(self.program.bases))), I64(base)), I64(2))
            for offset, value in enumerate((total, b.sitofp(top, DOUBLE))):
                address = b.gep(f.pointer("levels"), [b.add(place, I64(offset))], source_etype=DOUBLE)
                b.store(value, address)

    # gradients of parameters, of a chunk of steps, added to what the chunks before gave

    def deltas(self, block: int) -> outer.Rows:
        return outer.Rows(self.panel(I64(0), block), self.shapes.H, self.panel_blocks * self.size)

    def matrices(self, start: ir.Value, steps: ir.Value) -> None:
        """Of the weights."""
        f, p, s = self.f, self.program, self.shapes
        self.t = start
        for number, term in enumerate(p.terms):
            out = f.pointer(f"gradient{number}")
            if term.operand is None and s.gathered:
                outer.scatter(f, self.deltas(term.accumulator), start, steps, out)
                continue
            if term.operand is None:
                inputs = f.pointer("onehot") if s.tokens else f.rows("x", start, count=s.D)
                operand = outer.Rows(inputs, s.D, s.size(s.D))
            else:
                operand = outer.Rows(self.place(term.operand), s.H, self.size)
            outer.product(f, self.deltas(term.accumulator), operand, steps, out)

    def vectors(self, steps: ir.Value) -> None:
        """Of biases and vectors."""
        for block in range(self.panel_blocks):
            out = self.b.gep(self.f.pointer("sums"), [I64(block * self.shapes.stride)], source_etype=self.lanes.real)
            outer.total(self.f, self.deltas(block), steps, out)
