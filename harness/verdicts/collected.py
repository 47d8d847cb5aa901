"""The runs of many results folders and baselines, each once, with the folder that they are from."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from harness.errors import HarnessError, NoResultsError, ResultsError
from harness.store import baseline, fingerprints
from harness.store.files import read_json
from harness.store.ownership import FOLDERS, PLAN

JUDGED = ("solved_at", "final_accuracy", "final_loss", "chance")
TRAINING = "training"  # the experiment whose runs can be ranked
MEASURED_BESIDE = ("seconds", *fingerprints.COLUMNS)


@dataclass(frozen=True)
class ResultSource:
    """A results folder or a baseline, and what is known of it.

    Attributes:
        name: the folder, as short as it is unambiguous.
        folder: where it is.
        runs: how many runs with a result it has.
        failed: how many have none because they failed.
        planned: how many its study asks for; None where that is not known.
        overrides: of the study by `-S`, as given.
    """

    name: str
    folder: Path
    runs: int
    failed: int = 0
    planned: int | None = None
    overrides: tuple[str, ...] = ()

    @property
    def missing(self) -> int:
        """How many runs have not been computed."""
        return 0 if self.planned is None else max(0, self.planned - self.runs - self.failed)


@dataclass(frozen=True)
class Collected:
    """All runs with a result, a row each with the settings that its own table has; repeated ones are counted once."""

    runs: Sequence[Mapping[str, Any]]
    sources: tuple[ResultSource, ...]
    repeated: int
    untrained: tuple[str, ...]  # folders whose experiment trains nothing


def collect(folders: Iterable[Path]) -> Collected:
    """Read every table of runs at and below some folders.

    Args:
        folders: in the order of precedence: of a run that occurs twice, the first counts.

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
            finished = frame[frame["outcome"] != "failed"]
            new = finished[~finished["run_id"].isin(seen)]
            repeated += len(finished) - len(new)
            seen |= set(new["run_id"])
            rows += [{**row, "source": len(sources)} for row in new.to_dict("records")]
            note = _plan(folder)
            sources.append(
                ResultSource(
                    name, folder, len(finished), len(frame) - len(finished), len(note.get("ids") or ()) or None,
                    tuple(map(str, note.get("overrides") or ())),
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


def _plan(folder: Path) -> Mapping[str, Any]:
    """What a sweep notes of its plan; empty for a baseline."""
    try:
        return read_json(folder / PLAN)
    except (OSError, ValueError, ResultsError):
        return {}
