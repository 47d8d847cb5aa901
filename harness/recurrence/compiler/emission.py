"""One pass over the units as LLVM's intermediate representation: register tiles of a matrix product, then what is made
of them while they are in registers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from llvmlite import ir

from harness.recurrence.compiler.arithmetic import I32, I64, Lanes, loop
from harness.recurrence.compiler.axis import Axis
from harness.recurrence.compiler.graph import Node, same_for_all_units
from harness.recurrence.compiler.layout import PassLayout, Shapes
from harness.recurrence.compiler.partial import PartialSums
from harness.recurrence.compiler.program import Pass


@dataclass
class Tile:
    """Where the emission stands: units from `first`, sequences from `sequence`, and what it has computed of them."""

    first: ir.Value
    sequence: ir.Value
    accumulators: dict[tuple[Any, int, int], ir.Value]
    values: dict[tuple[Node, int, int], ir.Value] = field(default_factory=dict)


Begin = Callable[[Any, ir.Value, Tile, int, int], ir.Value]


class PassEmitter:
    """Emits passes of one direction of a step.

    Args:
        rows: (array, offset in steps) → pointer to that step's rows; an array of sums has one row.
        read: (node, tile, unit, vector) → a leaf or what memory holds of a node, or None.
        write: (node, value, tile, unit, vector): called for each node that a pass stores.
    """

    def __init__(
        self,
        lanes: Lanes,
        shapes: Shapes,
        rows: Callable[[str, int], ir.Value],
        read: Callable[[Node, Tile, int, int], ir.Value | None],
        write: Callable[[Node, ir.Value, Tile, int, int], None],
    ) -> None:
        self.lanes, self.b, self.shapes, self.axis = lanes, lanes.b, shapes, Axis(lanes, shapes)
        self.n = shapes.H  # units of the arrays that a pass writes
        self.rows, self.read, self.write = rows, read, write
        self.begin: Begin | None = None

    # addresses

    def unit(self, tile: Tile, unit: int) -> ir.Value:
        """The first unit of a vector of the tile."""
        return self.b.add(tile.first, I64(unit * self.axis.unit_step))

    def sequence(self, tile: Tile, vector: int) -> ir.Value:
        """The first sequence of a vector of the tile."""
        return self.b.add(tile.sequence, I64(vector * self.axis.sequence_step))

    def load(self, pointer: ir.Value, unit: ir.Value, tile: Tile, vector: int) -> ir.Value:
        return self.axis.load(pointer, unit, self.sequence(tile, vector), self.n)

    def save(self, value: ir.Value, pointer: ir.Value, unit: ir.Value, tile: Tile, vector: int) -> None:
        self.axis.save(value, pointer, unit, self.sequence(tile, vector), self.n)

    def of_sequence(self, pointer: ir.Value, row: int, tile: Tile, vector: int) -> ir.Value:
        """Numbers of the sequences of a vector of the tile."""
        return self.axis.of_sequence(pointer, I64(row), self.sequence(tile, vector))

    # a pass

    def emit(
        self, step: Pass, layout: PassLayout, weights: ir.Value, bias: ir.Value | None, begin: Begin | None = None
    ) -> None:
        """All units of all sequences: first the sums over sources, then the nodes that are stored or summed.

        Args:
            weights: packed, see `layout.pack`.
            bias: (accumulators, H), of those of the forward direction.
            begin: what an accumulator begins with besides.
        """
        self.begin, self.n = begin, layout.units
        vectors, u = layout.vectors, layout.height
        whole, height = vectors - vectors % u, u * layout.step
        with self.axis.sequences(self.shapes.columns) as sequence:
            shared: dict[tuple[Node, int, int], ir.Value] = {}
            before = Tile(I64(0), sequence, {}, shared)
            partial = {total: self._partial(total) for total in step.sums}
            for sums in partial.values():
                for v in range(self.shapes.columns):
                    sums.begin(self.sequence(before, v))
            for node in self._shared(step):
                for v in range(self.shapes.columns):
                    self.value(node, before, 0, v)
            uniform = {key: value for key, value in shared.items() if same_for_all_units(key[0])}
            with loop(self.b, I64(0), I64(whole * layout.step), step=height) as first:
                packed = self.b.mul(self.b.udiv(first, I64(height)), I64(layout.block(u)))
                self._tile(step, layout, weights, bias, Tile(first, sequence, {}, dict(uniform)), packed, u)
            if vectors > whole:
                last = Tile(I64(whole * layout.step), sequence, {}, dict(uniform))
                self._tile(step, layout, weights, bias, last, I64(layout.block(whole)), vectors - whole)
            for total, sums in partial.items():
                for v in range(self.shapes.columns):
                    value, at = sums.total(self.sequence(before, v)), self.sequence(before, v)
                    place = self.b.gep(self.rows(total_name(total), 0), [at], source_etype=self.lanes.real)
                    self.b.store(value, place, align=4)

    def _partial(self, total: Node) -> PartialSums:
        return PartialSums(self.lanes, self.rows(partial_name(total), 0), self.shapes)

    def _shared(self, step: Pass) -> list[Node]:
        """Nodes that are the same for all units, once a pass: a normalised cell's root, not H times."""
        nodes: dict[Node, None] = {}
        seen: set[Node] = set()

        def visit(node: Node) -> None:
            if node in seen:
                return
            seen.add(node)
            if node.op != "const" and same_for_all_units(node):
                nodes[node] = None
            elif node.op not in ("accumulator", "back", "permute"):
                for argument in node.inputs:
                    visit(argument)

        for node in step.stores:
            visit(node)
        return [node for node in nodes if self._now(node, step)]

    def _now(self, node: Node, step: Pass) -> bool:
        return not any(total in step.sums for total in self._sums(node))

    def _sums(self, node: Node) -> list[Node]:
        return [node] if node.op == "sum" else [total for argument in node.inputs for total in self._sums(argument)]

    def _tile(
        self,
        step: Pass,
        layout: PassLayout,
        weights: ir.Value,
        bias: ir.Value | None,
        tile: Tile,
        packed: ir.Value,
        u: int,
    ) -> None:
        columns = self.shapes.columns
        keys = [(name, k, v) for name in layout.accumulators for k in range(u) for v in range(columns)]
        for name, k, v in keys:
            if bias is None:
                tile.accumulators[name, k, v] = self.lanes.const(0)
            elif v == 0:
                for same in range(columns):
                    first = self.axis.of_unit(bias, name, self.unit(tile, k))
                    if self.begin is not None:
                        first = self.begin(name, first, tile, k, same)
                    tile.accumulators[name, k, same] = first
        for source in layout.sources:
            self._multiply(source, weights, tile, packed, u)
            packed = self.b.add(packed, I64(source.n * len(source.targets) * u))
        places = [(node, k, v) for node in step.stores for k in range(u) for v in range(columns)]
        values = [self.value(node, tile, k, v) for node, k, v in places]  # all, before a write changes what they read
        for (node, k, v), value in zip(places, values, strict=True):
            self.write(node, value, tile, k, v)
        for total in step.sums:
            for v in range(columns):
                for k in range(u):
                    value = self.value(total.inputs[0], tile, k, v)
                    self._partial(total).add(value, self.unit(tile, k), self.sequence(tile, v))

    def _multiply(self, source: Any, weights: ir.Value, tile: Tile, packed: ir.Value, u: int) -> None:
        """accumulators += weights·rows, row after row, one fma each: the order is that of the rows for every tile."""
        b, columns = self.b, self.shapes.columns
        names = [target[0] for target in source.targets]
        keys = [(name, k, v) for name in names for k in range(u) for v in range(columns)]
        pointer = self.rows(source.array, source.offset)
        before = b.block
        head, after = b.append_basic_block("rows"), b.append_basic_block("multiplied")
        b.branch(head)
        b.position_at_end(head)
        row = b.phi(I64)
        row.add_incoming(I64(0), before)
        phis = []
        for key in keys:
            phi = b.phi(self.lanes.vector)
            phi.add_incoming(tile.accumulators[key], before)
            phis.append(phi)
        vectors = [self.axis.operand(pointer, row, self.sequence(tile, v), source.n) for v in range(columns)]
        base = b.add(packed, b.mul(row, I64(len(names) * u)))
        sums = []
        for phi, (name, k, v) in zip(phis, keys, strict=True):
            if v == 0:
                weight = self.axis.weight(weights, b.add(base, I64(names.index(name) * u + k)))
            sums.append(self.lanes.fma(weight, vectors[v], phi))
        following = b.add(row, I64(1))
        b.cbranch(b.icmp_signed("<", following, I64(source.n)), head, after)
        row.add_incoming(following, head)
        for key, phi, value in zip(keys, phis, sums, strict=True):
            phi.add_incoming(value, head)
            tile.accumulators[key] = value
        b.position_at_end(after)

    def value(self, node: Node, tile: Tile, unit: int, vector: int) -> ir.Value:
        """The node of one unit of the tile, from what is known or computed already."""
        key = (node, 0 if same_for_all_units(node) else unit, vector)
        if key not in tile.values:
            tile.values[key] = self._computed(node, tile, unit, vector)
        return tile.values[key]

    def _computed(self, node: Node, tile: Tile, unit: int, vector: int) -> ir.Value:
        if node.op == "const":
            return self.lanes.const(node.args[0])
        known = self.read(node, tile, unit, vector)
        if known is not None:
            return known
        return self.lanes.apply(node.op, *(self.value(argument, tile, unit, vector) for argument in node.inputs))

    def permuted(self, pointer: ir.Value, order: tuple[int, ...], tile: Tile, unit: int, vector: int) -> ir.Value:
        """Row order[i] of an array where row i is asked for."""
        padded = [*order, *[0] * (self.shapes.padded(len(order)) - len(order))]
        kind = ir.ArrayType(I32, len(padded))
        name = "order_" + "_".join(map(str, order)) if len(order) < 9 else f"order_{abs(hash(order))}"
        module = self.b.module
        if name not in module.globals:
            table = ir.GlobalVariable(module, kind, name)
            table.global_constant, table.linkage = True, "internal"
            table.initializer = ir.Constant(kind, padded)
        place = self.b.gep(module.globals[name], [self.unit(tile, unit)], source_etype=I32)
        if not self.shapes.across_units:
            row = self.b.zext(self.b.load(place, typ=I32), I64)
            return self.load(pointer, row, tile, vector)
        units = self.b.load(place, typ=ir.VectorType(I32, self.lanes.width), align=4)
        first = self.axis.address(pointer, I64(0), self.sequence(tile, vector), self.n)
        return self.lanes.gather(first, self.b.zext(units, ir.VectorType(I64, self.lanes.width)))


def total_name(node: Node) -> str:
    """The array that holds a sum over units."""
    return f"sum{node.index}"


def partial_name(node: Node) -> str:
    """The array of its partial sums."""
    return f"partial{node.index}"
