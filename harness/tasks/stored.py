"""Base of the tasks whose sequences are read from files: what a task says of itself follows from the data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, PrivateAttr, ValidationInfo, field_validator, model_validator

from harness.data.levels import chance, memoryless_loss
from harness.data.parts import Form, Prepared
from harness.data.sequences import DataError, likely_file
from harness.rng import generator
from harness.study.section import setting, wrong
from harness.tasks.task import Batch, Part, Readout, Shape, Task

Fraction = Annotated[float, Field(ge=0, le=1)]
Identity = tuple[str, int, int, int]
PARTS: dict[Part, str] = {"train": "train", "evaluate": "validation", "final": "test", "length": "test"}


@dataclass(frozen=True)
class Origin:
    """Data by where they are and what is made of them.

    Attributes:
        files: setting, path, and identity of each file when the study was read.
        form: parts and scales.
    """

    files: tuple[tuple[str, Path, Identity], ...]
    form: Form

    def load(self) -> Prepared:
        """Read the files.

        Raises:
            DataError: they have not the data that are wanted.
            OSError: one cannot be read.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Summary:
    """What a plan needs to know of data: it is kept for every split of a sweep, where the data are not."""

    length: int
    varies: bool
    input_size: int
    classes: int
    test_sequences: int


class Stored(Task):
    """A batch of training is drawn from the training part, with replacement, by (seed, update); evaluations during
    training from the validation part; the final accuracy is that on every sequence of the test part once.

    Data are read while a study is planned, so that a file that cannot be used is reported before any run.
    """

    fractions: Annotated[tuple[Fraction, Fraction, Fraction], Field(strict=False)] = setting(
        (0.7, 0.15, 0.15), "shares of training, validation and test part, where neither files nor a column give them",
        takes_list=True,
    )  # fmt: skip
    split_seed: int = setting(0, "of the draw of the parts; not the seed of a run", ge=0, lt=2**63)
    standardise: bool = setting(
        True, "mean 0 and deviation 1 in the training part, of inputs and of targets that are numbers"
    )
    solved_from: float = setting(0.99, "accuracy from which on the task is solved", gt=0, le=1)

    @field_validator("fractions", mode="before")
    @classmethod
    def _three(cls, value: object) -> object:
        if isinstance(value, list | tuple) and len(value) != 3:
            raise wrong(
                "fractions",
                "must be three shares whose sum is 1, of the training, validation and test part, such as "
                f"[0.7, 0.15, 0.15], not {list(value)}",
            )
        return value

    _folder: Path = PrivateAttr(default=Path())  # of the study; paths are relative to it
    _origin: Origin | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _read(self, info: ValidationInfo) -> Self:
        folder = (info.context or {}).get("folder")
        if folder is not None:
            self._folder = folder
        self.check_settings()
        try:
            self._origin = self.origin()
            summary(self._origin)
        except DataError as error:
            raise wrong(error.setting, str(error)) from None
        except OSError as error:
            own = {str(path): key for key, path in self.files().items() if key in type(self).model_fields}
            key = own.get(str(error.filename), next(iter(own.values()), "name"))
            likely = likely_file(Path(error.filename)) if isinstance(error, FileNotFoundError) else ""
            raise wrong(key, f"{error.filename}: cannot be read: {error.strerror or error}{likely}") from None
        return self

    def origin(self) -> Origin:
        """Where the data are, as they are now, and what is made of them."""
        raise NotImplementedError

    def check_settings(self) -> None:
        """Refuse settings that do not go together, before a file is opened: `wrong("setting", …)`."""
        if self.fractions[0] <= 0 or abs(sum(self.fractions) - 1) > 1e-9:
            raise wrong(
                "fractions", f"must be three shares whose sum is 1, the first above 0, not {list(self.fractions)}"
            )

    @property
    def prepared(self) -> Prepared:
        """The data; a process reads them once."""
        assert self._origin is not None  # the validator has seen to it
        return prepared(self._origin)

    @property
    def summary(self) -> Summary:
        """The sizes of the data."""
        assert self._origin is not None
        return summary(self._origin)

    @property
    def each_step(self) -> bool:
        """Whether every step has a target."""
        return False

    @property
    def number(self) -> bool:
        """Whether a target is a number, not a class."""
        return False

    @property
    def shape(self) -> Shape:  # type: ignore[override]
        return "sequence_to_sequence" if self.each_step else "sequence_to_vector"

    @property
    def readout(self) -> Readout:  # type: ignore[override]
        return "numbers" if self.number else "classes"

    @property
    def final_sequences(self) -> int:  # type: ignore[override]
        return self.summary.test_sequences

    @property
    def length(self) -> int:
        return self.summary.length

    @property
    def varies(self) -> bool:
        return self.summary.varies

    @property
    def input_size(self) -> int:
        return self.summary.input_size

    @property
    def output_size(self) -> int:
        return self.summary.classes or 1

    @property
    def chance(self) -> float:
        """Of the commonest class of the training part; of numbers, of always saying their mean."""
        assert self._origin is not None
        return chance_of(self._origin, self.tolerance)

    @property
    def memoryless_loss(self) -> float | None:
        """An estimate from the training part: `harness.data.levels.memoryless_loss`."""
        assert self._origin is not None
        return memoryless_of(self._origin, self.each_step)

    def solved(self, accuracy: float) -> bool:
        return accuracy >= self.solved_from

    def batch(self, seed: int, part: Part, index: int, size: int) -> Batch:
        data = self.prepared.parts[PARTS[part]]
        n = len(data.lengths)
        once = part in ("final", "length")
        chosen = np.arange(size) % n if once else generator(seed, part, index).integers(n, size=size)
        inputs = np.ascontiguousarray(data.inputs[chosen].swapaxes(0, 1))
        targets = data.targets[chosen]
        return Batch(
            inputs,
            np.ascontiguousarray(targets.T) if self.each_step else targets,
            data.lengths[chosen] if self.varies else None,
        )

    def spelled(self, inputs: npt.NDArray[np.number[Any]]) -> list[str]:
        if inputs.ndim == 1:
            return [self.prepared.alphabet[int(token)] if token >= 0 else "" for token in inputs]
        return [" ".join(f"{x:.2f}" for x in row) for row in inputs.tolist()]

    def answered(self, answer: npt.NDArray[np.number[Any]]) -> str:
        classes = self.prepared.classes
        return " ".join(classes[int(each)] if classes else f"{each:.2f}" for each in np.atleast_1d(answer).tolist())


def identity(path: Path) -> Identity:
    """What changes when a file does: its inode, size and times."""
    status = path.stat()
    return str(status.st_ino), status.st_size, status.st_mtime_ns, status.st_ctime_ns


@lru_cache(maxsize=2)  # one to train on, one more for a sweep over two; large data should not stay for long
def prepared(origin: Origin) -> Prepared:
    """The data, read unless they were just before."""
    return origin.load()


@lru_cache(maxsize=1024)
def summary(origin: Origin) -> Summary:
    """The sizes of the data."""
    own = prepared(origin)
    return Summary(own.length, own.varies, own.input_size, len(own.classes), len(own.parts["test"].lengths))


@lru_cache(maxsize=1024)
def chance_of(origin: Origin, tolerance: float) -> float:
    """`harness.data.levels.chance` of the training part."""
    own = prepared(origin)
    return chance(own.parts["train"], len(own.classes), tolerance)


@lru_cache(maxsize=1024)
def memoryless_of(origin: Origin, each_step: bool) -> float:
    """`harness.data.levels.memoryless_loss`."""
    return memoryless_loss(prepared(origin), each_step)
