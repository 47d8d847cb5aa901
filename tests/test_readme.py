"""The README's commands and examples work as they are shown."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
import torch
from torch import nn

from harness import cli, sweep
from harness.errors import StudyError
from harness.registry import read
from harness.tasks.temporal_order import TemporalOrder

TOP = Path(__file__).parents[1]
README = (TOP / "README.md").read_text()
FIRST, SECOND = re.search(r"```sh\n(.+)\n(.+)\n```", README).groups()
STUDY = re.search(r"```yaml\n(.+?)```", README, re.DOTALL).group(1)


@pytest.mark.usefixtures("drawn_once")
def test_the_first_command_installs_and_runs_the_main_study(tmp_path: Path, monkeypatch) -> None:
    install, _, run = FIRST.partition(" && ")
    assert install == "python -m pip install -c constraints.txt ."
    words = run.split()
    assert words[:3] == ["python", "-m", "harness.sweep"]
    monkeypatch.chdir(TOP)
    monkeypatch.setattr(TemporalOrder, "final_sequences", 8)
    small = ["training.max_updates=2", "seeds=[900]", "evaluation.sequences=8"]
    options = [
        "-o",
        str(tmp_path),
        "-q",
        "-j",
        "1",
        "--format",
        "png",
        *(word for text in small for word in ("-S", text)),
    ]
    # with two updates of one seed nothing is learnt and little decided: 3 and 4 are verdicts, not errors
    assert sweep.main([*words[3:], *options]) in (cli.DONE, cli.EXPECTATION_FAILED, cli.UNDECIDED)
    assert (tmp_path / "spectral" / "report.html").exists()


def test_the_second_command_is_what_ci_runs() -> None:
    assert SECOND == "python -m pip install -c constraints.txt tox && tox"
    pattern = re.search(r"sed -n 's/\^(.+?)/&/p'", (TOP / ".ci" / "run").read_text())
    assert pattern
    assert SECOND.startswith(pattern.group(1))


def test_the_example_study_is_valid_and_small(tmp_path: Path, capsys) -> None:
    path = tmp_path / "first.yaml"
    path.write_text(STUDY)
    assert sweep.main([str(path), "-n", "-o", str(tmp_path)]) == cli.DONE
    assert "12 runs" in capsys.readouterr().out


def test_the_example_of_an_error_is_the_printed_message(tmp_path: Path) -> None:
    [shown] = re.findall(r"^```text\nstudies/first.yaml(:\d.+?)```$", README, re.MULTILINE | re.DOTALL)
    path = tmp_path / "first.yaml"
    path.write_text(STUDY.replace("cell: rnn", "cell: lstmm"))
    with pytest.raises(StudyError) as caught:
        read(path)
    assert str(caught.value) == f"{path}{' '.join(shown.split())}"


def test_the_example_of_a_watched_model_has_its_rows() -> None:
    [block] = [text for text in re.findall(r"```python\n(.+?)```", README, re.DOTALL) if "harness.watch" in text]
    torch.manual_seed(0)
    model = Last(nn.LSTM(3, 8, num_layers=2, bidirectional=True))
    space = {
        "model": model,
        "x": torch.randn(9, 4, 3),
        "y": torch.tensor([0, 1, 2, 3]),
        "criterion": nn.CrossEntropyLoss(),
    }
    exec(compile(block, "README.md", "exec", dont_inherit=True), space)
    assert len(space["gradients"].frame) == 2 * 2 * 2 * 9  # layers, directions, h and c, steps


class Last(nn.Module):
    """The last output of a recurrent module."""

    def __init__(self, recurrent: nn.RNNBase) -> None:
        super().__init__()
        self.recurrent = recurrent

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.recurrent(x)[0][-1]


def test_the_console_script_is_declared() -> None:
    scripts = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]["scripts"]
    module, _, function = scripts["harness"].partition(":")
    assert callable(getattr(import_module(module), function))
    assert "`harness sweep studies/smoke.yaml`" in README


@pytest.mark.parametrize("command", sorted(set(re.findall(r"`python -m (harness\.\w+)", README))))
def test_every_named_command_has_help(command: str) -> None:
    done = subprocess.run([sys.executable, "-m", command, "--help"], cwd=TOP, check=False, capture_output=True)
    assert done.returncode == 0
