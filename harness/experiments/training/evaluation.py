"""How good a network is on data that it is not trained on, and how large its recurrent matrices have become."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from torch import Tensor

from harness.cells.cell import Cell
from harness.cells.initialisation import sigma_max, spectral_radius
from harness.cells.layers import recurrent_names
from harness.experiments.training.arithmetic import arithmetic
from harness.experiments.training.batches import draw
from harness.experiments.training.replicas import Replicas
from harness.experiments.training.settings import Training, TrainingSections
from harness.experiments.training.trace import Trace
from harness.models.model import AT_ONCE, Model
from harness.tasks.task import Part, Task


def loss_and_accuracy(
    model: Model,
    replicas: Replicas,
    seeds: Sequence[int],
    part: Part,
    index: int,
    size: int,
    training: Training,
    device: str,
) -> list[tuple[float, float]]:
    """Mean loss and accuracy of each replica on `size` sequences of its own seed's data.

    Args:
        model: of all replicas.
        replicas: R of them.
        seeds: R, of their data.
        part: "evaluate" or "final".
        index: which draw of that part.
        size: sequences.
        training: in whose arithmetic.
        device: torch device.
    """
    inputs, targets = draw(model.task, seeds, part, index, size, device)
    with arithmetic(training, device):
        losses, accuracies = model.judge(replicas.parameters, inputs, targets)
    return list(zip(losses.tolist(), accuracies.tolist(), strict=True))


def at_lengths(
    model: Model, alone: Replicas, seed: int, lengths: Sequence[int], training: Training, device: str
) -> list[dict[str, float | int | None]]:
    """Rows of the table of evaluations: how one replica does at other lengths of its task.

    Each length is judged on `final_sequences` sequences of a stream of its own: neither that of training nor that of
    the final accuracy, nor another length's.

    Args:
        model: of the replica.
        alone: the replica (R = 1).
        seed: of its data.
        lengths: values of the task's own setting, `Task.length_setting`.
        training: in whose arithmetic.
        device: torch device.
    """
    rows: list[dict[str, float | int | None]] = []
    for length in lengths:
        task = model.task.at_length(length)
        with arithmetic(training, device):
            losses, accuracies = replace(model, task=task).judge_parts(
                alone.parameters, parts_at_length(task, seed, length, device)
            )
        rows.append({
            "length": length, "trained_length": model.task.trained_length, "sequences": task.final_sequences,
            "accuracy": accuracies.item(), "loss": losses.item(), "chance": task.chance,
            "memoryless_loss": task.memoryless_loss,
        })  # fmt: skip
    return rows


def parts_at_length(task: Task, seed: int, length: int, device: str) -> Iterator[tuple[Tensor, Tensor]]:
    """The sequences on which a length is judged, drawn a part at a time: whole, a long batch would fill the memory.

    Args:
        task: at that length.
        length: part k of it is draw length·2³² + k of the stream "length", so that no two lengths share a draw.
    """
    for part, first in enumerate(range(0, task.final_sequences, AT_ONCE)):
        size = min(AT_ONCE, task.final_sequences - first)
        yield draw(task, [seed], "length", length * 2**32 + part, size, device)


def evaluate(
    model: Model,
    replicas: Replicas,
    traces: Sequence[Trace],
    update: int,
    sections: TrainingSections,
    norms: Tensor,
    device: str,
) -> None:
    """Add a row to each replica's curve; the first that meets the task's rule sets `solved_at`.

    Args:
        norms: ‖∂L/∂θ‖₂ of the update's batch, (R,), before clipping.
    """
    training, size = sections.training, sections.evaluation.sequences
    longest = training.clip_norm
    seeds = [trace.run.seed for trace in traces]
    measured = loss_and_accuracy(model, replicas, seeds, "evaluate", update, size, training, device)
    for i, (trace, (loss, accuracy)) in enumerate(zip(traces, measured, strict=True)):
        norm = float(norms[i])
        trace.curves.append({
            "update": update, "sequences": update * training.batch_size, "loss": loss, "accuracy": accuracy,
            "gradient_norm": norm, "clipped": longest is not None and norm > longest,
            **matrix_sizes(model, replicas, i),
        })  # fmt: skip
        # argmax and comparisons make an accuracy of NaN too, and no network has met the task's rule
        if trace.solved_at is None and loss == loss and model.task.solved(accuracy):
            trace.solved_at = update


def matrix_sizes(model: Model, replicas: Replicas, i: int) -> dict[str, float | None]:
    """ρ and σ₁ of one replica's recurrent matrices, the largest over its gate blocks; nothing where it has none."""
    names = trained_recurrent_names(model.cell, replicas)
    matrices: list[npt.NDArray[np.float64]] = []
    for mark in sorted({"′" if name.endswith("′") else "" for name in names}):  # a decoder has weights of its own
        for direction in model.stack.directions:
            own = {name: f"{name}{direction.suffix}{mark}" for name in direction.cell.recurrent_weights}
            trained = {name: replicas.parameters[full][i : i + 1].detach() for name, full in own.items()}
            matrices += [W[0].cpu().double().numpy() for W in direction.cell.recurrent_matrices(trained)]
    blocks = [block for W in matrices for block in np.split(W, len(W) // W.shape[1])]
    if not blocks:
        return {"spectral_radius_now": None, "sigma_max": None}
    return {
        "spectral_radius_now": max(map(spectral_radius, blocks)),
        "sigma_max": max(map(sigma_max, blocks)),
    }


def trained_recurrent_names(cell: Cell, replicas: Replicas) -> list[str]:
    """Names of a model's recurrent weights, of all layers; those of a decoder end in ′."""
    known = set(recurrent_names(cell))
    return [name for name in replicas.parameters if name.removesuffix("′") in known]
