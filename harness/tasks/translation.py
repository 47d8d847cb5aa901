"""Pairs of texts as tokens: what the tasks that read one language and write another have in common."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.tasks.task import UNSCORED

Tokens = npt.NDArray[np.int8]

HELD_OUT = {0: "evaluate", 1: "final"}  # by the hash of a written text modulo TENTHS; all others are trained on
TENTHS = 10
BLANK = "\x01"  # in no alphabet


def alphabet(texts: Sequence[str]) -> str:
    """Every character of the texts, once, in order."""
    return "".join(sorted(set("".join(texts))))


def tokens(texts: Sequence[str], alphabet: str, other: int) -> Tokens:
    """Texts of one length as tokens (T, N); what is not in the alphabet is `other`."""
    points = np.array(texts).view(np.uint32).reshape(len(texts), -1)
    table = np.full(int(points.max()) + 1, other, np.int8)
    table[[ord(character) for character in alphabet]] = np.arange(len(alphabet))
    return np.ascontiguousarray(table[points].T)


def finished(texts: Sequence[str], alphabet: str) -> Tokens:
    """Texts as tokens (T_out, N), each with the end symbol after it and UNSCORED after that."""
    T = max(map(len, texts)) + 1
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
