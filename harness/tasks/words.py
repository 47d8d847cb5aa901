"""Words: the next word of a text, from all the words before it, through a vector for each word.

What the vectors know is the question of Mikolov, Yih & Zweig 2013, "Linguistic regularities in continuous space word
representations": whether woman − man = queen − king. Their vectors, too, are those of a recurrent language model.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from typing import ClassVar, Literal, Self

import pyarrow as pa
from pydantic import model_validator

from harness.schema import Column, MetricOptions
from harness.study.spec import setting, wrong
from harness.tasks import facts
from harness.tasks.text import Corpus, Text, divided

OTHER = "<other>"  # stands for every word that is not in the vocabulary
OFTEN = 2  # a word of the vocabulary occurs at least so often in the training text
SHARE = MetricOptions("iqm", decimals=3, better=1, margin=0.05, limits=(0.0, 1.0))
BASELINES = {"": "of the trained vectors", "_untrained": "before training", "_random": "of normal random vectors"}


class Words(Text):
    """Predict the next word of sentences made from facts (`harness.tasks.facts`): y_t = x_{t+1}.

    A word is looked up in a table of vectors, E (C, D), which is trained with all else; the recurrence reads the
    vector. With `tied` the same table reads the hidden state out, ŷ = E h + b_y (Press & Wolf 2017, "Using the output
    embedding to improve language models"), and D must be the width of what is read out. How the text is cut is said in
    `Text`.
    """

    numerics: ClassVar[int] = 1
    symbol: ClassVar[str] = "word"
    other: ClassVar[str] = OTHER
    often: ClassVar[int] = OFTEN
    between: ClassVar[str] = " "
    measures: ClassVar[tuple[Column, ...]] = tuple(
        Column(
            f"analogy_{relation}{suffix}",
            pa.float64(),
            "",
            f"share of analogies with held-out pairs of the relation {relation} that 3CosAdd answers, {meaning}; null "
            "unless codes were recorded",
            label=f"analogies, {relation}{suffix.replace('_', ', ')}",
            metric=SHARE,
        )
        for relation in facts.RELATIONS
        for suffix, meaning in BASELINES.items()
    )
    code_measures: ClassVar[str] = "harness.probes.word_vectors:code_measures"
    label_names: ClassVar[tuple[str, ...]] = ("relation", "pair", "side")

    name: Literal["words"] = setting(..., "which task", column="task")
    embedding: int = setting(64, "D, numbers of a word's vector", label="width of a word's vector D", ge=1)
    tied: bool = setting(False, "the table of word vectors is the readout's weights too")

    @model_validator(mode="after")
    def _has_facts(self) -> Self:
        """The packages that the sentences are made from are there."""
        missing = [package for package in ("countryinfo", "lemminflect") if find_spec(package) is None]
        if missing:
            needed = f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed"
            raise wrong("name", f"{needed}; python -m pip install -c constraints.txt '.[words]'")
        return self

    def built_in(self) -> Corpus:
        return corpus()

    @property
    def input_size(self) -> int:
        """D: what the recurrence reads is a word's vector."""
        return self.embedding

    @property
    def has_codes(self) -> bool:
        """The vectors of the words that the facts' pairs have, whatever number is asked for."""
        return True

    @property
    def symbols_read(self) -> int:
        return len(self.alphabet)

    @staticmethod
    def symbols(text: str) -> Sequence[str]:
        """Words in lower case; a full stop is a word."""
        return text.lower().replace(".", " . ").split()


@lru_cache
def corpus() -> Corpus:
    """The sentences, cut into parts."""
    return divided(facts.text(), often=OFTEN, other=OTHER)
