"""Arrays of numpy: inputs (N, T, D), or (N, T) of one channel or of symbols; targets (N,) or (N, T)."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from harness.data.sequences import DataError, Sequences, Values, Words, numbers
from harness.data.tables import Columns
from harness.errors import nearest

INPUTS, TARGETS, LENGTHS = "inputs", "targets", "lengths"  # names of the arrays, where a study does not give them
NAMES = {"train", "validation", "test"}

Array = npt.NDArray[Any]


def read_arrays(path: Path, columns: Columns, targets_path: Path | None = None) -> Sequences:
    """The sequences of an npz, or of an npy with another for the targets.

    Args:
        path: .npz, or .npy of the inputs.
        columns: names of the arrays in an npz: one of the inputs, target, split; an array `lengths` (N,) is read where
            there is one: a sequence has its first steps.
        targets_path: .npy of the targets.

    Raises:
        DataError: an array is not there, of another shape, not numeric, or not finite.
        OSError: a file cannot be read.
    """
    if targets_path is not None:
        arrays = {INPUTS: _alone(path, "path"), TARGETS: _alone(targets_path, "targets_path")}
    else:
        arrays = _loaded(path)
        if "" in arrays:
            raise DataError(f"{path}: holds one array without a name; call it .npy, and give the targets' targets_path")
    of_targets = "path" if targets_path is None else "targets_path"
    inputs_name = columns.inputs[0] if columns.inputs else INPUTS
    targets_name = columns.target or TARGETS
    wanted_names = {inputs_name: "inputs", targets_name: "target"}
    if columns.split is not None:
        wanted_names[columns.split] = "split_by"
    for name, setting in wanted_names.items():
        if name not in arrays:
            raise DataError(f"{path}: no array '{name}'{nearest(name, arrays)}", setting)
    inputs, targets = arrays[inputs_name], arrays[targets_name]
    lengths = _lengths(path, inputs, inputs_name, arrays.get(LENGTHS), columns.symbols)
    N, T = inputs.shape[:2]
    shape = (N, T) if columns.each_step else (N,)
    if targets.shape != shape:
        raise DataError(
            f"{targets_path or path}: array '{targets_name}' has shape {targets.shape}, expected {shape}: a target "
            f"{'a step' if columns.each_step else 'a sequence'} of the inputs {inputs.shape}",
            "scored" if targets.ndim in (1, 2) and targets.shape[0] == N else of_targets,
        )
    present = np.arange(T) < lengths[:, None]
    index, step_of = np.nonzero(present)

    def place(s: int) -> str:
        return f"{path}: sequence {index[s]} (from 0), step {step_of[s]}"

    if columns.symbols:
        rows: Values = inputs[present].astype(np.str_)[:, None]
    else:
        if inputs.dtype.kind not in "fiub":
            raise DataError(f"{path}: array '{inputs_name}' holds {inputs.dtype}, no numbers")
        flat = (inputs if inputs.ndim == 3 else inputs[..., None])[present]
        D = flat.shape[1]
        rows = numbers(flat.ravel(), lambda i: f"{place(i // D)}, channel {i % D}").reshape(flat.shape)
    answers = targets[present] if columns.each_step else targets

    def target_place(i: int) -> str:
        step = f", step {step_of[i]}" if columns.each_step else ""
        return f"{targets_path or path}: target {index[i] if columns.each_step else i} (from 0){step}"

    try:
        answers = _targets(answers, columns, target_place)
    except DataError as error:
        raise DataError(str(error), of_targets if error.setting == "path" else error.setting) from None
    parts = None if columns.split is None else _parts(path, arrays[columns.split], columns.split, N)
    channels = tuple(f"channel {d}" for d in range(rows.shape[1]))
    return Sequences(rows, answers, lengths, parts, place, channels)


def _alone(path: Path, setting: str) -> Array:
    """The one array of an npy, whatever its name ends in.

    Args:
        setting: that names the file.
    """
    try:
        arrays = _loaded(path)
    except DataError as error:
        raise DataError(str(error), setting) from None
    if "" not in arrays:
        whole = "give both arrays in one .npz as path" if setting == "targets_path" else "call it .npz"
        raise DataError(
            f"{path}: holds arrays with names ({', '.join(sorted(arrays))}), expected one array (np.save); {whole}, or "
            "save each as .npy",
            setting,
        )
    return arrays[""]


def _loaded(path: Path) -> dict[str, Array]:
    """Arrays by name; an npy's is ''."""
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {"": loaded}
        with loaded:
            return {name: array for name, array in loaded.items() if isinstance(array, np.ndarray)}
    except (ValueError, EOFError, BadZipFile, zlib.error, NotImplementedError) as error:
        reason = str(error).splitlines()[0] if str(error) else "is cut short"
        if "allow_pickle" in reason:  # what has no head of an array is taken for a pickle
            reason = "holds Python objects, or is damaged"
        raise DataError(f"{path}: {reason}; arrays of numbers or texts are read (np.savez)") from None


def _lengths(path: Path, inputs: Array, name: str, given: Array | None, symbols: bool) -> npt.NDArray[np.int64]:
    dimensions = (2,) if symbols else (2, 3)
    if inputs.ndim not in dimensions or 0 in inputs.shape:
        expected = "(N, T)" if symbols else "(N, T, D) or (N, T)"
        raise DataError(f"{path}: array '{name}' has shape {inputs.shape}, expected {expected}, none of them 0")
    N, T = inputs.shape[:2]
    if given is None:
        return np.full(N, T)
    if given.shape != (N,) or given.dtype.kind not in "iu":
        raise DataError(f"{path}: array '{LENGTHS}' is {given.dtype} {given.shape}, expected whole numbers ({N},)")
    for n in np.flatnonzero((given < 1) | (given > T))[:1]:
        raise DataError(f"{path}: length {given[n]} of sequence {n} (from 0) is not in 1 … {T}")
    return given.astype(np.int64)


def _targets(answers: Array, columns: Columns, place: Any) -> Values:
    if columns.number:
        return numbers(answers, place)
    if answers.dtype.kind == "f":
        for i in np.flatnonzero(answers != np.round(answers))[:1]:  # NaN too
            raise DataError(f"{place(int(i))}: {answers[i]} is no class; for numbers set predict: number", "predict")
        answers = answers.astype(np.int64)
    return answers.astype(np.str_)


def _parts(path: Path, words: Array, name: str, N: int) -> Words:
    if words.shape != (N,):
        raise DataError(f"{path}: array '{name}' has shape {words.shape}, expected ({N},)", "split_by")
    for word in sorted(set(words.astype(str).tolist()) - NAMES)[:1]:
        raise DataError(f"{path}: array '{name}': no part '{word}'{nearest(word, NAMES)}", "split_by")
    return words.astype(np.str_)
