"""The runs of many results folders and baselines, each once, with the folder that they are from."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from harness.errors import HarnessError, NoResultsError
from harness.store import baseline, fingerprints
from harness.store.ownership import FOLDERS
from harness.verdicts.background import Background, Reader, background

JUDGED = ("solved_at", "final_accuracy", "final_loss", "chance")
TRAINING = "training"  # the experiment whose runs can be ranked
MEASURED_BESIDE = ("seconds", *fingerprints.COLUMNS)


@dataclass(frozen=True)
class ResultSource:
    """A results folder or a baseline.

    Attributes:
        name: the folder, as short as it is unambiguous.
        folder: where it is.
        runs: how many judged runs with a result it has.
        failed: how many have none because they failed.
        behind: what is known of its study.
        calibrating: how many runs of calibration seeds it has, which are left out.
    """

    name: str
    folder: Path
    runs: int
    failed: int = 0
    behind: Background = field(default_factory=Background)
    calibrating: int = 0

    @property
    def missing(self) -> int:
        """How many runs have not been computed."""
        planned = self.behind.planned
        return 0 if planned is None else max(0, planned - self.runs - self.failed)


@dataclass(frozen=True)
class Collected:
    """All runs with a result, a row each with the settings that its own table has; repeated ones are counted once."""

    runs: Sequence[Mapping[str, Any]]
    sources: tuple[ResultSource, ...]
    repeated: int
    untrained: tuple[str, ...]  # folders whose experiment trains nothing


def collect(folders: Iterable[Path], read: Reader) -> Collected:
    """Read every table of runs at and below some folders.

    Args:
        folders: in the order of precedence: of a run that occurs twice, the first counts.
        read: of a study, by its path and overrides.

    Raises:
        ResultsError: a folder is missing, has no results below it, or cannot be read.
    """
    rows: list[Mapping[str, Any]] = []
    sources, untrained, repeated = list[ResultSource](), list[str](), 0
    seen: set[str] = set()
    for root in folders:
        places = list(_places(root))
        if not places:
            raise NoResultsError(
                f"{root}: no {baseline.FILE} in it or below it; python -m harness.sweep writes results, "
                "python -m harness.compare --save a baseline of them"
            )
        for folder in places:
            name = _name(folder, root)
            frame = _trained(folder)
            if frame is None:
                untrained.append(name)
                continue
            behind = background(folder, read)
            judged = frame[~frame["seed"].isin(behind.calibration)]
            finished = judged[judged["outcome"] != "failed"]
            new = finished[~finished["run_id"].isin(seen)]
            repeated += len(finished) - len(new)
            seen |= set(new["run_id"])
            rows += [
                {str(name): value for name, value in row.items()}
                for row in new.assign(source=len(sources)).to_dict("records")
            ]
            sources.append(
                ResultSource(
                    name, folder, len(finished), len(judged) - len(finished), behind, len(frame) - len(judged)
                )
            )  # fmt: skip
    return Collected(rows, tuple(sources), repeated, tuple(untrained))


def _places(root: Path) -> Iterator[Path]:
    """Folders with a table of runs, by name."""
    if not root.is_dir():
        raise HarnessError(f"{root}: no such folder; give one with results, such as results or results/reference")
    for where, below, files in os.walk(root):
        if baseline.FILE in files:
            yield Path(where)
            below[:] = [name for name in below if name not in FOLDERS]
        below.sort()


def _name(folder: Path, root: Path) -> str:
    relative = folder.relative_to(root).as_posix()
    return Path(os.path.abspath(folder)).name if relative == "." else relative


def _trained(folder: Path) -> pd.DataFrame | None:
    """The runs of a folder that trained a network, with their seconds and fingerprints; None where there are none."""
    frame: pd.DataFrame = baseline.read(folder).to_pandas()
    if not {"experiment", "task", "cell"} <= set(frame.columns):
        return None
    frame = frame[frame["experiment"] == TRAINING]
    if frame.empty:
        return None
    # a baseline leaves out what no run has, and a column of nulls alone has no type
    judged = {name: frame[name].astype("float64") if name in frame.columns else math.nan for name in JUDGED}
    frame = frame.assign(**judged)
    beside = fingerprints.read(folder)
    if beside is None:
        return frame
    known: pd.DataFrame = beside.to_pandas()
    mine = [name for name in MEASURED_BESIDE if name in known.columns]
    return frame.drop(columns=[name for name in mine if name in frame.columns]).merge(
        known[["run_id", *mine]], on="run_id", how="left", validate="one_to_one"
    )
