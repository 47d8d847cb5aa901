"""Layers in compiled code, as one function for autograd: what goes from layer to layer stays scaled on the way back."""

from __future__ import annotations

from collections.abc import Sequence as Sequences
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from harness.cells.layers import Direction
from harness.recurrence.adjoints import AdjointRecorder
from harness.recurrence.compiler.forward_arrays import CompiledCall
from harness.recurrence.compiler.kernel import CompiledCell
from harness.recurrence.compiler.layout import LaidOut
from harness.recurrence.compiler.sequence import Sequence
from harness.recurrence.layers import Stack, joined, of_direction, of_input, ordered, units
from harness.recurrence.scaled import Scaled


@dataclass(frozen=True)
class Call:
    """What a call needs besides tensors: a kernel and the names of its parameters for each direction, and options."""

    stack: Stack
    kernels: list[tuple[CompiledCell, list[str]]]
    window: int
    every_step: bool
    recorder: AdjointRecorder | None
    masks: Sequences[Tensor | None]
    keep: bool

    def of(self, i: int, depth: int, direction: Direction) -> CompiledCall:
        """The call of one direction; only the last layer may be read at its last step alone."""
        kernel, names = self.kernels[i]
        every = self.every_step or self.stack.residual or depth < len(self.stack.layers)
        recorder = None if self.recorder is None else self.recorder.layer(depth, backward=direction.backward)
        states = direction.cell.states
        cell_state = tuple(kernel.program.base[states.index(name)] for name in direction.cell.cell_state)
        given = self.stack.given[i] if self.stack.given else None
        return CompiledCall(kernel, names, self.window, every, recorder, cell_state, self.keep, given)

    def weights_needed(self, needs_input_grad: Sequences[bool]) -> list[bool]:
        """Of each direction, whether a weight's gradient is needed; `needs_input_grad` of CompiledStack's arguments."""
        count = sum(len(names) for _, names in self.kernels)
        flags = iter(needs_input_grad[len(needs_input_grad) - count :])
        needed = [{name for name in names if next(flags)} for _, names in self.kernels]
        return [not own.isdisjoint(kernel.weights) for (kernel, _), own in zip(self.kernels, needed, strict=True)]


class CompiledStack(torch.autograd.Function):
    """(inputs, state, parameters) → (output, parts of the state after the last step).

    Parameters are those between the layers, then each direction's, as the equations use them.
    """

    @staticmethod
    def forward(ctx: Any, call: Call, inputs: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        stack = call.stack
        parts = sum(len(direction.cell.states) for direction in stack.directions)
        names = stack.all_between_names
        between = dict(zip(names, tensors[parts : parts + len(names)], strict=True))
        starts, rest = stack.split(tensors[:parts]), list(tensors[parts + len(names) :])
        sequences: list[Sequence] = []
        outputs: dict[int, Tensor] = {}
        x: Tensor | LaidOut = inputs
        for depth, layer in enumerate(stack.layers, start=1):
            own: list[Sequence] = []
            for direction in layer:
                i = len(sequences)
                one = call.of(i, depth, direction)
                parameters, rest = rest[: len(one.names)], rest[len(one.names) :]
                read = ordered(direction, _tensor(x), stack.order) if direction.backward else x
                own.append(Sequence(one, read, starts[i], parameters))
                sequences.append(own[-1])
            if not own[0].call.every_step:
                break
            if len(layer) == 1 and stack.passes_all(depth, call.masks[depth - 1]) and not stack.residual:
                x = own[0].every()  # as it lies: the next layer's code may read it there
                continue
            h = joined(layer, [torch.from_numpy(sequence.every().view) for sequence in own], stack.order)
            if not stack.passes_all(depth, call.masks[depth - 1]):
                outputs[depth] = h
            y = stack.passed(depth, between, h, call.masks[depth - 1])
            x = y + _tensor(x) if stack.residual and depth > 1 else y
        if call.keep:
            ctx.call, ctx.sequences, ctx.outputs, ctx.between = call, sequences, outputs, between
            ctx.set_materialize_grads(False)
        last = [part for sequence in sequences for part in sequence.last]
        if not own[0].call.every_step:
            ends = [sequence.last[0] for sequence in own]
            output = ends[0].clone() if len(ends) == 1 else torch.cat(ends, -1)
        else:
            output = _tensor(x) if call.every_step else stack.last_step(_tensor(x))
        for sequence in sequences:
            sequence.last = []  # what is returned has this node: the node must not have it, or neither is ever freed
        if call.keep:
            ctx.save_for_backward(output)  # the way back reads the same memory: torch notices a change in place
        return output, *last

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, top: Tensor | None, *last: Tensor | None) -> tuple[Tensor | None, ...]:
        call: Call = ctx.call
        _ = ctx.saved_tensors
        stack, sequences = call.stack, ctx.sequences
        final = stack.split(last)  # type: ignore[arg-type]
        above: Scaled | None = None
        if top is not None and call.every_step:
            above = Scaled.plain(top)
        elif top is not None and stack.residual:
            above = Scaled.plain(stack.at_last_step(top, sequences[0].forward.T))
        gradients: list[list[Tensor | None]] = [[] for _ in sequences]
        starts: list[list[Tensor | None]] = [[] for _ in sequences]
        between: dict[str, Tensor] = {}
        weights = call.weights_needed(ctx.needs_input_grad)
        stop = len(sequences)
        dx: Scaled | None = None
        for depth in range(len(stack.layers), 0, -1):
            layer = stack.layers[depth - 1]
            skipped = above if stack.residual and depth > 1 else None
            if above is not None and not stack.passes_all(depth, call.masks[depth - 1]):
                above, own = stack.passed_back(depth, ctx.between, ctx.outputs[depth], call.masks[depth - 1], above)
                between |= own
            below: list[Scaled] = []
            needed = depth > 1 or ctx.needs_input_grad[1]
            for i, direction in zip(range(stop - len(layer), stop), layer, strict=True):
                sequence: Sequence = sequences[i]
                ends: list[Tensor | None] = [*final[i]]
                if not sequence.call.every_step and top is not None:
                    end = top[..., units(layer, direction)]
                    ends[0] = end if ends[0] is None else ends[0] + end
                seen = None if above is None else of_direction(layer, direction, above, stack.order)
                back = sequence.backward(seen, ends, inputs=needed, matrices=weights[i])
                parameters = back.parameters()
                gradients[i] = [torch.from_numpy(parameters[name]) for name in sequence.call.names]
                place = 2 + sum(len(each) for each in final[:i])
                if any(ctx.needs_input_grad[place : place + len(final[i])]):
                    starts[i] = [*sequence.initial(back)]
                else:
                    starts[i] = [None] * len(final[i])
                read = back.inputs()
                if read is not None:
                    below.append(of_input(direction, read, stack.order))
            if below:
                dx = below[0] if len(below) == 1 else below[0] + below[1]
                above = dx if skipped is None else dx + skipped
            stop -= len(layer)
        inputs = None if dx is None or not ctx.needs_input_grad[1] else dx.unscaled()
        state = [part for parts in starts for part in parts]
        shared = [between.get(name) for name in stack.all_between_names]
        return None, inputs, *state, *shared, *[g for own in gradients for g in own]


def _tensor(x: Tensor | LaidOut) -> Tensor:
    return torch.from_numpy(x.view) if isinstance(x, LaidOut) else x
