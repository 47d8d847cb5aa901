"""Phrases of eight kinds: an English one is read, an Italian one is written; all there is between them is one vector.

What lies together in that vector's space is the question of Cho et al. 2014, "Learning phrase representations using RNN
encoder–decoder for statistical machine translation", section 4.4 and figures 4 and 5. The phrases are Unicode's CLDR's,
as the library Babel holds them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import model_validator

from harness.rng import generator
from harness.schema import Column, MetricOptions
from harness.study.spec import setting, wrong
from harness.tasks.phrase_pairs import KINDS, pairs
from harness.tasks.task import PADDING, Batch, Part
from harness.tasks.translation import BLANK, Tokens, Translation, alphabet, finished, split, tokens

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


class Phrases(Translation):
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
    def body(self) -> PhraseBook:
        """All phrases, in both languages."""
        return body(self.longest)

    @property
    def length(self) -> int:
        """Steps of the encoder and of the decoder together."""
        return int(self.body.english.shape[0] + self.body.italian.shape[0])

    @property
    def chance(self) -> float:
        """Of saying one phrase of the smallest kind, blindly."""
        return 1 / len(KINDS) / int(np.bincount(self.body.kinds).min())

    def batch(self, seed: int, part: Part, index: int, size: int) -> Batch:
        """Phrases of the part, with replacement: a kind, one of its phrases, one of its English forms."""
        draw, body = generator(seed, part, index), self.body
        kinds, first, second = draw.integers(len(KINDS), size=size), draw.random(size), draw.random(size)
        groups = body.members[part]
        phrases = np.array([groups[k][int(u * len(groups[k]))] for k, u in zip(kinds, first, strict=True)])
        forms = body.starts[phrases] + (second * body.forms[phrases]).astype(np.int64)
        return Batch(body.english[:, forms], body.italian[:, phrases])

    def labels(self, inputs: npt.NDArray[np.number[Any]]) -> list[str]:
        """The phrase's kind."""
        return [KINDS[self.body.kinds[self.body.meant["".join(self.spelled(inputs))]]]]


@dataclass(frozen=True)
class PhraseBook:
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
def body(longest: int) -> PhraseBook:
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
    return PhraseBook(
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
