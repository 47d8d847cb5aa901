"""The command that continues a prompt: its output, the run that it takes, and its errors."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import ONE_PROCESS, exit_code
from study_texts import study_text

from harness import cli, sample, sweep
from harness.errors import HarnessError
from harness.execution.trained import best
from harness.probes.artifacts import tensors
from harness.registry import read
from harness.store.journal import Journal
from harness.study.plan import plan
from harness.tasks.characters import OTHER
from harness.tasks.written_programs import LECTURES

READING = study_text(
    name="reading",
    task={"name": "characters"},
    training={"batch_size": 64, "bptt_window": 4},
    evaluation={"sequences": 256},
    record={"weights": True},
    sweep={"model.cell": ["rnn", "lstm"]},
)


WORDS = study_text(
    name="words",
    task={"name": "words", "embedding": 8},
    training={"batch_size": 64, "bptt_window": 4},
    evaluation={"sequences": 256},
    record={"weights": True},
)
PROGRAMS = study_text(
    name="programs",
    task={"name": "written_programs", "digits": 4, "operations": 3},
    record={"weights": True},
)


def swept(folder: Path, text: str) -> Path:
    """A swept study in a folder of its own; the results lie in `out` beside it."""
    path = folder / "study.yaml"
    path.write_text(text)
    assert exit_code(sweep, path, "-o", folder / "out", *ONE_PROCESS, "-q") == cli.DONE
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A swept study in a folder of its own; the results lie in `out` beside it."""
    path: Path = tmp_path_factory.mktemp("reading") / "reading.yaml"
    path.write_text(READING)
    assert exit_code(sweep, path, "-o", path.parent / "out", *ONE_PROCESS, "-q") == cli.DONE
    return path


def printed(capsys: pytest.CaptureFixture[str], path: Path, *arguments: str, code: int = cli.DONE) -> tuple[str, str]:
    """The command's output, on stdout and on stderr."""
    assert exit_code(sample, path, "-o", path.parent / "out", *arguments) == code
    shown = capsys.readouterr()
    return shown.out, shown.err


def test_the_prompt_is_continued_by_so_many_characters(trained: Path, capsys) -> None:
    text, about = printed(capsys, trained, "The ", "--length", "25")
    assert text.startswith("The ")
    assert len(text) == len("The ") + 25 + len("\n")
    assert "bits per character" in about


def test_the_same_seed_gives_the_same_text_and_another_seed_another(trained: Path, capsys) -> None:
    texts = [printed(capsys, trained, "The ", "--length", "40", "--seed", seed)[0] for seed in ("1", "1", "2")]
    assert texts[0] == texts[1] != texts[2]


def test_temperature_0_is_top_1(trained: Path, capsys) -> None:
    coldest = printed(capsys, trained, "The ", "--length", "20", "--temperature", "0", "--seed", "5")
    assert coldest == printed(capsys, trained, "The ", "--length", "20", "--top-k", "1")


def test_suggestions_are_the_likeliest_first_and_all_of_them_sum_to_one(trained: Path, capsys) -> None:
    lines = printed(capsys, trained, "The ", "--suggest", "1000")[0].splitlines()
    shares = [float(line.split()[-1]) for line in lines]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1, abs=len(lines) * 5e-4)
    first = printed(capsys, trained, "The ", "--suggest", "1")[0].splitlines()
    assert first == lines[:1]
    coldest, _ = printed(capsys, trained, "The ", "--length", "1", "--temperature", "0")
    assert first[0].startswith(repr(coldest[len("The ")]))


def test_the_selected_run_with_the_lowest_final_loss_is_taken(trained: Path, capsys) -> None:
    planned, journal = plan(read(trained)), Journal.open(trained.parent / "out" / "reading")
    losses = {c.run_id: c.tables["runs"]["final_loss"][0].as_py() for c in journal.read(planned.ids)}
    assert len(losses) == 4
    for cell in ("rnn", "lstm"):
        own = {run.run_id: losses[run.run_id] for run in planned.runs if run.columns()["cell"] == cell}
        assert min(own, key=lambda run_id: own[run_id]) in printed(capsys, trained, "x", "--where", f"cell={cell}")[1]
    assert best(planned.runs, journal).final_loss == min(losses.values())


def test_the_rebuilt_network_has_the_loss_of_the_trained_one(trained: Path) -> None:
    planned, journal = plan(read(trained)), Journal.open(trained.parent / "out" / "reading")
    rebuilt = best(planned.runs, journal)
    batch = rebuilt.model.task.batch(rebuilt.run.seed, "final", 0, rebuilt.model.task.final_sequences)
    loss, _ = rebuilt.model.judge(rebuilt.parameters, *tensors(batch, rebuilt.parameters))
    assert float(loss) == pytest.approx(rebuilt.final_loss, rel=1e-6)


def test_unknown_characters_are_reported_and_read_as_one(trained: Path, capsys) -> None:
    known, quiet = printed(capsys, trained, f"a{OTHER}", "--length", "5")
    strange, note = printed(capsys, trained, "a☃", "--length", "5")
    assert strange.removeprefix("a☃") == known.removeprefix(f"a{OTHER}")
    assert "'☃'" in note
    assert "note" not in quiet


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["The ", "--where", "sell=rnn"], "--where: no column 'sell'; did you mean 'cell'?"),
        (["The ", "--where", "cell=gru"], "has cell=gru; there are"),
        (["The ", "-S", "seeds=[7]"], "none of these 2 runs is done yet"),
        (["The ", "-S", "record.weights=false"], "record: {weights: true}"),
        ([""], "the prompt is empty"),
    ],
    ids=str,
)
def test_a_prompt_or_a_run_that_cannot_be_continued_is_reported_in_a_sentence(
    trained: Path, capsys, arguments: list[str], sentence: str
) -> None:
    if "record.weights=false" in arguments:
        folder = ("-o", trained.parent / "out", "-S", "record.weights=false")
        assert exit_code(sweep, trained, *folder, *ONE_PROCESS, "-q") == cli.DONE
    assert sentence in printed(capsys, trained, *arguments, code=cli.USAGE_ERROR)[1]


def test_without_results_the_error_names_the_command_that_computes_them(tmp_path: Path, capsys) -> None:
    path = tmp_path / "reading.yaml"
    path.write_text(READING)
    assert "python -m harness.sweep" in printed(capsys, path, "The ", code=cli.USAGE_ERROR)[1]


def test_a_task_without_text_is_refused(study_file, capsys) -> None:
    assert "'temporal_order' has no text to continue" in printed(capsys, study_file(), "The ", code=cli.USAGE_ERROR)[1]


def test_diverged_networks_are_refused(trained: Path, monkeypatch) -> None:
    planned, journal = plan(read(trained)), Journal.open(trained.parent / "out" / "reading")
    monkeypatch.setattr("harness.execution.trained._loss", lambda commit: float("inf"))
    with pytest.raises(HarnessError, match="diverged"):
        best(planned.runs, journal)


@pytest.mark.parametrize("option", [["--temperature", "-1"], ["--top-k", "0"], ["--length", "-3"], ["--suggest", "x"]])
def test_a_wrong_option_is_exit_code_2(trained: Path, option: list[str], capsys) -> None:
    with pytest.raises(SystemExit) as caught:
        sample.main([str(trained), "The ", *option])
    assert caught.value.code == cli.USAGE_ERROR
    assert "error" in capsys.readouterr().err


def test_words_are_continued_and_suggested_whole_and_an_unknown_one_is_named_with_the_nearest(
    tmp_path: Path, capsys
) -> None:
    path = swept(tmp_path, WORDS)
    text, about = printed(capsys, path, "The king of Portugall", "--length", "6")
    assert len(text.replace(".", " . ").split()) == 4 + 6
    assert "bits per word" in about
    assert "read as <other>: 'portugall'; did you mean 'portugal'" in about
    words = set(read(path).points[0].sections.by_name()["task"].alphabet)
    lines = printed(capsys, path, "the king", "--suggest", "3")[0].splitlines()
    assert len(lines) == 3
    assert {line.split("'")[1] for line in lines} <= words


def test_a_program_is_answered_by_the_network_and_by_the_interpreter(tmp_path: Path, capsys) -> None:
    path = swept(tmp_path, PROGRAMS)
    text, _ = printed(capsys, path, LECTURES[0])
    network, interpreter = text.splitlines()
    assert network.startswith("network ")
    assert interpreter == "interpreter  25011"
    with pytest.raises(HarnessError, match="cannot be evaluated: no program of this task has the characters 'y'"):
        sample.main([str(path), "-o", str(tmp_path / "out"), "print(y)"])
