"""What every task says of itself. A task *is* its settings, with its limits, chance level, rule and data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import model_validator

from harness.rng import generator
from harness.schema import Column
from harness.study.section import Section, wrong

Shape = Literal["sequence_to_vector", "sequence_to_sequence", "vector_to_sequence", "sequence_to_vector_to_sequence"]
Part = Literal["train", "evaluate", "final", "length"]
Readout = Literal["classes", "bits", "numbers"]  # softmax, sigmoid or linear; see models/readout.py

PADDING = -1  # a token that stands for an all-zero input row
ABSENT = -2  # a token that stands for a step which a sequence does not have; of real rows NaN
UNSCORED = -1  # a target that neither the loss nor the accuracy sees
TOLERANCE = 0.04  # of a number: |ŷ − y| below it is right (Hochreiter & Schmidhuber 1997, section 5.4)


@dataclass(frozen=True)
class Batch:
    """Inputs and targets of one batch.

    Inputs are tokens (T, B), indices of one-hot rows with `PADDING` for a row of zeros, or real rows (T, B, D); a
    vector is a sequence of one row. Targets are (B,); (N, B) where a vector has N answers, as the digits of a number;
    or a sequence (T′, B). Numbers are floats; of these NaN is unscored.

    With `lengths` (B,), 1 … T, a sequence has so many steps, the last of the batch's with `padding` "pre", the first
    with "post"; all other steps change no state and have no loss. Padding without lengths is input as any other.
    """

    inputs: npt.NDArray[np.number[Any]]
    targets: npt.NDArray[np.number[Any]]
    lengths: npt.NDArray[np.integer[Any]] | None = None
    padding: Literal["pre", "post"] = "pre"


class Task(Section):
    """Base of all tasks; `name` is the key by which a study chooses one.

    Attributes:
        shape: which model meets it.
        readout: what an output is: one of C classes, a bit, or a real number.
        carried: a batch is one long series; it is trained in chunks, and the state is carried from chunk to chunk.
        final_sequences: how many sequences `final_accuracy` is measured on.
        length_setting: the setting that says how long a sequence is, if a trained network can be judged at other
            values of it (`evaluation.lengths`): neither inputs nor answers change in kind with it. Empty: it cannot.
        label_names: of `labels`, in their order.
        label_orders: the values of a label in reading order, by its name; a label without an entry is sorted.
        measures: columns of the table of runs that this task adds: what it measures of a trained network.
        code_measures: "module:function" that measures them where codes are recorded: (model, parameters of one run,
            seed) → {column: value}. Text, because it needs torch and a plan does not.
    """

    shape: ClassVar[Shape]
    readout: ClassVar[Readout] = "classes"
    carried: ClassVar[bool] = False
    final_sequences: ClassVar[int] = 2048
    length_setting: ClassVar[str] = ""
    label_names: ClassVar[tuple[str, ...]] = ()
    label_orders: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    measures: ClassVar[tuple[Column, ...]] = ()
    code_measures: ClassVar[str] = ""
    switch_keys: ClassVar[tuple[str, ...]] = ()  # a unit may tell that the first has been seen; probes/switches.py
    name: str

    @model_validator(mode="before")
    @classmethod
    def _one_length(cls, data: object) -> object:
        """A range of lengths is refused where all sequences have one."""
        given = data.get("sequence_length") if isinstance(data, dict) else None
        if isinstance(given, Mapping) and "shortest_length" not in cls.model_fields:
            name = data.get("name") if isinstance(data, dict) else None
            raise wrong("sequence_length", f"'{name}' has sequences of one length; give a number")
        return data

    @property
    def varies(self) -> bool:
        """Whether its batches carry lengths; `harness.tasks.lengths.Varying` has the setting."""
        return False

    @property
    def decodes(self) -> bool:
        """Whether the answer is a sequence that a decoder unrolls from a vector."""
        return self.shape in ("vector_to_sequence", "sequence_to_vector_to_sequence")

    @property
    def has_codes(self) -> bool:
        """Whether there are vectors of inputs to record: those that a decoder unrolls, or those of words."""
        return self.shape == "sequence_to_vector_to_sequence"

    @property
    def length(self) -> int:
        """T, the number of time steps that a state goes through, padding included."""
        raise NotImplementedError

    @property
    def dependency(self) -> int:
        """Steps that the longest dependency spans: what chrono initialisation allows for."""
        return self.length

    @property
    def input_size(self) -> int:
        """D, the width of an input row."""
        raise NotImplementedError

    @property
    def symbols_read(self) -> int:
        """How many tokens there are, where inputs are tokens: D, unless tokens are looked up in a table of vectors."""
        return self.input_size

    @property
    def output_size(self) -> int:
        """C, the number of classes; 1 for a bit or a number."""
        raise NotImplementedError

    @property
    def answers(self) -> int:
        """N, how many answers a vector holds."""
        return 1

    @property
    def chance(self) -> float:
        """Accuracy of guessing."""
        raise NotImplementedError

    @property
    def memoryless_loss(self) -> float | None:
        """Loss in nats of the best prediction from the present input alone; None where it is not known."""
        return log(1 / self.chance)

    @property
    def trained_length(self) -> int | None:
        """The value of `length_setting`; None where there is none."""
        return getattr(self, self.length_setting) if self.length_setting else None

    def at_length(self, length: int) -> Self:
        """This task with sequences of another length and all else as it is, within the task's own limits.

        Args:
            length: a value of the setting that `length_setting` names.

        Raises:
            NotImplementedError: a network trained on this task cannot be judged at another length.
            ValidationError, or PydanticCustomError (`wrong`): the task does not have that length.
        """
        if not self.length_setting:
            raise NotImplementedError(f"'{self.name}' cannot be judged at other lengths")
        settings = {key: getattr(self, key) for key in type(self).model_fields}
        return type(self).model_validate({**settings, self.length_setting: length})

    @property
    def tolerance(self) -> float:
        """Of a number: |ŷ − y| below it is right."""
        return TOLERANCE

    def solved(self, accuracy: float) -> bool:
        """The task's own rule; for classification an accuracy of at least .99."""
        return accuracy >= 0.99

    def check_batches(self, batch_size: int, sequences: int, every: int, max_updates: int) -> None:
        """Refuse batches that this task does not have, while the study is planned.

        Args:
            batch_size, max_updates: of training.
            sequences, every: of evaluation.

        Raises:
            PydanticCustomError: `wrong("training.batch_size", …)`, or another setting.
        """

    def batch(self, seed: int, part: Part, index: int, size: int) -> Batch:
        """The data of one update (or one episode of a carried task): fresh ones unless the task says otherwise.

        Args:
            part: "train", "evaluate" (the curve), "final", or "length" (judged at another length); a task with a fixed
                body of data keeps them apart.
            index: the update, or the episode.
            size: sequences.
        """
        return self.sample(generator(seed, part, index), size)

    def spelled(self, inputs: npt.NDArray[np.number[Any]]) -> list[str]:
        """An input sequence (T,) or (T, D) as text, a word a step; padding is an empty word."""
        return ["" if token == PADDING else str(token) for token in inputs.tolist()]

    def answered(self, answer: npt.NDArray[np.number[Any]]) -> str:
        """An answer (a target's column) as text."""
        return " ".join(map(str, np.atleast_1d(answer).tolist()))

    def labels(self, inputs: npt.NDArray[np.number[Any]]) -> list[str]:
        """What an input is about, for telling codes apart; names are in `label_names`."""
        return []

    def sample(self, generator: np.random.Generator, batch: int) -> Batch:
        """Draw `batch` fresh sequences."""
        raise NotImplementedError
