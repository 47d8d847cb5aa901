"""Dates in words: an English date is read, an Italian one is written; all there is between them is one vector.

The words and the order of the words are those of Unicode's CLDR, as the library Babel holds them. Encoder–decoder:
Cho et al. 2014, "Learning phrase representations using RNN encoder–decoder"; Sutskever, Vinyals & Le 2014.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from harness.rng import generator
from harness.schema import Column, MetricOptions
from harness.study.spec import setting
from harness.tasks.task import PADDING, Batch, Part
from harness.tasks.translation import BLANK, Tokens, Translation, alphabet, finished, split, tokens

SKELETON = "MMMEd"  # CLDR's name for: weekday and month shortened, day
FIRST_YEAR, YEARS = 2000, 28  # the calendar comes round after 28 years: every weekday has met every day of the year
# Labels in reading order, as `words("en")` has them; Babel is imported only where a date is written.
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


CLUSTERS = MetricOptions("iqm", decimals=3, better=1, margin=0.25, limits=(-1.0, 1.0))
CODES = MetricOptions("iqm", decimals=3, better=1, margin=0.25, limits=(0.0, 1.0))
MEASURES = (
    Column(
        "month_silhouette",
        pa.float64(),
        "",
        "mean silhouette of the codes of dates, grouped by month; null unless codes were recorded",
        label="silhouette of the months",
        metric=CLUSTERS,
    ),
    Column(
        "weekday_silhouette",
        pa.float64(),
        "",
        "mean silhouette of the codes of dates, grouped by weekday; null likewise",
        label="silhouette of the weekdays",
        metric=CLUSTERS,
    ),
    Column(
        "analogy_month_accuracy",
        pa.float64(),
        "",
        "share of codes moved to another month that are decoded to that month's word; null likewise",
        label="months moved",
        metric=CODES,
    ),
    Column(
        "analogy_accuracy",
        pa.float64(),
        "",
        "share of codes moved to another month that are decoded to the whole text with that month, letter for letter; "
        "null likewise",
        label="dates moved",
        metric=CODES,
    ),
)


class Dates(Translation):
    """Translate a date from English into Italian, character by character, through the code h_T.

    The English side is one of CLDR's four: "Monday, March 5" (US), "Monday, 5 March" (GB), "Mon, Mar 5", "Mon 5 Mar";
    the Italian side "lunedì 5 marzo", then the end symbol. Weekday and month are words, the day is digits: Babel does
    not hold CLDR's spelled-out numbers. There is no year, so that every weekday goes with every day: 7 · 366 dates.
    Tokens are indices of characters; inputs (T_in, B) are padded *before* the text, targets (T_out, B) are UNSCORED
    after the end. A date belongs to one part, by a hash of its Italian text: a tenth is for the curve, a tenth for the
    final judgement, the rest for training.
    """

    measures: ClassVar[tuple[Column, ...]] = MEASURES
    code_measures: ClassVar[str] = "harness.probes.date_codes:code_measures"
    label_names: ClassVar[tuple[str, ...]] = ("month", "weekday", "day")
    label_orders: ClassVar[Mapping[str, tuple[str, ...]]] = {"month": MONTHS, "weekday": WEEKDAYS}
    numerics: ClassVar[int] = 2  # the readout of all steps summed in an order of its pack's size

    name: Literal["dates"] = setting(..., "which task", column="task")

    @property
    def body(self) -> Body:
        """All dates, in both languages."""
        return body()

    @property
    def length(self) -> int:
        """Steps of the encoder and of the decoder together."""
        return int(self.body.english.shape[1] + self.body.italian.shape[0])

    @property
    def chance(self) -> float:
        """Of saying some date, blindly."""
        return 1 / len(self.body.days)

    def batch(self, seed: int, part: Part, index: int, size: int) -> Batch:
        """Dates of the part, and one of the four English forms for each, with replacement."""
        draw, body = generator(seed, part, index), self.body
        days = draw.choice(body.parts[part], size)
        forms = draw.integers(len(body.english), size=size)
        return Batch(body.english[forms, :, days].T, body.italian[:, days])

    def labels(self, inputs: npt.NDArray[np.number[Any]]) -> list[str]:
        """Month and weekday in English, and the day."""
        day = self.body.meant["".join(self.spelled(inputs))]
        months, weekdays = words("en")
        return [months[day.month - 1], weekdays[day.weekday()], str(day.day)]


@dataclass(frozen=True)
class Body:
    """Every date, as text and as tokens.

    Attributes:
        days: the N dates, of some year in which the weekday is right.
        read, written: the alphabets; a token is an index into them, the written end symbol one past the last.
        english: (forms, T_in, N), italian: (T_out, N).
        meant: the date that an English text says.
        parts: which of the N belong to "train", "evaluate" and "final".
    """

    days: Sequence[date]
    read: str
    written: str
    english: Tokens
    italian: Tokens
    meant: dict[str, date]
    parts: dict[str, npt.NDArray[np.int64]]


@lru_cache
def body() -> Body:
    """Every weekday with every day of the year."""
    first, last = date(FIRST_YEAR, 1, 1).toordinal(), date(FIRST_YEAR + YEARS, 1, 1).toordinal()
    once = {(day.weekday(), day.month, day.day): day for day in map(date.fromordinal, range(first, last))}
    days = [once[key] for key in sorted(once)]
    forms = list(zip(*map(in_english, days), strict=True))  # (forms, N)
    italian = list(map(in_italian, days))
    read, written = alphabet(list(map("".join, forms))), alphabet(italian)
    T = max(len(text) for texts in forms for text in texts)
    meant = {text: day for texts in forms for text, day in zip(texts, days, strict=True)}
    return Body(
        days,
        read,
        written,
        np.stack([tokens([text.rjust(T, BLANK) for text in texts], read, PADDING) for texts in forms]),
        finished(italian, written),
        meant,
        split(italian),
    )


def in_english(day: date) -> tuple[str, ...]:
    """CLDR's full date without the year, and its shortened one, American and British."""
    from babel.dates import format_skeleton

    places = ("en_US", "en_GB")
    return (
        *(in_full(day, place) for place in places),
        *(format_skeleton(SKELETON, day, locale=place) for place in places),
    )


def in_italian(day: date) -> str:
    """CLDR's full date without the year."""
    return in_full(day, "it")


def in_full(day: date, place: str) -> str:
    """CLDR's full date of a place, without the year, which all three have at the end."""
    from babel.dates import format_date, get_date_format

    pattern = get_date_format("full", locale=place).pattern
    return format_date(day, pattern.removesuffix("y").rstrip(", "), locale=place)


@lru_cache
def words(language: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The twelve months, from January, and the seven weekdays, from Monday, as they stand in a date."""
    from babel.dates import get_day_names, get_month_names

    months, weekdays = get_month_names("wide", locale=language), get_day_names("wide", locale=language)
    return tuple(months[month] for month in range(1, 13)), tuple(weekdays[weekday] for weekday in range(7))
