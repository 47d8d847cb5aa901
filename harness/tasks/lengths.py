"""Sequences of their own lengths: how a study asks for them, and how their batches are brought to one form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import WithJsonSchema, model_validator

from harness.errors import HarnessError
from harness.study.spec import setting, wrong
from harness.tasks.task import ABSENT, UNSCORED, Batch, Task

RANGE = {
    "type": "object",
    "properties": {"low": {"type": "integer", "minimum": 1}, "high": {"type": "integer", "minimum": 1}},
    "required": ["low", "high"],
    "additionalProperties": False,
}
Length = Annotated[int, WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, RANGE]})]


class Varying(Task):
    """Base of the tasks whose sequences may have lengths of their own, `sequence_length: {low: 50, high: 100}`.

    The batch then has T = high steps. A step that a sequence does not have changes no state and has no loss, so that
    each sequence is as if it were alone.
    """

    shortest_length: int | None = setting(
        None,
        "low of sequence_length: {low, high}: each sequence has a length of its own, low … high equally often; null: "
        "all have sequence_length",
        unit="steps",
        unset="sequence_length",
        ge=1,
    )

    @model_validator(mode="before")
    @classmethod
    def _range(cls, data: object) -> object:
        """{low, high} as the longest and the shortest length; equal ends are one length."""
        if not isinstance(data, dict):
            return data
        given = data.get("sequence_length")
        if isinstance(given, Mapping):
            if set(given) != {"low", "high"} or any(type(end) is not int for end in given.values()):
                raise wrong("sequence_length", "expected a whole number, or {low: …, high: …} with two of them")
            low, high = given["low"], given["high"]
            if low < 1:
                raise wrong("sequence_length", f"low: {low} is less than one step")
            if data.get("shortest_length") not in (None, low):
                raise wrong("shortest_length", f"sequence_length has low: {low}; leave shortest_length out")
            if low > high:
                raise wrong("sequence_length", f"low: {low} is more than high: {high}")
            data = {**data, "sequence_length": high, "shortest_length": low}
        if data.get("shortest_length") is not None and data["shortest_length"] == data.get("sequence_length"):
            data = {**data, "shortest_length": None}
        return data

    @model_validator(mode="after")
    def _shortest_first(self) -> Self:
        longest = getattr(self, "sequence_length", None)
        if self.shortest_length is not None and longest is not None and self.shortest_length > longest:
            raise wrong("shortest_length", f"is {self.shortest_length}, more than sequence_length, which is {longest}")
        return self

    def at_length(self, length: int) -> Self:
        """All sequences of that one length."""
        one = self.model_copy(update={"shortest_length": None}) if self.varies else self
        return super(Varying, one).at_length(length)

    @property
    def varies(self) -> bool:
        return self.shortest_length is not None

    def draw_lengths(self, generator: np.random.Generator, batch: int) -> npt.NDArray[np.int64]:
        """A length for each sequence, low … high equally often."""
        return generator.integers(self.shortest_length or self.length, self.length + 1, size=batch)


def marked_absent(batch: Batch, *, steps: bool) -> Batch:
    """A batch with lengths in the form that models take: sequences end at T, and steps before them are marked.

    Absent steps are ABSENT tokens, or rows of NaN; their targets, where there is one a step, are not scored. A batch
    without lengths is returned as it is.

    Args:
        steps: whether targets are a sequence along the inputs, (T, B).

    Raises:
        HarnessError: lengths are not one for each sequence, or not in 1 … T.
    """
    if batch.lengths is None:
        return batch
    T, B = batch.inputs.shape[:2]
    lengths = np.asarray(batch.lengths)
    if lengths.shape != (B,):
        raise HarnessError(f"a batch of {B} sequences has lengths of shape {lengths.shape}, expected ({B},)")
    outside = np.flatnonzero((lengths < 1) | (lengths > T))
    if outside.size:
        b = int(outside[0])
        raise HarnessError(
            f"sequence {b} of a batch has length {lengths[b]}, expected 1 … {T}: the batch has {T} steps"
        )
    absent = np.arange(T)[:, None] < T - lengths
    inputs, targets = (_at_end(part, lengths, batch) for part in (batch.inputs, batch.targets if steps else None))
    assert inputs is not None
    real = np.issubdtype(inputs.dtype, np.floating)
    inputs = np.where(absent[..., None] if inputs.ndim == 3 else absent, np.nan if real else ABSENT, inputs)
    inputs = inputs.astype(batch.inputs.dtype if real else np.int64)
    if targets is None:
        return Batch(inputs, batch.targets, lengths)
    none = np.nan if np.issubdtype(targets.dtype, np.floating) else UNSCORED
    return Batch(inputs, np.where(absent, none, targets).astype(targets.dtype), lengths)


def _at_end(array: npt.NDArray[Any] | None, lengths: npt.NDArray[Any], batch: Batch) -> npt.NDArray[Any] | None:
    """Sequences that begin at the first step, moved so that they end at the last."""
    if array is None or batch.padding == "pre":
        return array
    T = len(array)
    steps = (np.arange(T)[:, None] + lengths) % T  # (T, B)
    return np.take_along_axis(array, steps[..., None] if array.ndim == 3 else steps, axis=0)
