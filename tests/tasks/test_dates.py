"""Dates: both sides are CLDR's own, and no date of one part is in another."""

from datetime import date

import numpy as np
import pytest
from babel.dates import format_date, get_date_format

from harness.tasks.dates import Dates, in_english, words
from harness.tasks.task import PADDING, UNSCORED

TASK = Dates(name="dates")
PARTS = ("train", "evaluate", "final")


def drawn(part: str, size: int = 500, index: int = 0) -> list[tuple[str, str, list[str]]]:
    """English text, Italian text and labels of a batch."""
    batch = TASK.batch(7, part, index, size)
    return [
        ("".join(TASK.spelled(inputs)), TASK.answered(targets), TASK.labels(inputs))
        for inputs, targets in zip(batch.inputs.T, batch.targets.T, strict=True)
    ]


def cldr(day: date, place: str) -> str:
    """CLDR's full date, cut before the year."""
    return format_date(day, "full", locale=place).removesuffix(str(day.year)).rstrip(", ")


def meant(english: str) -> date:
    return TASK.body.meant[english]


@pytest.mark.parametrize("part", PARTS)
def test_both_sides_are_the_same_date_in_cldrs_words(part: str) -> None:
    for english, italian, _ in drawn(part):
        assert english in in_english(meant(english))
        assert italian == cldr(meant(english), "it")


@pytest.mark.parametrize("place", ["en_US", "en_GB"])
def test_the_long_english_forms_are_cldrs_full_dates_without_the_year(place: str) -> None:
    assert get_date_format("full", locale=place).pattern.endswith("y")
    for day in TASK.body.days[::7]:
        assert cldr(day, place) in in_english(day)[:2]


def test_every_weekday_goes_with_every_day_of_the_year() -> None:
    dates = {(day.weekday(), day.month, day.day) for day in TASK.body.days}
    assert len(dates) == len(TASK.body.days) == 7 * 366


def test_the_four_english_forms_are_those_that_the_docstring_shows() -> None:
    assert in_english(date(2012, 3, 5)) == (
        "Monday, March 5", "Monday, 5 March", "Mon, Mar 5", "Mon 5 Mar",
    )  # fmt: skip


def test_all_four_forms_are_drawn_equally_often() -> None:
    forms = [in_english(meant(english)).index(english) for english, _, _ in drawn("train", 8000)]
    assert abs(np.bincount(forms, minlength=4) / 8000 - 0.25).max() < 5 * np.sqrt(0.25 * 0.75 / 8000)


def test_an_english_text_means_one_date() -> None:
    assert len(TASK.body.meant) == 4 * len(TASK.body.days)


def test_every_date_belongs_to_exactly_one_part() -> None:
    together = np.concatenate([TASK.body.parts[part] for part in PARTS])
    assert sorted(together) == list(range(len(TASK.body.days)))


@pytest.mark.parametrize("part", PARTS)
def test_a_batch_draws_from_its_own_part_alone(part: str) -> None:
    own = {TASK.body.days[i] for i in TASK.body.parts[part]}
    assert {meant(english) for english, _, _ in drawn(part)} <= own


def test_a_tenth_of_the_dates_is_for_evaluation_and_a_tenth_for_the_final_accuracy() -> None:
    n = len(TASK.body.days)
    for part in ("evaluate", "final"):
        assert len(TASK.body.parts[part]) / n == pytest.approx(0.1, abs=5 * np.sqrt(0.09 / n))


def test_padding_is_before_the_text_and_nothing_is_scored_after_the_end() -> None:
    batch = TASK.batch(7, "train", 0, 500)
    assert len(batch.inputs) + len(batch.targets) == TASK.length
    end = TASK.output_size - 1
    for inputs, targets in zip(batch.inputs.T, batch.targets.T, strict=True):
        text = inputs != PADDING
        assert (np.diff(text.astype(int)) >= 0).all()  # once begun, the text goes on to the last step
        assert text[-1]
        (at,) = np.flatnonzero(targets == end)
        assert (targets[:at] >= 0).all()
        assert (targets[at + 1 :] == UNSCORED).all()


def test_lengths_are_those_of_the_longest_texts() -> None:
    body = TASK.body
    assert body.english.shape[1] == max(map(len, body.meant)) <= 35
    assert body.italian.shape[0] == max(len(cldr(day, "it")) for day in body.days) + 1 <= 32


def test_tokens_are_below_the_sizes_that_the_task_states() -> None:
    body = TASK.body
    assert set(np.unique(body.english)) == set(range(PADDING, TASK.input_size))
    assert set(np.unique(body.italian)) == set(range(UNSCORED, TASK.output_size))


def test_an_answer_ends_at_its_end_symbol() -> None:
    end = TASK.output_size - 1
    assert TASK.answered(np.array([0, end, 3, 4])) == TASK.body.written[0]
    assert TASK.answered(np.array([0, 1])) == TASK.body.written[:2]  # without an end symbol


def test_labels_are_month_weekday_and_day() -> None:
    for english, _, labels in drawn("final"):
        day = meant(english)
        assert labels == [day.strftime("%B"), day.strftime("%A"), str(day.day)]
        assert len(labels) == len(TASK.label_names)


def test_words_are_those_that_stand_in_the_dates() -> None:
    months, weekdays = words("it")
    for day in TASK.body.days[:366]:
        assert cldr(day, "it").split() == [weekdays[day.weekday()], str(day.day), months[day.month - 1]]


def test_chance_is_one_date_of_all() -> None:
    assert 1 / TASK.chance == pytest.approx(7 * 366)
