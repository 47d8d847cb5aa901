"""What the lanes of a vector are: sequences of the batch, or units of the layer where the batch is small.

Across sequences row i of an array holds unit i of all sequences; across units row b holds all units of sequence b. A
number is computed from the same numbers in the same order either way, so that both give the same bits.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from harness.recurrence.compiler.arithmetic import I64, Lanes, loop
from harness.recurrence.compiler.layout import Shapes


class Axis:
    """Addresses of vectors, for either meaning of their lanes.

    Attributes:
        unit_step, sequence_step: units and sequences from one vector of a register tile to the next.
    """

    def __init__(self, lanes: Lanes, shapes: Shapes) -> None:
        self.lanes, self.b, self.shapes = lanes, lanes.b, shapes
        across = shapes.across_units
        self.unit_step, self.sequence_step = (lanes.width, 1) if across else (1, lanes.width)

    def sequences(self, vectors: int = 1) -> Any:
        """A loop over all sequences, so many vectors at a time: yields the first sequence."""
        return loop(self.b, I64(0), I64(self.shapes.padded_batch), step=vectors * self.sequence_step)

    def units(self, n: int) -> Any:
        """A loop over n units, a vector at a time: yields the first unit."""
        return loop(self.b, I64(0), I64(n), step=self.unit_step)

    def address(self, pointer: ir.Value, unit: ir.Value, sequence: ir.Value, n: int) -> ir.Value:
        """Of a vector in an array of n units."""
        major, minor, length = (
            (sequence, unit, self.shapes.padded(n)) if self.shapes.across_units else (unit, sequence, self.shapes.W)
        )
        index = self.b.add(self.b.mul(major, I64(length)), minor)
        return self.b.gep(pointer, [index], source_etype=self.lanes.real)

    def load(self, pointer: ir.Value, unit: ir.Value, sequence: ir.Value, n: int) -> ir.Value:
        return self._vector(self.address(pointer, unit, sequence, n))

    def save(self, value: ir.Value, pointer: ir.Value, unit: ir.Value, sequence: ir.Value, n: int) -> None:
        self.b.store(value, self.address(pointer, unit, sequence, n), align=self.lanes.bytes)

    def of_unit(self, pointer: ir.Value, row: int, unit: ir.Value) -> ir.Value:
        """A parameter's numbers for the units of a vector, from rows of one number a unit."""
        return self._spread(pointer, self.b.add(I64(row * self.shapes.stride), unit), apart=self.shapes.across_units)

    def of_sequence(self, pointer: ir.Value, row: ir.Value, sequence: ir.Value) -> ir.Value:
        """Numbers of the sequences of a vector, from rows of one number a sequence."""
        index = self.b.add(self.b.mul(row, I64(self.shapes.W)), sequence)
        return self._spread(pointer, index, apart=not self.shapes.across_units)

    def weight(self, pointer: ir.Value, place: ir.Value) -> ir.Value:
        """Packed weights for the units of a vector."""
        return self._spread(pointer, self.b.mul(place, I64(self.unit_step)), apart=self.shapes.across_units)

    def operand(self, pointer: ir.Value, row: ir.Value, sequence: ir.Value, n: int) -> ir.Value:
        """What a matrix multiplies: row `row` of n, for the sequences of a vector."""
        if self.shapes.across_units:
            address = self.address(pointer, row, sequence, n)
            return self.lanes.splat(self.b.load(address, typ=self.lanes.real))
        return self.load(pointer, row, sequence, n)

    def _spread(self, pointer: ir.Value, index: ir.Value, *, apart: bool) -> ir.Value:
        address = self.b.gep(pointer, [index], source_etype=self.lanes.real)
        if apart:
            return self._vector(address)
        return self.lanes.splat(self.b.load(address, typ=self.lanes.real))

    def _vector(self, address: ir.Value) -> ir.Value:
        return self.b.load(address, typ=self.lanes.vector, align=self.lanes.bytes)
