"""The contract of a probe."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from harness.cells.cell import State
from harness.models.model import Model
from harness.schema import Profile


class Probe(Protocol):
    """A quantity of a network, measured along an axis at a recorded update, with what theory says it is there."""

    def __call__(
        self,
        model: Model,
        parameters: Mapping[str, Tensor],
        batch: tuple[Tensor, Tensor],
        state: State | None,
    ) -> list[list[Profile]]:
        """Measure the network as it is; parameters, their gradients and the random state are left as they were.

        Args:
            model: `model.cell` has the equations, `model.outputs` and `model.losses` go from a batch to the loss. Its
                window and engine are the training's: a gradient through `model.outputs` is truncated as training's is,
                and on the compiled engine it can be taken once. `replace(model, engine="torch", window=None)` is the
                same network without either.
            parameters: by name, stacked over R replicas (R, …), without gradients, in the training's dtype on its
                device. They share memory with the network that is trained: change none in place.
            batch: inputs, tokens (T, R, B) or rows (T, R, B, D), and targets (…, R, B): those of the recorded update.
            state: before the first step, each part (R, B, H), where it is carried on; None: zeros.

        Returns:
            for each of the R replicas its profiles (`harness.schema.Profile`, numpy arrays), each a row of the table of
            profiles. Positions, values and theory have one axis and one length; positions are finite, values may be
            NaN or infinite; names are words. Anything else fails the run, with the probe's name. A replica's numbers
            must not depend on the others: it is measured the same alone as in any pack
            (`harness.probes.trajectory.each_replica` takes them one at a time, in float64 on the CPU).

        The module of a plug-in is imported when a study that names it is planned, which is done without torch: import
        torch inside the function.
        """


@dataclass(frozen=True)
class Update:
    """The recorded update itself, as training makes it.

    Attributes:
        number: updates made before it.
        gradients: ∂L/∂p by parameter, (R, …) each, in the training's dtype on its device: of the training batch, with
            penalties, before clipping; zeros where the loss does not depend on a parameter. They share memory with
            training's own: change none in place.
        steps: Δp by parameter, p after the update less p before it, (R, …) each in float64 on the CPU: with clipping,
            what the optimizer remembers, and the rounding of p. At a run's last record no update follows: the one that
            training would have made.
    """

    number: int
    gradients: Mapping[str, Tensor]
    steps: Mapping[str, Tensor]


class UpdateProbe(Protocol):
    """A probe that measures the update too: any probe that has a parameter named `update`."""

    def __call__(
        self,
        model: Model,
        parameters: Mapping[str, Tensor],
        batch: tuple[Tensor, Tensor],
        state: State | None,
        *,
        update: Update,
    ) -> list[list[Profile]]:
        """As `Probe`, with the update whose batch it is given."""


def measures_update(probe: Callable[..., list[list[Profile]]]) -> bool:
    """Whether a probe has a parameter named `update`."""
    return "update" in inspect.signature(probe).parameters
