"""The contract of a probe."""

from __future__ import annotations

from collections.abc import Mapping
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
