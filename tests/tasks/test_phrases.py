"""Phrases: both sides are CLDR's own, no phrase of one part is in another, and no English text has two meanings."""

from __future__ import annotations

import numpy as np
import pytest
from babel.dates import format_timedelta
from pydantic import ValidationError

from harness.tasks.phrase_pairs import KINDS, UNITS, pairs
from harness.tasks.phrases import Phrases, longest_needed
from harness.tasks.task import PADDING

TASK = Phrases(name="phrases")
PARTS = ("train", "evaluate", "final")


def drawn(part: str, size: int = 800, index: int = 0) -> list[tuple[str, str, str]]:
    """English text, Italian text and kind of a batch."""
    batch = TASK.batch(7, part, index, size)
    return [
        ("".join(TASK.spelled(inputs)), TASK.answered(targets), TASK.labels(inputs)[0])
        for inputs, targets in zip(batch.inputs.T, batch.targets.T, strict=True)
    ]


@pytest.mark.parametrize(
    ("kind", "english", "italian"),
    [
        ("month", "Mar 2014", "marzo 2014"), ("month", "November", "novembre"), ("weekday", "Wed 14:15", "mer 14:15"),
        ("weekday", "Wednesday", "mercoledì"), ("date", "5 March", "5 marzo"), ("date", "Mar 5", "5 marzo"),
        ("duration", "3 hr", "3 ore"), ("past", "3 days ago", "3 giorni fa"), ("past", "1 Monday ago", "1 lunedì fa"),
        ("future", "in 2 months", "tra 2 mesi"), ("future", "in 2 Sundays", "tra 2 domeniche"),
        ("number", "25 thousand", "25 mila"), ("territory", "Brazil", "Brasile"),
        ("territory", "Portuguese (Brazil)", "portoghese (Brasile)"),
    ],
)  # fmt: skip
def test_the_examples_of_the_docstring_are_phrases(kind: str, english: str, italian: str) -> None:
    assert any(kind == k and italian == text and english in forms for k, text, forms in pairs())


@pytest.mark.parametrize("unit", UNITS)
def test_times_are_cldrs(unit: str) -> None:
    table = {italian: forms for kind, italian, forms in pairs() if kind == "past"}
    for n in (1, 2, 13, 60):
        english, italian = (
            format_timedelta(-n * UNITS[unit], unit, 10_000, add_direction=True, locale=place) for place in ("en", "it")
        )
        assert english in table[italian]


def test_no_english_text_stands_for_two_phrases() -> None:
    texts = [text for _, _, forms in pairs() for text in forms]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("part", PARTS)
def test_every_kind_is_drawn_equally_often(part: str) -> None:
    n = 4000
    shares = np.bincount([KINDS.index(kind) for _, _, kind in drawn(part, n)], minlength=len(KINDS)) / n
    assert abs(shares - 1 / len(KINDS)).max() < 5 * np.sqrt(1 / len(KINDS) / n)


def test_no_phrase_is_in_two_parts() -> None:
    texts = {part: {(kind, italian) for _, italian, kind in drawn(part, 3000)} for part in PARTS}
    assert not texts["train"] & texts["evaluate"]
    assert not texts["train"] & texts["final"]
    assert not texts["evaluate"] & texts["final"]


def test_a_tenth_of_the_phrases_of_a_kind_or_so_is_held_out_for_the_end() -> None:
    counts = {part: sum(map(len, groups)) for part, groups in TASK.body.members.items()}
    assert counts["final"] / sum(counts.values()) == pytest.approx(0.1, abs=0.01)
    assert counts["evaluate"] / sum(counts.values()) == pytest.approx(0.1, abs=0.01)


def test_text_stands_behind_its_padding_and_answers_end() -> None:
    batch = TASK.batch(3, "train", 0, 64)
    present = batch.inputs != PADDING
    assert (np.diff(present.astype(int), axis=0) >= 0).all()
    assert present[-1].all()
    assert (batch.targets == len(TASK.body.written)).sum(0).tolist() == [1] * 64


def test_a_length_at_which_a_kind_would_be_empty_is_refused_with_the_shortest() -> None:
    assert Phrases(name="phrases", longest=longest_needed()).length <= 2 * longest_needed() + 1
    with pytest.raises(ValidationError, match=f"the shortest is {longest_needed()}"):
        Phrases(name="phrases", longest=longest_needed() - 1)


def test_the_same_seed_gives_the_same_phrases() -> None:
    assert drawn("train", 50) == drawn("train", 50) != drawn("train", 50, index=1)
