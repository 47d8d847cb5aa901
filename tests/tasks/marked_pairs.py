"""The two marked numbers of sequences of marked numbers."""

from typing import Any

from harness.tasks.task import Batch


def marked_pairs(batch: Batch) -> Any:
    """(B, 2), in the order of time."""
    numbers, marks = batch.inputs[..., 0].T, batch.inputs[..., 1].T
    return numbers[marks == 1].reshape(-1, 2).astype(float)
