"""A results folder is the harness's own and of one study, or nothing in it is touched."""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from pathlib import Path

from harness.errors import ResultsError, check_current_folder
from harness.schema import SCHEMA_VERSION
from harness.store.files import TEMPORARY, read_json
from harness.study.plan import Plan

MARK = "store.json"
PLAN = "plan.json"
FOLDERS = ("journal", "failures", "working", "checkpoints", "figures")
SHARD = re.compile(r"\d+-of-\d+")
BELOW = {"journal": re.compile("damaged|segments"), "working": SHARD}  # folders in these
LOCKS = re.compile(r"\.derived|\.lock(-\d+-of-\d+)?")  # opened in place, not replaced


def check_owned(folder: Path) -> None:
    """That a folder may be written to: it is missing, empty, or marked, and leads nowhere else.

    Raises:
        ResultsError: it is no results folder, or of another schema version, or has a link among its own; nothing was
            changed.
    """
    check_current_folder()
    try:
        names = frozenset(os.listdir(folder))
    except FileNotFoundError:
        return
    except ValueError:  # a null character
        raise ResultsError(f"{folder}: no path of a folder; choose another one with -o") from None
    except OSError as error:
        raise ResultsError(
            f"{folder}: cannot be written: {error.strerror or error}; choose another folder with -o"
        ) from None
    if MARK in names:
        check_version(folder / MARK)
        _check_links(folder, names)
        return
    # two controllers may create the folder at the same time; the first releases made journal/ before the mark
    foreign = sorted(name for name in names if not _of_a_beginning(folder, name))
    if foreign:
        raise ResultsError(
            f"{folder}: is not empty and no results folder (it has {foreign[0]}, but no {MARK}); "
            "choose another folder with -o, nothing here was changed"
        )


def check_study(folder: Path, plan: Plan) -> None:
    """That a results folder is of this study, and not of another one with the same name.

    A study stays the same while its file does, whatever is edited in it. If the file has moved, or the folder comes
    from another machine, the study is the same if it has the same text, or a run in common.

    Raises:
        ResultsError: it is of another study; nothing was changed.
    """
    try:
        document = read_json(folder / PLAN)
        recorded, source = str(document.get("file") or document["study"]), document["source"]
        ids = frozenset(map(str, document["ids"]))
    except (OSError, ValueError, KeyError, TypeError):
        return
    study = plan.study
    exists = os.path.isfile(recorded)
    own = study_file(study.path) or study.path
    if source == study.source or own == recorded or (study.path == document["study"] and not exists):
        return
    with suppress(OSError):
        if os.path.samefile(own, recorded):
            return
    if exists or not ids & plan.ids:
        raise ResultsError(
            f"{folder}: has the results of another study with the name '{study.name}', {recorded}; give one of the two "
            "another name, or choose another folder with -o; nothing here was changed"
        )


def study_file(path: str) -> str | None:
    """The absolute path of a study's file; None where the study is a text."""
    with suppress(OSError):
        if os.path.isfile(path):
            return os.path.realpath(path)
    return None


def check_version(marker: Path) -> None:
    """That a results folder is of this schema version.

    Raises:
        ResultsError: it is of another, or its mark cannot be read.
    """
    try:
        version = read_json(marker)["harness_schema"]
    except (OSError, ValueError, KeyError):
        raise ResultsError(
            f"{marker}: not readable as the mark of a results folder; move the folder away, or choose another with -o"
        ) from None
    if version != SCHEMA_VERSION:
        raise ResultsError(
            f"{marker.parent}: holds schema version {version}, this harness writes {SCHEMA_VERSION}; "
            "choose another folder with -o, nothing here was changed"
        )


def _check_links(folder: Path, names: frozenset[str]) -> None:
    """Files are written and removed in own subfolders, which therefore must not be those of somebody else.

    Raises:
        ResultsError: a link, or something else than a folder, has the name of one of them.
    """
    paths = [folder / name for name in sorted(names) if name in FOLDERS or LOCKS.fullmatch(name)]
    for name, pattern in BELOW.items():
        if name in names and stat.S_ISDIR((folder / name).lstat().st_mode):
            paths += [folder / name / below for below in sorted(os.listdir(folder / name)) if pattern.fullmatch(below)]
    for path in paths:
        with suppress(FileNotFoundError):  # another controller's, which has just ended
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                raise ResultsError(f"{path}: is a link; a results folder has files and folders of its own here")
            if not (stat.S_ISREG(mode) if path.name.startswith(".") else stat.S_ISDIR(mode)):
                kind = "file" if path.name.startswith(".") else "folder"
                raise ResultsError(f"{path}: is no {kind}; move it away, or choose another folder with -o")


def _of_a_beginning(folder: Path, name: str) -> bool:
    """Whether an entry of a folder without a mark is what a sweep that was killed at its start has left there."""
    if name == "journal":
        with suppress(OSError):
            return not (folder / name).is_symlink() and not os.listdir(folder / name)
        return False
    return name.startswith(f".{MARK}-") and TEMPORARY.fullmatch(name) is not None
