"""Marked numbers: lengths and marks are drawn from the papers' ranges, each value of a range equally often."""

import numpy as np
import pytest
from pydantic import ValidationError

from harness.rng import generator
from harness.tasks.adding import Adding
from harness.tasks.marked import Marked, draw_marks, first_pair_marked, padded, rows
from harness.tasks.multiplication import Multiplication

DRAWS = 40_000
LAYOUTS = ("halves", "scaled", "original")


def expected(layout: str, T: int, length: int) -> dict[tuple[int, int], float]:
    """Every pair of positions with its probability, as the papers describe it."""
    if layout == "halves":
        pairs = [(i, j) for i in range(T // 2) for j in range(T // 2, T)]
        return dict.fromkeys(pairs, 1 / len(pairs))
    if layout == "scaled":
        pairs = [(i, j) for i in range(int(length / 10)) for j in range(int(length / 10), int(length / 2))]
        return dict.fromkeys(pairs, 1 / len(pairs))
    probabilities = {}
    for first in range(10):
        others = [t for t in range(length) if t != first]
        probabilities |= {(first, second): 1 / 10 / (T // 2 - 1) for second in others[: T // 2 - 1]}
    return probabilities


@pytest.mark.parametrize("T", [22, 41])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_marks_are_where_the_papers_put_them_each_pair_as_often(layout: str, T: int) -> None:
    marks = draw_marks(generator(0, "test"), T, layout, DRAWS)
    lengths = padded(T, layout) - marks.starts
    every = [T] if layout == "halves" else list(range(T, T + T // 10 + 1))
    assert sorted(set(lengths.tolist())) == every
    positions = (marks.steps - marks.starts).T
    for length in every:
        of_length = positions[lengths == length]
        assert abs(len(of_length) / DRAWS - 1 / len(every)) < 5 * np.sqrt(0.25 / DRAWS)
        shares = expected(layout, T, length)
        pairs, counts = np.unique(of_length, axis=0, return_counts=True)
        drawn = {tuple(pair): count for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True)}
        assert set(drawn) <= set(shares)
        for pair, share in shares.items():
            spread = np.sqrt(share * (1 - share) / len(of_length))
            assert abs(drawn.get(pair, 0) / len(of_length) - share) < 6 * spread


@pytest.mark.parametrize("T", [22, 50, 100])
def test_how_often_the_first_pair_is_marked(T: int) -> None:
    exact = sum(share for pair, share in expected("original", T, T).items() if 0 in pair)
    assert first_pair_marked(T) == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("ends", [False, True])
def test_a_row_is_a_number_and_its_mark_and_before_the_start_there_is_nothing(ends: bool) -> None:
    T = 30
    marks = draw_marks(generator(1, "test"), T, "original", 500)
    numbers = generator(2, "test").uniform(1, 2, (padded(T, "original"), 500))
    inputs = rows(numbers, marks, ends=ends)
    assert inputs.dtype == np.float32
    for b, start in enumerate(marks.starts):
        number, mark = inputs[:, b].T
        assert not inputs[:start, b].any()
        assert np.array_equal(number[start:], numbers[start:, b].astype(np.float32))
        assert sorted(np.flatnonzero(mark == 1)) == sorted(marks.steps[:, b])
        negative = {start, len(number) - 1} - set(marks.steps[:, b].tolist()) if ends else set()
        assert set(np.flatnonzero(mark == -1).tolist()) == negative


# A marked first pair has the number that changes neither a sum nor a product.
@pytest.mark.parametrize(
    ("task", "neutral"),
    [
        (Adding(name="adding", sequence_length=40, variant="original"), 0),
        (Multiplication(name="multiplication", sequence_length=40, variant="original"), 1),
    ],
    ids=["adding", "multiplication"],
)
def test_where_the_original_marks_the_first_pair_its_number_is_neutral(task: Marked, neutral: int) -> None:
    inputs = task.sample(generator(0, "test"), 3000).inputs
    first = (inputs[..., 1] != 0).argmax(0)  # −1, or a mark
    number, mark = inputs[first, np.arange(3000)].T
    assert np.array_equal(mark == 1, number == neutral)
    assert (inputs[-1, :, 1] == -1).all()
    assert 0.1 < (mark == 1).mean() < 0.2


@pytest.mark.parametrize(
    ("form", "least"), [({"variant": "sum"}, 2), ({"variant": "halved"}, 10), ({"variant": "original"}, 22)], ids=str
)
def test_a_sequence_too_short_for_two_marks_is_refused(form: dict, least: int) -> None:
    assert Adding(name="adding", sequence_length=least, **form).length >= least
    with pytest.raises(ValidationError, match=f"too short for two marks here; at least {least}"):
        Adding(name="adding", sequence_length=least - 1, **form)


def test_numbers_are_spelled_with_a_star_where_they_are_marked_and_padding_is_empty() -> None:
    task = Adding(name="adding", sequence_length=40, variant="original")
    inputs = np.array([[0, 0], [0.5, -1], [-0.25, 1], [0.125, 0]], np.float32)
    assert task.spelled(inputs) == ["", "0.50", "-0.25*", "0.12"]
    assert task.answered(np.array(0.25)) == "0.250"
