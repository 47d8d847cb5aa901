"""Kind of fault: the surroundings (rc-files, locale, streams, home, odd paths, Python values) change or break results.

Whatever they are, the numbers and figures are the same, or there is one sentence before anything is computed.
"""

from __future__ import annotations

import enum
import io
import os
import pwd
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from commands import ONE_PROCESS, exit_code
from matplotlib.figure import Figure
from study_texts import TINY_SETTINGS, study_text

import harness
from harness import cli, compare, sweep
from harness.api.study import yaml_text
from harness.execution.progress import Progress
from harness.figures import style
from harness.study import content
from harness.study.yaml_document import parse

TOP = Path(__file__).parents[2]
COMMAND = "from harness import cli; cli.run(lambda arguments: {})"


def drawn() -> bytes:
    with style.context():
        figure = Figure(figsize=style.size(1, 1), layout="constrained")
        axes = figure.subplots()
        axes.plot([0, 1, 2], [-1.5, 2.5, 1], marker="o", label="ρ")
        axes.set(title="title", xlabel="$h_t$", ylabel="y")
        axes.legend()
    return style.encode(figure, "png") + style.encode(figure, "svg")


@pytest.mark.parametrize(
    "setting",
    [
        {"savefig.bbox": "tight", "savefig.transparent": True, "savefig.facecolor": "red"},
        {"axes.facecolor": "black", "axes.xmargin": 0.3, "axes.prop_cycle": "cycler('color', 'k')"},
        {"lines.linestyle": ":", "lines.marker": "x", "path.simplify": False, "path.sketch": (5, 100, 1)},
        {"text.usetex": True, "axes.formatter.use_mathtext": True},
        {"font.weight": "bold", "font.size": 20, "text.hinting": "none", "legend.loc": "center"},
        {"axes.formatter.use_locale": True, "axes.formatter.limits": (0, 0), "svg.image_inline": False},
    ],
    ids=lambda setting: next(iter(setting)),
)  # fmt: skip
def test_no_setting_of_matplotlib_changes_a_figure(setting: dict[str, Any]) -> None:
    plain = drawn()
    with mpl.rc_context(setting):
        assert drawn() == plain
        assert mpl.rcParams[next(iter(setting))] == mpl.RcParams(setting)[next(iter(setting))]  # the user's own stays


def called(code: str, folder: Path, redirection: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """A command that returns the value of an expression, in a shell, with another environment."""
    variables = {**os.environ, "PYTHONPATH": str(TOP), "CODE": COMMAND.format(code), **environment}
    script = f'exec "{sys.executable}" -c "$CODE" {redirection}'
    return subprocess.run(
        ["bash", "-c", script], cwd=folder, env=variables, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("line", [b"axes.facecolor: black\n", b"lines.color: \xff\xfe\n", b"backend: bogus\n"])
def test_no_rc_file_and_no_backend_reaches_a_command(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "matplotlibrc").write_bytes(line)
    code = "int(__import__('matplotlib').rcParams['axes.facecolor'] != 'white')"
    result = called(code, tmp_path, MPLBACKEND="bogus", MATPLOTLIBRC=str(tmp_path))
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_no_file_gets_the_number_of_a_closed_stream(tmp_path: Path, closed: str) -> None:
    code = "print('a', flush=True) or print('b', file=__import__('sys').stderr) or int(open('f', 'w').fileno() <= 2)"
    assert called(code, tmp_path, closed).returncode == 0
    assert (tmp_path / "f").read_bytes() == b""


def test_output_that_cannot_be_written_is_an_error_in_one_sentence(tmp_path: Path) -> None:
    result = called("print('a') or 0", tmp_path, "> /dev/full")
    assert result.returncode == cli.USAGE_ERROR
    [sentence] = result.stderr.splitlines()
    assert sentence.endswith(": No space left on device")


def test_a_study_is_read_in_an_old_locale(tmp_path: Path) -> None:
    path = tmp_path / "ü#%.yaml"
    path.write_text(study_text(claim="ρ ≤ 1"), encoding="utf-8")
    old = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}
    variables = {**os.environ, "PYTHONPATH": str(TOP), **old}
    command = [sys.executable, "-m", "harness.sweep", str(path), "-n"]
    result = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert result.returncode == 0
    assert "tiny: \\u03c1 \\u2264 1" in result.stdout


class Logger:
    """What programs put in the place of stderr: no terminal, no file."""

    def write(self, text: str) -> None:
        pass


class Refusing:
    def write(self, text: str) -> int:
        raise OSError("no space left")

    def flush(self) -> None:
        pass


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("stream", [None, Logger(), Refusing(), closed()], ids=["none", "logger", "full", "closed"])
def test_progress_needs_no_stderr(tmp_path: Path, monkeypatch, stream: Any) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    with Progress({"a": 1.0}, tmp_path) as progress:
        progress.say("failed: a")
        progress.ended("a", "solved")
        progress._show()
    assert dict(progress.outcomes) == {"solved": 1}


def test_progress_is_written_in_the_alphabet_of_its_stream(tmp_path: Path, monkeypatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(raw, "ascii"))
    with Progress({"a": 1.0}, tmp_path) as progress:
        progress.ended("a", "solved")
        progress._show()
    assert b"1/1 runs (1 solved)" in raw.getvalue()


def test_a_user_without_a_home_needs_no_cache_of_hashes(tmp_path: Path, monkeypatch) -> None:
    def unknown(user: int) -> None:
        raise KeyError(user)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    content._keep({"a": "b"})
    assert content._cached() == {}
    assert list(tmp_path.iterdir()) == []  # no folder called "~"


@pytest.mark.parametrize("name", ["s3:bucket", "~", "file:x", "a[b]*#%d ?"])
def test_a_path_is_a_path_and_no_address_pattern_or_home(tmp_path: Path, monkeypatch, name: str, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).mkdir()
    study = Path(name, "t.yaml")
    study.write_text(study_text(training={"max_updates": 0}, seeds=1))
    assert exit_code(sweep, study, "-o", name, *ONE_PROCESS, "-q") == cli.DONE
    assert (tmp_path / name / "tiny" / "runs.parquet").exists()
    assert exit_code(compare, Path(name, "tiny"), Path(name, "tiny")) == cli.DONE
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]


class Word(enum.Enum):
    ADAM = "adam"


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (float("inf"), float("inf")), (-float("inf"), -float("inf")), (np.float32(0.5), 0.5), (np.int64(3), 3),
        (5e-324, 5e-324), (1e16, 1e16), (-0.0, -0.0), (2**62 + 1, 2**62 + 1), (True, True), (None, None),
        (np.arange(3), [0, 1, 2]), (range(2), [0, 1]), (PurePosixPath("a b: #c"), "a b: #c"), (Word.ADAM, "adam"),
        ("a\u2028b\ufeff", "a\u2028b\ufeff"), ("null", "null"), ("1e3", "1e3"), ("😀 \"\\\n\t", "😀 \"\\\n\t"),
        ({"a": {"b": [float("inf")]}, 1: ()}, {"a": {"b": [float("inf")]}, "1": []}),
    ],
    ids=repr,
)  # fmt: skip
def test_a_value_from_python_is_read_as_that_value(value: Any, read: Any) -> None:
    assert repr(parse(yaml_text(value), "x").data) == repr(read)


def test_infinity_is_the_same_setting_from_everywhere() -> None:
    text, infinity = study_text(), float("inf")
    written = harness.Study.from_text(text.replace("batch_size: 4", "batch_size: 4, clip_norm: .inf"))
    studies = [
        harness.Study.from_text(text, ["training.clip_norm=.inf"]),
        harness.Study.from_text(text, {"training.clip_norm": infinity}),
        harness.Study.from_dict(
            {**TINY_SETTINGS, "training": {"max_updates": 2, "batch_size": 4, "clip_norm": infinity}}
        ),
    ]
    assert {study.plan().planned.ids for study in studies} == {written.plan().planned.ids}


def test_what_is_no_setting_is_refused_in_a_sentence() -> None:
    refused: list[Callable[[], str]] = [lambda: yaml_text(b"bytes"), lambda: yaml_text(object())]
    for call in refused:
        with pytest.raises(harness.HarnessError, match="is not a setting"):
            call()
