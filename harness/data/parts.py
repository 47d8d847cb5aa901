"""Sequences cut into a training, a validation and a test part, in the arrays that batches are drawn from.

All that is measured to bring data into form (classes, alphabet, means, scales) is measured on the training part alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.data.sequences import DataError, Sequences, Values
from harness.rng import generator

Array = npt.NDArray[np.number[Any]]
NAMES = ("train", "validation", "test")


@dataclass(frozen=True)
class Half:
    """One part: N sequences, each ending at the last of T steps.

    Attributes:
        inputs: (N, T, D) numbers, 0 before a sequence starts, or tokens (N, T).
        targets: (N,), or (N, T) where every step has one; classes or numbers.
        lengths: (N,).
    """

    inputs: Array
    targets: Array
    lengths: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Prepared:
    """Data in the form that a task gives out.

    Attributes:
        parts: by name.
        classes: in the order of their numbers; empty where targets are numbers.
        alphabet: of symbols, in the order of the tokens; empty where inputs are numbers.
        input_size: D.
        length: T, that of the longest sequence of all parts.
    """

    parts: Mapping[str, Half]
    classes: tuple[str, ...]
    alphabet: tuple[str, ...]
    input_size: int
    length: int

    @property
    def varies(self) -> bool:
        """Whether sequences have lengths of their own."""
        return any((part.lengths != self.length).any() for part in self.parts.values())


@dataclass(frozen=True)
class Form:
    """What is to be made of sequences.

    Attributes:
        number: targets are numbers, not classes.
        each_step: every step has a target.
        standardise: inputs, and targets that are numbers, are standardised.
        longest: most steps of a sequence; None: no limit.
        fractions: of the sequences in each part, where nothing else says it.
        split_seed: of the shuffle before they are cut.
        validation_from: which file the validation part is cut out of, if it has none of its own.
    """

    number: bool
    each_step: bool
    standardise: bool
    longest: int | None
    fractions: tuple[float, float, float]
    split_seed: int
    validation_from: str = "train"


def divided(given: Mapping[str, Sequences], form: Form) -> dict[str, tuple[Sequences, npt.NDArray[np.int64]]]:
    """Which sequences of which file are in each part, by the indices of the sequences.

    Args:
        given: the file of each part; "train" always. A part without a file is cut out of another, in the
            proportion of the fractions; all three are where that file names the parts.
    """
    whole = given["train"]
    if whole.parts is not None:
        return {name: (whole, np.flatnonzero(whole.parts == name)) for name in NAMES}
    chosen = {name: (each, np.arange(len(each.lengths))) for name, each in given.items()}
    missing = [name for name in NAMES if name not in given]
    base = form.validation_from if missing == ["validation"] else "train"
    cut = [name for name in NAMES if name == base or name in missing]
    shares = np.array([form.fractions[NAMES.index(name)] for name in cut])
    stratify = not form.number and not form.each_step
    own = given[base]
    assigned = assign(own.targets if stratify else None, len(own.lengths), shares / shares.sum(), form.split_seed)
    chosen |= {name: (own, np.flatnonzero(assigned == i)) for i, name in enumerate(cut)}
    return {name: chosen[name] for name in NAMES}


def assign(labels: Values | None, N: int, shares: npt.NDArray[np.float64], seed: int) -> npt.NDArray[np.int64]:
    """The part of each of N sequences, (N,), drawn so that each part has its share.

    With labels each part has its share of every class as nearly as whole numbers allow: class by class, sequences go
    one at a time to the part that lacks most; the first of each class to the first part.
    """
    order = generator(seed, "split data").permutation(N)
    assigned = np.empty(N, np.int64)
    if labels is None:
        ends = np.round(np.cumsum(shares) * N).astype(int)
        for part, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
            assigned[order[start:end]] = part
        return assigned
    counts = np.zeros(len(shares))
    for label in np.unique(labels):
        own = np.zeros(len(shares))
        for i, n in enumerate(order[labels[order] == label]):
            lacking = shares * (i + 1) - own + 1e-6 * (shares * counts.sum() - counts)
            part = int(np.argmax(np.where(shares > 0, lacking, -np.inf))) if i else 0
            assigned[n], own[part], counts[part] = part, own[part] + 1, counts[part] + 1
    return assigned


def prepare(given: Mapping[str, Sequences], form: Form) -> Prepared:
    """Parts of standardised numbers or tokens.

    Raises:
        DataError: a part is empty, has a class or a symbol that the training part lacks, or other channels; a
            sequence is longer than allowed.
    """
    for name, each in given.items():
        if each.rows.shape[1] != given["train"].rows.shape[1]:
            widths = each.rows.shape[1], given["train"].rows.shape[1]
            raise DataError(
                f"the {name} file has {widths[0]} inputs a step, the training file {widths[1]}", f"{name}_path"
            )
        _check_longest(each, form.longest)
    chosen = divided(given, form)
    for name, (_, indices) in chosen.items():
        if not len(indices):
            total = len(given["train"].lengths)
            _check_no_numbers(given, form)
            raise DataError(f"the {name} part is empty: the training file has {total} sequences", _setting(name, given))
    own = {name: _taken(sequences, indices) for name, (sequences, indices) in chosen.items()}
    length = max(int(each.lengths.max()) for each in own.values())
    train = own["train"]
    symbols = train.rows.dtype.kind == "U"
    alphabet = _kinds(train.rows[:, 0]) if symbols else ()
    classes = () if form.number else _kinds(train.targets)
    _check_spelling(classes)
    if not form.number and len(classes) < 2:
        raise DataError(f"the training part has one class alone, '{classes[0]}'", "target")
    centre, scale = (0.0, 1.0) if symbols or not form.standardise else _scale(train.rows)
    middle, width = _scale(train.targets) if form.number and form.standardise else (0.0, 1.0)
    parts = {}
    for name, each in own.items():
        setting = _setting(name, given)
        step_of = np.arange(len(each.rows)) if form.each_step else each.starts
        if symbols:
            values: Array = _indices(
                each.rows[:, 0], alphabet, "symbol", each, np.arange(len(each.rows)), name, setting
            )
        else:
            steps = np.arange(len(each.rows))
            values = _narrow((each.rows - centre) / scale, each, steps, f"an input of the {name} part")
        if form.number:
            targets: Array = _narrow((each.targets - middle) / width, each, step_of, f"a target of the {name} part")
        else:
            if not np.isin(each.targets, classes).all():
                _check_no_numbers(given, form)
            targets = _indices(each.targets, classes, "class", each, step_of, name, setting)
        if form.each_step:
            targets = _ending_at(targets, each.lengths, length)
        parts[name] = Half(_ending_at(values, each.lengths, length), targets, each.lengths)
    D = len(alphabet) if symbols else train.rows.shape[1]
    return Prepared(parts, classes, alphabet, D, length)


def _check_no_numbers(given: Mapping[str, Sequences], form: Form) -> None:
    """Where classes cannot be in every part: refuse those that are numbers, most of them there once."""
    targets = np.concatenate([each.targets for each in given.values()]) if not form.number else np.array([])
    kinds = np.unique(targets)
    with suppress(ValueError):
        if len(kinds) > len(targets) / 2 and np.isfinite(kinds.astype(np.float64)).all():
            raise DataError(
                f"the {len(targets)} targets are {len(kinds)} different numbers, too many for classes; for numbers set "
                "predict: number",
                "predict",
            )


def _setting(part: str, given: Mapping[str, Sequences]) -> str:
    """The setting that says which sequences are in a part."""
    if given["train"].parts is not None:
        return "split_by"
    return f"{part}_path" if part in given and part != "train" else "fractions"


def _check_longest(sequences: Sequences, longest: int | None) -> None:
    for n in np.flatnonzero(sequences.lengths > (longest or np.inf))[:1]:
        raise DataError(
            f"{sequences.place(int(sequences.starts[n]))}: a sequence of {sequences.lengths[n]} steps begins here, "
            f"longer than longest: {longest}",
            "longest",
        )


def _taken(sequences: Sequences, indices: npt.NDArray[np.int64]) -> Sequences:
    """Some of the sequences, in this order."""
    lengths = sequences.lengths[indices]
    ends = np.cumsum(lengths)
    steps = np.arange(ends[-1]) + np.repeat(sequences.starts[indices] - (ends - lengths), lengths)
    targets = sequences.targets[indices if len(sequences.targets) == len(sequences.lengths) else steps]
    return Sequences(
        sequences.rows[steps], targets, lengths, None, lambda step: sequences.place(int(steps[step])),
        sequences.channels,
    )  # fmt: skip


def _check_spelling(classes: tuple[str, ...]) -> None:
    """Refuse a class that is written in two ways: 1 and 1.0."""
    for one, other in itertools.pairwise(classes):  # in the order of numbers, where all are numbers
        with suppress(ValueError):
            if float(one) == float(other):
                raise DataError(f"the classes '{one}' and '{other}' are one number, written in two ways", "target")


def _kinds(words: Values) -> tuple[str, ...]:
    """The different words: in the order of numbers where all are numbers."""
    kinds = np.unique(words).tolist()
    try:
        return tuple(sorted(kinds, key=float))
    except ValueError:
        return tuple(kinds)


def _scale(values: Values) -> tuple[Any, Any]:
    """Mean and standard deviation over the rows; a constant is left as wide as it is.

    A constant is one whose largest value is its least: the deviation that is computed of it need not be zero.
    """
    size = np.where(np.abs(values).max(0) > 1e150, 1e150, 1.0)  # squares of what is larger overflow
    deviation = (values / size).std(0) * size
    return (values / size).mean(0) * size, np.where(values.max(0) > values.min(0), deviation, 1.0)


def _narrow(values: Values, sequences: Sequences, step_of: npt.NDArray[np.int64], noun: str) -> Array:
    """The numbers in float32, (N,) or (N, D).

    Raises:
        DataError: one is beyond its range.
    """
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32)
    for i in np.argwhere(~np.isfinite(narrow))[:1].tolist():
        raise DataError(
            f"{sequences.place(int(step_of[i[0]]))}: {noun} is {values[tuple(i)]:.3g}, which no float32 can hold; give "
            "it in another unit"
        )
    return narrow


def _indices(
    words: Values,
    kinds: tuple[str, ...],
    noun: str,
    sequences: Sequences,
    steps: npt.NDArray[np.int64],
    part: str,
    setting: str,
) -> npt.NDArray[np.int64]:
    """Each word's place among those of the training part."""
    sorted_kinds = np.array(kinds)
    order = np.argsort(sorted_kinds)
    at = np.minimum(np.searchsorted(sorted_kinds[order], words), len(kinds) - 1)
    for i in np.flatnonzero(sorted_kinds[order][at] != words)[:1]:
        raise DataError(
            f"{sequences.place(int(steps[i]))}: {noun} '{words[i]}' of the {part} part is not in the training part",
            setting,
        )
    return order[at].astype(np.int64)


def _ending_at(values: Array, lengths: npt.NDArray[np.int64], T: int) -> Array:
    """Steps of all sequences (S, …) as (N, T, …), each sequence ending at T; zeros before."""
    padded = np.zeros((len(lengths), T, *values.shape[1:]), values.dtype)
    padded[np.arange(T) >= T - lengths[:, None]] = values
    return padded
