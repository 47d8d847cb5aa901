"""Long tables, a row a step: CSV and parquet.

walk,t,x,y,label
1,0,0.31,-1.20,left
1,1,0.35,-1.02,left
"""

from __future__ import annotations

import codecs
import csv
import shlex
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from harness.data.sequences import DataError, Numbers, Sequences, Values, Words, numbers
from harness.errors import nearest

Cells = npt.NDArray[np.object_] | npt.NDArray[np.float64]
DELIMITERS = ",;\t"
PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Columns:
    """Which columns of a table are what.

    Attributes:
        id: names the sequence of a row.
        time: orders the rows of a sequence; None: as they stand.
        inputs, target: columns of numbers, or one of symbols; and of what is to be predicted.
        split: names the part of a sequence; None: the file does not.
        symbols: whether the input is one symbol a step.
        number: whether the target is a number, not a class.
        each_step: whether every step has a target of its own.
    """

    id: str
    time: str | None
    inputs: tuple[str, ...]
    target: str
    split: str | None
    symbols: bool
    number: bool
    each_step: bool

    @property
    def settings(self) -> dict[str, str]:
        """The setting by which a study names each column."""
        named = {self.id: "id", self.target: "target", **dict.fromkeys(self.inputs, "inputs")}
        return named | ({self.time: "time"} if self.time else {}) | ({self.split: "split_by"} if self.split else {})


def read_table(path: Path, columns: Columns) -> Sequences:
    """The sequences of a long table.

    Sequences are in the order of their first rows; rows of several may be mixed. Other columns are not read.

    Raises:
        DataError: a column is not there, a cell is missing or no number, times do not increase, or what belongs to a
            whole sequence (target, part) changes within it.
        OSError: the file cannot be read.
    """
    table = (_parquet if path.suffix == ".parquet" else _csv)(path, columns)
    if not len(table):
        raise DataError(f"{path}: has a header and no rows")

    def place(column: str, row: int) -> str:
        shown = f"row {row + 1}" if path.suffix == ".parquet" else f"line {_line(path, row)}"
        return f"{path}: {shown}, column '{column}'"

    encoded = pc.dictionary_encode(_text(table, columns.id, place))  # numbered by first appearance
    sequence = encoded.indices.to_numpy()  # (S,)
    ids = encoded.dictionary.to_pylist()

    def name_of(row: int) -> str:
        return str(ids[sequence[row]])

    order = np.argsort(sequence, kind="stable")
    lengths = np.bincount(sequence)
    if columns.time is not None:
        _check_times(_times(table, columns.time, place), name_of, order, lengths, columns.time, place)
    if columns.symbols:
        rows: Values = _words(table, columns.inputs[0], place)[order, None]
    else:
        rows = np.stack([_numbers(table, name, place)[order] for name in columns.inputs], axis=1)
    targets = (_numbers if columns.number else _words)(table, columns.target, place)[order]
    starts = np.cumsum(lengths) - lengths
    if not columns.each_step:
        targets = _of_sequence(
            targets, columns.target, name_of, order, lengths, place, " where the loss is at its end"
        )[starts]
    parts = None
    if columns.split is not None:
        words = _words(table, columns.split, place)
        for row in np.flatnonzero(~np.isin(words, PARTS))[:1]:
            raise DataError(f"{place(columns.split, row)}: no part '{words[row]}'{nearest(words[row], PARTS)}")
        parts = _of_sequence(words[order], columns.split, name_of, order, lengths, place, "")[starts]
    return Sequences(
        rows, targets, lengths, parts, lambda step: place(columns.target, int(order[step])), columns.inputs
    )


def _csv(path: Path, columns: Columns) -> pa.Table:
    """The columns that are wanted, as texts."""
    with path.open("rb") as file:
        line = file.readline()
    if line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in line:
        raise DataError(f"{path}: is UTF-16, or no text; {_converted(path, 'utf-16')}")
    if b"\r" in line.rstrip(b"\r\n"):
        raise DataError(f"{path}: lines end with a carriage return alone; save it with line feeds")
    try:
        header = line.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path}: line 1 is not UTF-8; {_converted(path, 'latin1')}") from None
    delimiter = max(DELIMITERS, key=header.count)
    names = [name.strip() for name in next(csv.reader([header.rstrip("\r\n")], delimiter=delimiter), [])]
    _check_columns(path, names, columns)
    try:
        return pa_csv.read_csv(
            path,
            read_options=pa_csv.ReadOptions(column_names=names, skip_rows=1, use_threads=False),
            parse_options=pa_csv.ParseOptions(delimiter=delimiter),
            convert_options=pa_csv.ConvertOptions(
                include_columns=list(columns.settings), column_types=dict.fromkeys(columns.settings, pa.string())
            ),
        )
    except pa.ArrowInvalid as error:
        _check_utf8(path, names, delimiter, columns)
        raise DataError(f"{path}: {str(error).splitlines()[0]}") from None


def _check_utf8(path: Path, names: Sequence[str], delimiter: str, columns: Columns) -> None:
    """Refuse the first cell of a wanted column that is not UTF-8, by its line and column."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            with suppress(UnicodeDecodeError):
                line.decode()
                continue
            cells = next(csv.reader([line.rstrip(b"\r\n").decode("latin-1")], delimiter=delimiter), [])
            for name, cell in zip(names, cells, strict=False):
                try:
                    cell.encode("latin-1").decode()
                except UnicodeDecodeError:
                    if name in columns.settings:
                        place = f"{path}: line {number}, column '{name}'"
                        raise DataError(f"{place}: is not UTF-8; {_converted(path, 'latin1')}") from None


def _converted(path: Path, coding: str) -> str:
    """How a text becomes UTF-8, as one would type it."""
    return f"save it as UTF-8 (iconv -f {coding} -t utf-8 {shlex.quote(path.name)} > utf8{path.suffix})"


def _parquet(path: Path, columns: Columns) -> pa.Table:
    try:
        file = pq.ParquetFile(path)
        _check_columns(path, file.schema_arrow.names, columns)
        return file.read(columns=list(columns.settings))
    except pa.ArrowInvalid as error:
        raise DataError(f"{path}: {str(error).splitlines()[0]}") from None


def _check_columns(path: Path, names: Sequence[str], columns: Columns) -> None:
    for name, setting in columns.settings.items():
        if name not in names:
            raise DataError(f"{path}: no column '{name}'{nearest(name, names)}", setting)
        if list(names).count(name) > 1:
            raise DataError(f"{path}: has two columns '{name}'", setting)


def _line(path: Path, row: int) -> int:
    """The line of a row of data in a text; lines that are empty are no rows."""
    with path.open("rb") as file:
        seen = -1  # the header
        for number, line in enumerate(file, start=1):
            seen += bool(line.strip(b"\r\n")) and number > 1
            if seen == row:
                return number
    return row + 2


Place = Callable[[str, int], str]


def _words(table: pa.Table, name: str, place: Place) -> Words:
    return np.asarray(_text(table, name, place).to_numpy(zero_copy_only=False), dtype=np.str_)


def _text(table: pa.Table, name: str, place: Place) -> pa.Array:
    """A column as texts, none of them missing."""
    column = table[name].combine_chunks()
    text = pc.utf8_trim_whitespace(pc.cast(column, pa.string()))
    at = pc.index(pc.equal(pc.fill_null(text, ""), ""), True).as_py()  # "none" may well be a class
    if at >= 0:
        raise DataError(f"{place(name, at)}: is missing")
    return text


def _numbers(table: pa.Table, name: str, place: Place) -> Numbers:
    column = table[name].combine_chunks()
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        words = pc.utf8_trim_whitespace(column)
        try:
            cells: Cells = pc.cast(words, pa.float64()).to_numpy(zero_copy_only=False)
        except pa.ArrowInvalid:
            cells = words.fill_null("").to_numpy(zero_copy_only=False)
    else:
        try:
            cells = pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            raise DataError(f"{place(name, 0)}: holds {column.type}, no numbers") from None
    return numbers(cells, lambda row: place(name, row))


def _times(table: pa.Table, name: str, place: Place) -> npt.NDArray[np.float64] | npt.NDArray[np.int64]:
    """Numbers, or dates and times of day as whole numbers; whole numbers as they are: nanoseconds need all digits."""
    column = table[name].combine_chunks()
    if pa.types.is_string(column.type):
        with suppress(pa.ArrowInvalid):
            column = pc.cast(pc.utf8_trim_whitespace(column), pa.int64())
    if pa.types.is_integer(column.type) and not column.null_count:
        return np.asarray(column.to_numpy(zero_copy_only=False))
    if pa.types.is_string(column.type):
        try:
            column = pc.cast(pc.utf8_trim_whitespace(column), pa.timestamp("ns"))
        except pa.ArrowInvalid:
            return _numbers(table, name, place)
    if pa.types.is_temporal(column.type):
        for row in np.flatnonzero(pc.is_null(column).to_numpy(zero_copy_only=False))[:1]:
            raise DataError(f"{place(name, int(row))}: is missing")
        return np.asarray(column.cast(pa.timestamp("ns")).cast(pa.int64()).to_numpy(zero_copy_only=False))
    return _numbers(table, name, place)


def _within(lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Whether a step has the one before it in its own sequence, (S − 1,)."""
    within = np.ones(int(lengths.sum()) - 1, bool)
    within[np.cumsum(lengths)[:-1] - 1] = False
    return within


def _check_times(
    times: npt.NDArray[np.float64] | npt.NDArray[np.int64],
    name_of: Callable[[int], str],
    order: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int64],
    name: str,
    place: Place,
) -> None:
    ordered = times[order]
    for step in np.flatnonzero(_within(lengths) & (ordered[1:] <= ordered[:-1]))[:1]:
        row = int(order[step + 1])
        same = ordered[step + 1] == ordered[step]
        reason = "has this time twice" if same else "has a later time before it; sort the file by id and time"
        raise DataError(f"{place(name, row)}: sequence '{name_of(row)}' {reason}")


def _of_sequence(
    values: Values,
    name: str,
    name_of: Callable[[int], str],
    order: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int64],
    place: Place,
    when: str,
) -> Values:
    """Values that must be one in each sequence."""
    for step in np.flatnonzero(_within(lengths) & (values[1:] != values[:-1]))[:1]:
        row = int(order[step + 1])
        raise DataError(
            f"{place(name, row)}: changes within sequence '{name_of(row)}', from {values[step]} to {values[step + 1]}; "
            f"it has one value a sequence{when}"
        )
    return values
