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
from harness.study.plan import Plan


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
        "overrides": list(study.overrides),
        "ids": sorted(plan.ids),
        "source": study.source,
    }
    replace_file(folder / PLAN, json.dumps(document, indent=1).encode())


def write_provenance(folder: Path, command: Sequence[str]) -> None:
    """Write provenance.json.

    Raises:
        OSError: the file cannot be written.
    """
    replace_file(folder / "provenance.json", json.dumps(provenance(command), indent=1).encode())


def provenance(command: Sequence[str]) -> dict[str, str | int]:
    """On what a sweep runs; versions and CPU are not here but in the table of runs, since they may differ by run."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(command) if command else shlex.join([Path(sys.executable).name, *sys.argv]),
        "commit": harness_commit(),
        "platform": platform(),
        "cores": os.cpu_count() or 1,
        "threads per job": 1,
    }


def harness_commit() -> str:
    """The git commit of the harness's own working tree, with "+" where it had changes; "unknown" outside one."""
    file = Path(__file__).resolve()
    here = file.parent
    try:
        # an installed harness may lie inside somebody else's repository
        subprocess.run(["git", "ls-files", "--error-unmatch", file.name], cwd=here, capture_output=True, check=True)
        head = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"], cwd=here, capture_output=True, text=True, check=True
        )
        changed = subprocess.run(
            ["git", "status", "--porcelain", "-uno"], cwd=here, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")
