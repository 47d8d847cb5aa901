"""How a program lies in memory for given shapes: tiles, the order of packed weights, and the names of all arrays.

Arrays are unit-major as a rule: row i holds unit i of all sequences, W numbers, the batch filled up to whole vectors.
So vectors run over sequences, whatever H is, and a sum over units needs no sum within a vector. For a few sequences
arrays are sequence-major, and vectors run over units.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from harness.recurrence.compiler.arithmetic import BYTES
from harness.recurrence.compiler.program import Program

FEW = 8  # sequences that may share a register tile of an outer product, each with a sum of its own
ONE_HOT = 48  # of a larger alphabet the columns of U are gathered, which costs as much as a product with 40 rows
CHUNK_BYTES = 384 << 10  # of deltas at once, for the gradients of weights: about half of a core's second cache


@dataclass(frozen=True)
class Shapes:
    """What machine code is made for: H units, D inputs, B sequences, tokens or real rows, float64 or float32.

    `registers` is how many vectors of 64 bytes a processor holds in registers at once; `across_units` whether the lanes
    of a vector are units.
    """

    H: int
    D: int
    B: int
    tokens: bool
    double: bool
    registers: int = 24
    across_units: bool = False

    @classmethod
    def best(cls, H: int, D: int, B: int, *, tokens: bool, double: bool, registers: int) -> Shapes:
        """With the lanes that take fewer vectors: units where the batch is small."""
        shapes = cls(H, D, B, tokens, double, registers)
        by_units = shapes.padded(H) // shapes.lanes * B
        fewer = B <= FEW and 1.2 * by_units <= H * (shapes.W // shapes.lanes)
        return replace(shapes, across_units=True) if fewer else shapes

    @property
    def lanes(self) -> int:
        return BYTES // (8 if self.double else 4)

    @cached_property
    def W(self) -> int:  # noqa: N802 - the field's name for a width
        """Numbers of a row with one number a sequence."""
        return self.padded(self.B)

    def padded(self, n: int) -> int:
        """n filled up to whole vectors."""
        return -(-n // self.lanes) * self.lanes

    @property
    def stride(self) -> int:
        """Numbers of a row with one number a unit."""
        return self.padded(self.H) if self.across_units else self.H

    @cached_property
    def padded_batch(self) -> int:
        """Sequences of an array, with those that only fill up vectors or tiles."""
        return -(-self.B // self.columns) * self.columns if self.across_units else self.W

    def rows(self, n: int) -> tuple[int, int]:
        """The shape of an array of n units."""
        return (self.padded_batch, self.padded(n)) if self.across_units else (n, self.W)

    def size(self, n: int) -> int:
        """The numbers of an array of n units."""
        rows, columns = self.rows(n)
        return rows * columns

    def view(self, array: Any, n: int) -> Any:
        """An array of n units as (…, B, n), without what fills it up."""
        return array[..., : self.B, :n] if self.across_units else array[..., :n, : self.B].swapaxes(-1, -2)

    @property
    def gathered(self) -> bool:
        """Whether a token's column of U is looked up, and not multiplied by a one-hot row."""
        return self.tokens and self.D > ONE_HOT

    @cached_property
    def columns(self) -> int:
        """Vectors of other sequences side by side in a register tile."""
        if self.across_units:  # as many as fit, with few that only fill up
            return max(c for c in range(1, 7) if -(-self.B // c) * c <= 1.15 * self.B)
        return 2 if self.W // self.lanes % 2 == 0 else 1


@dataclass(frozen=True)
class Source:
    """Rows that a pass multiplies by weights, and what they add to.

    Attributes:
        array: name of the rows' array; `offset` steps from the present one.
        n: how many rows.
        targets: (accumulator of the pass, matrix, block); weights of the transposed block on the way back.
    """

    array: str
    offset: int
    n: int
    targets: list[tuple[Any, str, int]]


@dataclass(frozen=True)
class PassLayout:
    """A pass with its products: accumulators in the order of its register tile, `height` vectors of units at a time.

    `step` is how many units a vector holds.
    """

    accumulators: list[Any]
    sources: list[Source]
    height: int
    units: int
    step: int

    @property
    def vectors(self) -> int:
        """Vectors of units of the pass."""
        return -(-self.units // self.step)

    @property
    def size(self) -> int:
        """Packed numbers of the pass."""
        return self.block(self.vectors) * self.step

    def block(self, vectors: int) -> int:
        """Packed vectors of weights of a tile of that many vectors of units."""
        return vectors * sum(source.n * len(source.targets) for source in self.sources)


def forward_layout(program: Program, shapes: Shapes) -> list[PassLayout]:
    """The products of the way forward."""
    layouts = []
    for step in program.forward:
        accumulators = [node.args[0] for node in step.accumulators]
        sources: list[Source] = []
        for term in program.terms:
            if term.accumulator in accumulators:
                if term.operand is None and shapes.gathered:
                    continue
                if term.operand is None:
                    array, offset, n = "x", 0, shapes.D
                elif term.operand.op == "state":
                    part = term.operand.args[0]
                    array, offset, n = f"state{program.base[part]}", -program.reach(part), shapes.H
                elif term.operand in program.new:  # a part of the new state, which an earlier pass has written
                    array, offset, n = f"state{program.new.index(term.operand)}", 0, shapes.H
                else:
                    array, offset, n = f"saved{program.saved.index(term.operand)}", 0, shapes.H
                _add_target(sources, array, offset, n, (term.accumulator, term.matrix, term.block))
        layouts.append(_pass(accumulators, sources, shapes, shapes.H))
    return layouts


def backward_layout(program: Program, shapes: Shapes) -> list[PassLayout]:
    """The products of the way back: in its first pass what the steps after caused, then what this step's own do."""
    layouts = []
    for level, step in enumerate(program.backward):
        accumulators: list[Any] = []
        sources: list[Source] = []
        for term in program.terms:
            if level == 0 and term.operand is not None and term.operand.op == "state":
                part = term.operand.args[0]
                target = (program.base[part], program.reach(part))
                _add(accumulators, target)
                _add_target(sources, f"delta{term.accumulator}", target[1], shapes.H, (target, term.matrix, term.block))
            for node in step.accumulators:
                if node.op == "back" and node.args[0] is term.operand:
                    _add(accumulators, node)
                    _add_target(sources, f"delta{term.accumulator}", 0, shapes.H, (node, term.matrix, term.block))
        layouts.append(_pass(accumulators, sources, shapes, shapes.H))
    return layouts


def input_layout(program: Program, shapes: Shapes) -> PassLayout:
    """The products that give ∂L/∂x_t, D rows, from the deltas of a step."""
    sources = [
        Source(f"delta{term.accumulator}", 0, shapes.H, [("x", term.matrix, term.block)])
        for term in program.terms
        if term.operand is None
    ]
    return _pass(["x"], sources, shapes, shapes.D)


def _add(accumulators: list[Any], target: Any) -> None:
    if target not in accumulators:
        accumulators.append(target)


def _add_target(sources: list[Source], array: str, offset: int, n: int, target: tuple[Any, str, int]) -> None:
    """To the first source of those rows that does not yet add to this accumulator."""
    for source in sources:
        if (source.array, source.offset) == (array, offset) and target[0] not in [t[0] for t in source.targets]:
            source.targets.append(target)
            return
    sources.append(Source(array, offset, n, [target]))


def _pass(accumulators: list[Any], sources: list[Source], shapes: Shapes, units: int) -> PassLayout:
    """Tiles of what registers hold, but no higher than as few tiles need."""
    step = shapes.lanes if shapes.across_units else 1
    vectors = -(-units // step)
    most = max(1, min(shapes.registers // (max(len(accumulators), 1) * shapes.columns), 6, vectors))
    height = min(range(1, most + 1), key=lambda u: (-(-vectors // u), u))
    return PassLayout(accumulators, sources, height, units, step)


def pack(layouts: list[PassLayout], shapes: Shapes, place: Any, *, transposed: bool) -> list[Any]:
    """For each pass the order of its weights: by tile, then source, then row, then accumulator, then unit.

    Args:
        place: (parameter name) → array of its numbers' places in the flat vector, whose last number is zero.
    """
    packed = []
    for layout in layouts:
        parts = []
        height = layout.height * layout.step
        for start in range(0, layout.units, height):
            units = np.arange(start, min(start + height, layout.units))
            missing = -len(units) % layout.step  # units that only fill up a vector have weights of zero
            for source in layout.sources:
                blocks = []
                for _, matrix, block in source.targets:
                    weights = place(matrix)[block * shapes.H : (block + 1) * shapes.H]  # (H, n)
                    chosen = weights[:, units] if transposed else weights[units].T  # (n, units)
                    blocks.append(np.pad(chosen, ((0, 0), (0, missing)), constant_values=-1))
                parts.append(np.stack(blocks, 1).ravel())
        packed.append(np.concatenate(parts) if parts else np.zeros(0, np.int64))
    return packed


def chunk(program: Program, shapes: Shapes) -> int:
    """Steps whose deltas are gathered before the gradients of weights are taken from them."""
    rows = (len(program.deltas) + len(program.vectors)) * shapes.H  # whichever the lanes are: so the bits are the same
    return int(min(max(CHUNK_BYTES // (rows * shapes.W * (8 if shapes.double else 4)), 4), 32))


@dataclass(frozen=True)
class LaidOut:
    """n units of a whole sequence for all replicas as compiled code has them: (R, T, *shapes.rows(n))."""

    array: Any
    n: int
    shapes: Shapes

    @property
    def view(self) -> Any:
        """The same numbers as (T, R, B, n)."""
        return self.shapes.view(self.array, self.n).swapaxes(0, 1)

    def fits(self, shapes: Shapes) -> bool:
        """Whether code for `shapes` can read the array as it lies."""
        mine = (self.shapes.across_units, self.shapes.double, self.shapes.rows(self.n))
        return mine == (shapes.across_units, shapes.double, shapes.rows(self.n))
