"""The commands: exit codes, their output, and that a user's mistake is a message and not a traceback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from commands import ONE_PROCESS, exit_code
from samples import sampled
from study_texts import study_text

from harness import __main__, check, cli, status, sweep
from harness.report import __main__ as report

SECTIONS: dict[str, Any] = {
    "seeds": 4,
    "figures": [{"kind": "success"}, {"kind": "decay", "hue": "cell"}],
    "expect": [{"metric": "success_rate", "at_most": 0.5}],
}
EXPECTING = study_text(**SECTIONS)
TOP = Path(__file__).parents[1]


@pytest.mark.usefixtures("drawn_once")
def test_a_sweep_prints_claim_verdicts_and_the_places_of_its_files(study_file, tmp_path: Path, capsys) -> None:
    code = exit_code(sweep, study_file(EXPECTING), "-o", tmp_path / "out", *ONE_PROCESS)
    shown = capsys.readouterr()
    assert code == cli.DONE
    assert "An untrained network guesses." in shown.out
    assert "✓ success_rate" in shown.out
    folder = tmp_path / "out" / "tiny"
    for part in ("report.html", "runs.parquet", "curves.parquet", "gradients.parquet", "plan.json", "provenance.json"):
        assert (folder / part).exists()
    for figure in ("success", "decay"):
        assert (folder / "figures" / f"{figure}.pdf").read_bytes().startswith(b"%PDF")
        assert (folder / "figures" / f"{figure}.png").exists()
    assert str(folder / "report.html") in shown.out
    assert "harness.sweep" in json.loads((folder / "provenance.json").read_text())["command"]


@pytest.mark.usefixtures("drawn_once")
def test_the_commands_repeat_verdicts_status_and_report_from_the_results(study_file, tmp_path: Path, capsys) -> None:
    path, out = study_file(EXPECTING), tmp_path / "out"
    common = (path, "-o", out)
    assert exit_code(sweep, *common, *ONE_PROCESS, "-q") == cli.DONE
    assert capsys.readouterr().out == ""
    junit = tmp_path / "verdicts.xml"
    assert exit_code(check, *common, "--junit", junit) == cli.DONE
    assert ElementTree.parse(junit).getroot().attrib == {"name": "tiny", "tests": "1", "failures": "0"}
    (out / "tiny" / "report.html").unlink()
    assert exit_code(report, *common) == cli.DONE
    assert (out / "tiny" / "report.html").exists()
    capsys.readouterr()
    assert exit_code(status, *common) == cli.DONE
    assert "4  done" in capsys.readouterr().out


@pytest.mark.usefixtures("drawn_once")
def test_an_expectation_that_does_not_hold_is_exit_code_3(study_file, tmp_path: Path, capsys) -> None:
    path = study_file(study_text(**SECTIONS | {"figures": [], "expect": [{"metric": "success_rate", "at_least": 0.5}]}))
    common = (path, "-o", tmp_path / "out")
    assert exit_code(sweep, *common, *ONE_PROCESS) == cli.EXPECTATION_FAILED
    assert exit_code(check, *common) == cli.EXPECTATION_FAILED
    assert "✗ success_rate" in capsys.readouterr().out


@pytest.mark.usefixtures("drawn_once")
def test_there_is_no_verdict_on_an_incomplete_sweep(study_file, tmp_path: Path, capsys) -> None:
    common = (study_file(EXPECTING), "-o", tmp_path / "out")
    assert exit_code(sweep, *common, *ONE_PROCESS, "--limit", "2") == cli.DONE
    assert exit_code(check, *common) == cli.RUNS_MISSING
    assert "… success_rate" in capsys.readouterr().out


def test_a_dry_run_prints_the_plan_and_writes_nothing(study_file, tmp_path: Path, capsys) -> None:
    assert exit_code(sweep, study_file(EXPECTING), "-o", tmp_path / "out", "-n", "-S", "seeds=3") == cli.DONE
    shown = capsys.readouterr().out
    assert "3 runs: 0 done, 3 missing, 0 failed" in shown
    assert "warning: 3 seeds are too few for success_rate of all runs <= 0.5" in shown
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-S", "model.cell=lstmm"], "-S 1: model.cell: no cell 'lstmm'; did you mean 'lstm'?"),
        (["--filter", "sell=rnn"], "--filter: no column 'sell'; did you mean 'cell'?"),
        (["--filter", "cell"], "is not column=value"),
    ],
    ids=str,
)
def test_a_mistake_is_a_message_and_exit_code_2_and_nothing_is_written(
    study_file, tmp_path: Path, capsys, arguments: list[str], message: str
) -> None:
    assert exit_code(sweep, study_file(EXPECTING), "-o", tmp_path / "out", *arguments) == cli.USAGE_ERROR
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments", [["--shard", "3/2"], ["-j", "0"], ["--limit", "-1"], ["--jbos"]])
def test_a_wrong_option_is_exit_code_2(study_file, arguments: list[str], capsys) -> None:
    with pytest.raises(SystemExit) as caught:
        sweep.main([str(study_file(EXPECTING)), *arguments])
    assert caught.value.code == cli.USAGE_ERROR
    assert "error" in capsys.readouterr().err


@pytest.mark.parametrize("command", [sweep, status, check, report])
def test_a_study_that_is_a_directory_is_reported(command, study_file, tmp_path: Path, capsys) -> None:
    assert exit_code(command, study_file(EXPECTING).parent, "-o", tmp_path / "out") == cli.USAGE_ERROR
    assert "is a directory" in capsys.readouterr().err


@pytest.mark.parametrize("command", [sweep, status, check, report])
def test_a_folder_of_another_schema_version_is_refused_unchanged(command, study_file, tmp_path: Path, capsys) -> None:
    marker = tmp_path / "out" / "tiny" / "store.json"
    marker.parent.mkdir(parents=True)
    marker.write_text('{"harness_schema": 99}')
    assert exit_code(command, study_file(EXPECTING), "-o", tmp_path / "out") == cli.USAGE_ERROR
    assert "holds schema version 99" in capsys.readouterr().err
    assert [path.name for path in marker.parent.iterdir()] == ["store.json"]


@pytest.mark.parametrize("command", [status, check, report])
def test_without_results_the_error_names_the_command_that_computes_them(
    command, study_file, tmp_path: Path, capsys
) -> None:
    assert exit_code(command, study_file(EXPECTING), "-o", tmp_path / "out") == cli.USAGE_ERROR
    assert "python -m harness.sweep" in capsys.readouterr().err


class Endless(subprocess.Popen):
    """A sweep in a process of its own, with two workers; some of its runs take hours."""

    def __init__(self, path: Path, out: Path, *options: str, **settings: Any) -> None:
        command = [sys.executable, "-m", "harness.sweep", str(path), "-o", str(out), "-j", "2", "--engine", "torch"]
        super().__init__([*command, *options], cwd=TOP, text=True, **settings)
        self.folder = out / "tiny"

    def wait_for(self, pattern: str, count: int) -> None:
        """Until so many files of the results folder match."""
        wait_until(lambda: len(list(self.folder.glob(pattern))) >= count, 60)

    def workers(self) -> list[int]:
        """Processes that the sweep's markers name and that still run."""
        marked = [int(path.stem.rpartition("-")[2]) for path in (self.folder / "working").glob("*.json")]
        return [pid for pid in marked if is_running(pid)]


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    ("number", "code"),
    sampled([(signal.SIGINT, cli.INTERRUPTED), (signal.SIGTERM, cli.TERMINATED)], [(signal.SIGTERM, cli.TERMINATED)]),
)
def test_an_interrupted_sweep_keeps_finished_runs_and_names_the_command_to_go_on(
    study_file, tmp_path: Path, number: int, code: int
) -> None:
    updates = [{"training.max_updates": [1]}, {"training.max_updates": [100_000]}]
    path = study_file(study_text(seeds=6, sweep=updates))
    with Endless(path, tmp_path / "out", "--retries", "0", stderr=subprocess.PIPE) as process:
        process.wait_for("journal/*.run", 1)
        process.send_signal(number)
        _, shown = process.communicate(timeout=60)
    assert process.returncode == code
    assert "To go on: python -m harness.sweep" in shown
    assert list(process.folder.glob("journal/*.run"))
    wait_until(lambda: not process.workers(), 3)
    assert not process.workers(), "a worker outlived its controller"


def test_workers_end_with_a_controller_that_is_killed(study_file, tmp_path: Path) -> None:
    path = study_file(study_text(sweep={"model.hidden_size": [4, 5]}, training={"max_updates": 100_000}))
    with Endless(path, tmp_path / "out", stderr=subprocess.DEVNULL) as process:
        process.wait_for("working/*.json", 2)
        assert len(process.workers()) == 2
        process.kill()
    wait_until(lambda: not process.workers(), 5)
    assert not process.workers(), "a worker outlived its killed controller"


def test_the_package_itself_lists_its_commands(capsys) -> None:
    assert __main__.main([]) == cli.DONE
    printed = capsys.readouterr().out
    package = TOP / "harness"
    runnable = {p.stem for p in package.glob("*.py") if "cli.run(" in p.read_text()} - {"__main__"}
    runnable |= {p.parent.name for p in package.glob("*/__main__.py")}
    assert runnable == set(__main__.COMMANDS)
    assert all(f"python -m harness.{name}" in printed for name in __main__.COMMANDS)


@pytest.mark.parametrize("command", __main__.COMMANDS)
def test_each_command_has_one_meaning_under_each_of_its_names(command: str, capsys) -> None:
    printed = []
    for run in (lambda: __main__.main([command, "--help"]), lambda: _module(command).main(["--help"])):
        with pytest.raises(SystemExit) as left:
            run()
        assert left.value.code == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]


def _module(command: str) -> Any:
    return import_module(__main__.COMMANDS[command])


def test_an_unknown_command_is_reported_with_the_nearest(capsys) -> None:
    assert __main__.main(["sweeep", "studies/first.yaml"]) == cli.USAGE_ERROR
    assert "no command 'sweeep'; did you mean 'sweep'?" in capsys.readouterr().err
