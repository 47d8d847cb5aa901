"""Programs: the interpreter agrees with Python, every program fits, and the digits spell the result."""

import contextlib
import io
import itertools

import numpy as np
import pytest

from harness.rng import generator
from harness.tasks.programs import ANSWERS, SYMBOLS, VARIABLES, Programs, evaluated, programs, written
from harness.tasks.task import PADDING

LECTURE = {
    "j = 8584\nfor x in range(8):\n    j += 920\nb=(1500+j)\nprint((b+7567))": 25011,
    "i = 8827\nc = (i-5347)\nprint((c+8704) if\n2641<8500 else 5308)": 12184,
}
SIZES = [(1, 1), (1, 2), (2, 1), (2, 3), (4, 3), (9, 5)]


def task(digits: int, operations: int, **settings: str) -> Programs:
    return Programs(name="programs", digits=digits, operations=operations, **settings)


def texts(digits: int, operations: int, n: int = 400) -> list[str]:
    return programs(generator(1, "test"), np.full(n, digits), np.full(n, operations))


def printed(text: str) -> str:
    """The output of Python itself."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(text, {"__builtins__": {"print": print, "range": range}})
    return out.getvalue().strip()


def read(of: Programs, batch, b: int) -> str:
    return "".join(of.spelled(batch.inputs[:, b]))


@pytest.mark.parametrize("text", LECTURE)
def test_the_lectures_programs_have_its_results(text: str) -> None:
    assert evaluated(text) == LECTURE[text]


def test_the_lectures_programs_can_be_written() -> None:
    loop = written(8584, [3, 0, 0], [[920, 0, 0, 0], [1500, 0, 0, 0], [7567, 1, 0, 0]], [8, 1, 1], [1, 0, 1], "jb")
    assert loop == "j=8584\nfor x in range(8):j+=920\nb=(1500+j)\nprint((b+7567))"
    choice = written(
        8827, [1, 0, 2], [[5347, 0, 0, 0], [8704, 1, 0, 0], [0, 2641, 8500, 5308]], [1, 1, 1], [1, 1, 0], "ic"
    )
    assert choice == "i=8827\nc=(i-5347)\nprint((c+8704) if 2641<8500 else 5308)"
    assert (evaluated(loop), evaluated(choice)) == (25011, 12184)


@pytest.mark.parametrize(("digits", "operations"), SIZES)
def test_the_interpreter_agrees_with_python(digits: int, operations: int) -> None:
    for text in texts(digits, operations):
        assert str(evaluated(text)) == printed(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        *((f"print({text})", "no such expression") for text in ("2*3", "a", "len([1])", "'1'", "(1).real", "1<2<3")),
        ("a+=1\nprint(a)", "no such expression"),
        *((text, "no such statement") for text in ("import os\nprint(1)", "while 1<0:a=1\nprint(1)")),
        *((text, "a program ends with print") for text in ("1", "print(1,2)")),
        ("", "."),
    ],
)  # fmt: skip
def test_a_text_that_is_no_program_of_the_task_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        evaluated(text)


@pytest.mark.parametrize(("digits", "operations"), SIZES)
def test_the_characters_are_the_program_after_padding_and_the_digits_its_result(digits: int, operations: int) -> None:
    of = task(digits, operations)
    batch = of.sample(generator(1, "test"), 400)
    for b, text in enumerate(texts(digits, operations)):
        assert read(of, batch, b) == text
        assert (batch.inputs[: of.length - len(text), b] == PADDING).all()
        assert batch.inputs[-1, b] == SYMBOLS.index(")")
        spelled = "".join(ANSWERS[k] for k in batch.targets[:, b])
        assert spelled == printed(text).rjust(of.answers)
        assert of.answered(batch.targets[:, b]) == printed(text)


@pytest.mark.parametrize("digits", [1, 2, 4, 9])
@pytest.mark.parametrize("operations", [1, 2, 3])
def test_the_longest_programs_and_the_largest_results_fit(digits: int, operations: int) -> None:
    of, most = task(digits, operations), 10**digits - 1
    lengths = []
    for kinds, named in itertools.product(
        itertools.product(range(4), repeat=operations), itertools.product(range(2), repeat=operations)
    ):
        for first, low in ((most, most), (0, 0)):
            text = written(first, kinds, [[most, low, most, most]] * operations, [9] * operations, named, VARIABLES)
            lengths.append(len(text))
            assert len(str(evaluated(text))) <= of.answers
    assert max(lengths) <= of.length
    if operations == 1:
        assert max(lengths) == of.length


def test_literals_and_turns_cover_their_range() -> None:
    import re

    drawn = " ".join(texts(1, 3, 2000))
    assert {int(k) for k in re.findall(r"\d+", drawn)} == set(range(10))
    assert {int(k) for k in re.findall(r"range\((\d+)\)", drawn)} == set(range(1, 10))
    assert {int(k) for k in re.findall(r"\d+", " ".join(texts(2, 3, 5000)))} == set(range(100))


def test_the_four_kinds_of_operation_are_equally_likely() -> None:
    n = 8000
    drawn = texts(2, 1, n)
    counts = np.array([sum(mark in text for text in drawn) for mark in ("for", "if", "-")])
    assert abs(counts / n - 0.25).max() < 5 * np.sqrt(0.25 * 0.75 / n)


def operations_of(text: str) -> int:
    """Operations of a program without its conditionals' parentheses: signs, choices and loops."""
    return text.count("+") + text.count("-") + text.count("if")


@pytest.mark.parametrize(("part", "drawn"), [("train", {1, 2, 3}), ("evaluate", {3}), ("final", {3})])
def test_a_mixed_curriculum_trains_on_every_difficulty_and_is_judged_at_the_highest(part, drawn) -> None:
    of = task(1, 3, curriculum="mix")
    batch = of.batch(0, part, 0, 600)
    assert {operations_of(read(of, batch, b)) for b in range(600)} == drawn


def test_without_a_curriculum_every_program_has_all_operations() -> None:
    of = task(1, 3)
    batch = of.batch(0, "train", 0, 300)
    assert {operations_of(read(of, batch, b)) for b in range(300)} == {3}


def test_a_mixed_curriculum_draws_short_literals_too() -> None:
    easy = task(4, 1, curriculum="mix").batch(0, "train", 0, 400)
    hard = task(4, 1).batch(0, "train", 0, 400)
    longest = [max(map(len, "".join(c if c.isdigit() else " " for c in read(task(4, 1), each, b)).split()))
               for each in (easy, hard) for b in range(400)]  # fmt: skip
    assert sum(k == 1 for k in longest[:400]) > 80
    assert sum(k == 1 for k in longest[400:]) == 0


def test_chance_is_the_share_of_the_commonest_answer() -> None:
    of = task(1, 1)
    answers = [of.answered(column) for column in of.batch(5, "final", 0, 20000).targets.T]
    commonest = max(map(answers.count, set(answers))) / len(answers)
    assert abs(of.chance - commonest) < 5 * np.sqrt(commonest * (1 - commonest) / 4096)


def test_harder_programs_are_harder_to_guess() -> None:
    assert task(1, 1).chance > task(2, 1).chance > task(4, 1).chance > 0
