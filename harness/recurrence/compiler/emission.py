"""One pass over the units as LLVM's intermediate representation: register tiles of a matrix product, then what is made
of them while they are in registers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from llvmlite import ir

from harness.recurrence.compiler.arithmetic import I32, I64, Lanes, loop
from harness.recurrence.compiler.graph import Node, same_for_all_units
from harness.recurrence.compiler.layout import PassLayout, Shapes
from harness.recurrence.compiler.partial import PartialSums
from harness.recurrence.compiler.program import Pass


@dataclass
class Tile:
    """Where the emission stands: `units` rows from `first`, a column of vectors from `column`, and what it has made."""

    first: ir.Value
    column: ir.Value
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
        self.lanes, self.b, self.shapes = lanes, lanes.b, shapes
        self.rows, self.read, self.write = rows, read, write
        self.begin: Begin | None = None

    # addresses

    def at(self, pointer: ir.Value, row: ir.Value, tile: Tile, vector: int) -> ir.Value:
        """The address of a vector in a row of an array."""
        column = self.b.add(tile.column, I64(vector * self.lanes.width))
        index = self.b.add(self.b.mul(row, I64(self.shapes.W)), column)
        return self.b.gep(pointer, [index], source_etype=self.lanes.real)

    def load(self, pointer: ir.Value, row: ir.Value, tile: Tile, vector: int) -> ir.Value:
        size = 8 if self.lanes.double else 4
        return self.b.load(self.at(pointer, row, tile, vector), typ=self.lanes.vector, align=self.lanes.width * size)

    def save(self, value: ir.Value, pointer: ir.Value, row: ir.Value, tile: Tile, vector: int) -> None:
        size = 8 if self.lanes.double else 4
        self.b.store(value, self.at(pointer, row, tile, vector), align=self.lanes.width * size)

    def number(self, pointer: ir.Value, index: ir.Value) -> ir.Value:
        """A number in every lane."""
        address = self.b.gep(pointer, [index], source_etype=self.lanes.real)
        return self.lanes.splat(self.b.load(address, typ=self.lanes.real))

    def unit(self, tile: Tile, unit: int) -> ir.Value:
        return self.b.add(tile.first, I64(unit))

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
        H, u = layout.units, layout.height
        width = self.shapes.columns * self.lanes.width
        self.begin = begin
        with loop(self.b, I64(0), I64(self.shapes.W), step=width) as column:
            partial = {total: self._partial(total) for total in step.sums}
            for sums in partial.values():
                for v in range(self.shapes.columns):
                    sums.begin(self._column(column, v))
            shared: dict[tuple[Node, int, int], ir.Value] = {}
            before = Tile(I64(0), column, {}, shared)
            for node in self._shared(step):
                for v in range(self.shapes.columns):
                    self.value(node, before, 0, v)
            uniform = {key: value for key, value in shared.items() if same_for_all_units(key[0])}
            with loop(self.b, I64(0), I64(H - H % u), step=u) as first:
                packed = self.b.mul(self.b.udiv(first, I64(u)), I64(layout.block(u)))
                self._tile(step, layout, weights, bias, Tile(first, column, {}, dict(uniform)), packed, u)
            if H % u:
                packed = I64(H // u * layout.block(u))
                self._tile(step, layout, weights, bias, Tile(I64(H - H % u), column, {}, dict(uniform)), packed, H % u)
            for total, sums in partial.items():
                for v in range(self.shapes.columns):
                    value = sums.total(self._column(column, v))
                    self.save(value, self.rows(total_name(total), 0), I64(0), before, v)

    def _column(self, column: ir.Value, vector: int) -> ir.Value:
        return self.b.add(column, I64(vector * self.lanes.width))

    def _partial(self, total: Node) -> PartialSums:
        return PartialSums(self.lanes, self.rows(partial_name(total), 0), self.shapes.W)

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
                index = self.b.add(I64(name * self.shapes.H), self.unit(tile, k))
                for same in range(columns):
                    first = self.number(bias, index)
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
                    self._partial(total).add(value, self.unit(tile, k), self._column(tile.column, v))

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
        vectors = [self.load(pointer, row, tile, v) for v in range(columns)]
        base = b.add(packed, b.mul(row, I64(len(names) * u)))
        sums = []
        for phi, (name, k, v) in zip(phis, keys, strict=True):
            if v == 0:
                weight = self.number(weights, b.add(base, I64(names.index(name) * u + k)))
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
        kind = ir.ArrayType(I32, len(order))
        name = "order_" + "_".join(map(str, order)) if len(order) < 9 else f"order_{abs(hash(order))}"
        module = self.b.module
        if name not in module.globals:
            table = ir.GlobalVariable(module, kind, name)
            table.global_constant, table.linkage = True, "internal"
            table.initializer = ir.Constant(kind, list(order))
        place = self.b.gep(module.globals[name], [self.unit(tile, unit)], source_etype=I32)
        row = self.b.zext(self.b.load(place, typ=I32), I64)
        return self.load(pointer, row, tile, vector)


def total_name(node: Node) -> str:
    """The array that holds a sum over units."""
    return f"sum{node.index}"


def partial_name(node: Node) -> str:
    """The array of its partial sums."""
    return f"partial{node.index}"
