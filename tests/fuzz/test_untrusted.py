"""A study or a results folder from a stranger: it runs no code, writes nowhere else, puts no markup into the report."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fuzz_cases import TINY, call, located, snapshot
from page_tags import PageTags

from harness import cli, status, sweep
from harness.registry import read
from harness.report import __main__ as report
from harness.schema import Record
from harness.store.journal import Journal
from harness.store.location import results_folder
from harness.study.plan import plan

ROOT = Path(__file__).parents[2]
EVIL = "\"'><script>alert(1)</script><x-evil onload=alert(2)>{{ 7 * 7 }}</title></style>&lt;"


@pytest.mark.parametrize("key", ["name", "claim", "model", "extra", "seeds"])
@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.system ['touch {mark}']",
        "!!python/object/apply:subprocess.check_call [[touch, '{mark}']]",
        "!!python/object/new:os.system ['touch {mark}']",
        "!!python/name:os.system",
        "!!python/module:os",
        "!<tag:yaml.org,2002:python/object/apply:os.system> ['touch {mark}']",
        '!!python/object/apply:eval [\'open("{mark}", "w")\']',
        "!include {mark}",
    ],
)
def test_a_tag_runs_nothing(tmp_path: Path, key: str, tag: str) -> None:
    mark = tmp_path / "mark"
    study = tmp_path / "s.yaml"
    lines = [line for line in TINY.splitlines() if not line.startswith(f"{key}:")]
    study.write_text("\n".join([*lines, f"{key}: {tag.format(mark=mark)}", ""]))
    shown = call(sweep, study, "-o", tmp_path / "out", "-n")
    assert shown.code == cli.USAGE_ERROR
    assert located(shown, study)
    assert not mark.exists()


FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "jsonpickle", "yaml"}


def calls_of(tree: ast.AST) -> list[tuple[str, set[str], ast.Call]]:
    return [
        (ast.unparse(node.func), {word.arg or "" for word in node.keywords}, node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
    ]


@pytest.mark.parametrize("path", sorted((ROOT / "harness").rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_is_unpickled_or_evaluated(path: Path) -> None:
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not {name.partition(".")[0] for name in names} & FORBIDDEN_MODULES
    for name, words, node in calls_of(tree):
        text = ast.unparse(node)
        assert name not in ("eval", "exec", "compile", "__import__", "os.system", "os.popen", "pd.read_pickle"), text
        assert "shell" not in words, text
        if name in ("np.load", "numpy.load"):
            assert "allow_pickle=False" in text
        if name == "torch.load":
            assert "weights_only=True" in text
        if name == "YAML":
            assert "typ='rt'" in text  # round trip: tags are kept as text, never constructed


@pytest.mark.parametrize(
    "name", ["../../x", "..", ".", "/etc/x", "a/b", "a\\b", "~", "-rf", ".hidden", "a\0b", "a\n", "a" * 101]
)
@pytest.mark.parametrize("where", ["name: {}", "figures: [{{kind: decay, name: {}}}]"], ids=["study", "figure"])
def test_a_name_cannot_lead_out_of_the_results_folder(tmp_path: Path, name: str, where: str) -> None:
    study = tmp_path / "s.yaml"
    text = TINY if where.startswith("figures") else TINY.replace("name: tiny\n", "")
    study.write_text(text + where.format(json.dumps(name)) + "\n")
    before = snapshot(tmp_path)
    shown = call(sweep, study, "-o", tmp_path / "out")
    assert shown.code == cli.USAGE_ERROR
    assert located(shown, study)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("file", ["...yaml", "..yaml", ".yaml", "....yaml", "a..yaml", "x/...yaml"])
def test_a_studys_file_name_cannot_lead_out_of_the_results_folder(file: str) -> None:
    folder = results_folder(f"studies/{file}", "mine", None)
    assert Path(os.path.normpath(folder)).parts[0] == "results"
    assert len(Path(os.path.normpath(folder)).parts) > 1


def test_no_text_of_a_study_or_a_folder_is_markup_in_the_report(tmp_path: Path) -> None:
    quoted = json.dumps(EVIL)
    study = tmp_path / "<script>s&.yaml"
    text = TINY.replace("claim: An untrained network guesses.", f"claim: {quoted}")
    text += f"figures: [{{kind: success, where: {{cell: [rnn, {quoted}]}}}}]\n"
    text += f"expect: [{{metric: success_rate, where: {{cell: [rnn, {quoted}]}}, at_most: 0.5}}]\n"
    study.write_text(text)
    override = f"claim={quoted}"
    study_plan = plan(read(study, [override]))
    journal = Journal.create(tmp_path / "out" / "tiny")
    first, second, third, _ = study_plan.runs
    columns = {"outcome": EVIL, "updates": 2, "engine": EVIL, "device": EVIL, "cpu": EVIL, "versions": EVIL}
    journal.commit(Record(first.run_id, columns, {}), first.columns())
    journal.commit(Record(second.run_id, {**columns, "outcome": "diverged", "cpu": f"2 {EVIL}"}, {}), second.columns())
    journal.fail(third.run_id, {EVIL: EVIL}, EVIL, EVIL, 1)
    (journal.folder / "provenance.json").write_text(json.dumps({"command": EVIL, EVIL: {EVIL: [EVIL]}, "date": EVIL}))
    shown = call(report, study, "-o", tmp_path / "out", "-S", override)
    assert shown.code == cli.DONE, shown
    page = PageTags((journal.folder / "report.html").read_text())
    assert page.text.count("<x-evil onload=alert(2)>{{ 7 * 7 }}") >= 8
    assert page.names.count("script") == 2  # the data, as JSON, and the program that draws them
    assert not {"x-evil", "iframe", "object", "embed", "link", "base", "form"} & set(page.names)
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]


def test_figures_that_are_a_link_are_left_alone(tmp_path: Path) -> None:
    study, elsewhere = tmp_path / "s.yaml", tmp_path / "elsewhere"
    study.write_text(TINY)
    folder = Journal.create(tmp_path / "out" / "tiny").folder
    elsewhere.mkdir()
    (elsewhere / "photo.png").write_bytes(b"precious")
    (folder / "figures").symlink_to(elsewhere)
    (folder / "report.html").symlink_to(elsewhere / "page.html")
    shown = call(report, study, "-o", tmp_path / "out")
    assert shown.code == cli.USAGE_ERROR
    assert "is a link" in shown.err
    (folder / "figures").unlink()
    assert call(report, study, "-o", tmp_path / "out").code == cli.DONE
    assert [path.name for path in elsewhere.iterdir()] == ["photo.png"]


def test_a_path_that_is_no_text_and_a_terminal_without_greek_are_no_traceback(tmp_path: Path) -> None:
    study = tmp_path / "s.yaml"
    study.write_text(TINY.replace("An untrained network guesses.", "ρ is not σ₁."))
    Journal.create(tmp_path / "\udcff" / "tiny")
    for name in ("sweep", "status"):
        command = [sys.executable, "-m", f"harness.{name}", str(study), "-o", str(tmp_path / "\udcff")]
        done = subprocess.run(
            [*command, "-n"] if name == "sweep" else command,
            capture_output=True, cwd=ROOT, env={**os.environ, "PYTHONIOENCODING": "ascii"}, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (cli.DONE, b"")
    assert call(status, study, "-o", tmp_path / "\udcff").code == cli.DONE
