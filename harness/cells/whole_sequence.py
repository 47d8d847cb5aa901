"""What a network that takes its sequence as a whole has in common: no step, and none of a cell's settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import model_validator

from harness.cells.cell import Cell


class WholeSequence(Cell):
    """A network that stands where a cell stands, without a `step` from one state to the next.

    A cell's settings mean nothing here. As constants of the class they are no settings: neither columns, nor keys.

    Attributes:
        subject: what messages call it.
        without: why a setting of `training:` has no meaning for it, by its key.
    """

    gates: ClassVar[tuple[str, ...]] = ()
    recurrent_weights: ClassVar[tuple[str, ...]] = ()
    subject: ClassVar[str]
    without: ClassVar[Mapping[str, str]]

    init: ClassVar[Literal["torch"]] = "torch"  # type: ignore[misc]
    spectral_radius: ClassVar[None] = None  # type: ignore[misc]
    biases: ClassVar[Literal[1, 2]] = 2  # type: ignore[misc]
    layers: ClassVar[int] = 1  # type: ignore[misc]
    layer_sizes: ClassVar[None] = None  # type: ignore[misc]
    bidirectional: ClassVar[bool] = False  # type: ignore[misc]
    residual: ClassVar[Literal["none"]] = "none"  # type: ignore[misc]
    dropout: ClassVar[float] = 0.0  # type: ignore[misc]
    zoneout: ClassVar[float] = 0.0  # type: ignore[misc]
    h_detach: ClassVar[float] = 0.0  # type: ignore[misc]
    normalisation: ClassVar[Literal["none"]] = "none"  # type: ignore[misc]
    normalised: ClassVar[Literal["recurrence"]] = "recurrence"  # type: ignore[misc]

    @model_validator(mode="before")
    @classmethod
    def _layers(cls, data: object) -> object:
        """Nothing of a cell's is to be completed here."""
        return data

    @model_validator(mode="before")
    @classmethod
    def _radius(cls, data: object, info: object) -> object:
        return data
