"""Networks to probe: a model of any cell with its parameters, a batch, and what a probe says of it, by quantity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.cells import CELLS
from harness.experiments.training.batches import draw
from harness.models import MODELS
from harness.models.model import Model
from harness.probes.profiles import profiles_of
from harness.tasks import TASKS

Parameters = dict[str, Tensor]


def network(
    cell: str,
    *,
    task: str = "temporal_order",
    seeds: tuple[int, ...] = (0,),
    window: int | None = None,
    **settings: Any,
) -> tuple[Model, Parameters]:
    """A model and float64 parameters of a replica for each seed; `task_…` settings are the task's."""
    asked = {key.removeprefix("task_"): settings.pop(key) for key in list(settings) if key.startswith("task_")}
    job = TASKS[task](name=task, **asked)
    made = CELLS[cell](cell=cell, **settings)
    model = MODELS[job.shape](job, made, window, "torch")
    drawn = [model.initialise(made, seed) for seed in seeds]
    return model, {name: torch.as_tensor(np.stack([p[name] for p in drawn])) for name in drawn[0]}


def batch(model: Model, size: int, seeds: tuple[int, ...] = (0,)) -> tuple[Tensor, Tensor]:
    return draw(model.task, list(seeds), "train", 0, size, "cpu")


def probed(
    probe: str, model: Model, parameters: Mapping[str, Tensor], data: tuple[Tensor, Tensor], state: Any = None
) -> list[dict[str, tuple[Any, Any]]]:
    """For each replica: quantity → (at, measured), as arrays."""
    return [
        {row.quantity: (row.at, row.measured) for row in rows}
        for rows in profiles_of([probe], model, parameters, data, state)
    ]


def linear_rnn(W: Any, T: int) -> tuple[Model, Parameters]:
    """A relu RNN whose states stay positive, so that every Jacobian is W ≥ 0: its input share is 1 at every step."""
    H = len(W)
    model, parameters = network("rnn", task_sequence_length=T, hidden_size=H, nonlinearity="relu", biases=1)
    return model, {
        **parameters,
        "W": torch.as_tensor(W, dtype=torch.float64)[None],
        "U": torch.zeros_like(parameters["U"]),
        "b_x": torch.ones(1, H, dtype=torch.float64),
    }
