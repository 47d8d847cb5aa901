"""Mutations of a text: each takes two numbers, a place and a choice, so that a failure can be shrunk."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from fuzz_cases import STUDIES
from hypothesis import strategies as st

SHIPPED: dict[str, str] = {
    str(path.relative_to(STUDIES)): path.read_text(encoding="utf-8") for path in sorted(Path(STUDIES).rglob("*.yaml"))
}

NASTY = (
    "", "~", "null", "true", "no", "0", "-1", "1.5", "1e400", "-.inf", ".nan", "0x" + "f" * 5000, "9" * 5000,
    "9223372036854775807", "9223372036854775808", "-9223372036854775809", "0o777", "0b11", "1_000", "100000", "1e300",
    "5e-324", "190:20:30", "2020-01-01", "2001-99-99", '""', "'5'", '"\\0"', '"\\x1b[31m"', '"\\ud800"',
    '"\\UFFFFFFFF"',
    '"a\\nb"', "../../x", "/etc/passwd", "a" * 300, "x" * 20000, "é", "名前", "\u202e", "\ufeff", "𝒳", "[]", "{}",
    "[[]]",
    "[1, 2]", "[null]", "[1, 1]", "{a: 1}", "{? : }", "{[a]: b}", "[" * 60 + "]" * 60, "[" * 400, "{a: " * 60, "&a x",
    "*a", "&a [*a]", "&a {b: *a}", "<<", "{<<: 3}", "{<<: [{a: 1}, 2]}", "!!python/object/apply:os.system [true]",
    "!!python/name:os.system", "!!binary aGk=", "!!binary x", "!!set {a}", "!!set", "!!omap [a: 1]", "!!int abc",
    "!!float x", "!!bool maybe", "!!timestamp x", "!!null x", "!!str 5", "!!map [a]", "!!seq {a: 1}", "!foo bar", "!",
    "!<x> y", "|9", ">-", "|\n  x", "- a", "? a", ": b", "# c", "%YAML 1.1", "---", "...", "@", "`", "\t", "\x00",
    "\x07",
    "lstm", "rnn", "gru", "chrono", "cell", "seed", "task.sequence_length", "model.cell", "geometric", "{every: 1}",
    "temporal_order", "echo", "dates", "<script>", "$x^{$", "training", "gate_surgery",
)  # fmt: skip

Mutation = Callable[[str, int, int], str]


def _span(spans: list[tuple[int, int]], at: int) -> tuple[int, int]:
    return spans[at % len(spans)] if spans else (0, 0)


def _replaced(pattern: str, text: str, at: int, new: str) -> str:
    start, end = _span([match.span() for match in re.finditer(pattern, text)], at)
    return text[:start] + new + text[end:]


def replace_word(text: str, at: int, choice: int) -> str:
    return _replaced(r"[\w.+-]+", text, at, NASTY[choice % len(NASTY)])


def replace_value(text: str, at: int, choice: int) -> str:
    return _replaced(r"(?<=: )[^{}\[\],\n]+|\[[^\[\]]*\]|\{[^{}]*\}", text, at, NASTY[choice % len(NASTY)])


def replace_key(text: str, at: int, choice: int) -> str:
    return _replaced(r"[\w.]+(?=:)", text, at, NASTY[choice % len(NASTY)])


def swap_words(text: str, at: int, choice: int) -> str:
    words = re.findall(r"[\w.+-]+", text)
    return _replaced(r"[\w.+-]+", text, at, words[choice % len(words)] if words else "x")


def misspell_key(text: str, at: int, choice: int) -> str:
    keys = re.findall(r"[\w.]+(?=:)", text) or ["x"]
    key = keys[at % len(keys)]
    return _replaced(r"[\w.]+(?=:)", text, at, key[: choice % (len(key) + 1)] + key[choice % (len(key) + 1) + 1 :])


def insert(text: str, at: int, choice: int) -> str:
    at %= len(text) + 1
    return text[:at] + NASTY[choice % len(NASTY)] + text[at:]


def tag_value(text: str, at: int, choice: int) -> str:
    tags = ("&a ", "*a ", "!!str ", "!!int ", "!!python/object:os.path ", "!x ", "? ", "- ", "\t", "  ")
    start, _ = _span([match.span() for match in re.finditer(r"(?<=: )\S", text)], at)
    return text[:start] + tags[choice % len(tags)] + text[start:]


def delete(text: str, at: int, choice: int) -> str:
    at %= len(text) + 1
    return text[:at] + text[at + choice % 40 :]


def delete_line(text: str, at: int, choice: int) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(line for index, line in enumerate(lines) if index != at % max(len(lines), 1))


def double_line(text: str, at: int, choice: int) -> str:
    lines = text.splitlines(keepends=True) or [""]
    lines.insert(choice % (len(lines) + 1), lines[at % len(lines)])
    return "".join(lines)


def indent_line(text: str, at: int, choice: int) -> str:
    lines = text.splitlines(keepends=True) or [""]
    lines[at % len(lines)] = ("  ", "\t", " ", "- ", "\u00a0", "? ")[choice % 6] + lines[at % len(lines)]
    return "".join(lines)


def truncate(text: str, at: int, choice: int) -> str:
    return text[: at % (len(text) + 1)]


def splice(text: str, at: int, choice: int) -> str:
    """The head of one study and the tail of another."""
    other = list(SHIPPED.values())[choice % len(SHIPPED)]
    return text[: at % (len(text) + 1)] + other[at % (len(other) + 1) :]


MUTATIONS: tuple[Mutation, ...] = (
    replace_word, replace_value, replace_key, swap_words, misspell_key, insert, tag_value, delete, delete_line,
    double_line, indent_line, truncate, splice,
)  # fmt: skip

numbers = st.integers(0, 10_000)
steps = st.lists(st.tuples(st.sampled_from(MUTATIONS), numbers, numbers), min_size=1, max_size=4)
nasty = st.sampled_from(NASTY)


def mutated(text: str, mutations: list[tuple[Mutation, int, int]]) -> str:
    for mutation, at, choice in mutations:
        text = mutation(text, at, choice)
    return text
