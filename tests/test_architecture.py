"""How the code is laid out and named. Which module may import which is in `.importlinter` (`lint-imports`)."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from harness.__main__ import COMMANDS

TOP = Path(__file__).parents[1]
PACKAGE = TOP / "harness"
FILES = sorted(PACKAGE.rglob("*.py"))
EVERY = sorted(path for folder in ("harness", "benchmarks", "docs", "tests") for path in (TOP / folder).rglob("*.py"))
SHARED = {"cli", "entrypoints", "registry", "rng"}  # what the modules at the top are beside the commands

# A variable says what it holds; these do not, or belong to a vocabulary of our own.
FORBIDDEN = frozenset(
    """asked catalogue doors door effective feed finding findings found held house how keepsake keepsakes kept made
    piece pieces room rooms said strike struck tape told wanted what
    Asked Catalogue Feed Finding How Judged Presented Swept Tape Wanted""".split()  # noqa: SIM905
)
FORBIDDEN_MODULES = frozenset(
    "asking catalogue doors feed finding keepsakes notebook reading records streams tape".split()  # noqa: SIM905
)
# In messages, docstrings and comments.
PHRASES = re.compile(
    r"\b(?:is told|are told|set aside|the (?:room|house|door|tape|feed)|keepsakes?|(?<!\.)struck|cannot carry"
    r"|told with its place|a law that)\b",
    re.IGNORECASE,
)
ALLOWED = {"tests/test_architecture.py", "tests/test_docs.py"}  # they list the words


def title(path: Path) -> str:
    return str(path.relative_to(TOP))


def names(path: Path) -> set[str]:
    """What a file names: variables, attributes that it sets, parameters, functions, classes, aliases of imports."""
    defined: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            defined.add(node.id if isinstance(node, ast.Name) else node.attr)
        elif isinstance(node, ast.arg):
            defined.add(node.arg)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            defined.add(node.name)
        elif isinstance(node, ast.alias):
            defined.add(node.asname or node.name)
    return defined


@pytest.mark.parametrize("path", [path for path in EVERY if title(path) not in ALLOWED], ids=title)
def test_names_are_those_of_the_field(path: Path) -> None:
    assert sorted(names(path) & FORBIDDEN) == []
    assert path.stem.removeprefix("test_") not in FORBIDDEN_MODULES
    assert not PHRASES.findall(path.read_text())


def test_no_class_name_stands_for_two_classes() -> None:
    classes = Counter(
        node.name for path in FILES for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)
    )
    assert [name for name, count in classes.items() if count > 1] == []


def test_at_the_top_are_the_commands_and_what_all_share() -> None:
    modules = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    assert modules == SHARED | {name for name in COMMANDS if (PACKAGE / f"{name}.py").exists()}


@pytest.mark.parametrize("path", FILES, ids=title)
def test_a_file_is_one_idea(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("path", [path for path in FILES if path.parent.name != "cells"], ids=title)
def test_nothing_but_a_cell_asks_which_cell_it_is(path: Path) -> None:
    """`cell.cell == "lstm"`, or `getattr(cell, "forget_bias")`: what a cell does differently, it says itself."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            of_cell = any(isinstance(side, ast.Attribute) and side.attr == "cell" for side in sides)
            assert not (of_cell and any(isinstance(side, ast.Constant) for side in sides)), node.lineno
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
            assert not (isinstance(node.args[0], ast.Name) and node.args[0].id == "cell"), node.lineno


@pytest.mark.parametrize(
    "module",
    [
        *("study", "tasks", "cells", "schema", "store", "registry", "execution.sweeping", "theory", "analysis"),
        *("statistics.frames", "verdicts.expectations", "figures.rendering", "report.presenting"),
    ],
)
def test_what_plans_and_draws_loads_no_torch(module: str) -> None:
    code = f"import sys, harness.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_reads_a_study_loads_no_scipy() -> None:
    code = "import sys; from harness.registry import load_registry; load_registry(); sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("command", COMMANDS.values())
def test_help_loads_nothing_heavy(command: str) -> None:
    heavy = "{'torch', 'numpy', 'pandas', 'seaborn', 'pyarrow', 'pydantic', 'joblib', 'llvmlite'}"
    code = (
        "import sys\nfrom importlib import import_module\n"
        f"command = import_module({command!r})\n"
        "try: command.main(['--help'])\n"
        f"except SystemExit: sys.exit(len({heavy} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0
