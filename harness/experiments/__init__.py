"""What is done with the settings: one file an experiment, one entry in this table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.cells import CELLS
from harness.study.spec import Choice, Evaluation, Experiment, Recording, Training
from harness.tasks import TASKS


def training_cost(sections: Mapping[str, Any]) -> float:
    """Predicted seconds of one run at its full budget: measured once, one thread, fused kernels (docs/performance.md).

    A fixed part per update, and two per element of (T, B): the matrix products (G·H·H, three passes) and the
    elementwise work (G·H). A pass forward is a third of an update; a window shortens the way back alone.
    """
    cell, task, training, evaluation = sections["model"], sections["task"], sections["training"], sections["evaluation"]
    G, H = len(cell.gates), cell.hidden_size
    per_element = G * H * (3 * H / 2.5e10 + 2.5e-9)
    back = min(training.bptt_window or task.length, task.length) / task.length
    sequences = training.batch_size * (1 + 2 * back) / 3 + evaluation.sequences / evaluation.every / 3
    return float(training.max_updates * (1e-4 + task.length * sequences * per_element))


def training_memory(sections: Mapping[str, Any]) -> float:
    """Predicted bytes of one run: what the way forward keeps for the way back, per step and sequence.

    The states, and per gate block a handful of intermediate results (the fused kernels keep one, torch's graph about
    five).
    """
    cell, task, training = sections["model"], sections["task"], sections["training"]
    kept = cell.hidden_size * (len(cell.states) + 5 * len(cell.gates))
    return float(task.length * training.batch_size * kept * np.dtype(training.dtype).itemsize)


def compile_kernels(points: Sequence[Mapping[str, Any]]) -> None:
    """Compile, or load from the cache on disk, the fused kernels that these points use, before workers need them."""
    from harness.kernels import KERNELS, warm_up

    used = {(point["model"].cell, point["training"].dtype) for point in points}
    used |= {(cell, "float64") for cell, _ in used if any(point["record"].precision == "float64" for point in points)}
    for cell, dtype in sorted(used):
        if cell in KERNELS:
            warm_up(cell, np.dtype(dtype).type)


EXPERIMENTS: dict[str, Experiment] = {
    "training": Experiment(
        "training",
        {
            "task": Choice("name", TASKS),
            "model": Choice("cell", CELLS),
            "training": Training,
            "evaluation": Evaluation,
            "record": Recording,
        },
        entry="harness.experiments.training:train",
        cost=training_cost,
        memory=training_memory,
        prepare=compile_kernels,
    ),
}
