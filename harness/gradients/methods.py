"""The ways to the gradient by name, for a study's `training.method`: their keywords, and what computes them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.rng import generator
from harness.study.keywords import Named, NamedChoice, Number, Table, split

if TYPE_CHECKING:
    from torch import Tensor

    from harness.cells.cell import State
    from harness.gradients.objective import Objective
    from harness.gradients.online import Estimate

BACK = ("bptt", "tbptt")  # that go back through time
KEYWORDS: Table = {
    "bptt": {},
    "tbptt": {},
    "rtrl": {},
    "snap1": {},
    "uoro": {"draws": Number(1, "independent estimates of every sequence, averaged", ge=1, whole=True)},
    "pes": {
        "particles": Number(16, "n, pairs of perturbed networks", ge=1, whole=True),
        "sigma": Number(0.01, "σ, standard deviation of a perturbation", gt=0),
        "unroll": Number(1, "K, steps to which a perturbation is added anew", ge=1, whole=True),
    },
}
METHOD = NamedChoice("method", KEYWORDS)
Method = str | Named | Mapping[str, Any]


def name_of(method: Method) -> str:
    """The method's name without its keywords."""
    return method if isinstance(method, str) else str(method["name"])


def estimate(
    method: Method,
    objective: Objective,
    parameters: Mapping[str, Tensor],
    seed: int,
    index: int,
    *,
    state: State | None = None,
    parts: Mapping[str, Tensor] | None = None,
    steps: Collection[int] | None = None,
    engine: str = "torch",
) -> Estimate:
    """The gradient of one network's loss by a way that goes forward.

    Args:
        method: rtrl, snap1, uoro or pes, with keywords.
        parameters: as they are trained, (1, …) each.
        seed, index: of what is drawn: the run's, and the number of the update.
        state, parts: before the first step, where they are carried on; see `forward_gradients`.
        steps: t of those whose parameters count; None: all.
        engine: of whole sequences, which PES computes.

    Raises:
        ValueError: no such way, or one that goes back.
    """
    import torch  # a plan needs no torch

    from harness.gradients.evolution import evolved_gradients
    from harness.gradients.influence import Influence
    from harness.gradients.local import Local
    from harness.gradients.online import Tracker, forward_gradients
    from harness.gradients.rank_one import RankOne
    from harness.gradients.transition import Transition

    name, keywords = split(method, KEYWORDS)
    sequences = objective.rows.shape[1]
    if name == "pes":

        def normal(stretch: int, parameter: str, shape: tuple[int, ...]) -> Tensor:
            draw = generator(seed, f"pes {stretch} {parameter}", index)
            return torch.as_tensor(draw.standard_normal(shape))

        return evolved_gradients(
            objective, parameters, normal, state=state, parts=parts, steps=steps, engine=engine, **keywords
        )
    trackers: dict[str, Callable[[Transition, int], Tracker]] = {
        "rtrl": Local if objective.cell.local else Influence,
        "snap1": Local,
    }
    if name == "uoro":
        objective = Repeated(objective, keywords["draws"])
        T, B, _ = objective.rows.shape
        N = sum(objective.cell.widths)
        signs = generator(seed, "uoro", index).integers(0, 2, (T, B, N), np.int8) * 2 - 1
        trackers["uoro"] = lambda transition, B: RankOne(transition, B, torch.as_tensor(signs))
        state = None if state is None else tuple(part.repeat(1, keywords["draws"], 1) for part in state)
    if name not in trackers:
        raise ValueError(f"'{name}' goes back through time, or is no way to a gradient")
    result = forward_gradients(objective, parameters, trackers[name], state=state, parts=parts, steps=steps)
    return replace(result, state=tuple(part[:, :sequences] for part in result.state))


class Repeated:
    """A batch n times over: the mean of n estimates of each sequence."""

    def __init__(self, objective: Objective, times: int) -> None:
        self.own, self.times, self.cell, self.constants = objective, times, objective.cell, objective.constants
        self.rows = objective.rows.repeat(1, times, 1)

    def loss(self, parameters: Mapping[str, Tensor], h: Tensor, t: int) -> Tensor | None:
        losses = [self.own.loss(parameters, part, t) for part in h.chunk(self.times, 1)]
        given = [loss for loss in losses if loss is not None]
        return sum(given[1:], start=given[0]) / self.times if given else None
