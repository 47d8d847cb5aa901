"""One training problem, the same for the harness and for its peers: initial weights, batches, hyperparameters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.sizes import Sizes
from harness.experiments.training.settings import Training, TrainingSections
from harness.models import MODELS
from harness.models.model import Model
from harness.registry import read
from harness.rng import generator
from harness.study.plan import Run, plan
from harness.tasks.task import Batch, Task

STUDY = Path(__file__).parent / "studies" / "step.yaml"


@dataclass(frozen=True)
class Problem:
    """Temporal order by RMSprop with clipping, loss at the end; one replica a seed, seeds 0 … R−1.

    Attributes:
        sizes: of the network and the data.
        record: an override of `record.adjoints`: "{every: 1}" records every update, "[0]" none that is timed.
        layers: recurrent layers, each of H units.
    """

    sizes: Sizes
    record: str = "{every: 1}"
    layers: int = 1

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """The pack, as the harness plans it."""
        overrides = {
            "model.cell": self.sizes.cell,
            "model.hidden_size": self.sizes.H,
            "model.layers": self.layers,
            "task.sequence_length": self.sizes.T,
            "training.batch_size": self.sizes.B,
            "seeds": self.sizes.R,
            "record.adjoints": self.record,
        }
        return plan(read(STUDY, [f"{key}={value}" for key, value in overrides.items()])).runs

    @property
    def sections(self) -> TrainingSections:
        return self.runs[0].sections.typed(TrainingSections)

    @property
    def task(self) -> Task:
        return self.sections.task

    @property
    def training(self) -> Training:
        return self.sections.training

    @cached_property
    def model(self) -> Model:
        return MODELS[self.task.shape](self.task, self.sections.model, None, "compiled")

    def initial(self, seed: int) -> dict[str, npt.NDArray[np.float32]]:
        """W, U, b_x, b_h, of a second layer W.2, U.2, …, V and b_y of one replica before training."""
        return {name: value.astype(np.float32) for name, value in self.model.initialise(self.model.cell, seed).items()}

    def batch(self, seed: int, update: int) -> Batch:
        """The batch of an update: tokens (T, B) and classes (B,). Everybody samples with this, and pays for it."""
        return self.task.sample(generator(seed, "train", update), self.sizes.B)
