"""Code that a study names: found and hashed without being executed, executed with permission, and in the run's id."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from factory_studies import SOURCE, module_study
from results_folders import quiet_sweep, table_rows

import harness
from harness import check, cli, status, sweep
from harness.errors import HarnessError
from harness.execution.job import JobOptions, work
from harness.registry import read
from harness.report import __main__ as report
from harness.store.journal import Journal
from harness.study.code import CodeError, current_version, imported
from harness.study.plan import Plan, plan

TOP = Path(__file__).parents[2]
EXECUTED = "\nfrom pathlib import Path\nPath(__file__ + '.executed').write_text('')\n"


def planned(folder: Path, *overrides: str, **sections) -> Plan:
    return plan(read(module_study(folder, **sections), overrides))


@pytest.mark.parametrize("command", [[], ["-n"]], ids=["sweep", "plan"])
def test_a_sweep_says_that_it_executes_code_and_does_so_with_permission_alone(tmp_path, capsys, command) -> None:
    study = module_study(tmp_path / "a", source=SOURCE + EXECUTED)
    arguments = [str(study), "-o", str(tmp_path / "out"), "-j", "1", *command]
    assert cli.guarded(sweep.main, arguments) == (cli.DONE if command else cli.USAGE_ERROR)
    error = capsys.readouterr().err
    assert f"a sweep of this study executes code: 'own_networks:lstm' in {study.with_name('own_networks.py')}" in error
    if not command:
        assert "own.yaml:7:32: model.factory: 'own_networks:lstm' is code that this sweep would execute" in error
        assert "--trust" in error
    assert not study.with_name("own_networks.py.executed").exists()
    assert not (tmp_path / "out").exists()


def test_with_permission_it_is_executed_and_judged_again_without(tmp_path: Path, capsys) -> None:
    study = module_study(tmp_path / "a", source=SOURCE + EXECUTED)
    where = [str(study), "-o", str(tmp_path / "out")]
    assert cli.guarded(sweep.main, [*where, "-j", "1", "-q", "--trust"]) == cli.DONE
    assert study.with_name("own_networks.py.executed").exists()
    study.with_name("own_networks.py.executed").unlink()
    assert cli.guarded(check.main, where) == cli.DONE
    assert cli.guarded(status.main, where) == cli.DONE
    assert not study.with_name("own_networks.py.executed").exists()


def test_in_python_it_is_an_argument(tmp_path: Path) -> None:
    study = harness.Study.from_yaml(module_study(tmp_path / "a"))
    with pytest.raises(HarnessError, match=r"is code that this sweep would execute: .*own_networks.py.*trust=True"):
        study.run(n_jobs=1, folder=tmp_path / "out", progress=False)
    results = study.run(n_jobs=1, folder=tmp_path / "out", progress=False, trust=True)
    assert results.runs["outcome"].tolist() == ["unsolved"] * 2


def test_a_worker_without_permission_computes_nothing(tmp_path: Path) -> None:
    runs = planned(tmp_path / "a", source=SOURCE + EXECUTED).runs[:1]
    options = JobOptions(Journal.create(tmp_path / "out").folder, os.getpid(), engine="torch")
    outcome = work(runs, "harness.experiments.training.loop:train", options)
    assert "is code, and this sweep was started without --trust" in outcome.error
    assert not (tmp_path / "a" / "own_networks.py.executed").exists()


def test_one_job_and_two_and_shards_give_the_same_tables_bit_for_bit(tmp_path: Path) -> None:
    whole = planned(tmp_path / "a", settings={"layers": 2, "dropout": 0.2}, seeds=3)
    for jobs in (1, 2):
        assert quiet_sweep(whole, tmp_path / str(jobs), jobs=jobs, trust=True).failed == {}
    for shard in ((1, 2), (2, 2)):
        quiet_sweep(whole, tmp_path / "shards", shard=shard, trust=True)
    assert table_rows(tmp_path / "1") == table_rows(tmp_path / "2") == table_rows(tmp_path / "shards")


def test_planning_needs_no_torch(tmp_path: Path) -> None:
    study = module_study(tmp_path)
    script = f"""
import sys
from harness.registry import read
from harness.report import __main__ as report
from harness.study.plan import plan
plan(read({str(study)!r}))
assert not {{"torch", "own_networks"}} & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(TOP)})


HELPER = "from beside import WIDTH\n"


def test_the_source_and_what_it_imports_from_beside_it_change_the_ids_and_nothing_else_does(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("WIDTH = 3\n")
    first = planned(tmp_path, source=HELPER + SOURCE).ids
    (tmp_path / "unrelated.py").write_text("WIDTH = 5\n")
    assert planned(tmp_path, source=HELPER + SOURCE).ids == first
    (tmp_path / "beside.py").write_text("WIDTH = 4\n")
    assert planned(tmp_path, source=HELPER + SOURCE).ids.isdisjoint(first)
    (tmp_path / "beside.py").write_text("WIDTH = 3\n")
    assert planned(tmp_path, source=HELPER + SOURCE + "\n").ids.isdisjoint(first)
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    (moved / "beside.py").write_text("WIDTH = 3\n")
    assert planned(moved, source=HELPER + SOURCE).ids == first


def test_an_edited_factory_makes_new_runs_and_says_why(tmp_path: Path, capsys) -> None:
    study = module_study(tmp_path / "a", seeds=1)
    where = [str(study), "-o", str(tmp_path / "out")]
    sweep.main([*where, "-j", "1", "-q", "--trust"])
    module_study(tmp_path / "a", seeds=1, source=SOURCE.replace("hidden_size=7, layers", "hidden_size=8, layers"))
    [folder] = (path.parent for path in (tmp_path / "out").rglob("provenance.json"))
    for command in (
        lambda: sweep.main([*where, "-n"]),
        lambda: status.main(where),
        lambda: check.main(where),
        lambda: print(repr(harness.load(folder))),
        lambda: print(harness.load(folder)._repr_html_()),
        lambda: cli.guarded(report.main, where),
    ):
        command()
        text = "".join(capsys.readouterr())
        assert "1 committed run is of another version and left out: model.factory was own_networks" in text
    assert "of other settings" not in text
    assert f"to compute them: python -m harness.sweep {study} -o" in text
    sweep.main([*where, "-j", "1", "-q", "--trust"])  # in the process that has imported the other
    [row] = harness.Study.from_yaml(study).results(folder).runs.to_dict("records")
    assert row["parameters"] == 8 * 4 * (8 + 8 + 2) + 4 * (8 + 1)


def test_a_factory_that_changes_while_a_sweep_runs_stops_it(tmp_path: Path) -> None:
    study_plan = planned(tmp_path / "a")
    (tmp_path / "a" / "own_networks.py").write_text(SOURCE + "\n")
    with pytest.raises(
        HarnessError, match=r"code or data changed after this sweep was planned.*model.factory was own_net"
    ):
        quiet_sweep(study_plan, tmp_path / "out", trust=True)


def test_where_it_was_and_its_version_stand_in_provenance(tmp_path: Path) -> None:
    study_plan = planned(tmp_path / "a", source="__version__ = '0.3'\n" + SOURCE)
    quiet_sweep(study_plan, tmp_path / "out", trust=True)
    code = json.loads((tmp_path / "out" / "provenance.json").read_text())["code"]["own_networks:lstm"]
    assert code["file"] == str(tmp_path / "a" / "own_networks.py")
    assert code["version"] == study_plan.runs[0].point.versions["model.factory"]
    assert code["version"].startswith("own_networks 0.3 ")


def test_a_module_of_a_package_is_found_without_executing_its_parents(tmp_path: Path, monkeypatch) -> None:
    package = tmp_path / "site" / "own_package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('executed')\n")
    (package / "nets.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    model = "model: {cell: module, factory: 'own_package.nets:lstm'}\n"
    first = planned(tmp_path, model=model)
    assert first.study.code()[0].file == str(package / "nets.py")
    (package / "__init__.py").write_text("raise RuntimeError('executed again')\n")  # a parent counts: it runs first
    assert planned(tmp_path, model=model).ids.isdisjoint(first.ids)
    with pytest.raises(CodeError, match=r"cannot be imported: RuntimeError: executed again \(.*__init__.py:1\)"):
        imported(planned(tmp_path, model=model).study.code()[0])


def test_a_file_beside_the_study_is_meant_before_one_of_that_name_on_the_path(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "own_networks.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    code = planned(tmp_path / "a").study.code()[0]
    assert code.file == str(tmp_path / "a" / "own_networks.py")
    assert imported(code).__code__.co_filename == code.file
    assert current_version(code) == code.version


def test_a_module_of_that_name_that_somebody_else_has_imported_is_not_taken_for_it(tmp_path: Path, monkeypatch) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "theirs.py").write_text("")
    monkeypatch.syspath_prepend(str(site))
    import theirs  # type: ignore[import-not-found] # noqa: F401

    (tmp_path / "theirs.py").write_text(SOURCE)
    with pytest.raises(
        HarnessError, match=r"a module 'theirs' is in use already, .*site/theirs.py, and not .*give one"
    ):
        planned(tmp_path, model="model: {cell: module, factory: 'theirs:lstm'}\n")


def test_results_are_read_again_from_another_folder(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    module_study(tmp_path / "a")
    harness.Study.from_yaml("a/own.yaml").run(n_jobs=1, folder=tmp_path / "out", progress=False, trust=True)
    (tmp_path / "b").mkdir()
    monkeypatch.chdir(tmp_path / "b")
    assert len(harness.load(tmp_path / "out").runs) == 2


def test_results_are_read_again_where_study_factory_and_results_were_moved(tmp_path: Path) -> None:
    study = harness.Study.from_yaml(module_study(tmp_path / "old" / "a", seeds=1))
    study.run(n_jobs=1, folder=tmp_path / "old" / "out", progress=False, trust=True)
    os.replace(tmp_path / "old", tmp_path / "new")
    assert len(harness.load(tmp_path / "new" / "out").runs) == 1
