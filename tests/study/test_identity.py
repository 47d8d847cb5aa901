"""A run id names what computed the run: plug-ins by their source, files by their content, mended numerics by number."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Literal

import pytest

from harness import cli, status, sweep
from harness.cells.rnn import RNN
from harness.errors import StudyError
from harness.execution.job import JobOptions, work
from harness.registry import read
from harness.store.journal import Journal
from harness.store.status import Status
from harness.study.content import content_hash
from harness.study.identity import point_versions
from harness.study.plan import Plan, plan
from harness.study.section import Section, setting

TOP = Path(__file__).parents[2]
STUDY = """\
name: own
claim: A label is a label.
task: {{name: labelled, file: {file}}}
model: {{cell: rnn, hidden_size: 3}}
training: {{max_updates: 2}}
evaluation: {{every: 1, sequences: 8}}
"""
TASK = """\
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from harness.study.section import File, setting
from harness.tasks.task import Batch, Shape, Task
from own_task.helper import SHIFT
{imports}

class Labelled(Task):
    shape: ClassVar[Shape] = "sequence_to_vector"
    name: Literal["labelled"] = setting(..., "which task", column="task")
    file: {kind} = setting(..., "labels, one a line")
    length: ClassVar[int] = 4
    input_size: ClassVar[int] = 2
    output_size: ClassVar[int] = 2
    chance: ClassVar[float] = 0.5

    def sample(self, generator, batch):
        labels = np.loadtxt(self.file, dtype=int)
        tokens = generator.integers(2, size=(self.length, batch))
        return Batch(tokens, (labels[tokens[0]] + SHIFT) % 2)
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch) -> Callable[..., Path]:
    """Installs (again, changed) a package of two modules that brings a task; nothing of it has been imported."""
    place = tmp_path / "site"
    monkeypatch.syspath_prepend(str(place))
    monkeypatch.setenv("PYTHONPATH", f"{TOP}:{place}")

    def install(version: str = "0.1", helper: str = "SHIFT = 0\n", kind: str = "File", imports: str = "") -> Path:
        for name in [name for name in sys.modules if name.partition(".")[0] == "own_task"]:
            monkeypatch.delitem(sys.modules, name)
        shutil.rmtree(place, ignore_errors=True)
        info = place / f"own_task-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: own-task\nVersion: {version}\n")
        (info / "entry_points.txt").write_text("[harness.tasks]\nlabelled = own_task.task:Labelled\n")
        (place / "own_task").mkdir()
        (place / "own_task" / "__init__.py").touch()
        (place / "own_task" / "task.py").write_text(TASK.format(kind=kind, imports=imports))
        (place / "own_task" / "helper.py").write_text(helper)
        return place / "own_task"

    return install


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    file = tmp_path / "labels.txt"
    file.write_text("0\n1\n")
    return file


@pytest.fixture
def planned(study_file, labels) -> Callable[..., Plan]:
    return lambda file=labels, *overrides: plan(read(study_file(STUDY.format(file=file), "own.yaml"), overrides))


def test_the_version_and_every_module_of_a_plug_in_change_the_ids_and_nothing_else_does(package, planned) -> None:
    package()
    first = planned().ids
    assert planned().ids == first
    package(helper="SHIFT = 1\n")  # a module that the task's module imports
    assert planned().ids.isdisjoint(first)
    package(version="0.2")
    assert planned().ids.isdisjoint(first)
    place = package()
    (place / "unrelated.py").write_text("ANYTHING = 1\n")
    assert planned().ids == first


@pytest.mark.parametrize(
    "imports",
    ["import own_task.late", "def load():\n    from . import late\n", "entry = 'own_task.late:run'"],
    ids=["at once", "late", "by a text"],
)
def test_a_module_counts_however_it_is_imported(package, planned, imports: str) -> None:
    ids = []
    for number in (1, 2):
        (package(imports=imports) / "late.py").write_text(f"NUMBER = {number}\n")
        ids.append(planned().ids)
    assert ids[0].isdisjoint(ids[1])


def test_a_file_that_the_source_names_counts_by_its_content(package, planned) -> None:
    ids = []
    for number in (1, 2):
        (package(imports="TABLE = Path(__file__).with_name('table.csv')") / "table.csv").write_text(f"{number}\n")
        ids.append(planned().ids)
    assert ids[0].isdisjoint(ids[1])


@pytest.mark.parametrize("kind", ["File", "str"])
def test_a_file_counts_by_its_content_and_not_by_its_path(package, planned, labels: Path, kind: str) -> None:
    package(kind=kind)
    first = planned().ids
    moved = labels.rename(labels.with_name("moved.txt"))
    assert planned(moved).ids == first
    before = moved.stat()
    moved.write_text("1\n0\n")  # relabelled: as long as before, and as old
    os.utime(moved, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert planned(moved).ids.isdisjoint(first)


def test_a_file_that_is_not_there_is_told_at_its_place(package, study_file, tmp_path: Path) -> None:
    package()
    with pytest.raises(StudyError, match=r"own.yaml:3:30: task.file: .*/none.txt: cannot be read: No such file"):
        read(study_file(STUDY.format(file=tmp_path / "none.txt"), "own.yaml"))


def test_a_plug_in_without_source_is_refused_with_the_reason(package, planned) -> None:
    place = package()
    (place / "helper.py").unlink()
    (place / "helper.cpython-311-x86_64-linux-gnu.so").write_bytes(b"")
    import types

    sys.modules["own_task.helper"] = types.ModuleType("own_task.helper")
    sys.modules["own_task.helper"].SHIFT = 0  # type: ignore[attr-defined]
    sys.modules["own_task.helper"].__file__ = str(place / "helper.cpython-311-x86_64-linux-gnu.so")
    with pytest.raises(StudyError, match=r"task\.name: the plug-in 'labelled' of own-task 0\.1 has no source: own_t"):
        planned()


def test_source_that_changed_after_its_import_is_refused_and_a_new_import_is_not(package, planned) -> None:
    place = package()
    planned()
    (place / "helper.py").write_text("SHIFT = 1\n")
    with pytest.raises(StudyError, match=r"was changed after it had been imported \(own_task.helper\)"):
        planned()
    package(helper="SHIFT = 1\n")
    planned()


def test_runs_of_another_version_are_named_by_all_who_report_and_are_in_no_table(
    package, study_file, labels, tmp_path: Path, capsys
) -> None:
    package()
    path, out = study_file(STUDY.format(file=labels), "own.yaml"), tmp_path / "out"
    assert sweep.main([str(path), "-o", str(out), "-j", "1", "-q"]) == cli.DONE
    package(helper="SHIFT = 1\n")
    labels.write_text("1\n0\n")
    capsys.readouterr()
    assert sweep.main([str(path), "-o", str(out), "-n"]) == cli.DONE
    shown = capsys.readouterr().out
    assert "1 runs: 0 done, 1 missing, 0 failed" in shown
    assert "1 committed run is of another version and left out: task labelled was own-task 0.1 " in shown
    assert "; task.file was content " in shown
    assert status.main([str(path), "-o", str(out), "--json"]) == cli.DONE
    [other] = json.loads(capsys.readouterr().out)["other_versions"]
    assert set(other) == {"run_id", "reason"}
    assert sweep.main([str(path), "-o", str(out), "-j", "1", "--no-progress"]) == cli.DONE
    assert "of another version and left out" in capsys.readouterr().out
    assert "of another version and left out" in (out / "own" / "report.html").read_text()
    result = Status.of(plan(read(path)), Journal.open(out / "own"))
    assert (len(result.done), len(result.other_versions)) == (1, 1)


def test_code_or_data_that_change_after_the_plan_keep_no_run(package, planned, labels, tmp_path: Path) -> None:
    package()
    study_plan = planned()
    options = JobOptions(Journal.create(tmp_path / "out").folder, os.getpid(), engine="torch")
    (options.folder / "working").mkdir()
    entry = study_plan.study.experiment.entry
    labels.write_text("1\n0\n")
    outcome = work(study_plan.runs, entry, options)
    assert outcome.stop
    assert "changed after this sweep was planned, so that no more runs can be kept: task.file was" in outcome.error
    labels.write_text("0\n1\n")
    package(helper="SHIFT = 1\n")
    outcome = work(study_plan.runs, entry, options)
    assert outcome.stop
    assert "task labelled was own-task 0.1" in outcome.error
    package()
    assert not work(study_plan.runs, entry, options).stop


def test_a_worker_of_another_harness_refuses_the_job(planned, study_file, tmp_path: Path) -> None:
    study_plan = plan(read(study_file()))
    options = JobOptions(Journal.create(tmp_path / "out").folder, os.getpid(), harness="0.0 another")
    (options.folder / "working").mkdir()
    outcome = work(study_plan.runs[:1], study_plan.study.experiment.entry, options)
    assert outcome.stop
    assert "has another harness (0.1.0 " in outcome.error
    assert not Journal.open(options.folder).done()


class Mended(Section):
    numerics: ClassVar[int] = 3
    plain: float = setting(1.0, "untouched")
    mended: float | None = setting(None, "one option", numerics=2)
    word: Literal["a", "b"] = setting("a", "one word", numerics={"b": 4})
    names: tuple[str, ...] = setting((), "words of a table", numerics={"p": 5})


class Untouched(Section):
    numbers: float = setting(1.0, "untouched")


def test_mended_numerics_count_where_they_are_used_and_only_there() -> None:
    def versions(**settings) -> dict[str, str]:
        return point_versions("training", 1, {"some": Mended(**settings), "other": Untouched()}, {})

    section = {"some": "numerics 3"}
    assert versions() == versions(plain=2.0) == versions(names=("q",)) == section
    assert versions(mended=1.0) == section | {"some.mended": "numerics 2"}
    assert versions(word="b") == section | {"some.word b": "numerics 4"}
    assert versions(names=("q", "p")) == section | {"some.names p": "numerics 5"}
    assert point_versions("x", 2, {"other": Untouched()}, {}) == {"experiment x": "numerics 2"}


def test_mending_a_cell_changes_the_ids_of_its_runs_and_no_others(study_file, monkeypatch) -> None:
    path = study_file()
    overrides = ["model.cell=[rnn, gru]"]

    def ids(cell: str) -> set[str]:
        return {run.run_id for run in plan(read(path, overrides)).runs if run.columns()["cell"] == cell}

    before = ids("rnn"), ids("gru")
    monkeypatch.setattr(RNN, "numerics", 2)
    from harness.study import identity

    identity._may_have_version.cache_clear()
    assert ids("rnn").isdisjoint(before[0])
    assert ids("gru") == before[1]
    monkeypatch.undo()
    identity._may_have_version.cache_clear()


def test_a_large_file_is_hashed_once_for_all_commands(tmp_path: Path, monkeypatch) -> None:
    from harness.study import content

    monkeypatch.setattr(content, "LARGE", 10)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = tmp_path / "data"
    file.write_bytes(b"0" * 100)
    first = content_hash(file)
    cached = tmp_path / "cache" / "vanishing-gradient-harness" / "content.json"
    [key] = json.loads(cached.read_text())
    content._hash.cache_clear()
    cached.write_text(json.dumps({key: "0" * 16}))
    assert content_hash(file) == "content " + "0" * 16  # it was read from the cache
    content._hash.cache_clear()
    cached.chmod(0o666)
    assert content_hash(file) == first  # others can write it: it counts as none
    content._hash.cache_clear()
    cached.write_bytes(b"{")
    cached.chmod(0o600)
    assert content_hash(file) == first
    content._hash.cache_clear()


def test_planning_a_plug_in_imports_no_torch(package, study_file, labels) -> None:
    package()
    path = study_file(STUDY.format(file=labels), "own.yaml")
    code = f"import sys; from harness.registry import read; read({str(path)!r}); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
