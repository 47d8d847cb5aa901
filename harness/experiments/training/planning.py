"""What a training run will cost, in seconds and bytes, and the kernels that it needs; planned without torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.cells.cell import Cell
from harness.cells.elementwise import Elementwise
from harness.errors import HarnessError
from harness.experiments.training.schedule import recorded_updates
from harness.experiments.training.settings import TrainingSections


def seconds(sections: TrainingSections) -> float:
    """Predicted seconds of one run at its full budget: measured once, one thread (docs/performance.md).

    A fixed part per update, and one per element of (T, B, G·H). A pass forward is a third of an update; a window
    shortens the way back alone, unless the state is carried: then it is all there is to an update. Ω and flossing go
    through the steps one by one. A probe takes as long as some fifty updates, singular values of Jacobians hundreds.
    """
    cell, task, training, evaluation = sections.model, sections.task, sections.training, sections.evaluation
    width = len(cell.gates) * cell.hidden_size
    window = training.window(task.length)
    steps = window if task.carried else (task.length + 2 * window) / 3
    evaluated = task.length * evaluation.sequences / evaluation.every / 3
    penalties = task.length * (4e-5 * (training.omega is not None) + 1e-3 * (training.flossing is not None))
    update = 1e-4 + penalties + (steps * training.batch_size + evaluated) * width * seconds_per_number(cell)
    record = sections.record
    recorded = sum(at <= training.max_updates for at in recorded_updates(record.adjoints, training.max_updates))
    # of all probes, built in or not; a plug-in's is taken to cost what most of ours do
    probes = sum(4e-6 if name == "jacobian_singular_values" else 4e-7 for name in record.probes)
    return float(training.max_updates * update + recorded * task.length * training.batch_size * width * probes)


def seconds_per_number(cell: Cell) -> float:
    """Seconds of an update for an element of (T, B, G·H).

    Matrix products (H multiplications, three passes) and elementwise work in a fused kernel, elementwise work alone, or
    the steps of the torch engine one by one.
    """
    if cell.fused:
        return 3 * cell.hidden_size / 2.5e10 + 2.5e-9
    return 1.2e-8 if isinstance(cell, Elementwise) else 6e-8


def bytes_kept(sections: TrainingSections) -> float:
    """Predicted bytes of one run: what the forward pass keeps for the backward pass, per step and sequence.

    The states, and per gate block a handful of intermediate results (the fused kernels keep one, torch's graph about
    five).
    """
    cell, task, training = sections.model, sections.task, sections.training
    numbers = cell.hidden_size * (len(cell.states) + 5 * len(cell.gates))
    steps = training.window(task.length) if task.carried else task.length
    return float(steps * training.batch_size * numbers * np.dtype(training.dtype).itemsize)


def compile_kernels(points: Sequence[TrainingSections]) -> None:
    """Compile, or load from the cache on disk, the fused kernels that these points use, before workers need them.

    Raises:
        HarnessError: numba has been told not to compile.
    """
    if not any(point.model.fused or isinstance(point.model, Elementwise) for point in points):
        return
    from numba.core import config

    if getattr(config, "DISABLE_JIT", False):  # by the variable, or by a .numba_config.yaml in the current folder
        raise HarnessError(
            "NUMBA_DISABLE_JIT is set, and the fused kernels run only if they are compiled: unset it, or compute with "
            "--engine torch"
        )
    from harness.recurrence.kernels import KERNELS, diagonal, warm_up

    used = set()
    for point in points:
        cell = "diagonal" if isinstance(point.model, Elementwise) else point.model.cell
        exact = point.record.precision == "float64"
        used |= {(cell, point.training.dtype)} | ({(cell, "float64")} if exact else set())
    for cell, dtype in sorted(used):
        if cell == "diagonal":
            diagonal.warm_up(np.dtype(dtype).type)
        elif cell in KERNELS:
            warm_up(cell, np.dtype(dtype).type)
