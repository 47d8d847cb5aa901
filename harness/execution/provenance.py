"""What a sweep notes beside its results: the study as it was given, and on what it ran."""

from __future__ import annotations

import hashlib
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
        head = _git(root, "rev-parse", "--verify", "HEAD").decode().strip()
        files = [line.partition(b"\t") for line in _git(root, "ls-tree", "-r", "-z", "HEAD").split(b"\0") if line]
        if os.fsencode(Path(__file__).resolve().relative_to(root)) not in {name for _, _, name in files}:
            return "unknown"
        changed = any(_differs(root / os.fsdecode(name), *entry.decode().split()) for entry, _, name in files)
    except (OSError, ValueError, subprocess.SubprocessError):
        return "unknown"
    return head[:12] + ("+" if changed else "")


def _git(root: Path, *arguments: str) -> bytes:
    """What git answers; nothing that the repository's configuration or the environment names is run.

    Raises:
        OSError, subprocess.SubprocessError: there is no git, or it fails, or gives no answer.
    """
    off = ("core.fsmonitor=false", "core.hooksPath=/dev/null", "protocol.allow=never")
    options = [part for setting in off for part in ("-c", setting)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0"}
    command = ["git", *options, *arguments]
    return subprocess.run(
        command, cwd=root, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=30
    ).stdout


def _differs(path: Path, mode: str, kind: str, name: str) -> bool:
    """Whether a file is another than in the commit; git itself would run the filters that the repository names."""
    if kind != "blob" or mode == "120000":
        return False
    try:
        data = path.read_bytes()
    except OSError:
        return True
    return hashlib.new("sha256" if len(name) == 64 else "sha1", b"blob %d\0" % len(data) + data).hexdigest() != name
