"""Characters: the next character of a text, from all the characters before it.

The text is Python's own documentation, as the standard library holds it for `help()`, so there is nothing to download.
Language modelling by characters: Sutskever, Martens & Hinton 2011, "Generating text with recurrent neural networks".
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar, Literal

from harness.study.spec import setting
from harness.tasks.text import Corpus, Text, divided

OTHER = "\N{REPLACEMENT CHARACTER}"  # stands for every character that is not in the alphabet
OFTEN = 20  # a character of the alphabet occurs at least so often in the training text


class Characters(Text):
    """Predict the next character of Python's documentation: y_t = x_{t+1}; how the text is cut is said in `Text`."""

    numerics: ClassVar[int] = 2  # the readout of all steps summed in an order of its pack's size
    symbol: ClassVar[str] = "character"
    other: ClassVar[str] = OTHER
    often: ClassVar[int] = OFTEN

    name: Literal["characters"] = setting(..., "which task", column="task")

    def built_in(self) -> Corpus:
        return corpus()

    @staticmethod
    def symbols(text: str) -> Sequence[str]:
        return text


@lru_cache
def corpus() -> Corpus:
    """All topics of Python's documentation, one after the other by name; another Python has another text."""
    from pydoc_data.topics import topics

    return divided("\n".join(topics[name] for name in sorted(topics)), often=OFTEN, other=OTHER)
