"""The loop over time forward, for one replica."""

from __future__ import annotations

from llvmlite import ir

from harness.recurrence.compiler.arithmetic import I64, loop
from harness.recurrence.compiler.emission import PassEmitter, Tile, total_name
from harness.recurrence.compiler.function import Function
from harness.recurrence.compiler.graph import Node
from harness.recurrence.compiler.layout import PassLayout, Shapes
from harness.recurrence.compiler.program import Program


def forward(module: ir.Module, program: Program, shapes: Shapes, layouts: list[PassLayout], *, keep: bool) -> list[str]:
    """Emit `forward(table)`: steps from … to − 1. Returns the table's order."""
    f = Function(module, "forward_keep" if keep else "forward", program, shapes, layouts)
    H, saved = shapes.H, program.saved
    scratch = [node for step in program.forward for node in step.stores]
    sums = [total for step in program.forward for total in step.sums]
    if not keep:
        saved = [node for node in saved if node in program.operands]

    def rows(array: str, offset: int) -> ir.Value:
        if array == "x":
            return f.pointer("onehot") if shapes.tokens else f.rows("x", f.t, count=shapes.D)
        if array.startswith("state"):
            return f.rows(array, f.b.add(f.t, I64(offset)), count=H)
        if array.startswith("sum"):
            total = next(node for node in sums if total_name(node) == array)
            return f.line(array, f.t) if keep and total in program.saved else f.pointer(array)
        if array.startswith("saved"):
            return f.rows(array, f.t, count=H) if keep else f.pointer(array)
        return f.pointer(array)

    def array_of(node: Node) -> str:
        if node in program.new:
            return f"state{program.new.index(node)}"
        return f"saved{program.saved.index(node)}" if node in saved else f"scratch{scratch.index(node)}"

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
        if node in saved:
            emitter.save(value, rows(f"saved{program.saved.index(node)}", 0), emitter.unit(tile, unit), tile, vector)
        elif node not in program.new and node in later:
            emitter.save(value, rows(f"scratch{scratch.index(node)}", 0), emitter.unit(tile, unit), tile, vector)

    emitter = PassEmitter(f.lanes, shapes, rows, read, write)
    with loop(f.b, f.slot("from"), f.slot("to")) as t:
        f.t = t
        if shapes.tokens and not shapes.gathered:
            f.one_hot(f.pointer("onehot"))
        offset = 0
        for number, (step, layout) in enumerate(zip(program.forward, layouts, strict=True)):
            now = number
            weights = f.b.gep(f.pointer("weights"), [I64(offset)], source_etype=f.lanes.real)
            emitter.emit(step, layout, weights, f.pointer("bias"), f.gathered if shapes.gathered else None)
            offset += layout.size
        for b, new in enumerate(program.new):  # a part that never changes is no node of a pass
            if new.op in ("state", "vector", "const"):
                _copy(f, emitter, new, rows(f"state{b}", 0))
    f.b.ret_void()
    return f.slots


def _copy(f: Function, emitter: PassEmitter, node: Node, out: ir.Value) -> None:
    emitter.n = f.shapes.H
    with f.axis.sequences() as sequence, f.axis.units(f.shapes.H) as unit:
        tile = Tile(unit, sequence, {})
        emitter.save(emitter.value(node, tile, 0, 0), out, unit, tile, 0)


def _needed_later(node: Node, program: Program, level: dict[Node, int]) -> bool:
    return node not in program.new and level[node] < len(program.forward) - 1
