"""All errors that a user or the machine can cause, in one tree.

    HarnessError                 one line for the terminal, exit code 2
    ├── StudyError               the study is wrong: all problems at once, each with file, line and column
    ├── ResultsError             the results folder cannot be used: other schema, read-only, held by another process
    │   └── NoResultsError       there are none yet
    └── DeadlineError            a run exceeded its deadline (recorded as a failure, not shown as a traceback)

Errors of the harness itself are ordinary Python exceptions and keep their traceback.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from harness.errors.text import printable


class HarnessError(Exception):
    """An error that the user can correct; its text is the whole message, and nothing in it acts on a terminal."""

    sentence = True  # says all by itself, without the name of its type (`text.reason`)

    def __init__(self, message: object = "") -> None:
        super().__init__(printable(message, lines=True))


@dataclass(frozen=True, order=True)
class Place:
    """Where something was written: `studies/a.yaml:7:14`, or `-S 2` for the second override."""

    source: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake: its place, what is wrong, and the nearest valid name."""

    place: Place
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {printable(self.message)}"  # one line, whatever was written in the study


class StudyError(HarnessError):
    """All mistakes of a study, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: Sequence[Problem] = sorted(set(problems))
        super().__init__("\n".join(map(str, self.problems)))


class ResultsError(HarnessError):
    """A results folder that cannot be read or written; nothing in it was changed."""


class NoResultsError(ResultsError):
    """There are no results yet; a command that knows its study says how to compute them (`cli.sweep_command`)."""


class DeadlineError(HarnessError):
    """A run took longer than its time limit."""

    sentence = False  # in a note, its type says what happened


def check_current_folder() -> None:
    """That relative paths lead somewhere; otherwise each of them would seem to be at fault.

    Raises:
        ResultsError: the current folder was deleted.
    """
    try:
        os.getcwd()
    except OSError:
        raise ResultsError("the current folder no longer exists; change to another one and start again") from None


def nearest(word: object, choices: Iterable[str], elsewhere: Iterable[str] = ()) -> str:
    """'; did you mean 'x'? (a, b, c)' with the nearest choice first, or '; there are (a, b, c)'.

    Args:
        word: what was written.
        choices: what could have been; all are listed.
        elsewhere: what could be meant and is no choice here, such as the settings of other sections: not listed.
    """
    known = sorted(set(choices), key=_reading_order)
    close = _close(str(word), known) or _close(str(word), sorted(set(elsewhere)))
    guess = f"; did you mean '{close}'?" if close else "; there are" if known else "; there are none"
    return f"{guess} ({', '.join(known)})" if known else guess


def likeliest(word: str, choices: Iterable[str]) -> str:
    """'; did you mean 'x'?', or nothing where no choice is like the word; for choices that are too many to list."""
    close = _close(word, sorted(set(choices)))
    return f"; did you mean '{close}'?" if close else ""


def _reading_order(choice: str) -> tuple[bool, float, str]:
    """Numbers by size, then words by the alphabet."""
    try:
        return False, float(choice), choice
    except ValueError:
        return True, 0.0, choice


def _close(word: str, known: Sequence[str]) -> str | None:
    """The choice that a word most likely means: itself without its section or with another, then a similar one."""
    tails = {choice.rpartition(".")[2]: choice for choice in reversed(known)}
    tail = word.rpartition(".")[2]
    if tail in tails and tail:
        return tails[tail]
    folded = {choice.casefold(): choice for choice in reversed(known)}
    if word.casefold() in folded and word:
        return folded[word.casefold()]
    similar = get_close_matches(word, known, n=1)
    if similar:
        return similar[0]
    similar = get_close_matches(word.casefold(), list(folded), n=1, cutoff=0.75)
    if similar:
        return folded[similar[0]]
    similar = get_close_matches(tail, list(tails), n=1, cutoff=0.75)
    return tails[similar[0]] if similar else None
