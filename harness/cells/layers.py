"""Layers of cells on top of one another, by their settings alone: which recurrences there are, and their parameters.

A parameter of the first layer has the name that its cell gives it; those of layer ℓ end with .ℓ, those of a backward
direction with .ℓr. What is between layer ℓ and the next ends with .ℓ as well: gain.ℓ and shift.ℓ of a normalisation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.cells.cell import Cell
from harness.cells.initialisation import Weights
from harness.errors import HarnessError
from harness.rng import generator


@dataclass(frozen=True)
class Direction:
    """One recurrence: a cell of one layer, on rows of `input_size` numbers, forward or backward in time.

    Attributes:
        layer: ℓ, from 1.
    """

    cell: Cell
    input_size: int
    layer: int = 1
    backward: bool = False

    @property
    def suffix(self) -> str:
        """What the names of its parameters end with."""
        return "" if (self.layer, self.backward) == (1, False) else f".{self.layer}{'r' * self.backward}"

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of its parameters, by full name."""
        own = self.cell.shapes(self.cell.hidden_size, self.input_size) | self.cell.gains()
        return {name + self.suffix: shape for name, shape in own.items()}


Layer = tuple[Direction, ...]


def layers_of(cell: Cell, input_size: int) -> tuple[Layer, ...]:
    """The recurrences of a network with these settings, from the input up, forward before backward."""
    widths = cell.layer_sizes or (cell.hidden_size,) * cell.layers
    layers: list[Layer] = []
    D = input_size
    for depth, H in enumerate(widths, start=1):
        own = cell.alone(H)
        layers.append(tuple(Direction(own, D, depth, backward) for backward in (False, True)[: 1 + cell.bidirectional]))
        D = H * len(layers[-1])
    return tuple(layers)


def output_width(cell: Cell) -> int:
    """Numbers of the last layer's output at a step."""
    return (cell.layer_sizes or (cell.hidden_size,))[-1] * (1 + cell.bidirectional)


def between_shapes(cell: Cell) -> dict[str, tuple[int, ...]]:
    """Shapes of the parameters between the layers."""
    if cell.normalisation == "none" or cell.normalised != "between":
        return {}
    kinds = ("gain", "shift") if cell.normalisation == "layer" else ("gain",)
    widths = (cell.layer_sizes or (cell.hidden_size,) * cell.layers)[:-1]
    return {
        f"{kind}.{depth}": (H * (1 + cell.bidirectional),) for depth, H in enumerate(widths, start=1) for kind in kinds
    }


def shapes(cell: Cell, input_size: int) -> dict[str, tuple[int, ...]]:
    """Shapes of all trained parameters of the recurrent layers of one replica.

    Raises:
        HarnessError: a cell calls a parameter as the network calls one of its own, and they would be trained as one.
    """
    own = {n: s for layer in layers_of(cell, input_size) for direction in layer for n, s in direction.shapes().items()}
    between = between_shapes(cell)
    if both := own.keys() & between.keys():
        names = ", ".join(sorted({name.partition(".")[0] for name in both}))
        raise HarnessError(f"cell '{cell.cell}' has parameters called {names}, as those between layers; rename them")
    return own | between


def recurrent_names(cell: Cell) -> list[str]:
    """The parameters that carry one state to the next, of all directions."""
    directions = [direction for layer in layers_of(cell, 1) for direction in layer]
    return [name + direction.suffix for direction in directions for name in cell.recurrent_weights]


def start(cell: Cell, seed: int, *, input_size: int, output_size: int, length: int) -> Weights:
    """The parameters of one replica before training; see `Cell.start`.

    Those of the first layer are what they are without the others. Every other direction draws from streams of its own.
    Gains begin at 1, shifts at 0.
    """
    weights: Weights = {}
    for direction in (direction for layer in layers_of(cell, input_size) for direction in layer):
        own = seed
        if direction.suffix:
            own = int(generator(seed, f"initialise layer{direction.suffix}").integers(2**63))
        drawn = direction.cell.start(own, input_size=direction.input_size, output_size=output_size, length=length)
        drawn |= {name: np.ones(shape) for name, shape in direction.cell.gains().items()}
        weights |= {name + direction.suffix: value for name, value in drawn.items()}
    return weights | {
        name: np.ones(shape) if name.startswith("gain") else np.zeros(shape)
        for name, shape in between_shapes(cell).items()
    }
