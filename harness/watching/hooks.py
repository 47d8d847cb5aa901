"""Hooks that stay behind: a copy of a watched model, or a saved one, is not watched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class ModuleHook:
    """A hook on a module, which a copy of the module has a hook without effect in place of."""

    def __init__(self, function: Callable[..., None]) -> None:
        self.function = function

    def __call__(self, *arguments: Any) -> None:
        self.function(*arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return without_effect, ()


def without_effect() -> Callable[..., None]:
    """A hook that does nothing."""
    return nothing


def nothing(*arguments: Any) -> None:
    """Does nothing."""
