"""Networks to probe: a model of any cell with its parameters, a batch, and the profiles of a probe, by quantity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from made_networks import Parameters, leaves, stacked
from torch import Tensor

from harness.cells import CELLS
from harness.experiments.training.batches import draw
from harness.models import MODELS
from harness.models.model import Model
from harness.probes.contract import Update
from harness.probes.profiles import profiles_of
from harness.probes.trajectory import Trajectory, each_replica, trajectories
from harness.schema import Profile
from harness.tasks import TASKS


def network(
    cell: str,
    *,
    task: str = "temporal_order",
    seeds: tuple[int, ...] = (0,),
    window: int | None = None,
    **settings: Any,
) -> tuple[Model, Parameters]:
    """A model and float64 parameters of a replica for each seed; `task_…` settings are the task's."""
    of_task = {key.removeprefix("task_"): settings.pop(key) for key in list(settings) if key.startswith("task_")}
    chosen_task, chosen_cell = TASKS[task](name=task, **of_task), CELLS[cell](cell=cell, **settings)
    model = MODELS[chosen_task.shape](chosen_task, chosen_cell, window, "torch")
    parameters = stacked([model.initialise(chosen_cell, seed) for seed in seeds])
    return model, {name: value.detach() for name, value in parameters.items()}


def batch(model: Model, size: int, seeds: tuple[int, ...] = (0,)) -> tuple[Tensor, Tensor]:
    return draw(model.task, list(seeds), "train", 0, size, "cpu")


def probed(
    probe: str, model: Model, parameters: Mapping[str, Tensor], data: tuple[Tensor, Tensor], state: Any = None
) -> list[dict[str, tuple[Any, Any]]]:
    """For each replica: quantity → (at, measured), as arrays."""
    replicas = profiles(probe, model, parameters, data, state)
    return [{row.quantity: (row.at, row.measured) for row in rows} for rows in replicas]


def profiles(
    probe: str, model: Model, parameters: Mapping[str, Tensor], data: tuple[Tensor, Tensor], state: Any = None
) -> list[list[Profile]]:
    """The profiles of each replica, as training has them measured."""
    return profiles_of([probe], model, parameters, data, state, lambda: update(model, parameters, data, state))


def update(
    model: Model, parameters: Mapping[str, Tensor], data: tuple[Tensor, Tensor], state: Any = None, rate: float = 0.1
) -> Update:
    """The first update by gradient descent in float64: Δp = −rate · ∂L/∂p."""
    gradients: dict[str, list[Tensor]] = {name: [] for name in parameters}
    for own, (inputs, targets), before in each_replica(parameters, data, state):
        trained = leaves(own)
        model.losses(model.outputs(trained, inputs, targets, before)[0], targets).sum().backward()
        for name, p in trained.items():
            gradients[name].append(torch.zeros_like(p) if p.grad is None else p.grad)
    stacks = {name: torch.cat(replicas) for name, replicas in gradients.items()}
    return Update(0, stacks, {name: -rate * gradient for name, gradient in stacks.items()})


def trajectory(model: Model, parameters: Parameters, data: tuple[Tensor, Tensor]) -> Trajectory:
    """The states of one replica on the first sequences of a batch."""
    [only] = trajectories(model, parameters, data, None)
    return only


def gates(model: Model, path: Trajectory, name: str) -> list[Tensor]:
    """An activation at t = 1 … T, each (1, B, H)."""
    steps = zip(path.states, path.driven, strict=False)
    return [model.cell.activations(path.parameters, state, z)[name] for state, z in steps]


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
