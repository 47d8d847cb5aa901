"""What stands behind the runs of a folder: its study, whether that is registered, and how its settings were tuned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, ResultsError
from harness.store.files import read_json
from harness.store.ownership import PLAN
from harness.store.winners import FILE as WINNERS
from harness.study import labels
from harness.study.freezes import freeze_file, read_freezes
from harness.study.held_out import Registration
from harness.study.spec import StudySpec

Reader = Callable[[Path, Sequence[str]], StudySpec]
REFERENCE, STUDIES = "reference", "studies"  # results/reference/a/b is the baseline of studies/a/b.yaml
LISTED = 6  # values of a tuned setting by name


@dataclass(frozen=True)
class Search:
    """The search that chose some settings before anything was judged: equal for all entries of a column.

    Attributes:
        columns: of the settings that were chosen, in the table of runs.
        text: what was tried: 'learning rate 0.0003|0.001|0.003, 9 runs each'.
    """

    columns: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Background:
    """What is known of the study of some results; all of it is empty where the study is not there or cannot be read.

    Attributes:
        planned: how many judged runs it asks for; None where that is not known.
        calibration: seeds that decide nothing.
        state: of its registration, in words.
        overrides: of the study by `-S`, as given.
        search: how settings were tuned; None where they were not.
    """

    planned: int | None = None
    calibration: frozenset[int] = frozenset()
    state: str = ""
    overrides: tuple[str, ...] = ()
    search: Search | None = None


def background(folder: Path, read: Reader) -> Background:
    """What stands behind a folder.

    Args:
        folder: a results folder or a baseline.
        read: of a study, by its path and overrides.

    Raises:
        ResultsError: winners.json is damaged.
    """
    note = _plan(folder)
    overrides = tuple(map(str, note.get("overrides") or ()))
    path = _study(folder, note)
    study: StudySpec | None = None
    if path is not None:
        try:
            study = read(path, overrides)
        except HarnessError:  # it needs a package that is not here, or was edited since: its runs count all the same
            study = None
    search = _search(folder, study)
    if study is None:
        ids = note.get("ids") if search is None else None
        return Background(len(ids) if ids else None, overrides=overrides, search=search)
    try:
        file = freeze_file(study)
        registration = Registration(study, read_freezes(file) if file is not None else ())
        count = len(registration.amendments)
        state = f"amended ({count})" if registration.state == "amended" else str(registration.state)
    except HarnessError as error:
        state = f"registration unknown: {error}"
    points = len(study.rows) if study.tuning is not None else len(study.points)
    return Background(points * len(study.judged), frozenset(study.calibration), f"study {state}", overrides, search)


def _study(folder: Path, note: Mapping[str, Any]) -> Path | None:
    """The study file of a results folder, or by its place the one of a baseline; None where there is none."""
    named = [Path(str(note["study"])), folder / str(note.get("folder_from_here", "")) / str(note.get("file", ""))] if (
        "study" in note
    ) else []  # fmt: skip
    parts = folder.resolve().parts
    if REFERENCE in parts:
        last = len(parts) - 1 - parts[::-1].index(REFERENCE)
        named.append(Path(*parts[: max(0, last - 1)], STUDIES, *parts[last + 1 :]).with_suffix(".yaml"))
    return next((path for path in named if path.is_file()), None)


def _search(folder: Path, study: StudySpec | None) -> Search | None:
    """The search behind the winners of a folder."""
    try:
        entries = read_json(folder / WINNERS)["winners"]
        candidates = [each["settings"] for each in entries[0]["candidates"]] if entries else []
        counts = sorted({sum(len(each["runs"]) for each in entry["candidates"]) for entry in entries})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResultsError(f"{folder / WINNERS}: cannot be read ({error}); it says which candidates won") from None
    if not candidates:
        return None
    keys = tuple(candidates[0])
    by_key = dict(zip(study.tuning.axes, study.tuning.columns, strict=True)) if study and study.tuning else {}
    columns = tuple(by_key.get(key, key.rpartition(".")[2]) for key in keys)
    tried = []
    for key, column in zip(keys, columns, strict=True):
        values = list(dict.fromkeys(labels.value(column, each[key]) for each in candidates))
        tried.append(
            f"{labels.short(column)} {'|'.join(values) if len(values) <= LISTED else f'({len(values)} values)'}"
        )
    runs = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return Search(columns, f"{', '.join(tried)}, {runs} runs each")


def _plan(folder: Path) -> Mapping[str, Any]:
    """What a sweep notes of its plan; empty for a baseline."""
    try:
        return read_json(folder / PLAN)
    except (OSError, ValueError):
        return {}
