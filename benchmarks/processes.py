"""Whole processes, timed from outside: what a user waits for."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from harness.execution.environment import THREADS

ROOT = Path(__file__).resolve().parents[1]
STUDIES = Path(__file__).resolve().parent / "studies"


def seconds(command: Sequence[str | Path]) -> float:
    """Wall time of a Python process, its interpreter's start included.

    Raises:
        subprocess.CalledProcessError: it failed; its output has been shown.
    """
    start = perf_counter()
    output(command)
    return perf_counter() - start


def output(command: Sequence[str | Path]) -> str:
    """Standard output of a Python process that starts as a user's would: our own thread settings are not passed on."""
    ours = {*THREADS, "MKL_CBWR", "XLA_FLAGS"}
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    done = subprocess.run(
        [sys.executable, *map(str, command)], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        done.check_returncode()
    return done.stdout


def sweep(study: str, folder: Path, jobs: int, *options: str) -> list[str | Path]:
    """The command of a sweep over one of our own studies."""
    return ["-m", "harness.sweep", STUDIES / f"{study}.yaml", "-j", str(jobs), "-o", folder, "-q", *options]
