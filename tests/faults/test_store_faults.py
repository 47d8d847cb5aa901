"""Faults of the results folder, by their kind: whose it is, what is bound to what made it, and what runs beside it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import ONE_PROCESS, exit_code
from results_folders import commit, quiet_sweep
from study_texts import study_text

import harness
from harness import cli, compare, sweep
from harness.errors import ResultsError
from harness.execution import provenance
from harness.execution.local import clear_markers
from harness.experiments.setup import Setup
from harness.experiments.training.checkpoint import Checkpointing
from harness.experiments.training.loop import train
from harness.report import __main__ as report
from harness.report import tensorboard
from harness.schema import Record
from harness.store import baseline, tables
from harness.store import commit as commits
from harness.store.checkpoints import Checkpoints
from harness.store.columns import TABLES
from harness.store.commit import decode, encode
from harness.store.files import LARGEST, read_file
from harness.store.journal import Journal
from harness.store.ownership import check_study
from harness.store.parquet import MAGIC, read_parquet, write_parquet
from harness.store.segments import Segments
from harness.study.plan import Plan

STUDY = study_text(figures=[{"kind": "success"}])
RUN = "a" * 16


@pytest.fixture
def ready(study_file: Callable[..., Path], plan_of: Callable[..., Plan], tmp_path: Path) -> tuple[Path, Path, Plan]:
    """A study's file, the folder that -o names, and its plan, all of whose runs are committed there."""
    study_plan = plan_of(STUDY)
    journal = Journal.create(tmp_path / "out" / "tiny")
    for run in study_plan.runs:
        commit(journal, run)
    return study_file(STUDY), tmp_path / "out", study_plan


def contents(folder: Path) -> dict[str, bytes | str]:
    """Every file and link below a folder."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_symlink() or path.is_file())
    return {
        str(path.relative_to(folder)): os.readlink(path) if path.is_symlink() else path.read_bytes() for path in paths
    }


# --- the folder is owned or it is not touched ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["figures/thesis.pdf", "working/config.json", "states.parquet", "report.html", "plan.json", "journal/x.run",
             ".hidden", "checkpoints/a.1.npz"]
)  # fmt: skip
@pytest.mark.parametrize("option", ["-n", "-q"])
def test_a_folder_of_somebody_else_is_refused_before_anything_is_written(
    study_file, tmp_path: Path, capsys, name: str, option: str
) -> None:
    path = tmp_path / "out" / "tiny" / name
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    before = contents(tmp_path / "out")
    assert exit_code(sweep, study_file(STUDY), "-o", tmp_path / "out", *ONE_PROCESS, option) == cli.USAGE_ERROR
    error = capsys.readouterr().err
    assert "is not empty and no results folder" in error
    assert str(tmp_path / "out" / "tiny") in error
    assert contents(tmp_path / "out") == before


def test_a_baseline_is_not_replaced_by_a_sweep_and_a_results_folder_not_by_a_baseline(ready, tmp_path: Path) -> None:
    study, out, study_plan = ready
    tables.refresh(Journal.open(out / "tiny"), study_plan)
    saved = baseline.save(out / "tiny", tmp_path / "reference" / "tiny")
    before = saved.read_bytes()
    assert exit_code(sweep, study, "-o", tmp_path / "reference", *ONE_PROCESS, "-q") == cli.USAGE_ERROR
    assert saved.read_bytes() == before
    with pytest.raises(ResultsError, match="is a results folder"):
        baseline.save(out / "tiny", out / "tiny")


def test_a_folder_that_a_killed_sweep_has_just_begun_is_taken(tmp_path: Path) -> None:
    (tmp_path / "r" / "journal").mkdir(parents=True)
    (tmp_path / "r" / f".store.json-{'0f' * 16}").write_text("{")
    assert Journal.create(tmp_path / "r").done() == frozenset()


@pytest.mark.parametrize(
    "name", ["journal", "journal/damaged", "journal/segments", "failures", "working", "working/1-of-2", "checkpoints",
             "figures", ".lock", ".lock-1-of-2", ".derived"]
)  # fmt: skip
@pytest.mark.parametrize("command", ["sweep", "-n", "report"])
def test_a_link_in_place_of_an_own_folder_or_lock_is_refused(
    ready, tmp_path: Path, capsys, name: str, command: str
) -> None:
    study, out, _ = ready
    victim, link = tmp_path / "victim", out / "tiny" / name
    (victim / "deep").mkdir(parents=True)
    for path in ("host-1.json", "deep/host-2.json", f".x-{'0f' * 16}", "a.1.npz", "success.pdf"):
        (victim / path).write_text("mine")
    link.parent.mkdir(exist_ok=True)
    if link.exists():
        link.rename(tmp_path / "moved")
    link.symlink_to(victim / "success.pdf" if name.startswith(".") else victim)
    before = contents(tmp_path)
    module, options = (report, ()) if command == "report" else (sweep, (*ONE_PROCESS, "-q"))
    options = (*options, "-n") if command == "-n" else options
    assert exit_code(module, study, "-o", out, *options) == cli.USAGE_ERROR
    assert f"{link}: is a link" in capsys.readouterr().err
    assert contents(tmp_path) == before


def test_no_note_or_figure_is_written_through_a_link(ready, tmp_path: Path) -> None:
    study, out, study_plan = ready
    victim, folder = tmp_path / "bashrc", out / "tiny"
    victim.write_text("mine")
    run = study_plan.runs[0].run_id
    for name in (f"journal/damaged/{run}.txt", "plan.json", "provenance.json", "report.html", "holder.json",
                 "runs.parquet", "figures/success.pdf", "figures/.files.json", f"failures/{run}.json"):  # fmt: skip
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).symlink_to(victim)
    Journal.open(folder).path(run).write_bytes(b"junk")
    assert exit_code(sweep, study, "-o", out, *ONE_PROCESS, "-q") == cli.DONE
    Journal.open(folder).fail(run, {}, "an error", "", 1)
    assert victim.read_text() == "mine"
    assert (folder / "journal" / "damaged" / f"{run}.txt").read_text().startswith("JSONDecodeError")


def test_only_names_that_the_harness_makes_are_removed(ready) -> None:
    study, out, _ = ready
    folder = out / "tiny"
    own = ["figures/photo.png", "figures/success-annotated.pdf", "working/config.json", "working/mine/host-1.json",
           "checkpoints/notes.npz", "checkpoints/a.b.npz", "notes.parquet", ".hidden"]  # fmt: skip
    assert exit_code(sweep, study, "-o", out, *ONE_PROCESS, "-q") == cli.DONE
    for name in own:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("mine")
    (folder / "working" / "host-77.json").write_text("{}")
    (folder / "figures" / f".success.pdf-{'0f' * 16}").write_text("half")
    assert exit_code(sweep, study, "-o", out, *ONE_PROCESS, "-q", "--force", "--format", "svg") == cli.DONE
    assert {name: (folder / name).read_text() for name in own} == dict.fromkeys(own, "mine")
    assert not (folder / "working" / "host-77.json").exists()
    assert sorted(path.name for path in (folder / "figures").glob(".*")) == [".files.json"]
    assert sorted(path.name for path in (folder / "figures").glob("success.*")) == ["success.svg"]


def test_a_figure_that_the_study_no_longer_has_is_removed_and_no_name_leads_out(ready, study_file) -> None:
    _, out, _ = ready
    first = study_file(study_text(figures=[{"kind": "success", "name": "old"}]))
    assert exit_code(report, first, "-o", out) == cli.DONE
    figures = out / "tiny" / "figures"
    assert (figures / "old.pdf").exists()
    (out / "tiny" / "mine.pdf").write_text("mine")
    note = json.loads((figures / ".files.json").read_text())
    (figures / ".files.json").write_text(json.dumps({"files": [*note["files"], "../mine.pdf"]}))
    assert exit_code(report, study_file(STUDY), "-o", out) == cli.DONE
    assert sorted(path.name for path in figures.glob("[!.]*")) == ["success.pdf", "success.png"]
    assert (out / "tiny" / "mine.pdf").exists()


@pytest.mark.parametrize("command", ["sweep", "-n", "report"])
def test_another_study_of_the_same_name_replaces_nothing(ready, study_file, capsys, command: str) -> None:
    study, out, _ = ready
    assert exit_code(sweep, study, "-o", out, *ONE_PROCESS, "-q") == cli.DONE
    before = contents(out)
    other = study_file(study_text(claim="Another claim.", model={"hidden_size": 3}), "other.yaml")
    module, options = (report, ()) if command == "report" else (sweep, (*ONE_PROCESS, "-q"))
    options = (*options, "-n") if command == "-n" else options
    capsys.readouterr()
    assert exit_code(module, other, "-o", out, *options) == cli.USAGE_ERROR
    assert f"another study with the name 'tiny', {study.resolve()}" in capsys.readouterr().err
    assert contents(out) == before


def test_an_edited_a_moved_and_a_copied_study_are_the_same_study(
    ready, study_file, tmp_path: Path, plan_of: Callable[..., Plan]
) -> None:
    study, out, study_plan = ready
    folder = out / "tiny"
    provenance.write_plan(study_plan, folder)
    check_study(folder, plan_of(study_text(model={"hidden_size": 3}), "seeds=4"))  # edited
    study_file(STUDY)
    copied = shutil.copy(study, tmp_path / "copy.yaml")
    harness.Study.from_yaml(copied).results(folder).report()
    study.rename(tmp_path / "moved.yaml")
    moved = harness.Study.from_yaml(tmp_path / "moved.yaml", {"seeds": 5})
    check_study(folder, moved.plan().planned)
    harness.load(folder).report()
    unlike = harness.Study.from_yaml(tmp_path / "moved.yaml", {"model.hidden_size": 3}).plan().planned
    (tmp_path / "moved.yaml").write_text(study_text(claim="Another one."))
    with pytest.raises(ResultsError, match="another study"):
        check_study(folder, harness.Study.from_yaml(tmp_path / "moved.yaml", {"seeds": [7]}).plan().planned)
    check_study(folder, unlike)  # its text is the same


def test_an_index_replaces_its_own_page_and_no_other(ready, capsys) -> None:
    _, out, _ = ready
    for _ in range(2):
        assert exit_code(report, "--all", "-o", out) == cli.DONE
    (out / "index.html").write_text("<title>My site</title>")
    assert exit_code(report, "--all", "-o", out) == cli.USAGE_ERROR
    assert "is not a page of the harness" in capsys.readouterr().err
    assert (out / "index.html").read_text() == "<title>My site</title>"


def test_a_current_folder_that_is_gone_is_named_and_not_the_results_folder(study_file, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    program = (
        "import os, sys; from harness.cli import guarded; import harness.sweep, harness.status, harness.errors;"
        "os.mkdir(sys.argv[1]); os.chdir(sys.argv[1]); os.rmdir(sys.argv[1]);"
        "codes = [guarded(m.main, [sys.argv[2], '-o', o]) for m in (harness.sweep, harness.status)"
        " for o in ('out', sys.argv[3])]; print(codes)"
    )
    command = [sys.executable, "-c", program, str(gone), str(study_file()), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "[2, 2, 2, 2]"
    assert set(done.stderr.splitlines()) == {
        "the current folder no longer exists; change to another one and start again"
    }
    assert not (tmp_path / "out").exists()


# --- a file system without hard links --------------------------------------------------------------------------------


@pytest.mark.parametrize("number", ["EPERM", "ENOTSUP", "ENOSYS", "EOPNOTSUPP", "EINVAL", "EMLINK", "EACCES", "EXDEV"])
def test_without_hard_links_commits_are_kept_whatever_the_error_number(tmp_path: Path, monkeypatch, number) -> None:
    import errno

    def no_link(*arguments: object) -> None:
        raise OSError(getattr(errno, number), "no hard links here")

    journal = Journal.create(tmp_path / "r")
    monkeypatch.setattr(os, "link", no_link)
    assert journal.commit(Record(RUN, {"outcome": "solved", "updates": 1}, {}), {})
    assert not journal.commit(Record(RUN, {"outcome": "solved", "updates": 2}, {}), {})
    [stored] = journal.read([RUN])
    assert stored.tables["runs"]["updates"].to_pylist() == [1]
    assert [path.name for path in (tmp_path / "r" / "journal").iterdir()] == [f"{RUN}.run"]


# --- what is kept is bound to what made it ---------------------------------------------------------------------------


def table() -> pa.Table:
    row = {"run_id": RUN, "outcome": "solved", "seed": 1, "final_loss": 0.25}
    rows = pa.Table.from_pylist([row] * 3, schema=TABLES["runs"].schema())
    return rows.append_column("seed", pa.array([1, 2, 3]))


def test_no_flipped_bit_of_a_table_becomes_data(tmp_path: Path) -> None:
    folder = tmp_path / "b"
    folder.mkdir()
    write_parquet(folder / "runs.parquet", table())
    good, expected = (folder / "runs.parquet").read_bytes(), read_parquet(folder / "runs.parquet")
    bits = np.random.default_rng(0).choice(8 * len(good), 400, replace=False).tolist()
    tail = range(8 * (len(good) - 8 - len(MAGIC)), 8 * len(good), 5)  # the footer's length and what is before it
    silent, messages = [], set()
    for bit in (*bits, *tail):
        data = bytearray(good)
        data[bit // 8] ^= 1 << (bit % 8)
        (folder / "runs.parquet").write_bytes(data)
        try:
            read = baseline.read(folder)
        except ResultsError as error:
            messages.add(str(error).partition(":")[0])
            continue
        if not read.equals(expected, check_metadata=True):
            silent.append(bit)
    assert silent == []
    assert messages == {str(folder / "runs.parquet")}


def test_every_parquet_file_has_checksums_that_any_reader_can_verify(ready, tmp_path: Path) -> None:
    _, out, study_plan = ready
    tables.refresh(Journal.open(out / "tiny"), study_plan)
    baseline.save(out / "tiny", tmp_path / "saved")
    paths = [*(out / "tiny").glob("*.parquet"), tmp_path / "saved" / "runs.parquet"]
    assert len(paths) == 4
    for path in paths:
        data = path.read_bytes()
        assert data.count(MAGIC) == 1
        plain = pq.read_table(path)
        assert plain.equals(read_parquet(path))
        assert len(pd.read_parquet(path)) == len(plain)
        page = data.index(b"\x15", 4) if len(plain) else None  # any byte of the first page's header
        if page is not None:
            damaged = data[: page + 60] + bytes([data[page + 60] ^ 1]) + data[page + 61 :]
            with pytest.raises((ValueError, OSError)):
                pq.ParquetFile(pa.BufferReader(damaged), page_checksum_verification=True).read()


def test_tables_of_earlier_releases_are_still_read(tmp_path: Path) -> None:
    pq.write_table(table(), tmp_path / "runs.parquet", compression="zstd")
    assert baseline.read(tmp_path).equals(table())
    reference = Path(__file__).parents[2] / "results" / "reference" / "smoke"
    assert len(baseline.read(reference)) > 0


def test_a_pipe_in_place_of_a_table_is_refused_and_not_waited_for(tmp_path: Path, capsys) -> None:
    os.mkfifo(tmp_path / "runs.parquet")
    assert exit_code(compare, tmp_path, tmp_path) == cli.USAGE_ERROR
    assert "runs.parquet: cannot be read: not a file" in capsys.readouterr().err


ARRAYS = {"x": np.arange(40.0), "update": np.array(3)}


def test_no_flipped_bit_of_a_checkpoint_is_gone_on_with(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path)
    store.write(RUN, 3, ARRAYS)
    [path] = tmp_path.iterdir()
    good = path.read_bytes()
    for bit in range(0, 8 * len(good), 37):
        data = bytearray(good)
        data[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(data)
        assert store.read(RUN) is None


@pytest.mark.parametrize("name", [f"{'b' * 16}.3.npz", f"{RUN}.5.npz"], ids=["another run", "another update"])
def test_a_checkpoint_under_another_name_is_not_gone_on_with(tmp_path: Path, name: str) -> None:
    store = Checkpoints(tmp_path)
    store.write(RUN, 3, ARRAYS)
    (tmp_path / f"{RUN}.3.npz").rename(tmp_path / name)
    assert store.read(name.partition(".")[0]) is None


def test_a_checkpoint_without_checksum_of_an_earlier_release_is_not_gone_on_with(tmp_path: Path) -> None:
    np.savez(tmp_path / f"{RUN}.3.npz", **ARRAYS)  # type: ignore[arg-type]
    assert Checkpoints(tmp_path).read(RUN) is None


def recorded(run: Record) -> str:
    """What a run recorded but for its timing; repr, as NaN is not equal to itself."""
    return repr(({k: v for k, v in run.run.items() if k != "seconds"}, run.rows))


@pytest.mark.parametrize("wrong", ["a shape", "a missing part", "text for numbers", "another source", "an exception"])
def test_any_error_while_resuming_means_begin_again(plan_of, monkeypatch, wrong: str) -> None:
    """The store gives arrays whose checksum would match: what is in them must not end the run, nor half of it stay."""
    runs = plan_of(STUDY).runs
    fresh = [recorded(record) for record in train(runs, Setup("torch"))]
    stored: dict[str, Mapping[str, Any]] = {}

    class Store:
        def read(self, run_id: str) -> Mapping[str, Any] | None:
            arrays = dict(stored[run_id])
            names = [name for name in arrays if name.startswith("pack/")]
            if wrong == "an exception":
                raise RuntimeError("no such storage")
            if wrong == "a shape":
                arrays[names[-1]] = np.zeros((3, 3, 3))
            elif wrong == "a missing part":
                del arrays[names[-1]]
            elif wrong == "text for numbers":
                arrays["trace/numbers"] = np.array("[")
            else:
                arrays["computed_by"] = np.array(str(arrays["computed_by"]).rpartition(" ")[0] + " 0f0f")
            return arrays

        def write(self, run_id: str, update: int, arrays: Mapping[str, Any]) -> None:
            stored.setdefault(run_id, {name: np.array(value) for name, value in arrays.items()})

    init = Checkpointing.__init__
    monkeypatch.setattr(Checkpointing, "__init__", lambda self, store, by: init(self, store, by, every=0.0))
    monkeypatch.setattr(Checkpointing, "resume", lambda self, begin: (0, begin()))
    list(train(runs, Setup("torch", checkpoints=Store())))
    monkeypatch.undo()
    assert stored.keys() == {run.run_id for run in runs}
    again = [recorded(record) for record in train(runs, Setup("torch", checkpoints=Store()))]
    assert again == fresh


# --- forged commits with a valid checksum ----------------------------------------------------------------------------


def stream(table: pa.Table, **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def forged(bodies: Mapping[str, bytes], **changes: Any) -> bytes:
    """A commit with these tables and a checksum that matches."""
    line = encode(Record(RUN, {"outcome": "solved"}, {}), {}).partition(b"\n")[0]
    body = b"".join(bodies.values())
    head = {**json.loads(line), "tables": {name: len(data) for name, data in bodies.items()}, **changes}
    head.pop("sha256")
    head["sha256"] = sha256(json.dumps(head).encode() + body).hexdigest()
    return json.dumps(head).encode() + b"\n" + body


def run_row(**columns: Any) -> pa.Table:
    return pa.table({"run_id": [RUN], "outcome": ["solved"], **columns})


def bad_offsets() -> bytes:
    """A list whose end lies far beyond its values."""
    data = stream(run_row(final_loss=[0.5], x=pa.array([[1.0, 2.0]])))
    good = np.array([0, 2], np.int32).tobytes()
    assert data.count(good) >= 1
    return data.replace(good, np.array([0, 2**30], np.int32).tobytes())


FORGERIES: Mapping[str, Callable[[], bytes]] = {
    "a bomb of zeros": lambda: forged({"runs": stream(run_row(x=[[0.0] * 10**6]), compression="zstd")}),
    "compressed by lz4": lambda: forged({"runs": stream(run_row(x=[[0.0] * 100]), compression="lz4")}),
    "rows that take no bytes": lambda: forged({"runs": stream(pa.table({"run_id": pa.nulls(2**20)}))}),
    "lists of nothing": lambda: forged({"runs": stream(run_row(x=pa.array([[None] * 9])))}),
    "a wide value": lambda: forged({"runs": stream(run_row(x=pa.array([b"a" * 99], pa.binary(99))))}),
    "a dictionary": lambda: forged({"runs": stream(run_row(x=pa.array(["a"]).dictionary_encode()))}),
    "views of one buffer": lambda: forged({"runs": stream(run_row(x=pa.array(["a" * 99], pa.string_view())))}),
    "a column twice": lambda: forged(
        {"runs": stream(pa.table([["a"], [RUN], [RUN]], ["outcome", "run_id", "run_id"]))}
    ),
    "offsets beyond the end": lambda: forged({"runs": bad_offsets()}),
    "text for a number": lambda: forged({"runs": stream(run_row(final_loss=["x"]))}),
    "two rows": lambda: forged({"runs": stream(pa.concat_tables([run_row(), run_row()]))}),
    "rows of another run": lambda: forged({"runs": stream(pa.table({"run_id": ["b" * 16], "outcome": ["solved"]}))}),
    "no outcome": lambda: forged({"runs": stream(pa.table({"run_id": [RUN]}))}),
    "no tables": lambda: forged({}),
    "no stream": lambda: forged({"runs": b"\xff" * 64}),
    "a table that is no mapping": lambda: forged({}, tables=[1]),
    "settings that are no mapping": lambda: forged({"runs": stream(run_row())}, settings=7),
    "versions that are no mapping": lambda: forged({"runs": stream(run_row())}, versions=[1]),
    "a negative length": lambda: forged({"runs": stream(run_row())}, tables={"x": -5, "runs": 5}),
    "a length of another type": lambda: forged({"runs": stream(run_row())}, tables={"runs": 1e3}),
}


def test_the_forger_of_these_tests_can_write_a_sound_commit() -> None:
    assert decode(forged({"runs": stream(run_row())}), RUN).tables["runs"].num_rows == 1


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_commit_is_quarantined_with_a_note(tmp_path: Path, forgery: str) -> None:
    Journal.create(tmp_path / "r")
    journal = Journal(tmp_path / "r", writing=True)
    journal.path(RUN).write_bytes(FORGERIES[forgery]())
    before = pa.total_allocated_bytes()
    assert journal.damaged([RUN], decoded=True).keys() == {RUN}
    assert list(journal.heads([RUN])) is not None
    assert list(journal.read([RUN])) == []
    assert journal.quarantined() == (RUN,)
    assert pa.total_allocated_bytes() - before < 10**6


def test_a_sweep_computes_a_forged_run_again_and_says_so(ready, capsys) -> None:
    study, out, study_plan = ready
    run_id = study_plan.runs[0].run_id
    data = forged({"runs": stream(pa.table({"run_id": [run_id]}), compression="zstd")}, run_id=run_id)
    Journal.open(out / "tiny").path(run_id).write_bytes(data)
    assert exit_code(sweep, study, "-o", out, *ONE_PROCESS) == cli.DONE
    shown = capsys.readouterr()
    assert f"damaged commit quarantined, its run is missing: {run_id}: ValueError" in shown.err
    assert "runs      2 of 2 (2 unsolved)" in shown.out


def test_a_forged_orphan_with_settings_of_any_kind_disturbs_no_report(ready) -> None:
    study, out, _ = ready
    for number, change in enumerate(({"settings": 7}, {"versions": [1]}, {"tables": 3}, {"versions": {"a": {"b": 1}}})):
        run_id = f"{number:016x}"
        Journal.open(out / "tiny").path(run_id).write_bytes(forged({}, run_id=run_id, **change))
    assert exit_code(report, study, "-o", out) == cli.DONE


@pytest.mark.parametrize("name", [f"journal/{RUN}.run", f"failures/{RUN}.json", "provenance.json", "plan.json"])
def test_a_file_of_any_size_is_not_read_into_memory(ready, name: str) -> None:
    _, out, _ = ready
    path = out / "tiny" / name
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as file:
        file.truncate(2**40)  # sparse: takes no space on the disk
    with pytest.raises(OSError, match="more than a file of the harness can have"):
        read_file(path)
    journal = Journal.open(out / "tiny")
    assert journal.failures() == {}
    assert RUN not in {head["run_id"] for head in journal.heads([RUN])}
    harness.Study.from_yaml(ready[0]).results(out / "tiny")


def test_a_segment_that_claims_a_large_commit_or_index_is_not_read_into_memory(tmp_path: Path) -> None:
    from harness.store import segments

    folder = tmp_path / "segments"
    folder.mkdir()
    written = segments.write(folder / "000001", [(RUN, b"x" * 100)])
    assert written == {RUN}
    [path] = folder.iterdir()
    index = np.array([[int(RUN, 16)], [0], [LARGEST + 1]], segments.NUMBER).tobytes()
    with path.open("r+b") as file:
        file.truncate(0)
        file.seek(2 * LARGEST)
        file.write(index + segments.TRAILER.pack(2 * LARGEST, sha256(index).digest(), segments.MAGIC))
    with pytest.raises(OSError, match="more than a file of the harness can have"):
        Segments(folder).read(RUN)


def test_a_record_that_could_not_be_read_again_is_refused_when_it_is_written(monkeypatch) -> None:
    monkeypatch.setattr(commits, "LARGEST", commits.LONGEST_HEAD + 100)
    with pytest.raises(ValueError, match="record less"):
        encode(Record(RUN, {"outcome": "solved"}, {}), {})


# --- nothing from the surroundings runs ------------------------------------------------------------------------------


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """A repository with a copy of this package's module, whose configuration runs a program at every occasion."""

    def make(below: str, project: bool) -> Path:
        top = tmp_path / "repository"
        module = top / below / "harness" / "execution" / "provenance.py"
        module.parent.mkdir(parents=True)
        shutil.copy(provenance.__file__, module)
        if project:
            (top / below / "pyproject.toml").write_text('[project]\nname = "vanishing-gradient-harness"\n')
        (top / ".gitattributes").write_text("* filter=evil diff=evil\n")
        git(tmp_path, "init", "-q", str(top))
        git(top, "add", ".")
        git(top, "commit", "-qm", "a")
        program = f"touch {tmp_path / 'RUN'}; false"
        for key in ("core.fsmonitor", "filter.evil.clean", "filter.evil.smudge", "diff.evil.textconv",
                    "diff.evil.command", "core.pager", "core.sshCommand", "gpg.program"):  # fmt: skip
            git(top, "config", key, program)
        hook = top / ".git" / "hooks" / "post-index-change"
        hook.write_text(f"#!/bin/sh\n{program}\n")
        hook.chmod(0o755)
        monkeypatch.setattr(provenance, "__file__", str(module))
        return module

    return make


@pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")
def test_git_is_not_asked_in_a_repository_that_surrounds_the_package(repository, tmp_path: Path, monkeypatch) -> None:
    repository("venv", project=False)
    monkeypatch.setattr(provenance, "checked_out", lambda *_: pytest.fail("git was asked"))
    assert provenance.harness_commit() == "unknown"


@pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")
def test_in_the_own_checkout_git_runs_nothing_that_its_configuration_names(repository, tmp_path: Path) -> None:
    module = repository(".", project=True)
    clean = provenance.harness_commit()
    assert len(clean) == 12
    module.write_text(module.read_text() + "\n")
    assert provenance.harness_commit() == f"{clean}+"
    assert not (tmp_path / "RUN").exists()


@pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")
def test_the_environment_leads_git_to_no_other_repository(repository, tmp_path: Path, monkeypatch) -> None:
    repository(".", project=True)
    commit_id = provenance.harness_commit()
    for name, value in {"GIT_DIR": str(tmp_path / "nowhere"), "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "alias.x",
                        "GIT_CONFIG_VALUE_0": "!false", "GIT_EXEC_PATH": str(tmp_path)}.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    assert provenance.harness_commit() == commit_id


# --- what is exported is complete ------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", [[0.99999999, 1.0, 1.00000001], ["a b", "a_b"], ["A", "a"], ["x" * 300, "x" * 301]])
def test_tensorboard_gets_a_file_for_every_run(synthetic, frames, tmp_path: Path, values: list[Any]) -> None:
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
    axis = next(iter(synthetic.study.axes()))
    curve = frames.curves[frames.curves["run_id"] == "0000"]
    alike = [curve.assign(run_id=str(i)).assign(**{axis: value}) for i, value in enumerate(values)]

    class Alike:
        curves = pd.concat([each.astype({axis: object}) for each in alike])

    assert tensorboard.write(tmp_path, synthetic.study, Alike()) == len(values)  # type: ignore[arg-type]
    assert len(list(tmp_path.rglob("events.out.tfevents.0"))) == len(values)


def test_markers_of_other_programs_stay(tmp_path: Path) -> None:
    working = tmp_path / "working"
    for name in ("host-1.json", "1-of-2/host-2.json", "config.json", "mine/host-3.json", "1-of-2/config.json"):
        (working / name).parent.mkdir(parents=True, exist_ok=True)
        (working / name).write_text("{}")
    clear_markers(working)
    assert sorted(contents(working)) == ["1-of-2/config.json", "config.json", "mine/host-3.json"]


def test_results_of_an_earlier_release_load_and_are_completed(tmp_path: Path) -> None:
    folder = shutil.copytree(Path(__file__).parents[1] / "store" / "earlier", tmp_path / "earlier")
    study_plan = harness.load(folder).judged.plan
    assert quiet_sweep(study_plan, folder, retry_failed=True).missing == 0
