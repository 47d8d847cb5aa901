"""Options: any text after -S, --filter and the others is obeyed or refused, in time; nothing is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz_cases import TINY, Shown, call, cases
from fuzz_mutations import NASTY, SHIPPED, nasty
from hypothesis import given
from hypothesis import strategies as st

from harness import cli, sweep

KEYS = st.sampled_from(
    [
        "name", "claim", "seeds", "sweep", "figures", "expect", "experiment", "task", "model", "training", "record",
        "task.name", "task.sequence_length", "model.cell", "model.hidden_size", "model.init", "model.forget_bias",
        "training.learning_rate", "training.max_updates", "training.bptt_window", "training.optimizer",
        "evaluation.every", "record.adjoints", "sweep.x", "seeds.x", "name.x", "nothing", "model.nothing", "a.b.c", "",
        ".", "model.", ".cell", "model.cell ", "é.x",
    ]
)  # fmt: skip
VALUES = (
    nasty
    | st.text(max_size=12)
    | st.lists(nasty, max_size=4).map(lambda items: f"[{', '.join(items)}]")
    | st.integers().map(str)
)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workspace = tmp_path_factory.mktemp("fuzz")
    (workspace / "tiny.yaml").write_text(TINY)
    (workspace / "smoke.yaml").write_text(SHIPPED["smoke.yaml"])
    (workspace / "cells.yaml").write_text(SHIPPED["cells.yaml"])
    return workspace


def dry_run(workspace: Path, study: str, *options: str) -> Shown:
    shown = call(sweep, workspace / study, "-o", workspace / "out", "-n", *options)
    assert shown.code in (cli.DONE, cli.USAGE_ERROR), shown
    assert (shown.code == cli.DONE) == (shown.out != ""), shown
    assert shown.code == cli.DONE or shown.err.strip(), shown
    assert not (workspace / "out").exists()
    return shown


@cases(120)
@given(
    st.sampled_from(["tiny.yaml", "smoke.yaml", "cells.yaml"]),
    st.lists(st.tuples(KEYS | st.text(max_size=8), VALUES), min_size=1, max_size=3),
)
def test_any_override_is_obeyed_or_refused_by_its_number(workspace: Path, study: str, pairs: list) -> None:
    options = [word for key, value in pairs for word in ("-S", f"{key}={value}")]
    shown = dry_run(workspace, study, *options)
    first = shown.err.partition("\n")[0]
    assert shown.code == cli.DONE or first.startswith((str(workspace / study), "-S ", "usage: ")), shown.err


@cases(75)
@given(
    st.lists(
        st.sampled_from(
            ["cell", "seed", "sequence_length", "forget_bias", "outcome", "run_id", "nothing", "", "cell ="]
        ).flatmap(lambda name: VALUES.map(lambda value: f"{name}={value}"))
        | st.text(max_size=10),
        min_size=1,
        max_size=3,
    )
)
def test_any_filter_is_obeyed_or_refused(workspace: Path, filters: list[str]) -> None:
    shown = dry_run(workspace, "smoke.yaml", *[word for text in filters for word in ("--filter", text)])
    assert shown.code == cli.DONE or "filter" in shown.err or "no planned run of" in shown.err, shown.err


NUMBERS = (
    "", "0", "1", "-1", "2", "nan", "inf", "-inf", "1e400", "9" * 400, "9" * 5000, "1/2", "2/1", "1/0", "0/0", "1/",
    "/",
    "1/" + "9" * 400, "1/2/3", "٣", "1_000", "0x10", " 1 ", "1.5", "cpu", "cuda:1", "cuda:" + "9" * 400, "\0", "é",
    "🙂", "compiled", "torch", "tensor", "-n", "--",
)  # fmt: skip
OPTIONS = ("-j", "--engine", "--device", "--shard", "--retries", "--timeout", "--limit", "--jbos", "-jj", "--")
FLAGS = ("--fail-fast", "--retry-failed", "--force", "-q", "--no-progress", "-n", "-x", "extra", "-h ")


@pytest.mark.parametrize("option", OPTIONS)
def test_any_number_after_any_option_is_obeyed_or_refused(workspace: Path, option: str) -> None:
    for number in NUMBERS:
        dry_run(workspace, "tiny.yaml", option, number)


@cases(60)
@given(
    st.lists(st.tuples(st.sampled_from(OPTIONS), st.text(max_size=6)) | st.tuples(st.sampled_from(FLAGS)), max_size=4)
)
def test_any_options_together_are_obeyed_or_refused(workspace: Path, options: list) -> None:
    dry_run(workspace, "tiny.yaml", *[word for option in options for word in option])


@pytest.mark.parametrize(
    "output", ["a\0b", "x" * 300, "y/" * 3000, "/dev/null", "/dev/null/x", "\udcff", "~"], ids=repr
)
def test_an_impossible_folder_is_refused_or_has_no_results(workspace: Path, output: str) -> None:
    shown = call(sweep, workspace / "tiny.yaml", "-n", "-o", output)
    assert shown.code in (cli.DONE, cli.USAGE_ERROR)
    assert shown.out or shown.err


@pytest.mark.parametrize(
    "value",
    ["2020-01-01", "!!binary aGk=", "!foo bar", "!!set {a}", "0x" + "f" * 50, '"\\e[31m"'],
    ids=lambda v: v[:20],
)
def test_an_override_that_is_no_setting_is_refused_and_not_taken_for_null(workspace: Path, value: str) -> None:
    shown = dry_run(workspace, "tiny.yaml", "-S", f"training.clip_norm={value}")
    assert shown.code == cli.USAGE_ERROR
    assert shown.err.startswith("-S 1: ")


def test_every_nasty_text_can_follow_every_section(workspace: Path) -> None:
    for key in ("seeds", "sweep", "figures", "expect", "model.cell", "training.max_updates"):
        for value in NASTY[:: 2 if key in ("seeds", "sweep") else 5]:
            dry_run(workspace, "tiny.yaml", "-S", f"{key}={value}")
