"""The rooms stand in one order, and each imports only what stands above it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[1] / "harness"
ORDER = (
    *(
        "errors",
        "records",
        "streams",
        "study",
        "plugins",
        "theory",
        "tasks",
        "cells",
        "kernels",
        "tape",
        "fused",
        "diagonal",
        "scan",
        "models",
    ),
    *("probes", "experiments", "store", "execution", "analysis", "catalogue", "doors"),
    *("sweep", "status", "check", "compare", "report", "papers", "sample", "notebook", "__main__"),
)
FILES = sorted(HOUSE.rglob("*.py"))


def rooms_imported(path: Path) -> set[str]:
    """Rooms that a file imports, wherever in it, type checking included."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"harness.{a.name}" for a in node.names] if node.module == "harness" else [node.module]
        found |= {name.split(".")[1] for name in names if name.startswith("harness.")}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(HOUSE)))
def test_a_room_imports_only_what_stands_above_it(path: Path) -> None:
    room = path.relative_to(HOUSE).parts[0].removesuffix(".py")
    if room != "__init__":
        above = ORDER[: ORDER.index(room) + 1]
        assert rooms_imported(path) <= set(above)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(HOUSE)))
def test_no_file_is_two(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize(
    "room", ["study", "tasks", "cells", "records", "store", "analysis", "catalogue", "execution.sweeping", "theory"]
)
def test_what_plans_and_draws_loads_no_torch(room: str) -> None:
    code = f"import sys, harness.{room}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("door", ["sweep", "status", "check", "compare", "report", "papers", "sample"])
def test_help_loads_nothing_heavy(door: str) -> None:
    heavy = "{'torch', 'numpy', 'pandas', 'seaborn', 'pyarrow', 'pydantic', 'joblib', 'numba'}"
    code = (
        f"import sys, harness.{door} as door\n"
        "try: door.main(['--help'])\n"
        f"except SystemExit: sys.exit(len({heavy} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0
