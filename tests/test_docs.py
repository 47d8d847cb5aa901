"""What the documentation shows is what the code does."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from harness import sweep
from harness.rng import generator
from harness.store.columns import TABLES

TOP = Path(__file__).parents[1]
DOCS = TOP / "docs"
EXAMPLE = TOP / "tests" / "plugin_example"
PAGES = sorted([*DOCS.rglob("*.md"), *TOP.glob("*.md"), *(TOP / "studies").glob("*.md")])
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.+?)^```", (DOCS / page).read_text(), re.DOTALL | re.MULTILINE)


TASK, CELL, FIGURE = blocks("extending.md", "python")


def anchors(page: Path) -> set[str]:
    """The headings of a page as GitHub and MyST spell them in links."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TOP)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)[^)]*\)", FENCE.sub("", page.read_text())):
        if not re.match(r"https?:|mailto:", link):
            target, _, anchor = link.partition("#")
            found = (page.parent / target).resolve() if target else page
            assert found.exists(), link
            if anchor and found.suffix == ".md":
                assert anchor in anchors(found), link


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_column_is_documented_with_unit_and_meaning(table) -> None:
    text = (DOCS / "tables.md").read_text()
    for column in table.columns:
        assert f"| `{column.name}` | {column.type} | {column.unit} | {column.meaning} |" in text


def test_every_key_of_a_study_is_documented() -> None:
    spec = importlib.util.spec_from_file_location("write_keys", DOCS / "write_keys.py")
    assert spec is not None
    assert spec.loader is not None
    writer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(writer)
    assert (DOCS / "keys.md").read_text() == writer.page(), "python docs/write_keys.py writes it again"


def test_the_page_of_keys_has_every_word_of_the_grammar() -> None:
    import json

    schema, text = json.loads((TOP / "studies" / "study.schema.json").read_text()), (DOCS / "keys.md").read_text()
    for key, body in schema["properties"].items():
        assert f"`{key}" in text or f"# {key}" in text
        for inner, setting in body.get("properties", {}).items():
            assert f"`{inner}`" in text
            assert all(f"`{word}`" in text for word in setting.get("enum", ()))


@pytest.mark.parametrize(
    "command",
    [line for page in PAGES for block in FENCE.findall(page.read_text()) for line in block.splitlines()
     if line.startswith("python -m harness.sweep ")],
)  # fmt: skip
def test_every_sweep_that_is_shown_could_be_typed(command: str) -> None:
    typed = shlex.split(re.sub(r"\$\w+", "1", command), comments=True)
    assert sweep._parser().parse_args(typed[3:]).study.endswith(".yaml")


@pytest.mark.parametrize(
    ("block", "path"),
    [
        (TASK, "harness_example/first_symbol.py"),
        (CELL, "harness_example/leaky.py"),
        (FIGURE, "harness_example/slope.py"),
        (blocks("extending.md", "toml")[0], "pyproject.toml"),
    ],
    ids=["task", "cell", "figure", "package"],
)
def test_what_is_shown_is_the_package_that_is_tested(block: str, path: str) -> None:
    assert block == (EXAMPLE / path).read_text()


def test_the_example_task_is_a_task(monkeypatch, study_file) -> None:
    from harness.experiments.setup import Setup
    from harness.experiments.training.loop import train
    from harness.registry import read
    from harness.study.plan import plan
    from harness.tasks import TASKS

    space: dict = {}
    exec(compile(TASK, "extending.md", "exec", dont_inherit=True), space)
    monkeypatch.setitem(TASKS, "first_symbol", space["FirstSymbol"])
    batch = TASKS["first_symbol"](name="first_symbol").sample(generator(0, "test"), 7)
    assert np.array_equal(batch.targets, batch.inputs[0])
    text = """\
name: own
claim: Three steps are no distance.
task: {name: first_symbol, sequence_length: 3}
model: {cell: rnn, hidden_size: 12}
training: {max_updates: 400, learning_rate: 0.01}
evaluation: {every: 50, sequences: 64}
"""
    [record] = train(plan(read(study_file(text))).runs, Setup("torch"))
    assert record.run["outcome"] == "solved"
    assert record.run["chance"] == 0.25


def test_the_example_cell_is_a_cell_with_the_adjoints_of_its_linear_regime() -> None:
    import torch

    from harness.recurrence.adjoints import AdjointRecorder
    from harness.recurrence.scan import scan

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
    """A folder in which the tutorial's study was written and its commands were typed, and what they printed."""
    place = tmp_path_factory.mktemp("tutorial")
    (place / "studies").mkdir()
    [study] = blocks("tutorial.md", "yaml")
    (place / "studies" / "reach.yaml").write_text(study)
    (place / "harness").symlink_to(TOP / "harness")
    printed = {}
    for block in blocks("tutorial.md", "sh"):
        for line in block.splitlines():
            done = subprocess.run(
                [sys.executable, *shlex.split(line)[1:]], cwd=place, check=False, capture_output=True, text=True
            )
            assert done.returncode == 0, done.stdout + done.stderr
            printed[line] = done.stdout
    return place, printed


def test_the_tutorials_commands_print_what_it_shows(tutorial) -> None:
    _, printed = tutorial
    plan, first, more = printed.values()
    assert "10 runs: 0 done, 10 missing" in plan
    shown = re.sub(r"\s+", " ", first)
    for line in blocks("tutorial.md", "text")[0].splitlines():
        assert line in shown
    assert "took" in more
    assert " for 10 runs" in more  # ten of the twenty were there


def test_the_tutorials_python_finds_what_it_says(tutorial, monkeypatch) -> None:
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
def test_what_is_typed_in_a_notebook_works(block: str, tried, monkeypatch) -> None:
    place, space = tried
    monkeypatch.chdir(place)
    for name in re.findall(r"^import (polars|duckdb)", block, re.MULTILINE):
        pytest.importorskip(name, reason=f"{name} is not installed; the test extra has it")
    exec(compile(block, "notebooks.md", "exec", dont_inherit=True), space)
    if "pl" in space:
        assert space["slopes"].height == 2
    if "duckdb" in space:
        assert [row[-1] for row in space["solved"]] == [2, 2]


def test_the_citation_says_what_the_package_says() -> None:
    project = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
    citation = YAML(typ="safe").load(TOP / "CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()  # what the format demands
    assert str(citation["cff-version"]) == "1.2.0"
    assert citation["version"] == project["version"]
    assert citation["license"] == project["license"] == "MIT"
    assert [author["name"] for author in citation["authors"]] == [author["name"] for author in project["authors"]]
    assert (TOP / project["license-files"][0]).read_text().startswith("MIT License")
