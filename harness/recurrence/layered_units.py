"""The way back through layers unit by unit: from the last layer down, every entry with an exponent of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import log10

import torch
from torch import Tensor

from harness.cells.layers import Direction, Layer
from harness.recurrence.adjoints import AdjointRecorder
from harness.recurrence.layers import Parameters, Stack, ordered, units
from harness.recurrence.trail import Trail
from harness.recurrence.unit_adjoints import Entries, part_of, pulled_back, replay_units, scaled, total


@dataclass(frozen=True)
class UnitsBack:
    """Levels of every unit into its direction's recorder, `AdjointRecorder.log10_units`, of the first sequences alone.

    What crosses from layer to layer is a linear map of single steps: the matrix U of the layer above, the derivative
    of a normalisation, a mask. It is taken band by band, as the step of a recurrence is.
    """

    stack: Stack
    parameters: Parameters
    masks: Sequence[Tensor | None]
    window: int
    trails: Sequence[Trail]
    outputs: Mapping[int, Tensor]
    recorder: AdjointRecorder

    def __call__(self, top: Tensor, last: Sequence[Tensor | None]) -> None:
        """From the gradients of the output's last steps (K, R, B, H), and of the parts of the state after the last."""
        few, (stack, final) = slice(self.recorder.sequences), (self.stack, self.stack.split(last))  # type: ignore[arg-type]
        above, stop = scaled(top[:, :, few]), len(self.trails)
        for depth in range(len(stack.layers), 0, -1):
            layer = stack.layers[depth - 1]
            start = stop - len(layer)
            skipped = above if stack.residual and depth > 1 else None
            above = self._between(depth, above)
            read = [self._through(depth, layer, self.trails[i], above, final[i]) for i in range(start, stop)]
            for own in read if depth > 1 else []:
                skipped = own if skipped is None else total(skipped, own)
            above = above if skipped is None else skipped
            stop = start

    def _between(self, depth: int, above: Entries) -> Entries:
        """∂L/∂h^ℓ from that of what layer ℓ passes on."""
        mask, few = self.masks[depth - 1], slice(self.recorder.sequences)
        if self.stack.passes_all(depth, mask):
            return above
        with torch.enable_grad():
            h = self.outputs[depth][:, :, few].detach().requires_grad_()
            y = self.stack.passed(depth, self.parameters, h, None if mask is None else mask[:, :, few])
        [below] = pulled_back(lambda a: torch.autograd.grad(y, h, a, retain_graph=True), [above], [h])
        return below

    def _through(
        self, depth: int, layer: Layer, trail: Trail, above: Entries, final: Sequence[Tensor | None]
    ) -> Entries:
        """A direction's levels into its recorder; the gradient of what it has read, in the order of the sequence."""
        few, direction, T = slice(self.recorder.sequences), trail.direction, len(trail.drive)
        frozen = {name: value.detach() for name, value in trail.parameters.items()}
        states = [tuple(part.detach()[:, few] for part in s) for s in trail.states]
        seen = _of_direction(layer, direction, above)
        first = T - len(seen.m)
        ends = [None if part is None else part[:, few] for part in final]

        def immediate(t: int) -> Entries | None:
            own = part_of(seen, t - 1 - first) if t > first else None
            if t < T or ends[0] is None:
                return own
            return scaled(ends[0]) if own is None else total(own, scaled(ends[0]))

        back = replay_units(
            partial(direction.cell.step, frozen), states, trail.drive[:, :, few], immediate,
            window=self.window, final=ends[1:], inputs=depth > 1,
        )  # fmt: skip
        B, b = trail.states[0][0].shape[1], states[0][0].shape[1]
        own = self.recorder.layer(depth, backward=direction.backward)
        own.log10_units = back.levels + log10(B / b)  # of B times each, the mean
        if back.drive is None:
            return above
        U = frozen["U"]
        x = back.drive.m.new_zeros(*back.drive.m.shape[:-1], U.shape[-1])
        [read] = pulled_back(lambda a: [a[0] @ U], [back.drive], [x])
        return _ordered(direction, read)


def _of_direction(layer: Layer, direction: Direction, entries: Entries) -> Entries:
    own = units(layer, direction)
    return _ordered(direction, Entries(entries.m[..., own], entries.e[..., own]))


def _ordered(direction: Direction, entries: Entries) -> Entries:
    return Entries(ordered(direction, entries.m), ordered(direction, entries.e))
