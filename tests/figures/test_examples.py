"""The table of examples has every input once, and every network's own answer to it."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from synthetic_results import SyntheticResults

from harness.errors import HarnessError
from harness.figures import style
from harness.figures.examples import LINES, by_input, examples, shortened


def table(*rows: tuple[str, str, str], seed: int = 0) -> pd.DataFrame:
    """Rows of (cell, text, answer); the right answer is the text in capitals."""
    return pd.DataFrame([
        {"cell": cell, "seed": seed, "text": text, "target": text.upper(), "answer": answer,
         "right": answer == text.upper()}
        for cell, text, answer in rows
    ])  # fmt: skip


def written(figure: Any) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


THREE = table(
    ("rnn", "a", "A"), ("rnn", "b", "X"), ("rnn", "c", "Y"),
    ("lstm", "a", "A"), ("lstm", "b", "B"), ("lstm", "c", "Z"),
)  # fmt: skip


def test_an_input_is_listed_once_with_the_answer_of_each_network() -> None:
    listed = by_input(THREE, ["rnn", "lstm"], "cell")
    assert [(each.text, each.answers) for each in listed] == [
        ("a", (("A", True), ("A", True))),
        ("b", (("X", False), ("B", True))),
        ("c", (("Y", False), ("Z", False))),
    ]


def test_right_mixed_and_wrong_ones_stand_apart() -> None:
    assert [each.outcome for each in by_input(THREE, ["rnn", "lstm"], "cell")] == ["right", "right in some", "wrong"]
    texts = written(examples(THREE))
    titles = ["right: 1 of 3", "right in some: 1 of 3", "wrong: 1 of 3"]
    assert [text for text in texts if " of 3" in text] == titles
    assert texts.index("a") < texts.index(titles[1]) < texts.index("b") < texts.index(titles[2]) < texts.index("c")


def test_a_heading_counts_right_answers() -> None:
    assert written(examples(THREE))[:4] == ["input", "right answer", "rnn (1/3)", "lstm (2/3)"]


def test_wrong_answers_have_a_mark_and_a_colour_of_their_own() -> None:
    colour = {text.get_text(): text.get_color() for text in examples(THREE).axes[0].texts}
    assert colour["✓ A"] == style.ink()
    assert colour["✗ X"] == colour["✗ Y"] != style.ink()


def test_an_input_that_a_network_did_not_get_does_not_count_against_it() -> None:
    (a, b) = by_input(table(("rnn", "a", "A"), ("lstm", "b", "B")), ["rnn", "lstm"], "cell")
    assert a.answers == (("A", True), None)
    assert (a.outcome, b.outcome) == ("right", "right")


def test_only_the_lowest_seed_is_shown() -> None:
    figure = examples(pd.concat([table(("rnn", "later", "LATER"), seed=7), table(("rnn", "first", "X"), seed=3)]))
    assert "first" in written(figure)
    assert "later" not in written(figure)


def test_rows_is_the_number_of_examples_of_each_outcome() -> None:
    many = table(*(("rnn", f"{i:02d}", f"{i:02d}" if i % 2 else "X") for i in range(20)))
    texts = written(examples(many, rows=3))
    assert "right: 10 of 20" in texts
    numbers = [text for text in texts if text.isdigit()]  # each as input and as right answer
    assert numbers[::2] == numbers[1::2] == ["01", "03", "05", "00", "02", "04"]


@pytest.mark.parametrize("text", ["a" * 500, "word " * 100, "x\n" * 50, "one line", " ▀█ \n ▀ "])
def test_no_line_is_wider_and_no_cell_taller_than_its_place(text: str) -> None:
    lines = shortened(text, 20)
    assert max(map(len, lines)) <= 20
    assert len(lines) <= LINES
    assert ("…" in lines) == (len(text) > 20 * LINES or text.count("\n") >= LINES)


def test_a_text_that_fits_is_left_as_it_is() -> None:
    assert shortened(" ▀█ \n ▀ ", 20) == [" ▀█ ", " ▀ "]


def test_the_table_is_no_wider_than_the_paper() -> None:
    rows = [(f"cell{i}", "input " * 40, "ANSWER " * 30) for i in range(5)]
    assert examples(table(*rows)).get_figwidth() <= style.DOUBLE + 0.2


def test_dollar_signs_are_not_read_as_formulas() -> None:
    figure = examples(table(("rnn", "$x_", "$\\broken")))
    style.encode(figure, "png")  # as a formula "$\\broken" would be an error
    assert written(figure)[-3:] == ["$x_", "$X_", "✗ $\\broken"]


def test_a_table_without_examples_is_an_error(synthetic: SyntheticResults) -> None:
    with pytest.raises(HarnessError, match="no example was recorded"):
        examples(synthetic.frames.table("examples").iloc[:0])
