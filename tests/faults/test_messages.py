"""Kind of fault: empty or unclear. A selection that is empty by mistake passes for success, a message leaves out what
to do, a list is cut or has what does not belong, a text acts on what shows it, a row is folded anywhere.
"""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from commands import ONE_PROCESS, exit_code
from study_texts import study_text

import harness
from harness import check, cli, compare, sample, status, sweep
from harness.errors import HarnessError, NoResultsError, StudyError, nearest
from harness.errors.text import LONGEST_REASON, markdown, markdown_code, printable, reason, shortened, xml_bytes
from harness.execution.progress import Progress
from harness.registry import read
from harness.report import __main__ as report
from harness.store.columns import OF_TASKS
from harness.store.location import name_note
from harness.tasks.programs import evaluated
from harness.verdicts.metrics import METRICS, Measured
from harness.verdicts.summary import summary
from harness.verdicts.verdict import Verdict

ATTACK = "\x1b]0;pwned\x07\x1b[2J\u202egnp.exe\u2066\x9b31m\ud800\r"
SEEN = "\\x1b]0;pwned\\x07\\x1b[2J\\u202egnp.exe\\u2066\\x9b31m\\ud800\\x0d"


def problems(*overrides: str, **sections: Any) -> list[str]:
    """What is wrong with a study, a line each, without its place."""
    with pytest.raises(StudyError) as caught:
        harness.Study.from_text(study_text(**sections), overrides)
    return [problem.message for problem in caught.value.problems]


# Selections that are empty


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        (["cell=lstmm"], "no planned run of tiny has cell=lstmm; did you mean 'lstm'? (lstm, rnn)"),
        (["cell=lstm,gruu"], "no planned run of tiny has cell=gruu; there are (lstm, rnn)"),
        (["seed=7"], "no planned run of tiny has seed=7; there are (0, 1)"),
        (["cell=lstm", "nonlinearity=tanh"], "no planned run of tiny has cell=lstm, nonlinearity=tanh"),
        (["cell=none"], "no planned run of tiny has cell=none; there are (lstm, rnn)"),
    ],
    ids=str,
)
@pytest.mark.parametrize("dry", [(), ("-n",)], ids=["sweep", "dry"])
def test_a_filter_that_matches_nothing_is_an_error(
    study_file, tmp_path: Path, capsys, conditions: list[str], message: str, dry: tuple[str, ...]
) -> None:
    path = study_file(study_text(sweep={"model.cell": ["rnn", "lstm"]}))
    words = [word for condition in conditions for word in ("--filter", condition)]
    assert exit_code(sweep, path, "-o", tmp_path / "out", *ONE_PROCESS, *dry, *words) == cli.USAGE_ERROR
    assert capsys.readouterr().err == f"{message}\n"
    assert not (tmp_path / "out").exists()


def test_a_condition_from_python_that_matches_nothing_is_an_error(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("harness.execution.sweeping.check_this_process", lambda: None)
    study = harness.Study.from_text(study_text(seeds=1000))
    with pytest.raises(HarnessError, match="has seed=1000; they have 0 to 999"):
        study.run(where={"seed": [3, 1000]}, folder=tmp_path / "out", n_jobs=1)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", [status, check, report, sample], ids=lambda module: module.__name__)
def test_a_command_without_results_names_the_sweep_that_computes_them(study_file, tmp_path: Path, command) -> None:
    path, out = study_file(study_text(task={"name": "characters"})), str(tmp_path / "an out")
    words = [str(path), *(["prompt"] if command is sample else []), "-S", "seeds=[5, 6]", "-o", out]
    with pytest.raises(NoResultsError) as caught:
        command.main(words)
    expected = f"to compute them: python -m harness.sweep {path} -S 'seeds=[5, 6]' -o '{out}'"
    assert str(caught.value).endswith(expected)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("bad", "studies/bad.yaml"), ("bad.yaml", "studies/bad.yaml"), ("studies/bad", "studies/bad.yaml"),
        ("papers/old", "studies/papers/old.yml"), ("studies/papers/odl.yml", "studies/papers/old.yml"),
        ("bda.yaml", "studies/bad.yaml"), ("old", "studies/papers/old.yml"),
        ("studies/old.yml", "studies/papers/old.yml"),
    ],
)  # fmt: skip
def test_a_study_that_is_not_there_is_met_by_the_one_that_is_meant(
    tmp_path: Path, monkeypatch, written: str, meant: str
) -> None:
    (tmp_path / "studies" / "papers").mkdir(parents=True)
    for name in ("studies/bad.yaml", "studies/papers/old.yml"):
        (tmp_path / name).write_text(study_text())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(HarnessError, match=rf"no such study; did you mean '{re.escape(meant)}'\?$"):
        harness.Study.from_yaml(written)


def test_where_a_file_and_its_name_disagree_a_note_says_which_counts(study_file, capsys) -> None:
    path = study_file(study_text(name="other"))
    assert exit_code(sweep, path, "-n") == cli.DONE
    assert "note: results are in results/tiny, after the file; name: other counts" in capsys.readouterr().err
    assert name_note(str(path), "tiny", None) == ""
    assert name_note(str(path), "other", "out") == ""
    assert name_note("elsewhere/tiny.yaml", "other", None) == ""


# What was meant


@pytest.mark.parametrize(
    ("override", "likely"),
    [
        ("max_updates=5", "training.max_updates"), ("max_update=5", "training.max_updates"),
        ("cell=rnn", "model.cell"), ("optimizer=adam", "training.optimizer"), ("modell.cell=rnn", "model"),
        ("model.max_updates=5", "training.max_updates"), ("task.hidden_size=5", "model.hidden_size"),
    ],
)  # fmt: skip
def test_a_setting_without_its_section_or_with_another_is_met_by_its_name(override: str, likely: str) -> None:
    assert f"did you mean '{likely}'? (" in problems(override)[0]


def test_an_axis_without_its_section_is_met_by_its_name() -> None:
    assert "did you mean 'training.max_updates'? (" in problems(sweep={"max_updates": [1, 2]})[0]


@pytest.mark.parametrize(
    ("sections", "key", "values"),
    [
        ({"task": {"sequence_length": [20, 100]}}, "task.sequence_length", "[20, 100]"),
        ({"model": {"cell": ["rnn", "lstm"]}}, "model.cell", "[rnn, lstm]"),
        ({"training": {"bptt_window": [None, 5]}}, "training.bptt_window", "[null, 5]"),
        ({"training": {"optimizer": ["adam", "sgd"]}}, "training.optimizer", "[adam, sgd]"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_list_where_one_value_stands_is_sent_to_the_sweep(sections: dict, key: str, values: str) -> None:
    [message] = problems(**sections)
    assert message == f"{key}: one value, not a list; to try several, put it under sweep: {{{key}: {values}}}"


def test_a_word_where_a_mapping_stands_is_met_by_the_mapping() -> None:
    text = re.sub("task: .*", "task: copying", study_text())
    with pytest.raises(StudyError) as caught:
        harness.Study.from_text(text)
    [problem] = caught.value.problems
    assert problem.message == "task: must be a mapping of settings, such as {name: copying}, not 'copying'"


def test_a_spectral_radius_without_an_init_says_which_to_set(study_file, capsys) -> None:
    assert exit_code(sweep, study_file(study_text(model={"spectral_radius": 1.2})), "-n") == cli.DONE
    assert "no point of this study has a use for it; set model.init: gaussian\n" in capsys.readouterr().err
    assert problems(sweep={"model.spectral_radius": [1, 2]})[0].endswith("; set model.init: gaussian")
    without_recurrent_weights = study_text(model={"cell": "lru", "spectral_radius": 1.2})
    assert "gaussian" not in "".join(harness.Study.from_text(without_recurrent_weights).spec.notes())


def test_choices_are_complete() -> None:
    names = [f"name{i:03d}" for i in range(200)]
    shown = nearest("name7", names)
    assert "…" not in shown
    assert all(name in shown for name in names)
    assert nearest("x", []) == "; there are none"
    assert nearest("X", ["x", "y"]) == "; did you mean 'x'? (x, y)"
    assert nearest("LABLE", ["label", "t"]) == "; did you mean 'label'? (label, t)"
    metric = problems(expect=[{"metric": "success", "at_least": 0.5}])[0]
    assert all(name in metric for name in METRICS)


def test_choices_are_those_of_the_cells_that_a_study_names() -> None:
    [message] = problems(model={"hidden_siez": 5})
    assert "did you mean 'hidden_size'?" in message
    assert "forget_bias" not in message
    assert "r_max" not in message
    [message] = problems(model={"hidden_siez": 5}, sweep={"model.cell": ["rnn", "lstm"]})
    assert "forget_bias" in message
    assert "r_max" not in message
    [message] = problems(expect=[{"metric": "success_rate", "at_least": 0.5, "where": {"cel": "rnn"}}])
    assert "did you mean 'cell'?" in message
    assert "r_max" not in message


# The rule of success


@pytest.mark.parametrize(
    ("task", "least"),
    [
        ({"name": "temporal_order", "sequence_length": 12}, 3), ({"name": "xor"}, 5), ({"name": "adding"}, 2),
        ({"name": "permutation"}, 5),
    ],
    ids=lambda value: str(value),
)  # fmt: skip
def test_too_few_sequences_for_a_rate_are_refused_when_a_study_is_planned(task: dict, least: int) -> None:
    for few in range(1, least):
        [message] = problems(task=task, evaluation={"sequences": few})
        assert message.startswith(f"evaluation.sequences: '{task['name']}' needs at least {least}")
    harness.Study.from_text(study_text(task=task, evaluation={"sequences": least}))
    chance = harness.Study.from_text(study_text(task=task)).spec.points[0].sections["task"].chance
    assert chance**least < 0.05


def test_one_sequence_of_many_answers_carries_a_rate() -> None:
    harness.Study.from_text(study_text(task={"name": "copying", "delay": 3}, evaluation={"sequences": 1}))


def test_every_metric_says_what_it_means_and_in_which_unit() -> None:
    for metric in METRICS.values():
        assert metric.meaning
        assert metric.unit or metric.name in {
            *("loss_to_memoryless", "switch_score", "switch_error", "measured", "residual"),
            *("accuracy_by_exponent", "accuracy_by_nearness"),
            "exponent_ratio",
            *OF_TASKS,  # silhouettes and shares
        }


# Width


def test_verdicts_are_paragraphs_where_a_row_does_not_fit() -> None:
    group = Measured(0.5, 0.2, 0.8, 24, 8)
    text = "success_rate of cell=lstm, sequence_length=100, bptt_window=full, spectral_radius=1.2 above cell=rnn >= 0.8"
    verdicts = [Verdict(text, "fails", "no, " * 40, "success_rate", group, group, ("cell=lstm|gru", "cell=rnn"))]
    for width in (45, 60, 80):
        lines = summary(verdicts, width).splitlines()
        assert max(map(len, lines)) <= width
        assert lines[0].startswith("✗ success_rate of cell=lstm,")
    assert "    cell=rnn 0.50,  95 % interval [0.20, 0.80],  n 24 (8 seeds)" in lines


@pytest.mark.parametrize("width", [20, 40, 79, 200])
def test_the_progress_is_never_cut_and_ends_at_the_true_count(tmp_path: Path, monkeypatch, width: int) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("COLUMNS", str(width + 1))
    runs = {f"{i}": 1.0 for i in range(100_000)}
    with Progress(runs, tmp_path) as progress:
        for i, run_id in enumerate(runs):
            progress.ended(run_id, ("solved", "unsolved", "diverged", "failed", "committed")[i % 5])
            if i == 50_000:
                progress._show()
    *_, last = stream.getvalue().rstrip("\n").split("\r\x1b[K")
    assert all(len(line) <= width for line in stream.getvalue().replace("\n", "").split("\r\x1b[K"))
    assert "100000/100000 runs" in last or width == 20
    assert "100%" in last


# Texts that act


def test_a_text_is_shown_and_does_not_act() -> None:
    assert printable(ATTACK) == SEEN
    assert printable("ρ ≤ 1, 日本語, עברית, می‌خواهم, 👩‍🔬\tb\nc", lines=True).endswith("👩‍🔬\tb\nc")
    assert printable("a \n b") == "a b"
    assert str(HarnessError(ATTACK)) == SEEN
    stream = io.StringIO()
    print(ATTACK, file=cli.Printable(stream), end="")
    assert stream.getvalue() == SEEN


def test_an_exception_is_one_line_that_is_cut() -> None:
    class SilentError(Exception):
        pass

    class BrokenError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

    assert reason(SilentError()) == "SilentError"
    assert reason(BrokenError()) == "BrokenError: its text cannot be made: RuntimeError"
    assert reason(ValueError("a\nb\x1b[2J")) == "ValueError: a b\\x1b[2J"
    assert reason(HarnessError("A sentence")) == "A sentence"
    long = reason(ValueError("x" * 10**6))
    assert len(long) < LONGEST_REASON + 60
    assert long.endswith("… (1,000,000 characters)")
    assert shortened("x" * LONGEST_REASON) == "x" * LONGEST_REASON


def test_markdown_has_no_markup_of_a_text() -> None:
    assert markdown(f"a|b <img src=x> `c` [d](e) *f* _g_ {ATTACK}\n# h").count("\\x1b") == 2
    assert markdown("success_rate of T=1|2 <= 0.5") == "success_rate of T=1\\|2 <= 0.5"
    assert markdown("<script>") == "&lt;script>"
    assert markdown("- a\n- b") == "\\- a - b"
    assert markdown_code("a`b") == "``a`b``"
    assert markdown_code("`a``") == "``` `a`` ```"


def test_xml_is_well_formed_whatever_is_in_it() -> None:
    root = ElementTree.Element("testsuite", name=ATTACK)
    ElementTree.SubElement(root, "failure", message="\x00\ufffe").text = "\x0b"
    read = ElementTree.fromstring(xml_bytes(root))
    assert read.attrib["name"] == SEEN
    assert read[0].text == "\\x0b"


def test_notes_of_a_folder_do_not_act(study_file, tmp_path: Path, capsys) -> None:
    path, folder = study_file(study_text(seeds=1)), tmp_path / "out" / "tiny"
    assert exit_code(sweep, path, "-o", tmp_path / "out", *ONE_PROCESS, "-q") == cli.DONE
    [commit] = (folder / "journal").glob("*.run")
    commit.unlink()
    (folder / "failures").mkdir(exist_ok=True)
    note = {"run_id": commit.stem, "error": ATTACK[:-2] + "x" * 10**5}
    (folder / "failures" / f"{commit.stem}.json").write_text(json.dumps(note))
    assert exit_code(status, path, "-o", tmp_path / "out") == cli.DONE
    shown = capsys.readouterr().out
    assert "\\x1b]0;pwned" in shown
    assert printable(shown, lines=True) == shown
    assert len(shown) < 2 * LONGEST_REASON
    assert exit_code(report, path, "-o", tmp_path / "out") == cli.DONE
    shown = capsys.readouterr().out
    assert printable(shown, lines=True) == shown


def test_an_empty_program_is_refused_in_a_sentence() -> None:
    for text in ("", "\n\n", "# nothing"):
        with pytest.raises(ValueError, match="a program without a statement prints nothing"):
            evaluated(text)


def test_a_comparison_of_hostile_folders_is_escaped_in_every_form(study_file, tmp_path: Path, capsys) -> None:
    path = study_file(study_text(training={"max_updates": 0}, seeds=1))
    assert exit_code(sweep, path, "-o", tmp_path / "out", *ONE_PROCESS, "-q") == cli.DONE
    hostile = tmp_path / "\x1b[2J\u202e`|<img src=x>`"
    (tmp_path / "out" / "tiny").rename(hostile)
    junit, page = tmp_path / "x.xml", tmp_path / "x.md"
    assert exit_code(compare, hostile, hostile, "--junit", junit, "--markdown", page) == cli.DONE
    shown = capsys.readouterr().out
    assert printable(shown, lines=True) == shown
    assert ElementTree.parse(junit).getroot().attrib["name"].startswith("\\x1b[2J\\u202e`|<img")
    text = page.read_text()
    assert printable(text, lines=True) == text
    assert f"``{printable(hostile)} ``" in text.replace("`` /", "``/")


def test_a_list_that_is_too_short_is_said_to_be_so(study_file) -> None:
    text = study_text(figures=[{"kind": "decay", "size": [3.0]}])
    with pytest.raises(StudyError, match=r"figures: size: has too few values: \[3.0\]"):
        read(study_file(text))
