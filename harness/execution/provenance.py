"""What a sweep notes beside its results: the study as it was given, and on what it ran."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from platform import platform

from harness.store.files import replace_file
from harness.store.ownership import PLAN, study_file
from harness.store.repository import checked_out
from harness.study.code import Code
from harness.study.plan import Plan

PROJECT = 'name = "vanishing-gradient-harness"'  # in the pyproject.toml of a checkout


def write_plan(plan: Plan, folder: Path) -> None:
    """Write plan.json: the study with its source, and the ids of its runs.

    Raises:
        OSError: the file cannot be written.
    """
    study = plan.study
    document = {
        "name": study.name,
        "claim": study.claim,
        "study": study.path,
        "file": study_file(study.path),
        "folder": (place := os.path.realpath(study.folder)),  # to which the study's paths are relative
        "folder_from_here": os.path.relpath(place, os.path.realpath(folder)),  # where both are moved together
        "overrides": list(study.overrides),
        "ids": sorted(plan.ids),
        "source": study.source,
    }
    replace_file(folder / PLAN, json.dumps(document, indent=1).encode())


def write_provenance(folder: Path, command: Sequence[str], codes: Sequence[Code] = ()) -> None:
    """Write provenance.json.

    Args:
        codes: functions that the study names, which its runs execute.

    Raises:
        OSError: the file cannot be written.
    """
    replace_file(folder / "provenance.json", json.dumps(provenance(command, codes), indent=1).encode())


def provenance(command: Sequence[str], codes: Sequence[Code] = ()) -> dict[str, object]:
    """On what a sweep runs; versions and CPU are not here but in the table of runs, since they may differ by run."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(command) if command else shlex.join([Path(sys.executable).name, *sys.argv]),
        "commit": harness_commit(),
        "platform": platform(),
        "cores": os.cpu_count() or 1,
        "threads per job": 1,
        **({"code": {code.name: {"file": code.file, "version": code.version} for code in codes}} if codes else {}),
    }


def harness_commit() -> str:
    """The git commit of the harness's own checkout, with "+" where its files are others; "unknown" outside one."""
    package = Path(__file__).resolve().parents[1]
    root = package.parent
    try:
        if not (root / ".git").exists() or PROJECT not in (root / "pyproject.toml").read_text():
            return "unknown"  # an installed harness may lie inside somebody else's repository
        tree = checked_out(root)
        if os.fsencode(Path(__file__).resolve().relative_to(root)) not in tree.files:
            return "unknown"
    except (OSError, ValueError, subprocess.SubprocessError):
        return "unknown"
    return tree.commit[:12] + ("+" if tree.changed else "")
