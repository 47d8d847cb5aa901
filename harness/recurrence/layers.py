"""Layers of recurrences on top of one another: what is on top of what, and what lies between.

    h^ℓ_t = cell^ℓ(h^ℓ_{t−1}, y^{ℓ−1}_t),   y^0 = x
    y^ℓ_t = dropout(N(h^ℓ_t)) + y^{ℓ−1}_t

N normalises and dropout drops between layers, never after the last; the sum is there with residual connections, from
the second layer on. A layer of two directions runs a second recurrence from the last step to the first, and h^ℓ_t is
both side by side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from harness.cells.cell import EPSILON, Cell, State
from harness.cells.layers import Direction, Layer, between_shapes, layers_of
from harness.recurrence.scaled import Scaled

Parameters = Mapping[str, Tensor]


@dataclass(frozen=True)
class Stack:
    """Layers from the input up, each of one direction or two, and what lies between them.

    Attributes:
        residual: whether what goes into a layer is added to what it passes on, from the second layer on.
        normalisation: of what goes from layer to layer, over the units of a step; gain g.ℓ, for `layer` shift b.ℓ.
        given: numbers of each direction's steps beside its input, (T, R, B, n); see given.py.
        order: which step a backward direction reads at each of its own, (T, R, B), where sequences have lengths of
            their own; None: all steps in reverse.
    """

    layers: tuple[Layer, ...]
    residual: bool = False
    normalisation: Literal["none", "layer", "rms"] = "none"
    given: tuple[Tensor, ...] = ()
    order: Tensor | None = None

    @classmethod
    def of(cls, cell: Cell) -> Stack:
        """The network of a model's settings."""
        normalisation = cell.normalisation if between_shapes(cell) else "none"
        return cls(layers_of(cell, 1), cell.residual == "add", normalisation)

    @cached_property
    def directions(self) -> tuple[Direction, ...]:
        """All recurrences, from the input up, forward before backward."""
        return tuple(direction for layer in self.layers for direction in layer)

    def split(self, state: Sequence[Tensor]) -> list[State]:
        """A state's tensors by direction."""
        states, start = [], 0
        for direction in self.directions:
            stop = start + len(direction.cell.states)
            states.append(tuple(state[start:stop]))
            start = stop
        return states

    def between_names(self, depth: int) -> list[str]:
        """The parameters between layer ℓ, counted from 1, and the next."""
        kinds = {"none": (), "layer": ("gain", "shift"), "rms": ("gain",)}[self.normalisation]
        return [f"{kind}.{depth}" for kind in kinds]

    @cached_property
    def all_between_names(self) -> list[str]:
        return [name for depth in range(1, len(self.layers)) for name in self.between_names(depth)]

    def passes_all(self, depth: int, mask: Tensor | None) -> bool:
        """Whether what layer ℓ gives goes on as it is."""
        return (self.normalisation == "none" or depth == len(self.layers)) and mask is None

    def passed(self, depth: int, parameters: Parameters, h: Tensor, mask: Tensor | None) -> Tensor:
        """dropout(N(h^ℓ)): what layer ℓ passes on, of h (T, R, B, H)."""
        if depth == len(self.layers):
            return h
        if self.normalisation != "none":
            h = normalised(self.normalisation, h) * parameters[f"gain.{depth}"].unsqueeze(1)
        if self.normalisation == "layer":
            h = h + parameters[f"shift.{depth}"].unsqueeze(1)
        return h if mask is None else h * mask

    def passed_back(
        self, depth: int, parameters: Parameters, h: Tensor, mask: Tensor | None, above: Scaled
    ) -> tuple[Scaled, dict[str, Tensor]]:
        """∂L/∂h^ℓ from that of what layer ℓ passes on, and the gradients of the parameters between.

        Nothing between two layers mixes steps or sequences, so that a gradient keeps its exponents.
        """
        if self.passes_all(depth, mask):
            return above, {}
        names = self.between_names(depth)
        with torch.enable_grad():
            leaves = {name: parameters[name].detach().requires_grad_() for name in names}
            own = h.detach().requires_grad_()
            y = self.passed(depth, leaves, own, mask)
        [values] = torch.autograd.grad(y, own, above.values, retain_graph=True)
        gradients = torch.autograd.grad(y, list(leaves.values()), above.unscaled()) if names else ()
        return Scaled(values, above.exponents), dict(zip(names, gradients, strict=True))

    def last_step(self, y: Tensor) -> Tensor:
        """Of the last layer's output (T, R, B, H) each direction's own last step, (R, B, H)."""
        own = [self._own_last(d, y[..., units(self.layers[-1], d)]) for d in self.layers[-1]]
        return own[0] if len(own) == 1 else torch.cat(own, -1)

    def at_last_step(self, gradient: Tensor, T: int) -> Tensor:
        """The gradient of y (T, R, B, H) from that of `last_step`."""
        y = gradient.new_zeros(T, *gradient.shape)
        for d in self.layers[-1]:
            own = units(self.layers[-1], d)
            if self.order is None or not d.backward:
                y[0 if d.backward else -1, ..., own] = gradient[..., own]
            else:
                end = self.order[-1:].unsqueeze(-1).expand(1, *gradient[..., own].shape)
                y[..., own] = y[..., own].scatter(0, end, gradient[..., own].unsqueeze(0))
        return y

    def _own_last(self, direction: Direction, y: Tensor) -> Tensor:
        if self.order is None or not direction.backward:
            return y[0 if direction.backward else -1]
        return y.gather(0, self.order[-1:].unsqueeze(-1).expand(1, *y.shape[1:]))[0]


def parameters_of(direction: Direction, parameters: Parameters) -> Parameters:
    """A direction's parameters under the cell's own names, as its equations use them."""
    if direction.suffix:
        names = [name.removesuffix(direction.suffix) for name in direction.shapes()]
        parameters = {name: parameters[name + direction.suffix] for name in names}
    return direction.cell.parametrize(parameters)


def ordered(direction: Direction, x: Tensor, order: Tensor | None = None) -> Tensor:
    """A sequence in the order in which a direction goes through it; the same again undoes it.

    One row alone is that of its own last step.
    """
    if order is None or not direction.backward or len(x) == 1:
        return x.flip(0) if direction.backward else x
    return x.gather(0, order if x.dim() == 3 else order.unsqueeze(-1).expand_as(x))


def normalised(kind: Literal["layer", "rms"], h: Tensor) -> Tensor:
    """Over the last axis: (h − mean)/√(variance + ε) (Ba, Kiros & Hinton 2016), or h/√(mean of squares + ε) (Zhang &
    Sennrich 2019).
    """
    if kind == "layer":
        h = h - h.mean(-1, keepdim=True)
    return h * torch.rsqrt(h.square().mean(-1, keepdim=True) + EPSILON)


def units(layer: Layer, direction: Direction) -> slice:
    """Where a direction's units stand among those of its layer."""
    start = sum(other.cell.hidden_size for other in layer[: layer.index(direction)])
    return slice(start, start + direction.cell.hidden_size)


def joined(layer: Layer, outputs: Sequence[Tensor], order: Tensor | None = None) -> Tensor:
    """What the directions of a layer give, each in its own order of time, side by side."""
    own = [ordered(direction, output, order) for direction, output in zip(layer, outputs, strict=True)]
    return own[0] if len(own) == 1 else torch.cat(own, -1)


def of_direction(layer: Layer, direction: Direction, gradient: Scaled, order: Tensor | None = None) -> Scaled:
    """The gradient of a direction's own units, in its own order of time."""
    if len(layer) == 1 and not direction.backward:
        return gradient
    values = gradient.values[..., units(layer, direction)]
    return Scaled(ordered(direction, values, order), ordered(direction, gradient.exponents, order))


def of_input(direction: Direction, gradient: Scaled, order: Tensor | None = None) -> Scaled:
    """The gradient of what a direction has read, in the order of the sequence."""
    if not direction.backward:
        return gradient
    return Scaled(ordered(direction, gradient.values, order), ordered(direction, gradient.exponents, order))
