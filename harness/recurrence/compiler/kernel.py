"""A cell compiled for given shapes: machine code, the order of its weights, and calls on arrays."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from functools import cached_property

import numpy as np
import torch
from llvmlite import ir
from torch import Tensor

from harness.recurrence.compiler import layout as layouts
from harness.recurrence.compiler.backward import backward
from harness.recurrence.compiler.forward import forward
from harness.recurrence.compiler.graph import Node, ordered
from harness.recurrence.compiler.layout import Shapes
from harness.recurrence.compiler.memory import Array, empty, zeros
from harness.recurrence.compiler.native import Library, Processor, host, machine_code
from harness.recurrence.compiler.program import Program
from harness.recurrence.compiler.stored import code_of


class CompiledCell:
    """The compiled forms of one cell, each made when needed.

    They are `forward`, `forward_keep` (with what the way back needs) and `backward`, with `_every` where the loss sees
    every step, `_inputs` where the gradient of real inputs is wanted and `_vectors` where no weight's is.

    Args:
        program: of the cell's step.
        shapes: what it is compiled for.
        parameters: shapes of the parameters that the equations use, without replicas.
    """

    def __init__(
        self,
        program: Program,
        shapes: Shapes,
        parameters: Mapping[str, tuple[int, ...]],
        processor: Processor | None = None,
    ) -> None:
        self.program, self.shapes, self.processor = program, shapes, processor or host()
        self.weights = {term.matrix for term in program.terms}
        used = self.weights | {name for bias in program.biases for name, _ in bias}
        used |= {node.args[0] for node in program.vectors}
        self.names = sorted(used & set(parameters))
        self.parameters = {name: parameters[name] for name in self.names}
        self._libraries: dict[str, tuple[Library, list[str]]] = {}
        self.forward_layout = layouts.forward_layout(program, shapes)
        self.backward_layout = layouts.backward_layout(program, shapes)
        self.input_layout = layouts.input_layout(program, shapes)
        self.chunk = layouts.chunk(program, shapes)
        self.dtype = np.dtype(np.float64 if shapes.double else np.float32)
        self.integer = np.dtype(np.int64 if shapes.double else np.int32)
        places, start = {}, 0
        for name, shape in self.parameters.items():
            size = int(np.prod(shape))
            places[name] = np.arange(start, start + size).reshape(shape)
            start += size
        self.places = places
        self._index = {
            "forward": _joined(layouts.pack(self.forward_layout, shapes, places.__getitem__, transposed=False)),
            "backward": _joined(layouts.pack(self.backward_layout, shapes, places.__getitem__, transposed=True)),
            "inputs": _joined(layouts.pack([self.input_layout], shapes, places.__getitem__, transposed=True)),
        }

    def module(self, name: str) -> tuple[ir.Module, list[str]]:
        """One function's intermediate representation and the order of its table."""
        module = ir.Module(name)
        if name.startswith("forward"):
            slots = forward(module, self.program, self.shapes, self.forward_layout, keep=name.endswith("keep"))
        else:
            slots = backward(
                module, name, self.program, self.shapes, self.backward_layout,
                every="every" in name, inputs=self.input_layout if "inputs" in name else None,
                matrices="vectors" not in name,
            )  # fmt: skip
        return module, slots

    def call(self, name: str, table: Mapping[str, tuple[int, int]], R: int) -> None:
        """Run a compiled function for one replica after another.

        Args:
            table: loop bounds, and addresses of arrays at their step 0: of the first replica, and what to add for each
                further one.
        """
        if name not in self._libraries:
            code, slots = code_of(self._identity, name, self.processor, lambda: self._compiled(name))
            self._libraries[name] = Library(name, code, self.processor), slots
        library, slots = self._libraries[name]
        first = np.array([table[slot] for slot in slots], np.int64)
        tables = first[:, 0] + np.arange(R)[:, None] * first[:, 1]
        address, size = tables.ctypes.data, tables.strides[0]
        for r in range(R):
            library(address + r * size)

    def _compiled(self, name: str) -> tuple[bytes, list[str]]:
        collecting = gc.isenabled()
        gc.disable()  # it would go through all of torch's objects, again and again: half of the time of an emission
        try:
            module, slots = self.module(name)
            return machine_code(module, self.processor), slots
        finally:
            if collecting:
                gc.enable()

    @cached_property
    def _identity(self) -> object:
        """All that the code depends on: the nodes by number, and the shapes."""
        program = self.program
        operands = [term.operand for term in program.terms if term.operand is not None]
        results = [*program.totals, *program.deltas, *program.carries.values(), *program.vectors.values()]
        nodes = ordered([*operands, *program.new, *results])
        # A node's own number, not its place in this list: arrays are named by it, and the names go with the code.
        numbers = {node: node.index for node in nodes}
        listed = [(n.index, n.op, [numbers[a] if isinstance(a, Node) else a for a in n.args]) for n in nodes]
        terms = [(t.accumulator, t.matrix, t.block, t.operand and numbers[t.operand]) for t in program.terms]
        new = [numbers[node] for node in program.new]
        return listed, new, program.base, program.lag, terms, program.biases, self.shapes

    def packed(self, direction: str, flat: Array) -> Array:
        """Weights in the order in which that direction reads them; `flat` (R, size + 1)."""
        index = self._index[direction]
        packed = empty((len(flat), len(index)), self.dtype)
        return np.take(flat, index, axis=1, out=packed, mode="wrap")  # "raise" would go through a buffer

    def flat(self, parameters: Mapping[str, Tensor]) -> Array:
        """All used parameters of each replica, one after another, and a zero, (R, size + 1)."""
        first = next(iter(parameters.values()))
        R = first.shape[0]
        used = [parameters[name].detach().reshape(R, -1) for name in self.names]
        return torch.cat([*used, first.new_zeros(R, 1)], 1).numpy()

    def first(self, name: str) -> int:
        """Where a parameter begins in the flat ones."""
        return int(self.places[name].flat[0])

    def biases(self, flat: Array) -> Array:
        """The sum of each accumulator's bias vectors, (R, A, H), filled up where lanes are units."""
        H, R = self.shapes.H, len(flat)
        out = zeros((R, max(len(self.program.biases), 1), self.shapes.stride), self.dtype)
        for a, bias in enumerate(self.program.biases):
            for name, block in bias:
                out[:, a, :H] += self._block(flat, name, block)
        return out

    def vectors(self, flat: Array) -> Array:
        """Parameters used otherwise, (R, V, H), filled up where lanes are units."""
        H = self.shapes.H
        out = zeros((len(flat), max(len(self.program.vectors), 1), self.shapes.stride), self.dtype)
        for v, node in enumerate(self.program.vectors):
            out[:, v, :H] = self._block(flat, *node.args)
        return out

    def _block(self, flat: Array, name: str, block: int) -> Array:
        """One gate's entries of a vector, (R, H)."""
        H, start = self.shapes.H, self.first(name)
        return flat[:, start + block * H : start + (block + 1) * H]

    def gradients(self, matrices: list[Array], sums: Array, R: int) -> dict[str, Array]:
        """Gradients by parameter, from those by term (R, H, n) and by accumulator and vector (R, A + V, H)."""
        H, A = self.shapes.H, len(self.program.deltas)
        out = {name: np.zeros((R, *shape), self.dtype) for name, shape in self.parameters.items()}
        for term, matrix in zip(self.program.terms, matrices, strict=True):
            n = self.parameters[term.matrix][1]
            out[term.matrix][:, term.block * H : (term.block + 1) * H] += matrix[..., :n]
        for a, bias in enumerate(self.program.biases):
            for name, block in bias:
                out[name][:, block * H : (block + 1) * H] += sums[:, a, :H]
        for v, node in enumerate(self.program.vectors):
            out[node.args[0]][:, node.args[1] * H : (node.args[1] + 1) * H] += sums[:, A + v, :H]
        return out


def _joined(parts: list[Array]) -> Array:
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)
