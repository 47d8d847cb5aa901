"""Digits: three disjoint parts, pixels in the stated order, names that spell the digit."""

import numpy as np
import pytest
from pydantic import ValidationError

from harness.tasks.digits import END, LETTERS, NAMES, PIXELS, DigitNames, Pixels, images, names
from harness.tasks.task import UNSCORED

PARTS = ("train", "evaluate", "final")
PLAIN, PERMUTED = Pixels(name="pixels"), Pixels(name="pixels", permuted=True)
NAMED = DigitNames(name="digit_names")
TASKS = (PLAIN, PERMUTED, NAMED)


def test_parts_are_the_whole_collection_shared_out_without_overlap() -> None:
    from sklearn.datasets import load_digits

    data = load_digits()
    rows = [(*pixels, digit) for part in PARTS for pixels, digit in zip(*images(part), strict=True)]
    whole = [(*pixels, digit) for pixels, digit in zip(data.data / 16, data.target, strict=True)]
    assert sorted(rows) == sorted(whole)
    assert [round(len(images(part)[1]) / len(whole), 2) for part in PARTS] == [0.70, 0.15, 0.15]


@pytest.mark.parametrize("part", PARTS)
def test_every_part_has_every_digit_about_as_often(part: str) -> None:
    share = np.bincount(images(part)[1], minlength=10) / len(images(part)[1])
    assert abs(share - PLAIN.chance).max() < 0.05


@pytest.mark.parametrize("task", TASKS, ids=str)
@pytest.mark.parametrize("part", PARTS)
def test_a_batch_draws_from_its_own_part_alone(task, part: str) -> None:
    inputs = task.batch(3, part, 7, 300).inputs
    drawn = inputs[..., 0].T if isinstance(task, Pixels) else inputs[0]
    order = task.order if isinstance(task, Pixels) else np.arange(PIXELS)
    assert {row.tobytes() for row in drawn} <= {row.tobytes() for row in images(part)[0][:, order]}


@pytest.mark.parametrize("task", TASKS, ids=str)
def test_the_final_accuracy_is_over_every_final_image_once(task) -> None:
    batches = [task.batch(seed, "final", 0, task.final_sequences) for seed in (0, 5)]
    assert np.array_equal(batches[0].inputs, batches[1].inputs)
    assert batches[0].targets.shape[-1] == len(images("final")[1])
    shown = batches[0].inputs[..., 0].T if isinstance(task, Pixels) else batches[0].inputs[0]
    order = task.order if isinstance(task, Pixels) else np.arange(PIXELS)
    assert np.array_equal(shown, images("final")[0][:, order])


def test_pixels_are_read_row_by_row_between_zero_and_one() -> None:
    batch = PLAIN.batch(0, "train", 0, 200)
    assert batch.inputs.shape == (PLAIN.length, 200, PLAIN.input_size)
    assert batch.inputs.dtype == np.float32
    assert (batch.inputs.min(), batch.inputs.max()) == (0, 1)
    image = images("final")[0][0].reshape(8, 8)
    assert PLAIN.batch(0, "final", 0, 1).inputs[:, 0, 0].tolist() == [x for row in image.tolist() for x in row]


def test_one_permutation_holds_for_every_image_seed_and_part() -> None:
    assert sorted(PERMUTED.order) == list(range(PIXELS))
    assert not np.array_equal(PERMUTED.order, PLAIN.order)
    for seed, part, index in ((0, "train", 0), (9, "train", 4), (3, "evaluate", 1), (0, "final", 0)):
        plain, permuted = (task.batch(seed, part, index, 30) for task in (PLAIN, PERMUTED))
        assert np.array_equal(permuted.inputs, plain.inputs[PERMUTED.order])
        assert np.array_equal(permuted.targets, plain.targets)


def test_a_target_is_the_letters_of_a_name_and_an_end_and_the_rest_is_unscored() -> None:
    for column, name in zip(names().T, NAMES, strict=True):
        assert "".join(LETTERS[k] for k in column[: len(name)]) == name
        assert column[len(name)] == END
        assert (column[len(name) + 1 :] == UNSCORED).all()
    assert names().max() == END == NAMED.output_size - 1


def test_the_target_names_the_digit_that_the_image_shows() -> None:
    batch = NAMED.batch(0, "final", 0, 270)
    assert batch.inputs.shape == (1, 270, NAMED.input_size)
    assert batch.targets.shape == (NAMED.length, 270)
    answers = [NAMED.answered(column) for column in batch.targets.T]
    assert answers == [NAMES[digit] for digit in images("final")[1]]


def test_an_answer_ends_at_its_first_end_symbol() -> None:
    one = [LETTERS.index(letter) for letter in "one"]
    assert NAMED.answered(np.array([*one, END, 0, END])) == "one"
    assert NAMED.answered(np.array([END, *one])) == ""
    assert NAMED.answered(np.array([*one, *one])) == "oneone"


def test_an_image_is_drawn_in_half_blocks() -> None:
    image = np.zeros((1, PIXELS), np.float32)
    image[0, [0, 9, 2, 10]] = 1, 1, 0.5, 0.5  # upper left; lower, one to the right; both halves
    (text,) = NAMED.spelled(image)
    assert text.split("\n") == ["▀▄█     ", *[" " * 8] * 3]


def test_pixels_are_spelled_as_shades() -> None:
    assert PLAIN.spelled(np.array([[0.0], [0.25], [0.5], [0.75], [1.0]])) == list(" ░▒▓█")


def test_a_step_of_rows_and_columns_is_a_row_and_the_column_of_its_number() -> None:
    pixels = Pixels(name="pixels").batch(1, "train", 0, 5).inputs[:, :, 0].T.reshape(5, 8, 8)
    rows = Pixels(name="pixels", read="rows").batch(1, "train", 0, 5).inputs
    both = Pixels(name="pixels", read="rows_and_columns").batch(1, "train", 0, 5).inputs
    for t in range(8):
        assert (rows[t] == pixels[:, t]).all()
        assert (both[t] == np.concatenate([pixels[:, t], pixels[:, :, t]], axis=1)).all()


def test_rows_have_no_order_of_pixels() -> None:
    with pytest.raises(ValidationError, match="an order of single pixels"):
        Pixels(name="pixels", read="rows", permuted=True)
