"""The report's other forms: styles, formats, LaTeX, TensorBoard."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import cli, sweep
from harness.cli import guarded
from harness.report import __main__ as report

STUDY = """\
name: small
claim: Two updates change 100 % of nothing_much.
task: {name: temporal_order, sequence_length: 12}
model: {cell: rnn, hidden_size: 5}
training: {max_updates: 2, batch_size: 4}
evaluation: {every: 2, sequences: 16}
seeds: 2
figures: [{kind: learning, y: loss}]
"""


def call(command, *arguments: str | Path) -> int:
    return guarded(command.main, [str(argument) for argument in arguments])


def test_a_report_is_written_in_every_requested_form(study_file, tmp_path: Path) -> None:
    common = (study_file(STUDY), "-o", tmp_path / "out")
    assert call(sweep, *common, "-j", "1", "--engine", "torch", "-q", "--format", "svg,pdf") == cli.DONE
    figures = tmp_path / "out" / "small" / "figures"
    assert sorted(path.name for path in figures.iterdir()) == ["learning.pdf", "learning.svg"]
    paper = (figures / "learning.svg").read_text()
    assert call(report, *common, "--style", "talk", "--format", "svg", "--latex", tmp_path / "small.tex") == cli.DONE
    assert sorted(path.name for path in figures.iterdir()) == ["learning.svg"]
    assert (figures / "learning.svg").read_text() != paper
    assert r"\caption{Two updates change 100~\% of nothing\_much." in (tmp_path / "small.tex").read_text()


def test_learning_curves_go_to_tensorboard(study_file, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
    common = (study_file(STUDY), "-o", tmp_path / "out")
    assert call(sweep, *common, "-j", "1", "--engine", "torch", "-q") == cli.DONE
    assert call(report, *common, "--tensorboard", tmp_path / "events") == cli.DONE
    assert sorted(path.parent.name for path in (tmp_path / "events").rglob("events*")) == ["seed_0", "seed_1"]


@pytest.mark.parametrize("command", [report, sweep])
@pytest.mark.parametrize(
    ("option", "message"),
    [(("--format", "pgn"), "did you mean 'png'"), (("--format", ""), "no format ''"), (("--style", "poster"), "paper")],
)
def test_an_unknown_form_is_refused(command, option: tuple[str, str], message: str, study_file, capsys) -> None:
    with pytest.raises(SystemExit) as caught:
        command.main([str(study_file(STUDY)), *option])
    assert caught.value.code == cli.USAGE_ERROR
    assert message in capsys.readouterr().err
