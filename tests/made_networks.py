"""Parameters, states and inputs of small networks, and a synthetic task of any shape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from harness.cells import CELLS
from harness.cells.cell import Cell
from harness.study.spec import setting
from harness.tasks.task import UNSCORED, Batch, Task

Parameters = dict[str, Tensor]
ENGINES = ("torch", "compiled")
SMALL = {"s6": {"state_size": 2}, "deltanet": {"key_size": 2}}  # as many laws hold, and compile sooner
CELL_ENGINES = [(name, engine) for name in CELLS for engine in ENGINES]


def stacked(replicas: Sequence[Mapping[str, Any]], dtype: torch.dtype = torch.float64) -> Parameters:
    """The parameters of several replicas as trainable tensors, (R, …) each."""
    return {
        name: torch.as_tensor(np.stack([replica[name] for replica in replicas]), dtype=dtype).requires_grad_()
        for name in replicas[0]
    }


def started(
    cell: Cell, seeds: Iterable[int], *, input_size: int, length: int, dtype: torch.dtype = torch.float64
) -> Parameters:
    """A cell's parameters before training, a replica for each seed."""
    replicas = [cell.start(seed, input_size=input_size, output_size=1, length=length) for seed in seeds]
    return stacked(replicas, dtype)


def leaves(values: Mapping[str, Tensor]) -> Parameters:
    """Copies that gather gradients of their own."""
    return {name: value.detach().clone().requires_grad_() for name, value in values.items()}


def replica(parameters: Mapping[str, Tensor], r: int) -> Parameters:
    """A copy of replica r alone, without the axis of replicas."""
    return leaves({name: value[r] for name, value in parameters.items()})


def zero_state(cell: Cell, R: int, B: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
    """The state before the first step, each part (R, B, H)."""
    return (torch.zeros(R, B, cell.hidden_size, dtype=dtype),) * len(cell.states)


def normal(seed: int, *shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Standard normal numbers of a seed, the same in every type but for rounding."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


class SyntheticTask(Task):
    """Uniform symbols (or a normal vector) in, uniform classes out; in a sequence some of the last two are unscored."""

    shape: ClassVar[Any] = "sequence_to_vector"
    length: ClassVar[int] = 6  # type: ignore[misc]
    input_size: ClassVar[int] = 5  # type: ignore[misc]
    output_size: ClassVar[int] = 4  # type: ignore[misc]
    answers: ClassVar[int] = 1  # type: ignore[misc]
    chance: ClassVar[float] = 0.25  # type: ignore[misc]

    name: Literal["synthetic"] = setting("synthetic", "which task", column="task")

    def sample(self, generator: np.random.Generator, batch: int) -> Batch:
        T, D, C = self.length, self.input_size, self.output_size
        real = self.shape == "vector_to_sequence"
        inputs = generator.normal(size=(1, batch, D)) if real else generator.integers(-1, D, (T, batch))
        if self.shape == "sequence_to_vector":
            return Batch(inputs, generator.integers(C, size=(self.answers, batch) if self.answers > 1 else batch))
        targets = generator.integers(C, size=(T, batch))
        targets[T - 2 :, ::2] = UNSCORED
        return Batch(inputs, targets)


def synthetic_task(shape: str, **attributes: Any) -> Task:
    """A synthetic task of a shape; `attributes` are those of the class, such as length or answers."""
    kind = type("ShapedTask", (SyntheticTask,), {"shape": shape, "__module__": __name__, **attributes})
    return kind()
