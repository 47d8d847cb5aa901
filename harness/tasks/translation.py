"""What the tasks have in common that read a text in one language and write it in another, character by character."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from harness.tasks.task import PADDING, UNSCORED, Shape, Task

Tokens = npt.NDArray[np.int8]

HELD_OUT = {0: "evaluate", 1: "final"}  # by the hash of a written text modulo TENTHS; all others are trained on
TENTHS = 10
BLANK = "\x01"  # in no alphabet


class Texts(Protocol):
    """The alphabets of both languages: a token is an index into one, the written end symbol one past the last."""

    @property
    def read(self) -> str: ...

    @property
    def written(self) -> str: ...


class Translation(Task):
    """Read a text character by character, and write another through the code h_T."""

    shape: ClassVar[Shape] = "sequence_to_vector_to_sequence"

    @property
    def body(self) -> Texts:
        """All texts, in both languages."""
        raise NotImplementedError

    @property
    def input_size(self) -> int:
        return len(self.body.read)

    @property
    def output_size(self) -> int:
        return len(self.body.written) + 1

    @property
    def memoryless_loss(self) -> None:
        return None

    def spelled(self, inputs: npt.NDArray[np.number[Any]]) -> list[str]:
        return ["" if token == PADDING else self.body.read[token] for token in inputs.tolist()]

    def answered(self, answer: npt.NDArray[np.number[Any]]) -> str:
        """The text before the end symbol."""
        return before_end(answer, self.body.written)


def alphabet(texts: Sequence[str]) -> str:
    """Every character of the texts, once, in order."""
    return "".join(sorted(set("".join(texts))))


def tokens(texts: Sequence[str], alphabet: str, other: int) -> Tokens:
    """Texts of one length as tokens (T, N); what is not in the alphabet is `other`."""
    points = np.array(texts).view(np.uint32).reshape(len(texts), -1)
    own = [ord(character) for character in alphabet]
    table = np.full(max(int(points.max()), *own) + 1, other, np.int8)
    table[own] = np.arange(len(alphabet))
    return np.ascontiguousarray(table[points].T)


def finished(texts: Sequence[str], alphabet: str, longest: int | None = None) -> Tokens:
    """Texts as tokens (T_out, N), each with the end symbol after it and UNSCORED after that.

    Args:
        longest: characters that T_out has room for beside the end symbol; default: those of the longest text.
    """
    T = (longest or max(map(len, texts))) + 1
    tokens_of_texts = tokens([text.ljust(T, BLANK) for text in texts], alphabet, UNSCORED)
    tokens_of_texts[list(map(len, texts)), np.arange(len(texts))] = len(alphabet)
    return tokens_of_texts


def before_end(answer: npt.NDArray[np.number[Any]], alphabet: str) -> str:
    """The text of tokens (T_out,) before the end symbol, which is one past the alphabet."""
    written = np.atleast_1d(answer).tolist()
    end = next((t for t, token in enumerate(written) if token in (len(alphabet), UNSCORED)), len(written))
    return "".join(alphabet[token] for token in written[:end])


def split(texts: Sequence[str]) -> dict[str, npt.NDArray[np.int64]]:
    """Which texts belong to "train", "evaluate" and "final": a tenth each to the latter two, by their hashes."""
    hashes = [blake2b(text.encode(), digest_size=4).digest() for text in texts]
    tenth = np.array([int.from_bytes(each, "little") for each in hashes]) % TENTHS
    parts = {part: np.flatnonzero(tenth == number) for number, part in HELD_OUT.items()}
    return {"train": np.flatnonzero(~np.isin(tenth, list(HELD_OUT))), **parts}
