"""Sums over the units of a layer, in an order that no layout of arrays and no tile changes.

Unit i is added to partial sum i mod 16, unit after unit; the sixteen are added at the end, halves first.
"""

from __future__ import annotations

from llvmlite import ir

from harness.recurrence.compiler.arithmetic import I64, Lanes

PARTIAL = 16


class PartialSums:
    """The partial sums of one quantity: PARTIAL rows of W numbers.

    Args:
        pointer: to the first row.
        width: W.
    """

    def __init__(self, lanes: Lanes, pointer: ir.Value, width: int) -> None:
        self.lanes, self.b, self.pointer, self.width = lanes, lanes.b, pointer, width

    def _address(self, row: ir.Value, column: ir.Value) -> ir.Value:
        index = self.b.add(self.b.mul(row, I64(self.width)), column)
        return self.b.gep(self.pointer, [index], source_etype=self.lanes.real)

    def begin(self, column: ir.Value) -> None:
        """Zeros, for the vector of sequences at that column."""
        for row in range(PARTIAL):
            self.b.store(self.lanes.const(0), self._address(I64(row), column), align=32)

    def _of(self, unit: ir.Value, column: ir.Value) -> ir.Value:
        return self._address(self.b.and_(unit, I64(PARTIAL - 1)), column)

    def add(self, value: ir.Value, unit: ir.Value, column: ir.Value) -> None:
        place = self._of(unit, column)
        self.b.store(self.b.fadd(self.b.load(place, typ=self.lanes.vector, align=32), value), place, align=32)

    def add_square(self, value: ir.Value, unit: ir.Value, column: ir.Value) -> None:
        place = self._of(unit, column)
        so_far = self.b.load(place, typ=self.lanes.vector, align=32)
        self.b.store(self.lanes.fma(value, value, so_far), place, align=32)

    def total(self, column: ir.Value) -> ir.Value:
        rows = [self._address(I64(row), column) for row in range(PARTIAL)]
        values = [self.b.load(place, typ=self.lanes.vector, align=32) for place in rows]
        while len(values) > 1:
            half = len(values) // 2
            values = [self.b.fadd(first, second) for first, second in zip(values[:half], values[half:], strict=True)]
        return values[0]
