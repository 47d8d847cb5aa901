"""Phrases of eight kinds: an English one is read, an Italian one is written; all there is between them is one vector.

What lies together in that vector's space is the question of Cho et al. 2014, "Learning phrase representations using RNN
encoder–decoder for statistical machine translation", section 4.4 and figures 4 and 5. The phrases are Unicode's CLDR's,
as the library Babel holds them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import model_validator

from harness.rng import generator
from harness.schema import Column, MetricOptions
from harness.study.spec import setting, wrong
from harness.tasks.task import PADDING, Batch, Part, Shape, Task
from harness.tasks.translation import BLANK, Tokens, alphabet, before_end, finished, split, tokens

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

SPREAD = MetricOptions("iqm", decimals=3, better=1, margin=0.1, limits=(-1.0, 1.0))
SHARE = MetricOptions("iqm", decimals=3, better=1, margin=0.05, limits=(0.0, 1.0))
GAIN = MetricOptions("iqm", decimals=3, better=1, margin=0.05)


def _measure(name: str, meaning: str, label: str, options: MetricOptions) -> Column:
    return Column(name, pa.float64(), "", f"{meaning}; null unless codes were recorded", label=label, metric=options)


MEASURES = (
    _measure(
        "kind_silhouette", "mean silhouette of held-out phrases' codes by kind", "silhouette of the kinds", SPREAD
    ),
    _measure("kind_silhouette_shuffled", "the same with the kinds shuffled", "silhouette, shuffled kinds", SPREAD),
    _measure("kind_silhouette_untrained", "the same before training", "silhouette before training", SPREAD),
    _measure("kind_silhouette_gain", "silhouette after training less before", "gain in silhouette", GAIN),
    _measure(
        "kind_accuracy",
        "share of held-out phrases whose code is nearest to the mean code of training phrases of their own kind",
        "kind told by the nearest centroid",
        SHARE,
    ),
    _measure(
        "kind_accuracy_shuffled", "the same with the training phrases' kinds shuffled", "the same, shuffled", SHARE
    ),
    _measure("kind_accuracy_untrained", "the same before training", "the same before training", SHARE),
    _measure("kind_accuracy_gain", "the share after training less before", "gain in kinds told", GAIN),
    *(
        _measure(f"{kind}_accuracy", f"exact match on held-out phrases of the kind {kind}", f"{kind}: exact", SHARE)
        for kind in KINDS
    ),
)


class Phrases(Task):
    """Translate a phrase from English into Italian, character by character, through the code h_T.

    The kinds, each drawn equally often, and within a kind each phrase, and of a phrase each English form:

    - month: "March", "March 2014", "Mar 2014" → "marzo 2014"
    - weekday: "Wednesday", "Wed", "Wed 14:15" → "mer 14:15"
    - date: "March 5", "5 March", "Mar 5" → "5 marzo"
    - duration: "3 days", "3 hr", "3h" → "3 ore"; up to 60 of a unit from a second to a year
    - past: "3 days ago", "3 hr. ago", "3 Mondays ago" → "3 giorni fa"
    - future: "in 2 months", "in 2mo", "in 2 Sundays" → "tra 2 mesi"
    - number: "25 thousand" → "25 mila"; of 1 to 999 thousands, millions and billions
    - territory: "Brazil", "Portuguese (Brazil)" → "portoghese (Brasile)"

    Babel does not hold CLDR's spelled-out numbers, nor "yesterday" and "next week". An English form that two Italian
    phrases share ("3m") is left out. Tokens are indices of characters; inputs (T_in, B) are padded *before* the text,
    targets (T_out, B) are UNSCORED after the end. A phrase with all its forms belongs to one part, by a hash of its
    Italian text: a tenth is for the curve, a tenth for the final judgement, the rest for training.
    """

    shape: ClassVar[Shape] = "sequence_to_vector_to_sequence"
    measures: ClassVar[tuple[Column, ...]] = MEASURES
    code_measures: ClassVar[str] = "harness.probes.phrase_codes:code_measures"
    label_names: ClassVar[tuple[str, ...]] = ("kind",)
    label_orders: ClassVar[Mapping[str, tuple[str, ...]]] = {"kind": KINDS}

    name: Literal["phrases"] = setting(..., "which task", column="task")
    longest: int = setting(24, "characters of a phrase, at most, in either language", ge=1)

    @model_validator(mode="after")
    def _has_phrases(self) -> Self:
        """Every kind has phrases of this length in every part."""
        shortest = longest_needed()
        if self.longest < shortest:
            raise wrong("longest", f"too short for phrases of every kind in every part; the shortest is {shortest}")
        return self

    @property
    def body(self) -> Body:
        """All phrases, in both languages."""
        return body(self.longest)

    @property
    def length(self) -> int:
        """Steps of the encoder and of the decoder together."""
        return int(self.body.english.shape[0] + self.body.italian.shape[0])

    @property
    def input_size(self) -> int:
        return len(self.body.read)

    @property
    def output_size(self) -> int:
        return len(self.body.written) + 1

    @property
    def chance(self) -> float:
        """Of saying one phrase of the smallest kind, blindly."""
        return 1 / len(KINDS) / int(np.bincount(self.body.kinds).min())

    @property
    def memoryless_loss(self) -> None:
        return None

    def batch(self, seed: int, part: Part, index: int, size: int) -> Batch:
        """Phrases of the part, with replacement: a kind, one of its phrases, one of its English forms."""
        draw, body = generator(seed, part, index), self.body
        kinds, first, second = draw.integers(len(KINDS), size=size), draw.random(size), draw.random(size)
        groups = body.members[part]
        phrases = np.array([groups[k][int(u * len(groups[k]))] for k, u in zip(kinds, first, strict=True)])
        forms = body.starts[phrases] + (second * body.forms[phrases]).astype(np.int64)
        return Batch(body.english[:, forms], body.italian[:, phrases])

    def spelled(self, inputs: npt.NDArray[np.number[Any]]) -> list[str]:
        return ["" if token == PADDING else self.body.read[token] for token in inputs.tolist()]

    def answered(self, answer: npt.NDArray[np.number[Any]]) -> str:
        """The text before the end symbol."""
        return before_end(answer, self.body.written)

    def labels(self, inputs: npt.NDArray[np.number[Any]]) -> list[str]:
        """The phrase's kind."""
        return [KINDS[self.body.kinds[self.body.meant["".join(self.spelled(inputs))]]]]


@dataclass(frozen=True)
class Body:
    """N phrases with F English forms among them, as text and as tokens.

    Attributes:
        read, written: the alphabets; a token is an index into them, the written end symbol one past the last.
        english: (T_in, F), the forms of a phrase one after another; italian: (T_out, N).
        starts, forms: (N,), a phrase's first form and its number of forms.
        kinds: (N,), indices into KINDS.
        meant: the phrase that an English form says.
        members: the phrases of each kind in "train", "evaluate" and "final".
    """

    read: str
    written: str
    english: Tokens
    italian: Tokens
    starts: npt.NDArray[np.int64]
    forms: npt.NDArray[np.int64]
    kinds: npt.NDArray[np.int64]
    meant: dict[str, int]
    members: dict[str, list[npt.NDArray[np.int64]]]


@lru_cache
def body(longest: int) -> Body:
    """Every phrase of at most so many characters."""
    phrases = [
        (kind, italian, short)
        for kind, italian, forms in pairs()
        if len(italian) <= longest and (short := [form for form in forms if len(form) <= longest])
    ]
    texts = [text for _, _, forms in phrases for text in forms]
    italian = [text for _, text, _ in phrases]
    read, written = alphabet(texts), alphabet(italian)
    T = max(map(len, texts))
    forms = np.array([len(each) for _, _, each in phrases])
    kinds = np.array([KINDS.index(kind) for kind, _, _ in phrases])
    return Body(
        read,
        written,
        tokens([text.rjust(T, BLANK) for text in texts], read, PADDING),
        finished(italian, written),
        np.cumsum(forms) - forms,
        forms,
        kinds,
        {text: n for n, (_, _, each) in enumerate(phrases) for text in each},
        {
            part: [own[kinds[own] == kind] for kind in range(len(KINDS))]
            for part, own in split([f"{kind} {text}" for kind, text, _ in phrases]).items()
        },
    )


@lru_cache
def longest_needed() -> int:
    """The smallest `longest` at which every kind has a phrase in every part."""
    phrases = pairs()
    lengths = np.array([max(len(italian), min(map(len, forms))) for _, italian, forms in phrases])
    kinds = np.array([KINDS.index(kind) for kind, _, _ in phrases])
    parts = split([f"{kind} {text}" for kind, text, _ in phrases]).values()
    return max(int(lengths[own[kinds[own] == kind]].min()) for own in parts for kind in range(len(KINDS)))


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
