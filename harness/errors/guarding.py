"""One part of a result that cannot be computed costs itself alone: it is missing with its reason, the rest is there.

Figures and captions run code of plug-ins, and libraries over whatever words a study has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from harness.errors import HarnessError, text

T = TypeVar("T")


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
    """An exception on one line, printable and cut; a HarnessError is a sentence by itself, without its type."""
    shown = text.reason(error).rstrip(".")
    prefix = f"{type(error).__name__}: "
    return shown.removeprefix(prefix) if isinstance(error, HarnessError) else shown
