"""One part of a result that cannot be computed costs itself alone: it is missing with its reason, the rest is there.

Figures and captions run code of plug-ins, and libraries over whatever words a study has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from harness.errors import HarnessError

T = TypeVar("T")
LONGEST = 500  # characters that are shown of an exception's text; docs/reliability.md states it


@dataclass(frozen=True)
class Missing:
    """What could not be computed, and why."""

    reason: str


@dataclass(frozen=True)
class Present(Generic[T]):
    """What was computed."""

    value: T


def attempt(compute: Callable[[], T]) -> Present[T] | Missing:
    """What a function returns, or why it returns nothing.

    An interrupt is not caught. All else is, `SystemExit` too: no plug-in ends a command that has results to show.
    """
    try:
        return Present(compute())
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return Missing(reason(error))


def reason(error: BaseException) -> str:
    """An exception on one line: its type and text, cut to `LONGEST`; a HarnessError is a sentence by itself."""
    try:
        text = str(error)
    except Exception as second:  # a plug-in's own __str__
        text = f"its text raises {type(second).__name__}"
    shown = " ".join(text[:LONGEST].split()).rstrip(".")
    if len(text) > LONGEST:
        shown += f"… ({len(text):,} characters)"
    if isinstance(error, HarnessError) and shown:
        return shown
    return f"{type(error).__name__}: {shown}" if shown else type(error).__name__
