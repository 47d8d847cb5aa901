"""Sums over the units of a layer, in an order that no layout of arrays and no tile changes.

Unit i is added to partial sum i mod 16, unit after unit; the sixteen are added at the end, halves first.
"""

from __future__ import annotations

from llvmlite import ir

from harness.recurrence.compiler.arithmetic import I64, Lanes
from harness.recurrence.compiler.layout import Shapes

PARTIAL = 16


class PartialSums:
    """The partial sums of one quantity for each sequence: PARTIAL rows of W numbers, or W rows of PARTIAL.

    Args:
        lanes: of the type in which sums are taken.
        pointer: to the first row.
    """

    def __init__(self, lanes: Lanes, pointer: ir.Value, shapes: Shapes) -> None:
        self.lanes, self.b, self.pointer, self.shapes = lanes, lanes.b, pointer, shapes

    def _address(self, unit: ir.Value, sequence: ir.Value) -> ir.Value:
        if self.shapes.across_units:
            index = self.b.add(self.b.mul(sequence, I64(PARTIAL)), unit)
        else:
            index = self.b.add(self.b.mul(unit, I64(self.shapes.W)), sequence)
        return self.b.gep(self.pointer, [index], source_etype=self.lanes.real)

    def _all(self, sequence: ir.Value) -> list[ir.Value]:
        """Addresses of the vectors that hold all partial sums of a vector of sequences, or of one."""
        step = self.lanes.width if self.shapes.across_units else 1
        return [self._address(I64(unit), sequence) for unit in range(0, PARTIAL, step)]

    def begin(self, sequence: ir.Value) -> None:
        """Zeros."""
        for place in self._all(sequence):
            self.b.store(self.lanes.const(0), place, align=32)

    def add(self, value: ir.Value, unit: ir.Value, sequence: ir.Value, *, squared: bool = False) -> None:
        """Add a vector, or its squares."""
        value = self._real_units(value, unit)
        place = self._address(self.b.and_(unit, I64(PARTIAL - 1)), sequence)
        so_far = self.b.load(place, typ=self.lanes.vector, align=32)
        total = self.lanes.fma(value, value, so_far) if squared else self.b.fadd(so_far, value)
        self.b.store(total, place, align=32)

    def _real_units(self, value: ir.Value, unit: ir.Value) -> ir.Value:
        """Zero in the lanes beyond the last unit."""
        if not self.shapes.across_units or self.shapes.H % self.lanes.width == 0:
            return value
        kind = ir.VectorType(ir.IntType(64), self.lanes.width)
        units = self.b.add(self.lanes.splat(unit, kind), ir.Constant(kind, list(range(self.lanes.width))))
        there = self.b.icmp_signed("<", units, ir.Constant(kind, [self.shapes.H] * self.lanes.width))
        return self.b.select(there, value, ir.Constant(value.type, None))

    def total(self, sequence: ir.Value) -> ir.Value:
        """Of a vector of sequences; of one sequence, a number, where lanes are units."""
        values = [self.b.load(place, typ=self.lanes.vector, align=32) for place in self._all(sequence)]
        while len(values) > 1:
            half = len(values) // 2
            values = [self.b.fadd(first, second) for first, second in zip(values[:half], values[half:], strict=True)]
        return self.lanes.add_lanes(values[0]) if self.shapes.across_units else values[0]
