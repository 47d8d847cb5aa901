"""Study files: whatever is in them, an answer within the time limit, exit 0 or 2, and a refusal says where."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from fuzz_cases import FACTOR, SECONDS, TINY, Shown, call, cases, located
from fuzz_mutations import NASTY, SHIPPED, mutated, numbers, steps
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML, YAMLError

from harness import check, cli, status, sweep
from harness.report import __main__ as report


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def plan(workspace: Path, content: str | bytes, *, seconds: float = SECONDS) -> Shown:
    """The dry run of a study file, with the checks that each must pass."""
    path = workspace / "s.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    shown = call(sweep, path, "-o", workspace / "out", "-n", seconds=seconds)
    assert shown.code in (cli.DONE, cli.USAGE_ERROR), shown
    assert shown.code == cli.DONE or located(shown, path), shown.err
    assert not (workspace / "out").exists()
    shown.out.encode()  # what a terminal of UTF-8 can show
    return shown


@cases(200)
@given(st.sampled_from(list(SHIPPED.values())), steps)
def test_a_spoiled_study_is_planned_or_refused_with_its_place(workspace: Path, text: str, mutations: list) -> None:
    plan(workspace, mutated(text, mutations))


@cases(60)
@given(st.sampled_from(list(SHIPPED.values())), st.lists(st.tuples(numbers, st.binary(max_size=4)), min_size=1))
def test_a_study_with_spoiled_bytes_is_planned_or_refused(workspace: Path, text: str, changes: list) -> None:
    data = text.encode()
    for at, new in changes:
        data = data[: at % len(data)] + new + data[at % len(data) + len(new) :]
    plan(workspace, data)


@cases(100)
@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_refused(workspace: Path, data: bytes) -> None:
    assert plan(workspace, data).code == cli.USAGE_ERROR


PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(NASTY)
WORDS = (
    "name claim task model training evaluation record sweep seeds figures expect experiment surgery cell hidden_size "
    "kind where metric at_least at_most per contrast x hue col row model.cell model.hidden_size record.adjoints"
)
KEYS = st.sampled_from(WORDS.split())
TREES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(max_size=5), inner, max_size=5),
    max_leaves=25,
)


@cases(120)
@given(st.dictionaries(KEYS, TREES, max_size=6))
def test_any_tree_below_any_key_is_planned_or_refused(workspace: Path, tree: dict) -> None:
    written = {"name": "tiny", "claim": "x", "task": {"name": "temporal_order"}, "model": {"cell": "rnn"}} | tree
    stream = io.BytesIO()
    try:
        YAML(typ="safe", pure=True).dump(written, stream)
    except (YAMLError, ValueError):  # not every string can be written; that is the writer's matter
        return
    plan(workspace, stream.getvalue())


def settings() -> dict[str, tuple[str, int, int]]:
    """Every key of the shipped studies: the shortest study that has it, and where its value begins and ends there."""
    places = {}
    for text in sorted(SHIPPED.values(), key=len):
        for match in re.finditer(r"([\w.]+): ([^{}\[\],\n]+)", text):
            places.setdefault(match[1], (text, match.start(2), match.end(2)))
    return places


WRONG = ("[]", "{a: 1}", "1e400", "-1", '""', "~", "!x y")


@pytest.mark.parametrize("first", range(len(WRONG) if FACTOR > 1 else 1))
def test_every_setting_of_a_study_can_be_of_a_wrong_type(workspace: Path, first: int) -> None:
    # In the long run each setting is of every wrong type, in the ordinary tests each sixth of one, in turn.
    for number, (text, start, end) in list(enumerate(settings().values()))[:: 1 if FACTOR > 1 else 6]:
        plan(workspace, text[:start] + WRONG[(first + number) % len(WRONG)] + text[end:])


def bomb(levels: int, first: str, each: str) -> str:
    lines = [f"a0: &a0 {first}"] + [
        f"a{level}: &a{level} {each.format(*[f'*a{level - 1}'] * 9)}" for level in range(1, levels)
    ]
    return "\n".join(lines) + "\n" + TINY


SEQUENCE, LONG = "[" + ", ".join(["{}"] * 9) + "]", "x" * 100_000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (bomb(9, "[x, x, x]", SEQUENCE), "aliases are written out"),
        (bomb(9, "{x: 1}", "{{k: {}, l: {}, m: {}, n: {}, o: {}, p: {}}}"), "aliases are written out"),
        (bomb(3, LONG, SEQUENCE), "aliases are written out"),
        (bomb(9, "{x: 1}", "{{<<: " + SEQUENCE + "}}"), "no such key"),
        ("a: &a [*a]\n" + TINY, "no such key"),
        ("a: " + "[" * 100 + "]" * 100 + "\n" + TINY, "nested deeper"),
        ("a: " + "[" * 5_000 + "\n" + TINY, "nested deeper"),
        ("a: " + "{a: " * 20_000 + "\n" + TINY, "nested deeper"),
        ("a: " + "[" * 5_000 + "]" * 5_000 + "\n" + TINY, "nested deeper"),
        ("a: [!!set, &a [*a]]\n" + TINY, "no meaning in a study"),
        ("- " * 20_000 + "\n" + TINY, ""),
        ("a: " + "x" * 10_000_000 + "\n" + TINY, "longer than"),
        (TINY + "sweep: {" + ", ".join(f"{key}: [{', '.join(map(str, range(1, 1001)))}]" for key in (
            "model.hidden_size", "training.max_updates", "training.batch_size")) + "}", "more than 1,000,000 points"),
        (TINY.replace("seeds: 4", "seeds: 1000000000"), "a count from 1 to"),
        (TINY.replace("seeds: 4", "seeds: 100000") + f"sweep: {{model.hidden_size: {list(range(1, 101))}}}", "runs"),
        (TINY.replace("seeds: 4", "seeds: " + "9" * 5000), "syntax"),
        (TINY.replace("seeds: 4", "seeds: [0x" + "f" * 5000 + "]"), "2⁶³"),
        (TINY.replace("name: tiny", "name: " + "a" * 300), "name"),
        (TINY.replace("An untrained", '"\\e]0;owned\\a\\ud800"').replace(" network guesses.", ""), "not a printable"),
    ],
    ids=lambda value: "" if len(value) > 60 else value,
)  # fmt: skip
def test_a_bomb_is_refused_quickly_with_a_message(workspace: Path, content: str, message: str) -> None:
    shown = plan(workspace, content)
    assert shown.code == cli.USAGE_ERROR
    assert message in shown.err


@pytest.mark.parametrize("command", [sweep, status, check, report])
@pytest.mark.parametrize(
    "path", ["", ".", "/", "/dev/null", "/dev/zero", "/dev/full", "/proc/self/mem", "no/such", "a\0b", "x" * 5000, "~",
             "\udcff", "{workspace}/loop", "{workspace}/dangling", "-n"],
    ids=lambda path: path[:20],
)  # fmt: skip
def test_a_path_that_is_no_study_is_refused(workspace: Path, command, path: str) -> None:
    for name in ("loop", "dangling"):
        if not (workspace / name).is_symlink():
            (workspace / name).symlink_to(name if name == "loop" else "nowhere")
    assert call(command, path.format(workspace=workspace), "-o", workspace / "out").code == cli.USAGE_ERROR


def test_a_width_that_is_matched_is_found_at_once_however_large(workspace: Path) -> None:
    text = TINY.replace("cell: rnn, hidden_size: 5", "cell: lstm, hidden_size: 1000000000, match: parameters")
    assert plan(workspace, text, seconds=1).code == cli.DONE


def test_an_anchored_truth_value_is_one_and_an_anchor_may_be_used_again(workspace: Path) -> None:
    text = TINY.replace("batch_size: 4", "batch_size: &n 4, stop_when_solved: &t true")
    text = text.replace("every: 2", "every: &n 2")
    assert plan(workspace, text).code == cli.DONE
