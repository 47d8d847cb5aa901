"""Real data that packages bring (the extra `data`): digits pixel by pixel, and the archives' sequences.

Digits read pixel by pixel: Le, Jaitly & Hinton 2015, "A simple way to initialize recurrent networks of rectified linear
units", section 4.2, here with 5,000 of the 70,000 images. The archives: Dau et al. 2019, "The UCR time series archive";
Bagnall et al. 2018, "The UEA multivariate time series classification archive".
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from harness.data.parts import Form, Prepared, prepare
from harness.data.sequences import DataError, Sequences
from harness.data.sources import SOURCES, located, read_source
from harness.rng import generator
from harness.study.section import File, setting, wrong
from harness.tasks.stored import Origin, Stored, identity


class Dataset(Stored):
    """Tell at the end which class a real sequence is of.

    mnist5k: 28 × 28 pixels, row by row, T = 784. pigcvp: the central venous pressure of one of 52 pigs, T = 2000.
    gunpoint: the height of a hand, T = 150. basicmotions: six channels of a smart watch, T = 100. japanesevowels:
    twelve coefficients of one of nine speakers, T = 7 … 29. osuleaf: the outline of one of six leaves, T = 427.

    Where a source has a training and a test part, the training part stays whole, and validation and test part are cut
    out of the test part, in the proportion of `fractions`.
    """

    name: Literal["dataset"] = setting(..., "which task", column="task")
    source: Literal["mnist5k", "pigcvp", "gunpoint", "basicmotions", "japanesevowels", "osuleaf"] = setting(
        ..., "which data"
    )
    permutation: int | None = setting(
        None, "seed of one random order of the steps, the same for every sequence; null: as they stand",
        unset="in order", ge=0, lt=2**63,
    )  # fmt: skip
    aeon: File | None = setting(
        None, "for japanesevowels and osuleaf: a wheel of aeon, or a folder that has it; null: the installed one",
        unset="installed",
    )  # fmt: skip

    def check_settings(self) -> None:
        super().check_settings()
        if self.aeon is not None and SOURCES[self.source].package != "aeon":
            raise wrong("aeon", f"'{self.source}' is not in aeon, but in {SOURCES[self.source].package}; leave it out")

    def _paths(self) -> tuple[Path, ...]:
        return located(self.source, None if self.aeon is None else self._folder / self.aeon)

    def files(self) -> dict[str, Path]:
        """What is read: a content, whichever release of a package brings it."""
        return dict(zip(("aeon" if self.aeon is not None else "train", "test"), self._paths(), strict=False))

    def origin(self) -> Origin:
        files = tuple(("source", path, identity(path)) for path in self._paths())
        form = Form(False, False, self.standardise, None, self.fractions, self.split_seed, validation_from="test")
        return DatasetOrigin(files, form, self.source, self.permutation)


@dataclass(frozen=True)
class DatasetOrigin(Origin):
    """Files of a package's."""

    source: str
    permutation: int | None

    def load(self) -> Prepared:
        given = read_source(self.source, tuple(path for _, path, _ in self.files))
        if self.permutation is not None:
            given = {part: _permuted(each, self.permutation) for part, each in given.items()}
        return prepare(given, self.form)


def _permuted(sequences: Sequences, seed: int) -> Sequences:
    T = int(sequences.lengths[0])
    if (sequences.lengths != T).any():
        raise DataError("sequences have lengths of their own, which one order cannot be of", "permutation")
    order = generator(seed, "permute steps").permutation(T)
    rows = np.ascontiguousarray(sequences.rows.reshape(-1, T, sequences.rows.shape[1])[:, order])
    return Sequences(
        rows.reshape(sequences.rows.shape), sequences.targets, sequences.lengths, None, sequences.place,
        sequences.channels,
    )  # fmt: skip
