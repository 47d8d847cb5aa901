"""The rooms stand in one order, and each imports only what stands above it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[1] / "harness"
FILES = sorted(HOUSE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(HOUSE)))
def test_no_file_is_two(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize(
    "room",
    [
        *("study", "tasks", "cells", "schema", "store", "registry", "execution.sweeping", "theory", "analysis"),
        *("statistics.frames", "verdicts.expectations", "figures.rendering", "report.presenting"),
    ],
)
def test_what_plans_and_draws_loads_no_torch(room: str) -> None:
    code = f"import sys, harness.{room}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("door", ["sweep", "status", "check", "compare", "report.__main__", "papers", "sample"])
def test_help_loads_nothing_heavy(door: str) -> None:
    heavy = "{'torch', 'numpy', 'pandas', 'seaborn', 'pyarrow', 'pydantic', 'joblib', 'numba'}"
    code = (
        f"import sys\nfrom importlib import import_module\n"
        f"door = import_module('harness.{door}')\n"
        "try: door.main(['--help'])\n"
        f"except SystemExit: sys.exit(len({heavy} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0
