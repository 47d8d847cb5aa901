"""The documentation: its links, names, commands and examples work as they are shown."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from ruamel.yaml import YAML
from study_texts import study_text
from trained_runs import trained

from harness import sweep
from harness.recurrence.adjoints import AdjointRecorder
from harness.recurrence.scan import scan
from harness.rng import generator
from harness.store.columns import TABLES
from harness.tasks import TASKS

TOP = Path(__file__).parents[1]
DOCS = TOP / "docs"
EXAMPLE = TOP / "tests" / "plugin_example"
PAGES = sorted([*DOCS.rglob("*.md"), *TOP.glob("*.md"), *(TOP / "studies").glob("*.md")])
MEASURED = {
    DOCS / "papers.md",
    DOCS / "performance.md",
    DOCS / "coverage.md",
    DOCS / "leaderboard.md",
}  # written from results; their tables are wide
# worded where a setting, a metric or a column is declared
GENERATED = {DOCS / "keys.md", DOCS / "metrics.md", DOCS / "tables.md"}
WIDTH = 120
PHRASES = (  # private vocabulary, and what replaces it
    *("is told", "are told", "set aside", "the room", "the house", "the door", "struck", "keepsakes", "the tape"),
    "a piece of",  # checkpoint segment
    "what the number of seeds cannot carry",  # warns when there are too few seeds
    "a mistake is told with its place",  # errors report file, line and column
    "a law that a test holds",  # each is covered by a test
    "the loss's direct view",  # the immediate partial derivative
    "seeds that did not choose them",  # held-out seeds
    "17 holds",  # 17 of 17 hold
)
LARGEST_PICTURE = 40_000  # bytes
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.+?)^```", (DOCS / page).read_text(), re.DOTALL | re.MULTILINE)


SHOWN = ("tasks/first_symbol.py", "cells/leaky.py", "figures/slope.py", "probes/speed.py", "experiments/coin.py")
TASK, CELL, FIGURE, PROBE, METRIC, EXPERIMENT = blocks("extending.md", "python")


def script(name: str) -> ModuleType:
    """A script of docs/, which is no package."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def title(page: Path) -> str:
    return str(page.relative_to(TOP))


def anchors(page: Path) -> set[str]:
    """The headings of a page as GitHub and MyST spell them in links."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)[^)]*\)", FENCE.sub("", page.read_text())):
        if not re.match(r"https?:|mailto:", link):
            name, _, anchor = link.partition("#")
            target = (page.parent / name).resolve() if name else page
            assert target.exists(), link
            if anchor and target.suffix == ".md":
                assert anchor in anchors(target), link


@pytest.mark.parametrize("page", [page for page in PAGES if page not in MEASURED], ids=title)
def test_no_line_is_too_wide(page: Path) -> None:
    wide = {i: line for i, line in enumerate(page.read_text().splitlines(), 1) if len(line) > WIDTH}
    assert not wide


@pytest.mark.parametrize("page", [page for page in PAGES if page not in MEASURED | GENERATED], ids=title)
def test_pages_have_none_of_the_private_vocabulary(page: Path) -> None:
    prose = re.sub(r"`[^`]+`", "", FENCE.sub("", page.read_text()))  # names in code may be old ones
    words = " ".join(prose.lower().split())
    assert not [phrase for phrase in PHRASES if re.search(rf"\b{phrase}\b", words)]


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_paths_and_modules_that_pages_name_exist(page: Path) -> None:
    shown = {f"harness/{path}" for path in SHOWN}
    for path in set(re.findall(r"`((?:harness|tests|benchmarks|docs)/[\w./-]+)`", page.read_text())) - shown:
        assert (TOP / path).exists(), path
    for block in re.findall(r"^```python\n(.+?)^```", page.read_text(), re.DOTALL | re.MULTILINE):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("harness."):
                assert not node.module.startswith("harness.analysis"), node.module  # forwards, for older plug-ins
                module = importlib.import_module(node.module)
                assert all(hasattr(module, alias.name) or _is_module(module, alias.name) for alias in node.names)


def _is_module(package: ModuleType, name: str) -> bool:
    return importlib.util.find_spec(f"{package.__name__}.{name}") is not None


def test_every_task_has_its_picture() -> None:
    text = (DOCS / "tasks.md").read_text()
    assert set(script("draw_tasks").EXAMPLES) == set(TASKS)
    for name in TASKS:
        assert f"\n## {name}\n" in text
        assert f"](../results/gallery/tasks-{name}.png)" in text
        assert (TOP / "results" / "gallery" / f"tasks-{name}.png").stat().st_size <= LARGEST_PICTURE


def test_a_task_is_drawn_with_the_same_bytes_every_time() -> None:
    drawing = script("draw_tasks")
    first = drawing.png("xor")
    assert first.startswith(b"\x89PNG")
    assert drawing.png("xor") == first


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_column_is_documented_with_unit_and_meaning(table) -> None:
    text = " ".join((DOCS / "tables.md").read_text().split())
    for column in table.columns:
        unit = f"; {column.unit}" if column.unit else ""
        assert f"- `{column.name}` (`{column.type}`{unit}): {column.meaning}" in text


@pytest.mark.parametrize("name", ["keys", "metrics", "tables"])
def test_a_generated_page_is_the_output_of_its_script(name: str) -> None:
    page = script(f"write_{name}").page()
    assert (DOCS / f"{name}.md").read_text() == page, f"python docs/write_{name}.py writes it again"


def test_the_page_of_keys_has_every_word_of_the_grammar() -> None:
    schema, text = json.loads((TOP / "studies" / "study.schema.json").read_text()), (DOCS / "keys.md").read_text()
    for key, body in schema["properties"].items():
        assert f"`{key}" in text or f"# {key}" in text
        for inner, setting in body.get("properties", {}).items():
            assert f"`{inner}`" in text
            assert all(f"`{word}`" in text for word in setting.get("enum", ()))


@pytest.mark.parametrize(
    "command",
    [line for page in PAGES for block in FENCE.findall(page.read_text())
     for line in block.replace("\\\n", "").splitlines() if line.startswith("python -m harness.sweep ")],
)  # fmt: skip
def test_every_sweep_on_a_page_has_valid_arguments(command: str) -> None:
    typed = shlex.split(re.sub(r"\$\w+", "1", command), comments=True)
    assert sweep._parser().parse_args(typed[3:]).study.endswith(".yaml")


@pytest.mark.parametrize(
    ("block", "path"),
    [
        (TASK, "harness_example/first_symbol.py"),
        (CELL, "harness_example/leaky.py"),
        (FIGURE, "harness_example/slope.py"),
        (PROBE, "harness_example/speed.py"),
        (METRIC, "harness_example/updates.py"),
        (EXPERIMENT, "harness_example/coin.py"),
        (blocks("extending.md", "toml")[0], "pyproject.toml"),
    ],
    ids=["task", "cell", "figure", "probe", "metric", "experiment", "package"],
)
def test_the_code_on_the_page_is_that_of_the_tested_package(block: str, path: str) -> None:
    assert block == (EXAMPLE / path).read_text()


def test_the_example_task_is_a_task(monkeypatch, plan_of) -> None:
    space: dict = {}
    exec(compile(TASK, "extending.md", "exec", dont_inherit=True), space)
    monkeypatch.setitem(TASKS, "first_symbol", space["FirstSymbol"])
    batch = TASKS["first_symbol"](name="first_symbol").sample(generator(0, "test"), 7)
    assert np.array_equal(batch.targets, batch.inputs[0])
    text = study_text(
        task={"name": "first_symbol", "sequence_length": 3},
        model={"hidden_size": 12},
        training={"max_updates": 400, "batch_size": 32, "learning_rate": 0.01},
        evaluation={"every": 50, "sequences": 64},
        seeds=1,
    )
    [record] = trained(plan_of(text).runs).values()
    assert record.run["outcome"] == "solved"
    assert record.run["chance"] == 0.25


def test_the_example_cell_is_a_cell_with_the_adjoints_of_its_linear_regime() -> None:
    space: dict = {"__name__": "leaky"}
    exec(compile(CELL.replace("if TYPE_CHECKING:", "if True:"), "extending.md", "exec", dont_inherit=True), space)
    cell = space["Leaky"](cell="leaky", hidden_size=3, leak=0.25, biases=1)
    zero = {"W": torch.zeros(1, 3, 3), "U": torch.zeros(1, 3, 2), "b_x": torch.zeros(1, 3)}
    parameters = {name: value.requires_grad_() for name, value in zero.items()}
    recorder = AdjointRecorder()
    h, _ = scan(cell, parameters, torch.zeros(40, 1, 2, dtype=torch.long), (torch.zeros(1, 2, 3),), recorder=recorder)
    (h.sum() / 2).backward()
    assert recorder.log10_adjoint is not None
    # W = 0: only the leak carries, and the adjoint falls by 1 − α a step
    np.testing.assert_allclose(np.diff(recorder.log10_adjoint[:, 0]), -np.log10(0.75), atol=1e-6)


@pytest.fixture(scope="module")
def tutorial(tmp_path_factory) -> tuple[Path, dict[str, str]]:
    """A folder with the tutorial's study, in which its commands were run; and their output by command."""
    place = tmp_path_factory.mktemp("tutorial")
    (place / "studies").mkdir()
    [study] = blocks("tutorial.md", "yaml")
    (place / "studies" / "reach.yaml").write_text(study)
    env = {**os.environ, "PYTHONPATH": str(TOP)}
    printed = {}
    for block in blocks("tutorial.md", "sh"):
        for line in block.splitlines():
            command = [sys.executable, *shlex.split(line)[1:]]
            done = subprocess.run(command, cwd=place, env=env, check=False, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
            printed[line] = done.stdout
    return place, printed


@pytest.mark.long
def test_the_tutorials_commands_print_what_it_shows(tutorial) -> None:
    _, printed = tutorial
    plan, first, more = printed.values()
    assert "12 runs: 0 done, 12 missing" in plan
    shown = re.sub(r"\s+", " ", first)
    for line in blocks("tutorial.md", "text")[0].splitlines():
        assert line in shown
    assert "took" in more
    assert " for 12 runs" in more  # twelve of the twenty-four were there


@pytest.mark.long
def test_the_tutorials_python_reads_the_stated_reach(tutorial, monkeypatch) -> None:
    place, _ = tutorial
    monkeypatch.chdir(place)
    space: dict = {}
    for block in blocks("tutorial.md", "python"):
        exec(compile(block, "tutorial.md", "exec", dont_inherit=True), space)
    reached = {None if window != window else window: lag for window, lag in space["reached"].items()}
    assert reached[None] == 11
    assert reached[3] == 2
    assert (place / "decay.png").exists()


@pytest.fixture(scope="module")
def tried(tmp_path_factory) -> tuple[Path, dict]:
    """The README's study, run as docs/notebooks.md runs it; and the names that its blocks define."""
    place = tmp_path_factory.mktemp("notebook")
    (place / "studies").mkdir()
    text = (TOP / "README.md").read_text()
    (place / "studies" / "first.yaml").write_text(re.search(r"```yaml\n(.+?)```", text, re.DOTALL).group(1))  # type: ignore[union-attr]
    return place, {}


@pytest.mark.parametrize("block", blocks("notebooks.md", "python"), ids=lambda block: block.splitlines()[-1][:30])
def test_the_blocks_of_the_notebook_page_run(block: str, tried, monkeypatch) -> None:
    place, space = tried
    monkeypatch.chdir(place)
    for name in re.findall(r"^import (polars|duckdb)", block, re.MULTILINE):
        pytest.importorskip(name, reason=f"{name} is not installed; the test extra has it")
    exec(compile(block, "notebooks.md", "exec", dont_inherit=True), space)
    if "pl" in space:
        assert space["slopes"].height == 2
    if "duckdb" in space:
        assert [row[-1] for row in space["solved"]] == [2, 2]


@pytest.fixture(scope="module")
def watched(tmp_path_factory) -> tuple[Path, dict]:
    """A folder, and the names that the blocks of docs/watch.md define."""
    torch.manual_seed(0)
    return tmp_path_factory.mktemp("watched"), {}


@pytest.mark.parametrize("block", blocks("watch.md", "python"), ids=lambda block: block.splitlines()[-1][:30])
def test_the_blocks_of_the_page_on_watching_run(block: str, watched, monkeypatch) -> None:
    place, space = watched
    monkeypatch.chdir(place)
    warned = re.search(r"# WatchWarning: .*?… (.+)", block)
    with pytest.warns(UserWarning, match=warned[1]) if warned else nullcontext():
        exec(compile(block, "watch.md", "exec", dont_inherit=True), space)


def test_the_page_on_watching_has_the_numbers_that_it_states(watched) -> None:
    place, space = watched
    assert (space["exact"], space["window"]) == (2.75, 2.5)
    np.testing.assert_allclose(10 ** space["reach"], [0.25, 0.5, 1])
    assert space["truncated"].frame.lag.max() == 1
    assert space["last"]["c"] > space["last"]["h"]
    for scale, slope in space["slopes"].items():
        assert slope == pytest.approx(np.log10(scale), abs=1e-3)
    assert set(space["gradients"].frame.state) == {"h", "products"}
    assert space["results"].gradients()["update"].tolist() == [0, 10, 20, 30]
    assert (place / "both.png").exists()


def test_the_readme_counts_the_published_results_as_their_page_does() -> None:
    counts = re.search(r"(\d+) published results: (\d+) hold, (\d+) undecided", (TOP / "docs/papers.md").read_text())
    assert counts is not None
    readme = " ".join((TOP / "README.md").read_text().split())
    assert f"{counts[1]} published results" in readme
    assert f"{counts[2]} hold, {counts[3]} are undecided" in readme


def test_the_citation_agrees_with_the_package() -> None:
    project = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
    citation = YAML(typ="safe").load(TOP / "CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()  # what the format demands
    assert str(citation["cff-version"]) == "1.2.0"
    assert citation["version"] == project["version"]
    assert citation["license"] == project["license"] == "MIT"
    assert f"*{citation['title']}*. Version {citation['version']}. MIT licence." in (TOP / "README.md").read_text()
    assert [author["name"] for author in citation["authors"]] == [author["name"] for author in project["authors"]]
    assert (TOP / project["license-files"][0]).read_text().startswith("MIT License")
