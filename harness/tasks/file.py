"""Your own sequences: a file of them, a row a step (CSV, parquet), arrays (npz, npy), or the archives' .ts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from harness.data.arrays import read_arrays
from harness.data.parts import Form, Prepared, prepare
from harness.data.sequences import DataError, Sequences, check_size
from harness.data.tables import Columns, read_table
from harness.data.ts import read_ts
from harness.errors import nearest
from harness.study.section import File, setting, wrong
from harness.tasks.stored import Origin, Stored, identity

TABLES = (".csv", ".tsv", ".txt", ".parquet")
ARRAYS = (".npy", ".npz")
KINDS = (*TABLES, *ARRAYS, ".ts")
PART_OF = {"path": "train", "validation_path": "validation", "test_path": "test"}


class FileTask(Stored):
    """Tell the class, or the number, that a file gives to each sequence, or to each step of it.

    A file is a long table, arrays, or a .ts (docs/data.md). Inputs that are numbers are standardised, channel by
    channel, by mean and deviation of the training part, and so are targets that are numbers: a loss of 1 is that of
    always saying the mean, and `tolerance` counts in standard deviations. Training, validation and test part are files
    of their own, named by a column, or drawn (`fractions`, `split_seed`): the same for all runs, whatever their seed.
    """

    name: Literal["file"] = setting(..., "which task", column="task")
    path: File = setting(..., "file of the sequences, or of those to train on; relative to the study", column="file")
    validation_path: File | None = setting(None, "file of the validation part", column="validation_file")
    test_path: File | None = setting(None, "file of the test part", column="test_file")
    targets_path: File | None = setting(None, "file of the targets, beside an .npy", column="targets_file")
    id: str | None = setting(None, "column that names the sequence of a row; tables only", column="id_column")
    time: str | None = setting(
        None, "column that orders the steps of a sequence; tables only", column="time_column", unset="as they stand"
    )
    inputs: Annotated[tuple[str, ...], Field(strict=False)] = setting(
        (), "columns of the inputs", column="input_columns", takes_list=True
    )
    target: str | None = setting(None, "column of the targets", column="target_column")
    predict: Literal["class", "number"] = setting("class", "what a target is")
    scored: Literal["end", "every_step"] = setting(
        "end", "where there is a target: at the end of a sequence, or at every step"
    )
    symbols: bool = setting(False, "the input is one symbol a step, not numbers", column="symbol_inputs")
    split_by: str | None = setting(
        None, "column that names the part of a sequence: train, validation or test", column="split_column"
    )
    longest: int | None = setting(
        None,
        "a longer sequence is an error; null: no limit",
        unit="steps",
        column="length_limit",
        unset="any",
        ge=1,
    )
    within: float = setting(0.1, "a number is right if |ŷ − y| is below this", gt=0)

    def check_settings(self) -> None:
        super().check_settings()
        kind = self.path.suffix
        if kind not in KINDS:
            raise wrong("path", f"no kind of file '{kind}'{nearest(kind, KINDS)}")
        for key in ("validation_path", "test_path"):
            other = getattr(self, key)
            if other is not None and other.suffix != kind:
                raise wrong(key, f"is a '{other.suffix}' and path a '{kind}'; the parts are files of one kind")
        if kind in TABLES:
            for key in ("id", "inputs", "target"):
                if not getattr(self, key):
                    raise wrong(key, f"must be given: a {kind} has columns")
        unread = {".ts": ("id", "time", "inputs", "target", "split_by"), ".npy": ("id", "time", "inputs", "target"),
                  ".npz": ("id", "time")}  # fmt: skip
        for key in unread.get(kind, ()):
            if getattr(self, key):
                raise wrong(key, f"is for tables; a {kind} has no columns")
        if (kind == ".npy") != (self.targets_path is not None):
            raise wrong("targets_path", "must be given beside an .npy" if kind == ".npy" else "is for an .npy alone")
        if kind == ".npy" and (self.validation_path or self.test_path or self.split_by):
            raise wrong("path", "an .npy is cut by fractions alone; put parts into an .npz")
        if kind in ARRAYS and len(self.inputs) > 1:
            raise wrong("inputs", "is one array (N, T, D) here")
        if kind == ".ts" and (self.each_step or self.symbols):
            raise wrong("scored" if self.each_step else "symbols", "has no meaning for a .ts")
        if self.symbols and len(self.inputs) > 1:
            raise wrong("inputs", "with symbols the input is one column")
        if self.split_by is not None and (self.validation_path or self.test_path):
            raise wrong("split_by", "files of the parts are given as well; leave one of them out")

    @property
    def tolerance(self) -> float:
        return self.within

    @property
    def each_step(self) -> bool:
        return self.scored == "every_step"

    @property
    def number(self) -> bool:
        return self.predict == "number"

    def files(self) -> dict[str, Path]:
        return {key: self._folder / path for key, path in super().files().items()}

    def origin(self) -> Origin:
        files = tuple((key, path, identity(path)) for key, path in self.files().items())
        columns = Columns(
            self.id or "", self.time, self.inputs, self.target or "", self.split_by, self.symbols, self.number,
            self.each_step,
        )  # fmt: skip
        form = Form(self.number, self.each_step, self.standardise, self.longest, self.fractions, self.split_seed)
        return FileOrigin(files, form, columns)


@dataclass(frozen=True)
class FileOrigin(Origin):
    """Files of a user's."""

    columns: Columns

    def load(self) -> Prepared:
        paths = {key: path for key, path, _ in self.files}
        targets = paths.pop("targets_path", None)
        given = {}
        for key, path in paths.items():
            try:
                given[PART_OF[key]] = read(path, self.columns, targets)
            except DataError as error:
                raise DataError(str(error), key if error.setting == "path" else error.setting) from None
        return prepare(given, self.form)


def read(path: Path, columns: Columns, targets: Path | None = None) -> Sequences:
    """The sequences of one file."""
    if path.is_dir():
        raise DataError(f"{path}: is a folder; name a file in it")
    check_size(path)
    if path.suffix == ".ts":
        return read_ts(path, columns.number)
    return read_arrays(path, columns, targets) if path.suffix in ARRAYS else read_table(path, columns)
