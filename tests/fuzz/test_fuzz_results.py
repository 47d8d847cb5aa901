"""Results folders: whatever lies in them, every command answers, and those that only read change nothing."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from fuzz_cases import FACTOR, call, cases, snapshot
from hypothesis import given
from hypothesis import strategies as st
from study_texts import study_text

from harness import check, cli, status, sweep
from harness.registry import read
from harness.report import __main__ as report
from harness.schema import Record
from harness.store import tables
from harness.store.journal import Journal
from harness.study.plan import plan

STUDY = study_text(seeds=3, expect="[{metric: success_rate, at_most: 0.5}]")
JSONS = (
    b"", b"null", b"[]", b"{}", b"3", b'"x"', b"{", b"NaN", b"[" * 100_000, b'{"a":' * 5000, b"9" * 5000, b"\xff\xfe",
    b"\0", b'{"harness_schema": null}', b'{"harness_schema": []}', b'{"harness_schema": 1e400}',
    b'{"harness_schema": true}', b'{"run_id": []}', b'{"run_id": "../../x", "error": "e"}', b'{"error": {"a": [1]}}',
    b'{"run_id": "' + b"a" * 5000 + b'", "error": 1}', b'{"run_id": "a\\u0000b", "error": null}',
    b'{"runs": 3, "done": 4, "share": "x"}', b'{"command": [1], "platform": {"a": {"b": [null]}}, "1": 2}',
    b'{"run_id": "\\ud800", "error": "\\ud800"}',
)  # fmt: skip


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study, and a sound folder of it: two runs committed, one failed."""
    workspace = tmp_path_factory.mktemp("fuzz")
    (workspace / "s.yaml").write_text(STUDY)
    (workspace / "outside").mkdir()
    (workspace / "outside" / "photo.png").write_bytes(b"precious")
    study_plan = plan(read(workspace / "s.yaml"))
    folder = workspace / "sound" / "tiny"
    journal = Journal.create(folder)
    for run in study_plan.runs[:2]:
        rows = {"curves": [{"update": 0, "loss": 1.0}], "gradients": [{"update": 0, "log10_adjoint": [0.0, -1.0]}]}
        journal.commit(Record(run.run_id, {"outcome": "solved", "updates": 2, "solved_at": 2}, rows), run.columns())
    journal.fail(study_plan.runs[2].run_id, study_plan.runs[2].columns(), "ValueError: no", "trace", 2)
    tables.write(tables.derive(journal, study_plan), folder)
    (folder / "working").mkdir()
    (folder / "checkpoints").mkdir()
    (folder / "figures").mkdir()
    (folder / "plan.json").write_text(json.dumps({"name": "tiny", "ids": sorted(study_plan.ids)}))
    (folder / "provenance.json").write_text(json.dumps({"command": "python", "cores": 2}))
    (folder / "holder.json").write_text(json.dumps({"process": 1, "host": "x"}))
    return workspace


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def overwrite(path: Path, choice: int) -> None:
    _remove(path)
    path.write_bytes(JSONS[choice % len(JSONS)])


def flip(path: Path, choice: int) -> None:
    if path.is_file() and path.stat().st_size:
        data = bytearray(path.read_bytes())
        data[choice % len(data)] ^= 1 << (choice % 8)
        path.write_bytes(data)


def cut(path: Path, choice: int) -> None:
    if path.is_file():
        data = path.read_bytes()
        path.write_bytes(data[: choice % (len(data) + 1)])


def remove(path: Path, choice: int) -> None:
    _remove(path)


def folder_instead(path: Path, choice: int) -> None:
    _remove(path)
    path.mkdir()
    if choice % 2:
        (path / "inside.json").write_bytes(JSONS[choice % len(JSONS)])


def link_instead(path: Path, choice: int) -> None:
    _remove(path)
    path.symlink_to(
        (path.name, "/dev/null", "nowhere", "../../outside", "../../outside/photo.png", "/dev/zero")[choice % 6]
    )


def pipe_instead(path: Path, choice: int) -> None:
    _remove(path)
    os.mkfifo(path)


Damage = Callable[[Path, int], None]
DAMAGES: tuple[Damage, ...] = (overwrite, flip, cut, remove, folder_instead, link_instead, pipe_instead)
NEW = (
    "journal/x.run", "journal/.x.run-1", "journal/{id}.run", "journal/{id}.run.run", "journal/\udcff.run",
    "journal/.run", "journal/segments", "journal/segments/1-x.segment", "journal/segments/x",
    "journal/damaged", "failures/{id}.json", "failures/x.json", "failures/\udcff.json", "working/1.json",
    "states.parquet",
    "working/x.json", "checkpoints/{id}.1.npz", "checkpoints/x.npz", "figures/x.png", "figures/x.pdf", "x", ".lock",
    "report.html", "journal/" + "a" * 200 + ".run",
)  # fmt: skip


def spoil(workspace: Path, damages: list[tuple[Damage, int, int]]) -> Path:
    """A copy of the sound folder with something wrong in it."""
    shutil.rmtree(workspace / "out", ignore_errors=True)
    folder = workspace / "out" / "tiny"
    shutil.copytree(workspace / "sound" / "tiny", folder, symlinks=True)
    missing = next(path.stem for path in (folder / "failures").iterdir())
    known = [str(path.relative_to(folder)) for path in sorted(folder.rglob("*"))]
    for damage, where, choice in damages:
        names = known + [name.format(id=missing) for name in NEW]
        path = folder / names[where % len(names)]
        try:
            damage(path, choice)
        except OSError:  # an earlier damage took its place away
            continue
    return folder


damage_lists = st.lists(
    st.tuples(st.sampled_from(DAMAGES), st.integers(0, 1000), st.integers(0, 5000)), min_size=1, max_size=3
)


@cases(40)
@given(damage_lists)
def test_commands_that_read_answer_and_change_nothing(workspace: Path, damages: list) -> None:
    spoil(workspace, damages)
    before = snapshot(workspace)
    for command, option in ((status, ()), (check, ()), (sweep, ("-n",)), (sweep, ("-n", "--retry-failed"))):
        shown = call(command, workspace / "s.yaml", "-o", workspace / "out", *option)
        assert shown.code in (cli.DONE, cli.RUNS_MISSING, cli.USAGE_ERROR, cli.EXPECTATION_FAILED), shown
        assert (shown.code == cli.USAGE_ERROR) == (shown.out == ""), shown
        assert shown.code != cli.USAGE_ERROR or str(workspace / "out") in shown.err, shown.err
        assert snapshot(workspace) == before


@cases(40)
@given(damage_lists)
def test_a_report_writes_its_page_and_its_figures_and_nothing_else(workspace: Path, damages: list) -> None:
    folder = spoil(workspace, damages)
    before = snapshot(workspace)
    shown = call(report, workspace / "s.yaml", "-o", workspace / "out")
    assert shown.code in (cli.DONE, cli.USAGE_ERROR), shown
    assert shown.code != cli.USAGE_ERROR or str(folder) in shown.err, shown.err
    after = snapshot(workspace)
    own = ("out/tiny/report.html", "out/tiny/figures/")
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert {name for name in changed if not name.startswith(own)} == set()


@cases(25)
@given(damage_lists)
def test_a_sweep_with_nothing_to_compute_keeps_every_sound_commit_and_touches_nothing_outside(
    workspace: Path, damages: list
) -> None:
    folder = spoil(workspace, damages)
    before, sound = snapshot(workspace), snapshot(workspace / "sound" / "tiny" / "journal")
    shown = call(sweep, workspace / "s.yaml", "-o", workspace / "out", "--limit", "0", "-j", "1", "--no-progress")
    assert shown.code in (cli.DONE, cli.RUNS_MISSING, cli.USAGE_ERROR, cli.EXPECTATION_FAILED), shown
    after = snapshot(workspace)
    for name, content in sound.items():
        if before.get(f"out/tiny/journal/{name}") == content:
            assert after.get(f"out/tiny/journal/{name}") == content
    assert {n: c for n, c in before.items() if "out/" not in n} == {n: c for n, c in after.items() if "out/" not in n}
    assert folder.exists()


def test_the_same_folder_gives_the_same_output_twice(workspace: Path) -> None:
    for where in range(0, 60, 3 if FACTOR > 1 else 6):
        spoil(workspace, [(flip, where, 77 * where)])
        once, again = (call(check, workspace / "s.yaml", "-o", workspace / "out") for _ in range(2))
        assert once == again
