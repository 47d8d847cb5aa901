"""The torch engine: the steps of each cell, layer after layer; any cell, any device, differentiable twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from harness.cells.cell import State
from harness.cells.layers import Direction, Layer
from harness.recurrence.adjoints import AdjointRecorder, immediate_norms, replay
from harness.recurrence.autocast import autocast_in_force
from harness.recurrence.batch_levels import joint
from harness.recurrence.drive import drive
from harness.recurrence.layered_units import UnitsBack
from harness.recurrence.layers import Parameters, Stack, joined, of_direction, of_input, ordered, parameters_of
from harness.recurrence.products import products
from harness.recurrence.scaled import Scaled
from harness.recurrence.trail import Trail


def run(
    stack: Stack,
    parameters: Parameters,
    inputs: Tensor,
    state: State,
    *,
    window: int,
    every_step: bool,
    recorder: AdjointRecorder | None,
    masks: Sequence[Tensor | None],
) -> tuple[Tensor, State]:
    """`scan_layers`' arguments, results and gradients."""
    trails: list[Trail] = []
    outputs: dict[int, Tensor] = {}
    starts = stack.split(state)
    x = inputs
    only_last = not every_step and not stack.residual
    for depth, layer in enumerate(stack.layers, start=1):
        own: list[Trail] = []
        for direction in layer:
            i = len(trails) + len(own)
            used = parameters_of(direction, parameters)
            z = drive(used, ordered(direction, x, stack.order))
            if stack.given:
                z = torch.cat([z, stack.given[i].to(z.dtype)], -1)
            own.append(_steps(direction, used, z, starts[i], window))
        trails += own
        if depth == len(stack.layers) and only_last:
            break
        h = joined(layer, [torch.stack([s[0] for s in trail.states[1:]]) for trail in own], stack.order)
        outputs[depth] = h
        y = stack.passed(depth, parameters, h, masks[depth - 1])
        x = y + x if stack.residual and depth > 1 else y
    if only_last:
        ends = [trail.states[-1][0] for trail in own]
        output = ends[0] if len(ends) == 1 else torch.cat(ends, -1)
    else:
        output = x if every_step else stack.last_step(x)
    last = [part for trail in trails for part in trail.states[-1]]
    if recorder is not None and output.requires_grad:
        # The recorder goes back a second time, through detached copies: training's own gradient is the same, bit for
        # bit, with and without it.
        frozen = {name: parameter.detach() for name, parameter in parameters.items()}
        back = _Back(stack, frozen, masks, window, trails, outputs, recorder)
        units = UnitsBack(stack, frozen, masks, window, trails, outputs, recorder) if recorder.sequences else None
        arithmetic = autocast_in_force(output.device)

        def listen(gradient: Tensor | None, *parts: Tensor | None) -> None:
            gradient = torch.zeros_like(output) if gradient is None else gradient.detach()
            if not every_step:
                gradient = stack.at_last_step(gradient, len(x)) if stack.residual else gradient.unsqueeze(0)
            with arithmetic():  # this runs in the backward pass, after the caller's autocast has ended
                ends = [None if part is None else part.detach() for part in parts]
                back(Scaled.plain(gradient), ends)
                if units is not None:
                    units(gradient, ends)

        output, *last = _Watched.apply(listen, output, *last)  # type: ignore[no-untyped-call]
    return output, tuple(last)


def _steps(direction: Direction, own: Parameters, z: Tensor, state: State, window: int) -> Trail:
    cell, cut = direction.cell, len(z) - window
    states = [tuple(part.detach() for part in state) if cut else state]
    # Before the window no graph is made: truncated BPTT then costs what its window costs, in time and in memory.
    with torch.no_grad():
        for t in range(cut):
            states.append(cell.step(own, states[-1], z[t]))
    for t in range(cut, len(z)):
        states.append(cell.step(own, states[-1], z[t]))
    return Trail(direction, own, states, z)


class _Watched(torch.autograd.Function):
    """Tensors as they are; on the way back a listener is called with their gradients, all at once."""

    @staticmethod
    def forward(ctx: Any, listener: Callable[..., None], *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.listener = listener
        ctx.set_materialize_grads(False)
        return tuple(tensor.view_as(tensor) for tensor in tensors)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        ctx.listener(*gradients)
        return None, *gradients


@dataclass(frozen=True)
class _Back:
    """The way back with scaled adjoints, from the last layer down and in each from its own last step."""

    stack: Stack
    parameters: Parameters
    masks: Sequence[Tensor | None]
    window: int
    trails: Sequence[Trail]
    outputs: Mapping[int, Tensor]
    recorder: AdjointRecorder

    def __call__(self, top: Scaled, last: Sequence[Tensor | None]) -> None:
        """From the gradients of the output's last steps, and of the parts of the state after the last step."""
        stack, final = self.stack, self.stack.split(last)  # type: ignore[arg-type]
        above, stop = top, len(self.trails)
        for depth in range(len(stack.layers), 0, -1):
            layer = stack.layers[depth - 1]
            start = stop - len(layer)
            skipped = above if stack.residual and depth > 1 else None
            if not stack.passes_all(depth, self.masks[depth - 1]):
                above, _ = stack.passed_back(depth, self.parameters, self.outputs[depth], self.masks[depth - 1], above)
            below = [self._through(depth, layer, self.trails[i], above, final[i]) for i in range(start, stop)]
            if depth > 1:
                total = sum(below[1:], start=below[0])
                above = total if skipped is None else total + skipped
            stop = start

    def _through(self, depth: int, layer: Layer, trail: Trail, above: Scaled, final: Sequence[Tensor | None]) -> Scaled:
        """A direction's levels into its recorder; the gradient of what it has read."""
        direction, cell, T = trail.direction, trail.direction.cell, len(trail.drive)
        frozen = {name: value.detach() for name, value in trail.parameters.items()}
        states = [tuple(part.detach() for part in s) for s in trail.states]
        seen = of_direction(layer, direction, above, self.stack.order)
        if final[0] is not None:
            seen = seen + Scaled.plain(_only_last(final[0], len(seen.values)))
        first = T - len(seen.values)

        def immediate(t: int) -> Scaled | None:
            return Scaled(seen.values[t - 1 - first], seen.exponents[t - 1 - first]) if t > first else None

        back = replay(
            lambda s, z: cell.step(frozen, s, z), states, trail.drive, immediate,
            window=self.window, final=final[1:], inputs=depth > 1,
        )  # fmt: skip
        own = self.recorder.layer(depth, backward=direction.backward)
        own.log10_adjoint = back.levels[0]
        own.log10_norms = back.each[0]
        parts = [(back.levels[i], back.each[i]) for i in map(cell.states.index, cell.cell_state)]
        own.log10_adjoint_cell, own.log10_norms_cell = joint(parts)
        own.log10_immediate = immediate_norms(seen, T, self.window)
        if back.drive is None:
            return above
        driven = back.drive.values[..., : frozen["U"].shape[1]]  # what is given beside the input has no gradient
        T, R, B, n = driven.shape
        rows = driven.transpose(0, 1).reshape(R, T * B, n)
        values = products(rows, frozen["U"]).view(R, T, B, -1).transpose(0, 1)
        return of_input(direction, Scaled(values, back.drive.exponents), self.stack.order)


def _only_last(gradient: Tensor, steps: int) -> Tensor:
    """Zeros, and the gradient (R, B, H) at the last of so many steps."""
    out = gradient.new_zeros(steps, *gradient.shape)
    out[-1] = gradient
    return out
