"""All errors that a user or the machine can cause, in one tree.

    HarnessError                 one line for the terminal, exit code 2
    ├── StudyError               the study is wrong: all problems at once, each with file, line and column
    ├── ResultsError             the results folder cannot be used: other schema, read-only, held by another process
    └── DeadlineError            a run exceeded its deadline (recorded as a failure, not shown as a traceback)

Errors of the harness itself are ordinary Python exceptions and keep their traceback.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches


class HarnessError(Exception):
    """An error that the user can correct; its text is the whole message."""


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
        return f"{self.place}: {self.message}"


class StudyError(HarnessError):
    """All mistakes of a study, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: Sequence[Problem] = sorted(set(problems))
        super().__init__("\n".join(map(str, self.problems)))


class ResultsError(HarnessError):
    """A results folder that cannot be read or written; nothing in it was changed."""


class DeadlineError(HarnessError):
    """A run took longer than its time limit."""


def check_current_folder() -> None:
    """That relative paths lead somewhere; otherwise each of them would seem to be at fault.

    Raises:
        ResultsError: the current folder was deleted.
    """
    try:
        os.getcwd()
    except OSError:
        raise ResultsError("the current folder no longer exists; change to another one and start again") from None


def nearest(word: object, choices: Iterable[str]) -> str:
    """'; did you mean 'x'? (a, b, c)' with the nearest choice first, or '; there are (a, b, c)'."""
    known = sorted(choices)
    close = [choice for choice in known if choice.endswith(f".{word}")] or get_close_matches(str(word), known, n=1)
    guess = f"; did you mean '{close[0]}'?" if close else "; there are"
    shown = ", ".join(known[:12]) + (", …" if len(known) > 12 else "")
    return f"{guess} ({shown})"
