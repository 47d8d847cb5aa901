"""Faults of execution by their kind: runs that end as none should, process-wide state, machines that lack something."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from results_folders import quiet_sweep, table_rows
from samples import sampled

from harness import sweep as sweep_command
from harness.cells import CELLS
from harness.cli import guarded
from harness.entrypoints import malformed
from harness.errors import HarnessError
from harness.execution import cluster, local, processes, sweeping
from harness.execution.environment import own_modes
from harness.execution.job import JobOptions, Outcome
from harness.execution.options import SweepOptions
from harness.execution.progress import Progress
from harness.recurrence.compiler import recurrence, stored
from harness.recurrence.scan import scan
from harness.registry import read
from harness.store.files import replace_file
from harness.store.journal import Journal
from harness.study.plan import Plan, plan
from harness.study.plugins import Group, installed

TOP = Path(__file__).parents[2]
Planned = Callable[..., Plan]


@pytest.fixture
def planned(study_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Planned:
    """Plans the tiny study for these seeds, with an experiment of `failing_experiments`."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TOP), str(Path(__file__).parent)]))

    def plan_with(entry: str, *overrides: str, seeds: str = "2") -> Plan:
        study = read(study_file(), [f"seeds={seeds}", "sweep={model.cell: [rnn]}", *overrides])
        experiment = replace(study.experiment, entry=f"failing_experiments:{entry}", notes=None)
        return plan(replace(study, experiment=experiment))

    return plan_with


def python(program: str, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    """A program in a process of its own, which finds the harness."""
    environment = {**os.environ, "PYTHONPATH": str(TOP), **options.pop("environment", {})}
    command = [sys.executable, "-c", textwrap.dedent(program), *arguments]
    return subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
    )


# --- every run is accounted for ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "error"),
    [
        ("exits", "SystemExit: 0"),
        ("closes", "GeneratorExit"),
        ("own_error", "OwnError: own"),
        ("textless", "TextlessError: its text"),
        ("empty_text", "ValueError"),
        ("long_text", "ValueError: xxx"),
        ("own_folder", "the experiment's own folder is full"),
        ("without_records", "the experiment ended without a record of this run"),
        ("no_iterator", "TypeError"),
        ("no_record", "AttributeError"),
        ("foreign", "a record of run 0123456789abcdef, which is not its own"),
        ("odd_outcome", "the outcome 'great'; there are solved, unsolved, diverged"),
        ("failed_outcome", "the outcome 'failed'"),
        ("without_outcome", "the outcome None"),
    ],
)
def test_however_an_experiment_ends_its_runs_are_done_or_failed(
    planned: Planned, tmp_path: Path, entry: str, error: str
) -> None:
    study_plan = planned(entry)
    result = quiet_sweep(study_plan, tmp_path, retries=0)
    assert set(result.failed) == study_plan.ids
    notes = Journal.open(tmp_path).failures()
    assert set(notes) == study_plan.ids
    assert all(error in note["error"] and len(note["error"]) < 1000 for note in notes.values())
    assert all(len(note["traceback"]) < 30_000 for note in notes.values())


def test_a_run_that_its_pack_leaves_out_has_failed_and_the_others_are_done(planned: Planned, tmp_path: Path) -> None:
    study_plan = planned("only_first", seeds="3")
    result = quiet_sweep(study_plan, tmp_path, retries=0)
    assert {run.seed for run in study_plan.runs if run.run_id in result.failed} == {1, 2}
    assert result.missing == 2


def test_a_run_whose_result_is_lost_during_the_sweep_has_failed(
    planned: Planned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study_plan = planned("steady")
    lost = study_plan.runs[0].run_id
    execute = local.execute

    def execute_and_lose(*arguments: Any) -> dict[str, str]:
        errors = execute(*arguments)
        Journal.open(tmp_path).path(lost).unlink()
        return errors

    monkeypatch.setattr(sweeping, "execute", execute_and_lose)
    result = quiet_sweep(study_plan, tmp_path)
    assert set(result.failed) == {lost}
    assert (result.computed, result.missing) == (1, 1)


def test_a_forced_run_that_fails_is_not_taken_for_its_old_result(planned: Planned, tmp_path: Path) -> None:
    quiet_sweep(planned("steady"), tmp_path)
    again = planned("own_error")
    result = quiet_sweep(again, tmp_path, force=True, retries=0)
    assert set(result.failed) == again.ids
    assert (result.computed, result.missing) == (0, 0)


def test_the_command_does_not_exit_with_0_while_runs_have_failed(
    study_file, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from harness.experiments.training import loop

    monkeypatch.setattr(loop, "train", lambda runs, setup: sys.exit(0))
    arguments = [str(study_file()), "-o", str(tmp_path), "-j", "1", "--engine", "torch", "-q", "--retries", "0"]
    assert guarded(sweep_command.main, arguments) == 1
    assert "6 runs failed" in capsys.readouterr().err


def test_a_run_whose_neighbours_worker_was_killed_has_made_no_attempt(
    planned: Planned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study_plan, calls = planned("steady"), []
    options = JobOptions(tmp_path, os.getpid())
    killer = study_plan.runs[1].run_id

    def results(packs: Any, supervision: Any, alone: bool) -> Iterator[Any]:
        calls.append(alone)
        for pack in packs:
            marker = options.markers / f"host-{pack[0].seed}.json"
            replace_file(marker, f'{{"runs": ["{pack[0].run_id}"], "done": {{}}, "share": 0.0}}'.encode())
        if any(pack[0].run_id == killer for pack in packs):
            raise BrokenExecutor("killed")
        for pack in packs:
            yield pack, Outcome({run.run_id: ("solved", 1.0) for run in pack})

    journal = Journal.create(tmp_path)
    options.markers.mkdir(exist_ok=True)
    monkeypatch.setattr(local, "_results", results)
    supervision = local.Supervision("", options, journal, Progress({}, tmp_path, False), 2, retries=0)
    assert set(local.execute([(run,) for run in study_plan.runs], supervision)) == {killer}
    assert calls == [False, True, True]
    assert supervision.attempts == {killer: 1}


# --- modes of the process ---------------------------------------------------------------------------------------------


def modes() -> dict[str, Any]:
    """What numbers and files may depend on."""
    mask = os.umask(0o077)
    os.umask(mask)
    return {
        "grad": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "precision": torch.get_float32_matmul_precision(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "flush": sys.float_info.min * 0.5 == 0.0,
        "anomaly": torch.is_anomaly_enabled(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "numpy": np.geterr(),
        "umask": mask,
        "folder": os.getcwd(),
        "streams": (sys.stdout, sys.stderr),
    }


@contextmanager
def disabled() -> Iterator[None]:
    """A caller that has set what it can."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    torch.set_autocast_enabled("cpu", True)
    torch.set_flush_denormal(True)
    try:
        with torch.inference_mode(), torch.no_grad(), np.errstate(all="raise"):
            yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_autocast_enabled("cpu", False)
        torch.set_default_dtype(before)


def test_what_an_experiment_does_to_its_process_ends_with_it(planned: Planned, tmp_path: Path) -> None:
    before = modes()
    assert quiet_sweep(planned("changes_the_process"), tmp_path).failed == {}
    assert modes() == before


@pytest.mark.parametrize("engine", ["torch", "compiled"])
def test_a_caller_that_disables_autograd_gets_the_same_numbers_and_keeps_its_modes(
    study_file, tmp_path: Path, engine: str
) -> None:
    study_plan = plan(read(study_file(), ["sweep={model.cell: [lstm]}"]))
    assert quiet_sweep(study_plan, tmp_path / "plain", engine=engine).failed == {}
    with disabled():
        before = modes()
        assert quiet_sweep(study_plan, tmp_path / "disabled", engine=engine).failed == {}
        assert modes() == before
    assert table_rows(tmp_path / "plain") == table_rows(tmp_path / "disabled")


def test_modes_are_restored_where_the_current_folder_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    gone = tmp_path / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    with own_modes():
        os.chdir(tmp_path)
    assert os.getcwd() == str(tmp_path)


def test_a_sweep_in_another_thread_than_the_main_one_needs_no_signal_handler(planned: Planned, tmp_path: Path) -> None:
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(quiet_sweep(planned("steady"), tmp_path)))
    thread.start()
    thread.join()
    assert [result.missing for result in results] == [0]


def test_the_handler_of_the_caller_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with processes.interruptible():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


# --- machines without semaphores, processes, threads ------------------------------------------------------------------


def unable(*_: Any) -> Any:
    raise OSError(30, "Read-only file system")


@pytest.mark.parametrize("reason", ["JOBLIB_MULTIPROCESSING=0", "Read-only file system"])
def test_where_no_worker_can_start_this_process_computes(
    planned: Planned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], reason: str
) -> None:
    if reason == "Read-only file system":
        monkeypatch.setattr(processes, "pool", unable)
    else:
        monkeypatch.setattr(processes, "BACKENDS", {"threading": None})
        monkeypatch.setenv("JOBLIB_MULTIPROCESSING", "0")
    study_plan = planned("steady")
    result = sweeping.sweep(study_plan, tmp_path, SweepOptions(jobs=2, engine="torch"))
    assert (result.missing, result.failed) == (0, {})
    [sentence] = [line for line in capsys.readouterr().err.splitlines() if "no worker processes" in line]
    assert reason in sentence


def test_where_no_worker_can_start_and_torch_came_first_the_sweep_is_refused(
    planned: Planned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "pool", unable)
    monkeypatch.setattr(sweeping, "torch_came_first", lambda: True)
    with pytest.raises(HarnessError, match="torch was loaded before"):
        quiet_sweep(planned("steady"), tmp_path, jobs=2)


@pytest.mark.parametrize("error", [OSError(24, "Too many open files"), RuntimeError("can't start new thread")])
def test_workers_that_cannot_be_replaced_end_the_sweep_with_a_sentence_and_no_run_is_blamed(
    planned: Planned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def pool(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(processes, "why_not", lambda *_: "")
    monkeypatch.setattr(processes, "pool", pool)
    with pytest.raises(HarnessError, match="finished runs are kept"):
        quiet_sweep(planned("steady"), tmp_path, jobs=2)
    assert Journal.open(tmp_path).failures() == {}


def test_no_more_workers_are_started_than_there_are_runs(
    planned: Planned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []
    monkeypatch.setattr(processes, "why_not", lambda jobs, controller: started.append(jobs) or "none today")
    quiet_sweep(planned("steady", seeds="4"), tmp_path / "4", jobs=12)
    quiet_sweep(planned("steady", seeds="1"), tmp_path / "1", jobs=12)  # a process of its own: the run may kill it
    assert started == [4, 2]


# --- processes end with their controller ------------------------------------------------------------------------------

CONTROLLER = """
    import multiprocessing, os, signal, sys, time
    from harness.execution.environment import die_with

    def worker(parent, state):
        die_with(parent)
        print(os.getpid(), flush=True)
        if state == "stopped":
            os.kill(os.getpid(), signal.SIGSTOP)
        if state == "locked":  # holds the interpreter's lock
            import ctypes
            ctypes.PyDLL(None).sleep(60)
        time.sleep(60)

    process = multiprocessing.get_context("fork").Process(target=worker, args=(os.getpid(), sys.argv[1]))
    process.start()
    process.join()
"""


def ended(process: int) -> bool:
    """Whether a process is gone, or a zombie that nobody has asked for."""
    with suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel sends no signal at a parent's death")
@pytest.mark.parametrize("state", ["idle", "stopped", "locked"])
def test_a_worker_ends_with_its_controller_whatever_state_it_is_in(state: str) -> None:
    with python(CONTROLLER, state) as controller:
        assert controller.stdout is not None
        worker = int(controller.stdout.readline())
        controller.kill()
    deadline = time.monotonic() + 5
    while not ended(worker) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert ended(worker)


def test_a_thread_that_was_left_in_a_worker_does_not_keep_it() -> None:
    program = """
        import multiprocessing, os, threading, time
        from harness.execution.environment import die_with

        def worker(parent):
            die_with(parent)
            threading.Thread(target=time.sleep, args=(60,), daemon=False).start()

        process = multiprocessing.get_context("fork").Process(target=worker, args=(os.getpid(),))
        process.start()
        process.join(20)
        print(process.exitcode)
    """
    with python(program) as controller:
        assert controller.communicate()[0].strip() == "0"


def test_semaphores_of_a_killed_sweep_are_removed_without_a_word_on_the_terminal() -> None:
    program = """
        import os
        from harness.execution.processes import _quiet_tracker
        from joblib.externals.loky.backend import resource_tracker

        _quiet_tracker()
        resource_tracker.register("/none-of-this-name", "dummy")
        os.kill(os.getpid(), 9)
    """
    with python(program, environment={"PYTHONWARNINGS": "default"}) as controller:
        assert controller.communicate()[1] == ""  # ends when the tracker has closed its end
    assert controller.returncode == -9


# --- schedulers -------------------------------------------------------------------------------------------------------


@contextmanager
def server(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """The address of something that listens and is no scheduler."""
    listening = socket.create_server(("127.0.0.1", 0))
    connections: list[socket.socket] = []

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                connections.append(connection)
                answer(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"tcp://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()
        for connection in connections:
            connection.close()


@pytest.mark.parametrize(
    "answer",
    [
        lambda connection: None,
        lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        lambda connection: connection.sendall((1).to_bytes(8, "little") + (2**50).to_bytes(8, "little")),
        lambda connection: connection.sendall(bytes(10_000)),
        lambda connection: connection.close(),
    ],
    ids=["silent", "http", "huge", "zeros", "closes"],
)
def test_what_is_no_scheduler_is_one_sentence_in_bounded_time(answer: Callable[[socket.socket], None]) -> None:
    pytest.importorskip("distributed")
    start = time.monotonic()
    with (
        server(answer) as address,
        pytest.raises(HarnessError, match="no dask scheduler answers there") as raised,
        cluster.connected(address, timeout=0.2),
    ):
        pass
    assert len(str(raised.value).splitlines()) == 1
    assert time.monotonic() - start < 20


@pytest.mark.parametrize("address", ["", " ", "host"])
def test_an_address_that_is_none_is_refused_and_does_not_mean_this_machine(address: str) -> None:
    with pytest.raises(HarnessError, match="an address of a scheduler is tcp://host:8786"):
        SweepOptions(scheduler=address)


# --- plug-ins and entry points ----------------------------------------------------------------------------------------


def distribution(folder: Path, name: str, entry_points: bytes) -> None:
    info = folder / f"{name}-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    (info / "entry_points.txt").write_bytes(entry_points)


def test_malformed_entry_points_cost_themselves_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import entry_points

    distribution(tmp_path, "half", b"[x]\nfoo\n[harness.cells]\n# a remark\nsound = half.cell:Cell\n= nothing\n")
    distribution(tmp_path, "bytes", b"[harness.cells]\n\xff\xfe = a:b\n")
    distribution(tmp_path, "sound", b"[harness.tasks]\nfine = sound.task:Task\n")
    monkeypatch.syspath_prepend(tmp_path)
    names = {(point.group, point.name, point.dist.name) for point in installed() if point.dist}
    assert {("harness.cells", "sound", "half"), ("harness.tasks", "fine", "sound")} <= names
    assert not any(owner == "bytes" for _, _, owner in names)
    assert entry_points(group="pydantic") is not None  # other libraries read the same files
    sentences = {sentence.split()[2]: sentence for sentence in malformed()}
    assert set(sentences) == {"half", "bytes"}
    assert "'foo', '= nothing'" in sentences["half"]


@pytest.mark.parametrize(
    "module", ["import sys\nsys.exit(0)\n", "raise GeneratorExit\n", "class B(BaseException): pass\nraise B\n"]
)
def test_a_plugin_that_ends_the_interpreter_while_it_is_imported_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    name = f"leaving_{abs(hash(module))}"
    (tmp_path / f"{name}.py").write_text(module)
    distribution(tmp_path, "leaving", f"[harness.cells]\nleaving = {name}:Cell\n".encode())
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(HarnessError, match="the plug-in 'leaving' of leaving 1 cannot be loaded"):
        Group("harness.cells", "model.cell", object, {}).named("leaving")


# --- compiled code ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", sampled(["no folder", "damaged", "full disk"], ["damaged"]))
def test_a_sweep_has_the_same_numbers_whatever_happens_to_the_cache_of_machine_code(
    study_file, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    study_plan = plan(read(study_file()))
    recurrence.compiled.cache_clear()
    assert quiet_sweep(study_plan, tmp_path / "plain", engine="compiled").failed == {}
    files = list(stored.folder().iterdir())
    assert files
    if fault == "no folder":
        monkeypatch.setenv("XDG_CACHE_HOME", str(study_file()))
    for file in files:
        file.write_bytes(file.read_bytes()[:-9])

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    recurrence.compiled.cache_clear()
    with monkeypatch.context() as patch:
        if fault == "full disk":
            patch.setattr(stored.tempfile, "TemporaryDirectory", full)
        assert quiet_sweep(study_plan, tmp_path / "faulty", engine="compiled", jobs=1).failed == {}
    assert table_rows(tmp_path / "plain") == table_rows(tmp_path / "faulty")


@pytest.mark.parametrize("engine", ["torch", "compiled"])
@pytest.mark.parametrize("token", [-2, 3])
@pytest.mark.parametrize("name", ["rnn", "indrnn", "lru"])
def test_a_token_outside_the_alphabet_is_refused_by_every_engine(engine: str, token: int, name: str) -> None:
    cell = CELLS[name](cell=name, hidden_size=4)
    sizes = cell.shapes(4, 3)
    parameters = {key: torch.zeros(1, *shape) for key, shape in sizes.items()}
    state = tuple(torch.zeros(1, 2, 4) for _ in cell.states)
    tokens = torch.tensor([[[0, 1]], [[2, -1]]])
    scan(cell, parameters, tokens, state, engine=engine)
    tokens[1, 0, 0] = token
    with pytest.raises(ValueError, match=rf"{token}.*expected|expected.*{token}"):
        scan(cell, parameters, tokens, state, engine=engine)
