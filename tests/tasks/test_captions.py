"""Captions: they say what stands on the canvas, and no digit of one part is in another."""

from __future__ import annotations

import numpy as np
import pytest

from harness.tasks.captions import CANVAS, END, LONGEST, WORDS, Captions, captions, named
from harness.tasks.digits import SIDE, images
from harness.tasks.task import UNSCORED

TASK = Captions(name="captions")
PARTS = ("train", "evaluate", "final")


def halves(canvas: np.ndarray, relation: str) -> tuple[np.ndarray, np.ndarray]:
    """The left and the right half, or the upper and the lower."""
    return (canvas[:, :SIDE], canvas[:, SIDE:]) if relation == "left" else (canvas[:SIDE], canvas[SIDE:])


def digits_of(half: np.ndarray, part: str) -> set[int]:
    """What the digits are that the part has in this very half, at any shift."""
    pixels, digits = images(part)
    half = half if half.shape[0] > SIDE else half.T  # (16, 8), as the digits are or transposed
    turned = pixels.reshape(-1, SIDE, SIDE)
    found_at = set()
    for shift in range(SIDE + 1):
        window = half[shift : shift + SIDE]
        if window.sum() == half.sum():
            same = (turned == window).all((1, 2)) | (turned == window.T).all((1, 2))
            found_at |= set(digits[same].tolist())
    return found_at


@pytest.mark.parametrize("part", PARTS)
def test_a_caption_names_the_digits_of_its_part_where_they_stand(part: str) -> None:
    batch = TASK.batch(3, part, 0, 40)
    for image, target in zip(batch.inputs[0], batch.targets.T, strict=True):
        words = TASK.answered(target).split()
        first, second = halves(image.reshape(CANVAS, CANVAS), words[2])
        names = (words[1], words[-1])
        for half, name in ((first, names[0]), (second, names[1])):
            assert WORDS.index(name) - WORDS.index("zero") in digits_of(half, part)


@pytest.mark.parametrize(
    ("first", "relation", "second", "text"),
    [(3, 0, 7, "a three left of a seven"), (8, 1, 1, "an eight above a one"), (0, 1, 8, "a zero above an eight")],
)
def test_captions_are_those_of_the_docstring(first: int, relation: int, second: int, text: str) -> None:
    [column] = captions(np.array([first]), np.array([relation]), np.array([second])).T
    assert TASK.answered(column) == text
    assert column.tolist().index(END) == len(text.split())
    assert set(column[len(text.split()) + 1 :].tolist()) <= {UNSCORED}
    assert len(column) == LONGEST


def test_both_relations_and_all_digits_are_drawn_equally_often() -> None:
    n = 4000
    words = [TASK.answered(target).split() for target in TASK.batch(5, "train", 0, n).targets.T]
    assert np.mean(["left" in each for each in words]) == pytest.approx(0.5, abs=5 * 0.5 / np.sqrt(n))
    shares = np.bincount([WORDS.index(each[1]) for each in words], minlength=END)[2:12] / n
    _, digits = images("train")
    assert abs(shares - np.bincount(digits) / len(digits)).max() < 5 * np.sqrt(0.1 / n)


def test_an_eight_alone_has_the_other_article() -> None:
    assert [named(digit) for digit in range(10) if named(digit).startswith("an ")] == ["an eight"]
