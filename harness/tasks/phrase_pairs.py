"""English phrases of eight kinds with their Italian ones, from Unicode's CLDR as the library Babel holds it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, Literal

KINDS = ("month", "weekday", "date", "duration", "past", "future", "number", "territory")
WIDTHS = ("long", "short", "narrow")  # CLDR's: "3 hours ago", "3 hr. ago", "3h ago"
READ, WRITTEN = ("en_US", "en_GB"), "it"
UNITS = {
    "second": timedelta(seconds=1),
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
    "month": timedelta(days=30),
    "year": timedelta(days=365),
}
MOST = 60  # of a unit of time
FOREVER = 10_000  # of a unit before Babel names the next larger one
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")  # CLDR's names of its fields
YEARS = range(1990, 2030)
QUARTERS = (0, 15, 30, 45)  # minutes
THOUSANDS = (10**3, 10**6, 10**9)
ISO = 2  # letters of a country's code; the longer ones are continents and the like
SPOKEN = ("de", "en", "es", "fr", "it", "nl", "pt", "ar", "zh", "ru")  # languages of which a country's form has a name


@lru_cache
def pairs() -> Sequence[tuple[str, str, tuple[str, ...]]]:
    """All phrases: kind, Italian text, English forms; no English text stands for two of them."""
    forms: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for kind, own in WRITERS.items():
        for english, italian in own():
            forms[kind, plain(italian)][plain(english)] = None
    senses = defaultdict(set)
    for phrase, texts in forms.items():
        for text in texts:
            senses[text].add(phrase)
    unambiguous = ((phrase, tuple(text for text in each if len(senses[text]) == 1)) for phrase, each in forms.items())
    return [(kind, italian, own) for (kind, italian), own in unambiguous if own]


def plain(text: str) -> str:
    """The text with ordinary spaces; CLDR has narrow and unbreakable ones."""
    return " ".join(text.split())


Pairs = Iterator[tuple[str, str]]  # English, Italian


def months() -> Pairs:
    """A month by its name, and by its name and a year in full and shortened."""
    from babel.dates import format_skeleton, get_month_names

    english, italian = (get_month_names("wide", locale=place) for place in ("en", WRITTEN))
    for month in range(1, 13):
        yield english[month], italian[month]
        for year in YEARS:
            first = date(year, month, 1)
            whole = format_skeleton("yMMMM", first, locale=WRITTEN)
            for skeleton in ("yMMMM", "yMMM"):
                yield format_skeleton(skeleton, first, locale="en"), whole


def weekdays() -> Pairs:
    """A weekday by its name, in full and shortened, and with each quarter of an hour."""
    from babel.dates import format_skeleton, get_day_names

    for day in range(7):
        whole = get_day_names("wide", locale=WRITTEN)[day]
        for width in ("wide", "abbreviated"):
            yield get_day_names(width, locale="en")[day], whole
        for hour in range(24):
            for minute in QUARTERS:
                moment = datetime(2024, 1, 1 + day, hour, minute)  # that year began on a Monday
                yield (
                    format_skeleton("EHm", moment, locale="en"),
                    format_skeleton("EHm", moment, locale=WRITTEN),
                )


def dates() -> Pairs:
    """Every day of a leap year, American and British, in full and shortened."""
    from babel.dates import format_skeleton

    for n in range(366):
        day = date(2024, 1, 1) + timedelta(days=n)
        whole = format_skeleton("MMMMd", day, locale=WRITTEN)
        for place in READ:
            for skeleton in ("MMMMd", "MMMd"):
                yield format_skeleton(skeleton, day, locale=place), whole


def durations() -> Pairs:
    return _times(None)


def past() -> Pairs:
    yield from _times("past")
    yield from _weekdays_from_now("past")


def future() -> Pairs:
    yield from _times("future")
    yield from _weekdays_from_now("future")


def _times(direction: Literal["past", "future"] | None) -> Pairs:
    """1 to 60 of every unit of time, as a span or from now, in CLDR's three widths."""
    from babel.dates import format_timedelta

    for unit, span in UNITS.items():
        for n in range(1, MOST + 1):
            delta = -n * span if direction == "past" else n * span

            def written(place: str, width: Any, delta: timedelta = delta, unit: Any = unit) -> str:
                return format_timedelta(
                    delta, unit, FOREVER, add_direction=direction is not None, format=width, locale=place
                )

            for width in WIDTHS:
                yield written("en", width), written(WRITTEN, "long")


def _weekdays_from_now(direction: Literal["past", "future"]) -> Pairs:
    """1 to 60 of a weekday from now: "3 Mondays ago"; Babel holds CLDR's patterns and has no function for them."""
    from babel import Locale

    english, italian = (Locale.parse(place) for place in ("en", WRITTEN))
    for weekday in WEEKDAYS:
        for n in range(1, MOST + 1):
            yield _counted(english, weekday, direction, n), _counted(italian, weekday, direction, n)


def _counted(place: Any, field: str, direction: str, n: int) -> str:
    pattern: str = place._data["date_fields"][field][direction][place.plural_form(n)]
    return pattern.format(n)


def numbers() -> Pairs:
    """1 to 999 thousands, millions and billions, in words and shortened."""
    from babel.numbers import format_compact_decimal

    for scale in THOUSANDS:
        for n in range(1, 1000):
            whole = format_compact_decimal(n * scale, format_type="long", locale=WRITTEN)
            for kind in ("long", "short"):
                yield format_compact_decimal(n * scale, format_type=kind, locale="en"), whole


def territories() -> Pairs:
    """A country by its name, and ten languages as they are spoken there."""
    from babel import Locale

    english, italian = (Locale.parse(place) for place in ("en", WRITTEN))
    both = {*english.territories} & {*italian.territories}
    for code in sorted(code for code in both if len(code) == ISO and code.isalpha()):
        there, written = english.territories[code], italian.territories[code]
        yield there, written
        for language in SPOKEN:
            yield f"{english.languages[language]} ({there})", f"{italian.languages[language]} ({written})"


WRITERS = {
    "month": months, "weekday": weekdays, "date": dates, "duration": durations, "past": past, "future": future,
    "number": numbers, "territory": territories,
}  # fmt: skip
