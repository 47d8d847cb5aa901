"""The text format of the UCR and UEA archives (.ts): a header of @ tags, then a sequence a line.

    @problemName JapaneseVowels
    @univariate false
    @dimensions 12
    @equalLength false
    @classLabel true 1 2 3
    @data
    1.86,1.89,1.94:-0.21,-0.19,-0.24:…:1

Channels are separated by colons, steps by commas, and the last field is the class, or with @targetlabel the number.
A missing value is `?`; lines that begin with # or % are comments. Keys are read in any case.
Format: Bagnall et al. 2018, "The UEA multivariate time series classification archive", and its reader in sktime.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from harness.data.sequences import DataError, Numbers, Sequences, numbers
from harness.errors import nearest

FLAGS = ("timestamps", "missing", "univariate", "equallength")
TAGS = ("problemname", *FLAGS, "dimensions", "dimension", "serieslength", "classlabel", "targetlabel", "data")
STAMPED = re.compile(r"\(([^()]*),([^(),]*)\)")  # (time, value)


@dataclass
class Header:
    """What the tags say; None: nothing."""

    flags: dict[str, bool] = field(default_factory=dict)
    dimensions: int | None = None
    length: int | None = None
    classes: tuple[str, ...] | None = None
    number: bool | None = None


def read_ts(path: Path, number: bool) -> Sequences:
    """The sequences of a .ts file, each with its class or its number.

    Args:
        number: whether a number is expected.

    Raises:
        DataError: a tag or a line is not of the format, contradicts the header, or has a missing value.
        OSError: it cannot be read.
    """
    with path.open(encoding="utf-8", errors="replace") as file:
        return parse_ts(file, str(path), number)


def parse_ts(lines: Iterable[str], source: str, number: bool) -> Sequences:
    """As `read_ts`, of text that has been opened."""
    header, sequences, labels, at = Header(), list[Numbers](), list[str](), list[int]()
    in_data = False
    for line_number, raw in enumerate(lines, start=1):
        line, place = raw.strip(), f"{source}: line {line_number}"
        if not line or line[0] in "#%":
            continue
        if not in_data:
            if not line.startswith("@"):
                raise DataError(f"{place}: expected a tag such as @problemName, or @data before the first sequence")
            in_data = _tag(header, line, place)
            continue
        rows, label = _sequence(line, header, place)
        _check_length(rows, header, sequences, place)
        if header.classes is not None and label not in header.classes:
            raise DataError(f"{place}: class '{label}' is not of the header{nearest(label, header.classes)}")
        sequences.append(rows)
        labels.append(label)
        at.append(line_number)
    if not in_data:
        raise DataError(f"{source}: has no @data")
    if not sequences:
        raise DataError(f"{source}: has no sequence after @data")
    _check_target(header, number, source)
    targets = numbers(labels, lambda n: f"{source}: line {at[n]}, target") if number else np.array(labels)
    lengths = np.array([len(rows) for rows in sequences])
    of_step = np.repeat(at, lengths)
    return Sequences(
        np.concatenate(sequences), targets, lengths, None, lambda step: f"{source}: line {of_step[step]}",
        tuple(f"channel {d + 1}" for d in range(sequences[0].shape[1])),
    )  # fmt: skip


def _tag(header: Header, line: str, place: str) -> bool:
    """Note one tag; whether it was @data."""
    key, *values = line[1:].split()
    tag = key.lower()
    if tag not in TAGS:
        raise DataError(f"{place}: no tag '@{key}'{nearest(tag, TAGS)}")
    if tag in ("problemname", "data"):
        return tag == "data"
    value = values[0].lower() if values else ""
    if tag in (*FLAGS, "classlabel", "targetlabel") and value not in ("true", "false"):
        raise DataError(f"{place}: @{key} is true or false, not '{value}'")
    if tag in FLAGS:
        header.flags[tag] = value == "true"
    elif tag == "classlabel":
        header.number = header.number or False
        if value == "true":
            if len(values) == 1:
                raise DataError(f"{place}: @{key} true is followed by the classes")
            header.classes = tuple(values[1:])
    elif tag == "targetlabel":
        header.number = value == "true" or header.number
    else:
        if not value.isdigit() or not int(value):
            raise DataError(f"{place}: @{key} is a number of at least 1, not '{value}'")
        if tag == "serieslength":
            header.length = int(value)
        else:
            header.dimensions = int(value)
    return False


def _sequence(line: str, header: Header, place: str) -> tuple[Numbers, str]:
    """Numbers (T, D) and the label of one line."""
    if header.flags.get("timestamps"):
        body, _, label = line.rpartition(":")
        channels = [
            ",".join(value for _, value in STAMPED.findall(part)) for part in re.split(r"(?<=\))\s*:\s*(?=\()", body)
        ]
    else:
        *channels, label = line.split(":")
    if not channels or not channels[0]:
        raise DataError(f"{place}: expected channels and a target, separated by colons")
    D = 1 if header.flags.get("univariate") else header.dimensions
    if D is not None and len(channels) != D:
        raise DataError(f"{place}: has {len(channels)} channels, expected {D} as the header says")
    columns = []
    for d, channel in enumerate(channels):
        words = channel.split(",")
        columns.append(numbers(words, lambda t, d=d: f"{place}, channel {d + 1}, step {t + 1}"))  # type: ignore[misc]
        if len(columns[d]) != len(columns[0]):
            raise DataError(
                f"{place}, channel {d + 1}: has {len(columns[d])} steps, the first channel {len(columns[0])}"
            )
    return np.stack(columns, axis=1), label.strip()


def _check_length(rows: Numbers, header: Header, before: list[Numbers], place: str) -> None:
    if before and rows.shape[1] != before[0].shape[1]:
        raise DataError(f"{place}: has {rows.shape[1]} channels, the first sequence {before[0].shape[1]}")
    if not header.flags.get("equallength"):
        return
    T = header.length or (len(before[0]) if before else len(rows))
    if len(rows) != T:
        raise DataError(f"{place}: has {len(rows)} steps, expected {T}: the header has @equalLength true")


def _check_target(header: Header, number: bool, source: str) -> None:
    if header.number is not None and header.number != number:
        kind = ("number", "class") if header.number else ("class", "number")
        raise DataError(f"{source}: has a {kind[0]} a sequence, not a {kind[1]}; set predict: {kind[0]}", "predict")
