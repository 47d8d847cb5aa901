"""The report's other forms: styles, formats, LaTeX, TensorBoard."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import ONE_PROCESS, exit_code
from study_texts import study_text

from harness import cli, sweep
from harness.report import __main__ as report

STUDY = study_text(
    name="small",
    claim="Two updates change 100 % of nothing_much.",
    figures=[{"kind": "learning", "y": "loss"}],
)


def test_a_report_is_written_in_every_requested_form(study_file, tmp_path: Path) -> None:
    common = (study_file(STUDY), "-o", tmp_path / "out")
    assert exit_code(sweep, *common, *ONE_PROCESS, "-q", "--format", "svg,pdf") == cli.DONE
    figures = tmp_path / "out" / "small" / "figures"
    assert sorted(path.name for path in figures.glob("[!.]*")) == ["learning.pdf", "learning.svg"]
    paper = (figures / "learning.svg").read_text()
    assert (
        exit_code(report, *common, "--style", "talk", "--format", "svg", "--latex", tmp_path / "small.tex") == cli.DONE
    )
    assert [path.name for path in (figures / "talk").glob("[!.]*")] == ["learning.svg"]
    assert (figures / "talk" / "learning.svg").read_text() != paper
    assert (figures / "learning.svg").read_text() == paper
    assert r"\caption{Two updates change 100~\% of nothing\_much." in (tmp_path / "small.tex").read_text()


def test_learning_curves_go_to_tensorboard(study_file, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
    common = (study_file(STUDY), "-o", tmp_path / "out")
    assert exit_code(sweep, *common, *ONE_PROCESS, "-q") == cli.DONE
    assert exit_code(report, *common, "--tensorboard", tmp_path / "events") == cli.DONE
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
