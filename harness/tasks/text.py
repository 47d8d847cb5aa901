"""Language modelling: the next symbol of a text, a character or a word, from all the symbols before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from pydantic import PrivateAttr, ValidationInfo, model_validator

from harness.data.sequences import likely_file
from harness.errors.text import reason
from harness.rng import generator
from harness.study.section import File
from harness.study.spec import setting, wrong
from harness.tasks.batchify import Symbols, batchify
from harness.tasks.task import PADDING, Batch, Part, Shape, Task

Floats = npt.NDArray[np.float64]

TENTHS: Mapping[Part, tuple[int, int]] = {"train": (0, 8), "evaluate": (8, 9), "final": (9, 10)}
SMOOTHINGS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)  # the α that a bigram model chooses from


@dataclass(frozen=True, eq=False)
class Corpus:
    """A text as tokens: its alphabet, the last symbol of which stands for all others, and its three parts."""

    alphabet: Sequence[str]
    parts: Mapping[Part, Symbols]


class Text(Task):
    """Predict the next symbol of a text: y_t = x_{t+1}.

    The text is cut once, in order: the first eight tenths are trained on, the ninth is for the curve, the last for the
    final judgement. Training runs through its part again and again; each pass starts the text at a symbol drawn
    anew and goes on from its end to its beginning, so that the columns are cut elsewhere. The loss is in nats per
    symbol; divided by ln 2 it is in bits.

    Attributes:
        symbol: what a symbol is: "character", "word".
        between: what stands between two symbols where they are written.
        other: stands for every symbol that is not in the alphabet.
        often: a symbol of the alphabet occurs at least so often in the training text.
    """

    shape: ClassVar[Shape] = "sequence_to_sequence"
    carried: ClassVar[bool] = True
    final_sequences: ClassVar[int] = 32
    symbol: ClassVar[str]
    between: ClassVar[str] = ""
    other: ClassVar[str]
    often: ClassVar[int]

    text: File | None = setting(
        None, "your own text, UTF-8, in place of the built-in one; relative to the study", column="text_file"
    )

    _folder: Path = PrivateAttr(default=Path())  # of the study

    @model_validator(mode="after")
    def _has_text(self, info: ValidationInfo) -> Self:
        """A text of one's own is there, and long enough to be trained on and judged."""
        self._folder = (info.context or {}).get("folder") or self._folder
        if self.text is None:
            return self
        path = self._folder / self.text
        try:
            corpus = self.corpus
        except (OSError, UnicodeDecodeError) as error:
            likely = likely_file(path) if isinstance(error, FileNotFoundError) else ""
            raise wrong("text", f"{path}: cannot be read: {reason(error)}{likely}") from None
        if len(corpus.parts["final"]) < 2 * self.final_sequences:
            n = sum(map(len, corpus.parts.values()))
            least = 20 * self.final_sequences
            raise wrong("text", f"{path}: {n} {self.symbol}s; a text needs {least} or more, a tenth of which is judged")
        if len(corpus.alphabet) < 2:
            raise wrong("text", f"{path}: no {self.symbol} occurs {self.often} times in the first eight tenths of it")
        return self

    def files(self) -> dict[str, Path]:
        return {key: self._folder / path for key, path in super().files().items()}

    @property
    def corpus(self) -> Corpus:
        """The text, cut into its parts."""
        return self.built_in() if self.text is None else own(type(self), self.files()["text"])

    def built_in(self) -> Corpus:
        """The text where none is given."""
        raise NotImplementedError

    @property
    def length(self) -> int:
        """Steps that a state goes through when it is judged: a column of the held-out text."""
        return len(self.corpus.parts["final"]) // self.final_sequences - 1

    @property
    def alphabet(self) -> Sequence[str]:
        """The C symbols, a token an index into them; the last stands for all others."""
        return self.corpus.alphabet

    @property
    def input_size(self) -> int:
        return len(self.alphabet)

    @property
    def output_size(self) -> int:
        return len(self.alphabet)

    @property
    def chance(self) -> float:
        """The share of the commonest symbol: who always says it is right so often."""
        _, targets = self.judged
        return float(np.bincount(targets.ravel()).max() / targets.size)

    @property
    def memoryless_loss(self) -> float:
        """What the bigram model of the training text has, in nats, on the targets of the final judgement."""
        return cross_entropy(smoothed_bigram(self.corpus), *self.judged)

    @property
    def judged(self) -> tuple[Symbols, Symbols]:
        """Inputs and targets of the final judgement."""
        return batchify(self.corpus.parts["final"], self.final_sequences)

    def solved(self, accuracy: float) -> bool:
        """Never: a text cannot be known beforehand."""
        return False

    def check_batches(self, batch_size: int, sequences: int, every: int, max_updates: int) -> None:
        parts = self.corpus.parts
        cut = {
            "training.batch_size": (parts["train"], batch_size),
            "evaluation.sequences": (parts["evaluate"], sequences),
        }
        for key, (text, columns) in cut.items():
            if columns > len(text) // 2:  # a column is at least a symbol and the next one
                raise wrong(key, f"its part of the text can be cut into {len(text) // 2} columns at most")

    def batch(self, seed: int, part: Part, index: int, size: int) -> Batch:
        """The whole part in `size` columns, (L, B); seed and index choose where the training text starts."""
        text = self.corpus.parts[part]
        if part == "train":
            text = np.roll(text, -int(generator(seed, part, index).integers(len(text))))
        return Batch(*batchify(text, size))

    @staticmethod
    def symbols(text: str) -> Sequence[str]:
        """A text taken apart into symbols."""
        raise NotImplementedError

    def tokens(self, text: str) -> Symbols:
        """A text as indices into the alphabet, (T,)."""
        return tokens(self.symbols(text), self.alphabet)

    def spelled(self, inputs: npt.NDArray[np.number[Any]]) -> list[str]:
        return ["" if token == PADDING else self.alphabet[int(token)] for token in inputs]

    def answered(self, answer: npt.NDArray[np.number[Any]]) -> str:
        return self.between.join(self.alphabet[int(token)] for token in np.atleast_1d(answer))


def own(kind: type[Text], path: Path) -> Corpus:
    """The corpus of a user's text; read once as long as the file is not written again.

    Raises:
        OSError, UnicodeDecodeError: it cannot be read.
    """
    return _own(kind, path, path.stat().st_mtime_ns)


@lru_cache
def _own(kind: type[Text], path: Path, written: int) -> Corpus:
    return divided(kind.symbols(path.read_text(encoding="utf-8")), often=kind.often, other=kind.other)


def divided(text: Sequence[str], *, often: int, other: str) -> Corpus:
    """A text's symbols cut in order into its parts.

    The alphabet is that of the training part, so that nothing leaks into it: the symbols that occur there at least
    `often` times, sorted, and `other` for all that do not.
    """
    cuts = {part: text[len(text) * low // 10 : len(text) * high // 10] for part, (low, high) in TENTHS.items()}
    counts = Counter(cuts["train"])
    alphabet = [*sorted(symbol for symbol, count in counts.items() if count >= often and symbol != other), other]
    return Corpus(alphabet, {part: tokens(cut, alphabet) for part, cut in cuts.items()})


def tokens(text: Sequence[str], alphabet: Sequence[str]) -> Symbols:
    """Indices into an alphabet whose last symbol stands for every other."""
    index = {symbol: i for i, symbol in enumerate(alphabet)}
    return np.array([index.get(symbol, len(alphabet) - 1) for symbol in text], np.int16)


def unigram(text: Symbols, C: int, smoothing: float) -> Floats:
    """p(y) = (n_y + α) / (N + αC), in every row the same: (C, C)."""
    counts = np.bincount(text, minlength=C) + smoothing
    return np.tile(counts / counts.sum(), (C, 1))


def bigram(text: Symbols, C: int, smoothing: float) -> Floats:
    """p(y | x) = (n_xy + α) / (n_x + αC), row x and column y: (C, C)."""
    pairs = text[:-1].astype(np.int64) * C + text[1:]
    counts = np.bincount(pairs, minlength=C * C).reshape(C, C) + smoothing
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


def cross_entropy(model: Floats, inputs: Symbols, targets: Symbols) -> float:
    """Mean of −ln p(y_t | x_t), in nats."""
    return float(-np.log(model[inputs, targets]).mean())


@lru_cache
def smoothed_bigram(corpus: Corpus) -> Floats:
    """The bigram model of the training text, with the α that is best on the text of the curve."""
    C, parts = len(corpus.alphabet), corpus.parts
    models = [bigram(parts["train"], C, smoothing) for smoothing in SMOOTHINGS]
    return min(models, key=lambda model: cross_entropy(model, parts["evaluate"][:-1], parts["evaluate"][1:]))
