"""What every reader returns: N sequences one after the other, with a place in the file for each row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.errors import HarnessError

Numbers = npt.NDArray[np.float64]
Words = npt.NDArray[np.str_]
Values = npt.NDArray[Any]  # numbers or words

MOST_TEXT = 2_000_000_000  # bytes of a text file; parquet is read ten times as fast, and in a tenth of the memory
MISSING = frozenset({"", "?", "na", "nan", "n/a", "null", "none"})  # in lower case


class DataError(HarnessError):
    """A file has not the data that a study wants of it; the text names file, row and column.

    Attributes:
        setting: which setting of the task is to be changed, if not the file.
    """

    def __init__(self, message: str, setting: str = "path") -> None:
        super().__init__(message)
        self.setting = setting


@dataclass(frozen=True)
class Sequences:
    """N sequences with S = T_1 + … + T_N steps in all.

    Attributes:
        rows: inputs of all steps, sequence by sequence: numbers (S, D), or words (S, 1).
        targets: numbers or words, one a sequence (N,) or one a step (S,).
        lengths: (N,), T_n ≥ 1.
        parts: "train", "validation" or "test" of each sequence (N,); None where the file does not say.
        place: where step s of all is in the file: "walks.csv: line 7".
        channels: names of the D inputs.
    """

    rows: Values
    targets: Values
    lengths: npt.NDArray[np.int64]
    parts: Words | None
    place: Callable[[int], str]
    channels: tuple[str, ...]

    @property
    def starts(self) -> npt.NDArray[np.int64]:
        """The first step of each sequence, (N,)."""
        return np.cumsum(self.lengths) - self.lengths


def check_size(path: Path) -> None:
    """Refuse an empty file, and a text that is too large, before anything of it is read."""
    size = path.stat().st_size
    if not size:
        raise DataError(f"{path}: is empty")
    if size > MOST_TEXT and path.suffix not in (".parquet", ".npz", ".npy"):
        raise DataError(
            f"{path}: has {size / 1e9:.1f} GB of text, more than {MOST_TEXT / 1e9:g}; convert it to parquet "
            f"(pyarrow.csv.open_csv, pyarrow.parquet.ParquetWriter), and name that file"
        )


def likely_file(path: Path) -> str:
    """'; did you mean 'w.csv'?' of a file that is not there: the nearest of its kind beside it, or nothing."""
    with suppress(OSError, ValueError):
        beside = [each for each in sorted(path.parent.iterdir()) if each.suffix.casefold() == path.suffix.casefold()]
        stems = {each.stem.casefold(): each for each in beside}
        for close in get_close_matches(path.stem.casefold(), list(stems), n=1):
            return f"; did you mean '{stems[close].name}'?"
    return ""


def numbers(words: Sequence[Any] | npt.NDArray[Any], place: Callable[[int], str]) -> Numbers:
    """Texts as numbers.

    Args:
        place: of text i, for messages.

    Raises:
        DataError: one is missing, no number, or not finite.
    """
    try:
        values = np.asarray(words, dtype=np.float64)
    except ValueError:
        values = np.array([_number(word) for word in words])
    wrong = np.flatnonzero(~np.isfinite(values))
    if wrong.size:
        i = int(wrong[0])
        word = str(words[i]).strip()
        reason = "is missing" if word.lower() in MISSING else f"'{word[:40]}' is no finite number"
        raise DataError(f"{place(i)}: {reason}")
    return values


def _number(word: Any) -> float:
    try:
        return float(word)
    except ValueError:
        return float("nan")
